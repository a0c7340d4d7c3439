"""A step at rest: what one row has become and what is told of it, in one message.

Positions of events follow from the sequence of their step, so they are the same for all readers.
"""

import msgspec

from ringback.errors import FrameError, FrameFault

__all__ = [
    "MOST_EVENTS",
    "StepBody",
    "decode_step",
    "encode_step",
    "end_of_step",
    "position_in",
    "step_at",
]

SPAN = 1024
"""Positions that belong to one step."""
MOST_EVENTS = SPAN - 1
"""Of one step; a row with more of them is written in several."""


class StepBody(msgspec.Struct, frozen=True, array_like=True):
    """Fields may be appended, with a default; never removed, moved or given another type."""

    key: str
    """The row's, unencoded."""
    state: bytes | None
    """None: the row is gone."""
    wake_at: int | None = None
    """The row's earliest deadline, milliseconds since the epoch."""
    reached: int = 0
    """How far the input log was dealt with, as far as this row is concerned: redelivery up to here
    is harmless."""
    events: list[bytes] = []
    """CloudEvents as JSON, in order."""
    subjects: list[str] = []
    """What each of them is about."""


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(StepBody)


def encode_step(step: StepBody) -> bytes:
    """Pack a step."""
    return _encode(step)


def decode_step(body: bytes) -> StepBody:
    """Unpack what `encode_step` made, in this version or an older one. Raises `FrameError`."""
    try:
        return _decode.decode(body)
    except msgspec.DecodeError as error:
        raise FrameError(FrameFault.WRONG_TYPE, str(error)) from None


def position_in(sequence: int, index: int) -> int:
    """Give the position of an event, from 0, of the step with this sequence."""
    return sequence * SPAN + index + 1


def end_of_step(sequence: int) -> int:
    """Give a position that is not before any event of this step, and before all that follow."""
    return sequence * SPAN + MOST_EVENTS


def step_at(position: int) -> int:
    """Give the sequence of the step that a position belongs to."""
    return position // SPAN
