"""What else the core consumes and a recording keeps: queue settings, gaps, what people do."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from ringback.core.snapshots import QueueSettings
from ringback.core.watch.feed_kinds import Pulse
from ringback.core.watch.rules import RuleSet
from ringback.errors import FrameError, FrameFault
from ringback.wire.tolerance import pruned
from ringback.wire.values import Reference, WholeSeconds

__all__ = [
    "Acknowledge",
    "BeginSilence",
    "Deed",
    "EndSilence",
    "Gap",
    "MatcherText",
    "Queue",
    "Ruling",
    "decode_deed",
    "decode_gap",
    "decode_pulse",
    "decode_settings",
    "encode_deed",
    "encode_gap",
    "encode_pulse",
    "encode_settings",
    "queue_settings",
    "rules_of",
]

WholeHours = Annotated[int, Meta(ge=0, le=100_000)]
"""Far more than the platform's 168: safe to add to an instant."""


class CallbackMediaSettings(msgspec.Struct, frozen=True, rename="camel"):
    """A queue's `mediaSettings.callback`, as far as it moves a deadline."""

    enable_auto_dial_and_end: bool | None = None
    auto_dial_delay_seconds: WholeSeconds | None = None
    """0 to 1200, the platform's default is 300: from the agent's connect to the automatic call."""
    mode: str | None = None
    """`AgentFirst` (default) or `CustomerFirst`."""
    alerting_timeout_seconds: WholeSeconds | None = None
    """How long an agent is alerted before the offer is withdrawn."""


class AgentOwnedRouting(msgspec.Struct, frozen=True, rename="camel"):
    """A queue's `agentOwnedRouting`: callbacks that wait for one agent."""

    enable_agent_owned_callbacks: bool | None = None
    max_owned_callback_hours: WholeHours | None = None
    """1 to 168: how long they wait for that agent."""


class MediaSettings(msgspec.Struct, frozen=True):
    """A queue's `mediaSettings`."""

    callback: CallbackMediaSettings | None = None


class Queue(msgspec.Struct, frozen=True, rename="camel"):
    """`GET /api/v2/routing/queues/{id}`, and each entity of a page of them."""

    id: str
    media_settings: MediaSettings | None = None
    agent_owned_routing: AgentOwnedRouting | None = None
    name: str | None = None
    division: Reference | None = None


class Gap(msgspec.Struct, frozen=True, omit_defaults=True):
    """A source began or ceased to hear."""

    source: str
    state: Literal["connected", "disconnected"]
    cause: str = "unknown"
    since: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    """Of `disconnected`: the last moment at which it surely heard; None: as it is observed."""
    topics: list[str] = []
    """Which topics; none: all that the source has."""
    reads: bool = False
    """Whether the source can read conversations, so that alerts wait for a read."""


class PulseText(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """How a source is, as far as the core cannot see it by itself."""

    source: str
    behind_since: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    spent_since: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    skew_seconds: Annotated[float, Meta(ge=0, le=86_400)] = 0.0


class Acknowledge(
    msgspec.Struct, frozen=True, rename="camel", tag_field="action", tag="acknowledge"
):
    """An alert was acknowledged."""

    alert_id: str
    by: str


class MatcherText(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one of an alert's fields must say."""

    field: str
    value: str
    prefix: bool = False


class BeginSilence(msgspec.Struct, frozen=True, tag_field="action", tag="silence"):
    """Alerts were silenced."""

    matchers: list[MatcherText]
    until: Annotated[datetime, msgspec.Meta(tz=True)]
    by: str
    comment: str = ""
    id: str = ""
    """Where it was given one before it was told; else it is named after its instant."""


class EndSilence(
    msgspec.Struct, frozen=True, rename="camel", tag_field="action", tag="end_silence"
):
    """A silence was ended before its time."""

    silence_id: str
    by: str


class Ruling(msgspec.Struct, frozen=True, tag_field="action", tag="rules"):
    """Rules were put in force, by somebody or by a start."""

    by: str
    rules: msgspec.Raw
    """All of them, as a `RuleSet` packs them."""


Deed = Acknowledge | BeginSilence | EndSilence | Ruling
"""What somebody did."""


_AUTO_DIAL_SECONDS = 300
_gap = msgspec.json.Decoder(Gap).decode
_pulse = msgspec.json.Decoder(PulseText).decode
_deed: msgspec.json.Decoder[Deed] = msgspec.json.Decoder(Deed)


def decode_settings(data: bytes) -> QueueSettings:
    """Read a queue object. Raises `FrameError`."""
    try:
        queue = msgspec.convert(pruned(msgspec.json.decode(data)), Queue)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _refused(error) from None
    return queue_settings(queue)


def queue_settings(queue: Queue) -> QueueSettings:
    """Give what the core needs of a queue."""
    media, owned = queue.media_settings, queue.agent_owned_routing
    callback = (media and media.callback) or CallbackMediaSettings()
    seconds = callback.auto_dial_delay_seconds
    return QueueSettings(
        queue.id,
        auto_dial_seconds=(
            (_AUTO_DIAL_SECONDS if seconds is None else seconds)
            if callback.enable_auto_dial_and_end
            else None
        ),
        customer_first=callback.mode == "CustomerFirst",
        alerting_timeout_seconds=callback.alerting_timeout_seconds,
        owned_hours=(
            owned.max_owned_callback_hours if owned and owned.enable_agent_owned_callbacks else None
        ),
        division_id=None if queue.division is None else queue.division.id,
        name=queue.name,
    )


def encode_settings(settings: QueueSettings) -> bytes:
    """Write settings as the queue object they could have been read from."""
    seconds, hours = settings.auto_dial_seconds, settings.owned_hours
    callback = CallbackMediaSettings(
        enable_auto_dial_and_end=seconds is not None,
        auto_dial_delay_seconds=seconds,
        mode="CustomerFirst" if settings.customer_first else "AgentFirst",
        alerting_timeout_seconds=settings.alerting_timeout_seconds,
    )
    owned = None if hours is None else AgentOwnedRouting(True, hours)  # noqa: FBT003  # a field
    division = None if settings.division_id is None else Reference(id=settings.division_id)
    queue = Queue(settings.queue_id, MediaSettings(callback), owned, settings.name, division)
    return msgspec.json.encode(queue)


def encode_gap(gap: Gap) -> bytes:
    """Write a gap as a recording keeps it."""
    return msgspec.json.encode(gap)


def decode_gap(data: bytes) -> Gap:
    """Read what a recording keeps of a gap. Raises `FrameError`."""
    try:
        gap = _gap(data)
        since = gap.since
        return gap if since is None else msgspec.structs.replace(gap, since=since.astimezone(UTC))
    except msgspec.DecodeError as error:
        raise _refused(error) from None


def encode_pulse(source: str, pulse: Pulse) -> bytes:
    """Write a pulse as a recording keeps it."""
    skew = pulse.skew.total_seconds()
    return msgspec.json.encode(PulseText(source, pulse.behind_since, pulse.spent_since, skew))


def decode_pulse(data: bytes) -> tuple[str, Pulse]:
    """Read a source's name and its pulse. Raises `FrameError`."""
    try:
        text = _pulse(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _refused(error) from None
    behind, spent = text.behind_since, text.spent_since
    return text.source, Pulse(
        None if behind is None else behind.astimezone(UTC),
        None if spent is None else spent.astimezone(UTC),
        timedelta(seconds=text.skew_seconds),
    )


def encode_deed(deed: Deed) -> bytes:
    """Write what somebody did as a recording keeps it."""
    return msgspec.json.encode(deed)


def decode_deed(data: bytes) -> Deed:
    """Read what a recording keeps of what somebody did. Raises `FrameError`."""
    try:
        return _deed.decode(data)
    except msgspec.DecodeError as error:
        raise _refused(error) from None


def rules_of(deed: Ruling, zone: Callable[[str], tzinfo]) -> RuleSet:
    """Give the rules that were put in force; `zone` gives a time zone by its name.

    Raises `FrameError`.
    """
    try:
        return RuleSet.unpack(bytes(deed.rules), zone)
    except msgspec.DecodeError as error:
        raise _refused(error) from None
    except (ValueError, KeyError) as error:  # a kind or a zone that is not known here
        raise FrameError(FrameFault.WRONG_TYPE, str(error)) from None


def _refused(error: msgspec.DecodeError | UnicodeDecodeError) -> FrameError:
    if isinstance(error, msgspec.ValidationError):
        return FrameError(FrameFault.WRONG_TYPE, str(error))
    return FrameError(FrameFault.NOT_JSON, str(error))
