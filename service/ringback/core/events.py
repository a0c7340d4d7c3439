"""What goes out: the closed list of emitted events, with the data of each.

Structs hold the emitted form: instants are RFC 3339 UTC strings with milliseconds, durations are
seconds, absent means not known. `wire.cloudevents` puts the envelope around them.
"""

from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

__all__ = [
    "EVENT_TYPES",
    "AlertData",
    "AlertProof",
    "CallbackData",
    "ClockUsed",
    "Event",
    "SourceData",
    "rfc3339",
]

PREFIX = "ringback"

Time = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]
Seconds = Annotated[float, Meta(ge=0)]


_WHOLE_SECOND = len('"2026-11-22T08:00:00Z"')
_encode = msgspec.json.Encoder().encode


def rfc3339(instant: datetime) -> str:
    """Format an aware UTC instant as emitted everywhere: `2026-11-22T08:00:00.000Z`.

    msgspec formats in a quarter of the time of `isoformat`, with microseconds or none at all.
    """
    text = _encode(instant)
    if len(text) == _WHOLE_SECOND:
        return f"{text[1:-2].decode()}.000Z"
    return f"{text[1:24].decode()}Z"


class ClockUsed(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """Which clock an event's `time` was read from, and how far that clock is known to be off."""

    name: Literal["cloud", "provider", "observer"]
    """`observer` is the daemon's own clock: the platform gave no time for this."""
    skew_seconds: float = 0.0
    """How far that clock runs ahead of the daemon's, as used for wake-ups."""
    mixed: list[str] = []
    """Durations of this event that were read from two clocks: `holdSeconds`, `waitSeconds`."""
    negative: list[str] = []
    """Durations that would have been negative and count as 0."""


class CallbackData(
    msgspec.Struct, frozen=True, gc=False, rename="camel", omit_defaults=True, kw_only=True
):
    """The `data` of every `ringback.callback.*` event."""

    callback_id: str
    conversation_id: str
    state: str
    previous_state: str | UnsetType = UNSET
    trigger: str | UnsetType = UNSET
    """The last move made; unset on events without a new state."""
    skipped: list[str] | UnsetType = UNSET
    """States jumped over, oldest first."""
    reasons: list[str] | UnsetType = UNSET
    """On `updated` and `anomaly`: what changed."""
    cause: Literal["notification", "timer", "reconcile", "operator"]
    queue_id: str | UnsetType = UNSET
    user_id: str | UnsetType = UNSET
    scheduled_time: Time | UnsetType = UNSET
    """Provider clock."""
    auto_dial_at: Time | UnsetType = UNSET
    """Cloud clock."""
    offers: int
    hold_seconds: Seconds
    wait_seconds: Seconds
    disconnect_type: str | UnsetType = UNSET
    raw_disconnect_type: str | UnsetType = UNSET
    outcome: str | UnsetType = UNSET
    contact: list[str] | UnsetType = UNSET
    """Numbers and name, or keyed hashes of the numbers; only if `[privacy]` says so."""
    unverified: bool = False
    """Whether a gap has touched it, which was told, and nothing has confirmed it since."""
    clock: ClockUsed
    late_seconds: Seconds | UnsetType = UNSET
    """How long after its due time a timer was found."""
    observed_time: Time


class AlertProof(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True, kw_only=True):
    """What an alert rests on."""

    confirmed: bool
    """Whether a read has confirmed it shortly before it fired."""
    by: Literal["read"] | UnsetType = UNSET
    time: Time | UnsetType = UNSET
    """When that read was sent; the daemon's clock."""
    why: str | UnsetType = UNSET
    """Why nothing has confirmed it, if so."""


class AlertData(
    msgspec.Struct, frozen=True, gc=False, rename="camel", omit_defaults=True, kw_only=True
):
    """The `data` of every `ringback.alert.*` event. Identity is (rule, callback or source)."""

    alert_id: str
    """`<callback id>/<rule>/<episode>`, or `source:<name>/<rule>/<episode>`."""
    rule: str
    """The rule's name."""
    kind: str | UnsetType = UNSET
    """What the rule watches. Like severity and proof, earlier versions have not told it."""
    severity: str | UnsetType = UNSET
    """`info`, `warning` or `critical`."""
    callback_id: str | UnsetType = UNSET
    """What follows is unset where the alert is about a source."""
    conversation_id: str | UnsetType = UNSET
    state: str | UnsetType = UNSET
    state_since: Time | UnsetType = UNSET
    source: str | UnsetType = UNSET
    """The source that it is about, if it is about one."""
    since: Time
    """When the condition reached its threshold."""
    queue_id: str | UnsetType = UNSET
    user_id: str | UnsetType = UNSET
    summary: str
    labels: dict[str, str] | UnsetType = UNSET
    """As the rule has them."""
    proof: AlertProof | UnsetType = UNSET
    reason: str | UnsetType = UNSET
    """On `resolved`: what ended it."""
    by: str | UnsetType = UNSET
    """On `acknowledged`: who has."""
    late_seconds: Seconds | UnsetType = UNSET
    observed_time: Time


class SourceData(
    msgspec.Struct, frozen=True, gc=False, rename="camel", omit_defaults=True, kw_only=True
):
    """The `data` of every `ringback.source.*` event."""

    source_name: str
    cause: str | UnsetType = UNSET
    blind_from: Time | UnsetType = UNSET
    blind_until: Time | UnsetType = UNSET
    topics: list[str] | UnsetType = UNSET
    """On gaps: what was not heard, at most 100 of them; unset when it was all of the source."""
    topic_count: int | UnsetType = UNSET
    """How many those are in all."""
    touched: int | UnsetType = UNSET
    """On `gap_closed`: callbacks that are unverified by it."""
    observed_time: Time


class Event(msgspec.Struct, frozen=True, gc=False):
    """One emitted event, before its CloudEvents envelope."""

    id: str
    """`<callback id>/<sequence>` for a callback; stable over replays and restarts for all."""
    type: str
    """One of `EVENT_TYPES`."""
    subject: str
    """The callback id, or the source's name; of an alert about one `source:<name>`."""
    time: str
    """When it took effect, RFC 3339."""
    data: CallbackData | AlertData | SourceData
    partition: str
    """The conversation id, or the source's name: events of one partition keep their order."""
    sequence: int | None = None
    """Per callback, from 1, without holes; None for alert and source events."""


EVENT_TYPES = {
    **{
        f"{PREFIX}.callback.{kind}.v1": CallbackData
        for kind in (
            "scheduled",
            "waiting",
            "alerting",
            "connected",
            "auto_dialing",
            "dialing",
            "talking",
            "held",
            "after_call_work",
            "disconnected",
            "updated",
            "unverified",
            "verified",
            "anomaly",
        )
    },
    **{f"{PREFIX}.alert.{kind}.v1": AlertData for kind in ("firing", "acknowledged", "resolved")},
    **{
        f"{PREFIX}.source.{kind}.v1": SourceData
        for kind in ("connected", "disconnected", "gap_opened", "gap_closed")
    },
}
"""Every `type` there is, with the struct of its `data`. The list is closed."""
