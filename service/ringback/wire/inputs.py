"""What else the core consumes and a recording keeps: queue settings and gaps."""

from datetime import UTC, datetime
from typing import Annotated, Literal

import msgspec

from ringback.core.snapshots import QueueSettings
from ringback.errors import FrameError, FrameFault
from ringback.wire.tolerance import pruned

__all__ = ["Gap", "decode_gap", "decode_settings", "encode_gap", "encode_settings"]


class CallbackMediaSettings(msgspec.Struct, frozen=True, rename="camel"):
    """A queue's `mediaSettings.callback`, as far as it moves a deadline."""

    enable_auto_dial_and_end: bool | None = None
    auto_dial_delay_seconds: int | None = None
    """0 to 1200, the platform's default is 300: from the agent's connect to the automatic call."""
    mode: str | None = None
    """`AgentFirst` (default) or `CustomerFirst`."""


class MediaSettings(msgspec.Struct, frozen=True):
    """A queue's `mediaSettings`."""

    callback: CallbackMediaSettings | None = None


class Queue(msgspec.Struct, frozen=True, rename="camel"):
    """`GET /api/v2/routing/queues/{id}`."""

    id: str
    media_settings: MediaSettings | None = None


class Gap(msgspec.Struct, frozen=True, omit_defaults=True):
    """A source began or ceased to hear."""

    source: str
    state: Literal["connected", "disconnected"]
    cause: str = "unknown"
    since: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    """Of `disconnected`: the last moment at which it surely heard; None: as it is observed."""
    topics: list[str] = []
    """Which topics; none: all that the source has."""


_AUTO_DIAL_SECONDS = 300
_gap = msgspec.json.Decoder(Gap).decode


def decode_settings(data: bytes) -> QueueSettings:
    """Read a queue object. Raises `FrameError`."""
    try:
        queue = msgspec.convert(pruned(msgspec.json.decode(data)), Queue)
    except msgspec.DecodeError as error:
        raise _refused(error) from None
    settings = queue.media_settings.callback if queue.media_settings is not None else None
    if settings is None:
        return QueueSettings(queue.id)
    seconds = settings.auto_dial_delay_seconds
    return QueueSettings(
        queue.id,
        auto_dial_seconds=(
            (_AUTO_DIAL_SECONDS if seconds is None else seconds)
            if settings.enable_auto_dial_and_end
            else None
        ),
        customer_first=settings.mode == "CustomerFirst",
    )


def encode_settings(settings: QueueSettings) -> bytes:
    """Write settings as the queue object they could have been read from."""
    seconds = settings.auto_dial_seconds
    callback = CallbackMediaSettings(
        enable_auto_dial_and_end=seconds is not None,
        auto_dial_delay_seconds=seconds,
        mode="CustomerFirst" if settings.customer_first else "AgentFirst",
    )
    return msgspec.json.encode(Queue(settings.queue_id, MediaSettings(callback)))


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


def _refused(error: msgspec.DecodeError) -> FrameError:
    if isinstance(error, msgspec.ValidationError):
        return FrameError(FrameFault.WRONG_TYPE, str(error))
    return FrameError(FrameFault.NOT_JSON, str(error))
