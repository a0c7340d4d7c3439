"""What the input log holds: all that trackers consume, in the core's own words, packed.

Privacy comes before it: a snapshot is packed after the decoder has let through what it may, so the
log holds no more of people than the records do. Structs are arrays behind a tag: fields may be
appended, with a default; never removed, moved or given another type, since machines of two versions
read one log. A message of a kind that this version does not know is counted, and passed over.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

import msgspec

from ringback.core.snapshots import QueueSettings, Snapshot
from ringback.core.surveys import Survey
from ringback.core.watch.feed_kinds import Pulse
from ringback.errors import FrameError, FrameFault

__all__ = [
    "EVERYBODY",
    "Alive",
    "Beaten",
    "Done",
    "Follows",
    "Hearing",
    "Message",
    "ReadFailed",
    "Seen",
    "Settled",
    "Surveyed",
    "Tick",
    "decode_message",
    "encode_message",
]


EVERYBODY = "~all"
"""The key of what is for every partition, as queue settings are; each has its own copy."""


class Seen(msgspec.Struct, frozen=True, array_like=True, tag="seen"):
    """A snapshot, of a frame or of a read."""

    snapshot: Snapshot
    date: datetime | None = None
    """Of a read: the platform's own clock."""


class Surveyed(msgspec.Struct, frozen=True, array_like=True, tag="surveyed"):
    """As much of a page of a bulk read as is about one partition."""

    survey: Survey
    date: datetime | None = None


class ReadFailed(msgspec.Struct, frozen=True, array_like=True, tag="read_failed"):
    """A read that was wanted failed."""

    conversation_id: str


class Settled(msgspec.Struct, frozen=True, array_like=True, tag="settings"):
    """A queue's settings."""

    settings: QueueSettings


class Hearing(msgspec.Struct, frozen=True, array_like=True, tag="hearing"):
    """A listener began or ceased to hear some topics, none meaning all that it has."""

    listener: str
    """The member whose channels they are."""
    state: Literal["connected", "disconnected"]
    cause: str = "unknown"
    since: datetime | None = None
    """Of `disconnected`: the last moment at which it surely heard."""
    topics: Sequence[str] = ()
    reads: bool = False
    """Whether its source can read conversations."""


class Follows(msgspec.Struct, frozen=True, array_like=True, tag="follows"):
    """The queues whose topics a listener has from now on, none meaning whatever there is."""

    listener: str
    queue_ids: Sequence[str] = ()


class Alive(msgspec.Struct, frozen=True, array_like=True, tag="alive"):
    """A listener hears, and what it has heard since it last said so."""

    listener: str
    heard: int = 0
    """Frames that told of a conversation."""
    undecodable: int = 0


class Beaten(msgspec.Struct, frozen=True, array_like=True, tag="pulse"):
    """How a source is, as far as the core cannot see it by itself."""

    listener: str
    pulse: Pulse


class Done(msgspec.Struct, frozen=True, array_like=True, tag="done"):
    """What somebody did, as `ringback.wire.inputs` writes deeds."""

    deed: bytes


class Tick(msgspec.Struct, frozen=True, array_like=True, tag="tick"):
    """Time has passed: what is due fires. Carries no time of its own: the engine's counts."""


Message = Seen | Surveyed | ReadFailed | Settled | Hearing | Follows | Alive | Beaten | Done | Tick
"""One message of the input log."""

_encode = msgspec.msgpack.Encoder().encode
_decode: msgspec.msgpack.Decoder[Message] = msgspec.msgpack.Decoder(Message)


def encode_message(message: Message) -> bytes:
    """Pack a message."""
    return _encode(message)


def decode_message(body: bytes) -> Message:
    """Unpack what `encode_message` made, in this version or an older one. Raises `FrameError`."""
    try:
        return _decode.decode(body)
    except msgspec.DecodeError as error:
        raise FrameError(FrameFault.WRONG_TYPE, str(error)) from None
