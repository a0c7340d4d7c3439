"""The feed's Server-Sent Events, read from the bytes of an answer."""

from collections.abc import AsyncIterator

import msgspec

from ringback.terminal.answers import Beat, ToldEvent

__all__ = ["Message", "Reset", "Told", "messages"]

MOST_WAITING_BYTES = 4 * 1024 * 1024
"""Of one message that has not ended; a real one has a few kilobytes."""


class Told(msgspec.Struct, frozen=True):
    """One event, and its position in the journal."""

    position: int
    event: ToldEvent


class Reset(msgspec.Struct, frozen=True):
    """What follows is gone: take a new snapshot."""

    reason: str = ""


Message = Told | Beat | Reset

_event = msgspec.json.Decoder(ToldEvent)
_beat = msgspec.json.Decoder(Beat)
_reset = msgspec.json.Decoder(Reset)


async def messages(parts: AsyncIterator[bytes]) -> AsyncIterator[list[Message]]:
    """Give the messages of a stream, all that a part completes at once; what is unknown is not."""
    waiting = b""
    async for part in parts:
        whole, _, waiting = (waiting + part).rpartition(b"\n\n")
        if len(waiting) > MOST_WAITING_BYTES:
            waiting = b""
        batch = [found for block in whole.split(b"\n\n") if (found := _read(block)) is not None]
        if batch:
            yield batch


def _read(block: bytes) -> Message | None:
    name = position = b""
    data = list[bytes]()
    for line in block.split(b"\n"):
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"event":
            name = value
        elif field == b"id":
            position = value
        elif field == b"data":
            data.append(value)
    text = b"\n".join(data)
    try:
        if name == b"heartbeat":
            return _beat.decode(text)
        if name == b"reset":
            return _reset.decode(text)
        if not name and data and position.isdigit():
            return Told(int(position), _event.decode(text))
    except msgspec.MsgspecError:  # of another version: what follows may be understood
        return None
    return None
