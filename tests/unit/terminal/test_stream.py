"""The feed's messages, in whatever parts their bytes come."""

from collections.abc import AsyncIterator, Sequence

import pytest

from ringback.terminal.answers import Beat
from ringback.terminal.stream import MOST_WAITING_BYTES, Message, Reset, Told, messages

EVENT = (
    b'{"id":"a/3","type":"ringback.callback.waiting.v1","time":"2026-11-25T14:00:00.000Z",'
    b'"sequence":3,"data":{"callbackId":"a","state":"waiting","new":{}}}'
)
TOLD = b"id: 7\ndata: %b\n\n" % EVENT
BEAT = (
    b'event: heartbeat\nid: 9\ndata: {"position":9,"now":"2026-11-25T14:00:01.000Z",'
    b'"sources":[{"name":"main","hears":true}]}\n\n'
)
RESET = b'event: reset\ndata: {"position":9,"reason":"it is gone"}\n\n'


async def read(parts: Sequence[bytes]) -> list[list[Message]]:
    async def come() -> AsyncIterator[bytes]:
        for part in parts:
            yield part

    return [batch async for batch in messages(come())]


def kinds(batches: list[list[Message]]) -> list[str]:
    return [type(each).__name__ for batch in batches for each in batch]


@pytest.mark.parametrize("size", [1, 7, 64, 10_000])
async def test_parts_may_end_anywhere(size: int) -> None:
    whole = b"retry: 2000\n\n" + TOLD + BEAT + RESET
    batches = await read([whole[at : at + size] for at in range(0, len(whole), size)])
    told, beat, reset = [each for batch in batches for each in batch]
    assert isinstance(told, Told)
    assert (told.position, told.event.sequence, told.event.data.state) == (7, 3, "waiting")
    assert isinstance(beat, Beat)
    assert (beat.position, beat.sources[0].name) == (9, "main")
    assert reset == Reset("it is gone")


async def test_what_has_come_at_once_is_given_at_once() -> None:
    assert [len(batch) for batch in await read([TOLD * 50, BEAT])] == [50, 1]


async def test_what_cannot_be_read_stops_nothing() -> None:
    strange = [
        b": a comment\n\n",
        b"id: 1\ndata: <html>\n\n",
        b"id: one\ndata: %b\n\n" % EVENT,
        b'id: 2\ndata: {"type":"x"}\n\n',
        b"event: weather\ndata: {}\n\n",
        b"event: heartbeat\ndata: {}\n\n",
        TOLD,
    ]
    assert kinds(await read(strange)) == ["Told"]


async def test_a_message_without_an_end_does_not_fill_the_memory() -> None:
    endless = [b"data: " + b"x" * MOST_WAITING_BYTES, b"\n\n", TOLD]
    assert kinds(await read(endless)) == ["Told"]
