import asyncio
import os
from collections.abc import Iterator

import pytest

from ringback.errors import SinkError
from ringback.ports import Entry
from ringback.sinks.output import Output
from ringback.sinks.stdout import JsonLines


class Stream:
    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor

    def fileno(self) -> int:
        return self.descriptor


class Pipe:
    def __init__(self) -> None:
        self.reader, self.writer = os.pipe()
        self.stream = Stream(self.writer)

    def read(self, count: int = 1_000_000) -> bytes:
        return os.read(self.reader, count)

    def close_reader(self) -> None:
        os.close(self.reader)
        self.reader = -1


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    made = Pipe()
    yield made
    for descriptor in (made.reader, made.writer):
        if descriptor >= 0:
            os.close(descriptor)


async def test_one_event_a_line(pipe: Pipe) -> None:
    sink = JsonLines(pipe.stream)
    await sink.tell([Entry(1, b'{"id":"a"}'), Entry(2, b'{"id":"b"}')])
    await sink.tell([])
    await sink.tell([Entry(3, b'{"id":"c"}')])
    await sink.close()
    assert pipe.read() == b'{"id":"a"}\n{"id":"b"}\n{"id":"c"}\n'


async def test_a_reader_that_has_gone_ends_the_sink_with_a_reason(pipe: Pipe) -> None:
    pipe.close_reader()
    sink = JsonLines(pipe.stream)
    with pytest.raises(SinkError, match="sink stdout: its reader has gone; keep the reader"):
        await sink.tell([Entry(1, b"{}")])
    await sink.close()


async def test_a_disk_that_is_full_ends_the_sink_with_a_reason() -> None:
    with open("/dev/full", "wb") as full:  # noqa: ASYNC230, PTH123  # never waits
        sink = JsonLines(full)
        with pytest.raises(SinkError, match="No space left on device"):
            await sink.tell([Entry(1, b"{}")])
        await sink.close()


async def test_a_reader_that_stalls_holds_up_nobody_else(pipe: Pipe) -> None:
    sink = JsonLines(pipe.stream)
    body = b"x" * 1_000_000
    telling = asyncio.ensure_future(sink.tell([Entry(1, body)]))
    for _ in range(100):  # the loop turns
        await asyncio.sleep(0)
    assert not telling.done()
    got = b""
    while len(got) <= len(body):
        got += await asyncio.to_thread(pipe.read)
    await telling
    assert got == body + b"\n"
    await sink.close()


async def test_a_descriptor_that_does_not_block_is_waited_for(pipe: Pipe) -> None:
    os.set_blocking(pipe.writer, False)
    output = Output(pipe.stream)
    writing = asyncio.ensure_future(output.write(b"x" * 300_000))
    got = b""
    while len(got) < 300_000:
        got += await asyncio.to_thread(pipe.read)
    await writing
    assert got == b"x" * 300_000
    output.close()


async def test_giving_up_a_write_leaves_no_trouble_behind(pipe: Pipe) -> None:
    output = Output(pipe.stream)
    writing = asyncio.ensure_future(output.write(b"x" * 300_000))
    await asyncio.sleep(0)
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    output.close()
    got = b""
    while len(got) < 300_000:
        got += await asyncio.to_thread(pipe.read)
