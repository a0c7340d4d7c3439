"""How far a partition is, and all that its rows of conversations do not say, in one row.

A row is one message, so it is stored as a whole or not at all. What is about no conversation (gaps,
silences, queues, …) is several rows, which belong together and to the inputs that they came from.
So it is stored twice: first in here, then each in its own row, where readers look. Who finds the
first without the second makes good what is missing. Then all inputs up to here are dealt with, and
none that follows is.
"""

from datetime import datetime, timedelta

import msgspec

from ringback.core.clocks import Clock
from ringback.core.entries import NEVER
from ringback.core.watch.feed_kinds import Pulse
from ringback.errors import StoreError

__all__ = ["CHECKPOINT", "Aside", "Checkpoint", "decode_checkpoint", "encode_checkpoint"]

CHECKPOINT = "~checkpoint"
"""Its key; a conversation's id begins with no tilde."""


class Aside(msgspec.Struct, array_like=True, frozen=True):
    """A row that is about no conversation, and what is told with it."""

    key: str
    state: bytes | None
    events: list[bytes] = []
    subjects: list[str] = []


class Checkpoint(msgspec.Struct, array_like=True, frozen=True):
    """Fields may be appended, with a default; never removed, moved or given another type."""

    reached: int = 0
    """The last input that is dealt with."""
    at: datetime = NEVER
    """How far time has come with it."""
    rules: bytes = b""
    """Those in force, as a `RuleSet` packs them; empty: those that a process begins with."""
    skews: list[tuple[Clock, datetime, timedelta, timedelta]] = []
    pulses: dict[str, tuple[datetime, Pulse]] = {}
    """What each listener last said of how it is, and when it last spoke."""
    asides: list[Aside] = []
    """Those that have changed since the one before."""


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Checkpoint).decode


def encode_checkpoint(checkpoint: Checkpoint) -> bytes:
    """Pack it."""
    return _encode(checkpoint)


def decode_checkpoint(packed: bytes) -> Checkpoint:
    """Unpack what `encode_checkpoint` made, now or in an older version. Raises `StoreError`."""
    try:
        return _decode(packed)
    except msgspec.DecodeError as error:
        raise StoreError(
            CHECKPOINT, f"cannot be understood ({error})", "run the Ringback that has written it"
        ) from None
