"""The source against real servers on loopback that do what servers do to their clients."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from ringback.sources.socket import Cause
from ringback.sources.websocket import WebsocketSource
from support.gateway import free_port
from support.intake import Ears

LIMIT = 10_000
SOON = 10.0
"""Seconds after which a test gives up; none waits for so long when all is well."""


async def eventually(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(SOON):
        while not holds():  # noqa: ASYNC110  # what is looked at knows no events
            await asyncio.sleep(0.001)


class Listening(Ears):
    """An intake that can be full, and lets tests wait for what it hears."""

    def __init__(self) -> None:
        super().__init__()
        self.open = asyncio.Event()
        self.open.set()

    async def room(self) -> None:
        await self.open.wait()

    async def until(self, count: int) -> list[object]:
        await eventually(lambda: len(self.heard) >= count)
        return self.heard


def source(port: int, *, watchdog: float = 30, **more: float) -> WebsocketSource:
    return WebsocketSource(
        "main",
        f"ws://127.0.0.1:{port}/feed?token=canary",
        max_frame_bytes=LIMIT,
        watchdog=watchdog,
        first_wait=0.01,
        most_wait=0.02,
        chance=random.Random(1),
        **more,
    )


@asynccontextmanager
async def listening(source: WebsocketSource) -> AsyncIterator[Listening]:
    ears = Listening()
    task = asyncio.create_task(source.run(ears))
    try:
        yield ears
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@asynccontextmanager
async def server(
    handler: Callable[[ServerConnection], Awaitable[None]],
    process_request: Callable[[ServerConnection, Request], Awaitable[Response | None]]
    | None = None,
) -> AsyncIterator[int]:
    async with serve(
        handler, "127.0.0.1", 0, process_request=process_request, close_timeout=0.1
    ) as running:
        yield running.sockets[0].getsockname()[1]


class Plain(asyncio.Protocol):
    """Answers any request with `answer` and hangs up; None never answers."""

    def __init__(self, answer: bytes | None, opened: list[asyncio.Transport]) -> None:
        self._answer = answer
        self._opened = opened

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._opened.append(transport)

    def data_received(self, data: bytes) -> None:
        if self._answer is not None:
            self._opened[-1].write(self._answer)
            self._opened[-1].close()


@asynccontextmanager
async def plain_server(answer: bytes | None) -> AsyncIterator[int]:
    opened: list[asyncio.Transport] = []
    loop = asyncio.get_running_loop()
    running = await loop.create_server(lambda: Plain(answer, opened), "127.0.0.1", 0)
    try:
        yield running.sockets[0].getsockname()[1]
    finally:
        running.close()
        for transport in opened:
            transport.abort()
        await asyncio.sleep(0)


async def test_hears_text_and_binary_in_order_without_compression() -> None:
    agreed: list[object] = []

    async def handler(connection: ServerConnection) -> None:
        agreed.extend(connection.protocol.extensions)
        await connection.send("first")
        await connection.send(b"\xff")
        await connection.send(["frag", "ment", "ed"])
        await connection.send("é" * 4000)
        await connection.wait_closed()

    async with server(handler) as port, listening(source(port)) as ears:
        heard = await ears.until(5)
    assert heard == ["connected", b"first", b"\xff", b"fragmented", ("é" * 4000).encode()]
    assert agreed == []


async def test_every_frame_of_a_burst_arrives_while_the_intake_is_slow() -> None:
    sent = [b"%d" % number for number in range(5000)]

    async def handler(connection: ServerConnection) -> None:
        for frame in sent:
            await connection.send(frame.decode())
        await connection.wait_closed()

    async with server(handler) as port, listening(source(port)) as ears:
        ears.open.clear()
        await ears.until(1)
        ears.open.set()
        heard = await ears.until(1 + len(sent))
    assert heard == ["connected", *sent]


async def test_a_server_that_closes_is_found_again() -> None:
    async def handler(connection: ServerConnection) -> None:
        await connection.send("hello")
        await connection.close(1012, "secret reason")

    async with server(handler) as port, listening(listener := source(port)) as ears:
        heard = await ears.until(6)
    assert heard[:6] == ["connected", b"hello", ("blind", "closed by the server: 1012")] * 2
    assert listener.failures[Cause.CLOSED] >= 2
    assert listener.connections >= 2


async def test_what_had_arrived_before_the_end_is_heard_however_late() -> None:
    async def handler(connection: ServerConnection) -> None:
        for number in range(10):
            await connection.send(str(number))
        await connection.close(1001)
        ended.set()

    ended = asyncio.Event()
    async with server(handler) as port, listening(source(port, watchdog=0.05)) as ears:
        ears.open.clear()
        await ended.wait()
        await asyncio.sleep(0.1)  # silence must not be suspected, which has no event to wait for
        ears.open.set()
        heard = await ears.until(12)
    arrived = [b"%d" % number for number in range(10)]
    assert heard[:12] == ["connected", *arrived, ("blind", "closed by the server: 1001")]


async def test_a_server_that_says_goodbye_and_does_not_hang_up_is_left() -> None:
    async def handler(connection: ServerConnection) -> None:
        connection.transport.pause_reading()  # nor does it see our answer
        connection.protocol.send_close(1012)
        connection.send_data()
        await enough.wait()
        connection.transport.abort()

    enough = asyncio.Event()
    async with server(handler) as port, listening(source(port, watchdog=0.3)) as ears:
        heard = await ears.until(3)
        enough.set()
    assert heard[:3] == ["connected", ("blind", "closed by the server: 1012"), "connected"]


async def test_a_connection_that_breaks_is_lost() -> None:
    async def handler(connection: ServerConnection) -> None:
        connection.transport.abort()

    async with server(handler) as port, listening(source(port)) as ears:
        heard = await ears.until(2)
    assert heard[:2] == ["connected", ("blind", "connection lost")]


async def test_a_server_gone_silent_is_left() -> None:
    async def handler(connection: ServerConnection) -> None:
        await connection.send("last words")
        connection.transport.pause_reading()  # half open: not even pings are answered
        await connection.wait_closed()

    async with server(handler) as port, listening(source(port, watchdog=0.1)) as ears:
        heard = await ears.until(4)
    assert heard[:4] == ["connected", b"last words", ("blind", "silent"), "connected"]


async def test_a_pause_of_our_own_is_not_taken_for_silence() -> None:
    go_on = asyncio.Event()

    async def handler(connection: ServerConnection) -> None:
        await go_on.wait()
        await connection.send("still here")
        await connection.wait_closed()

    async with server(handler) as port, listening(source(port, watchdog=0.5)) as ears:
        await ears.until(1)
        time.sleep(0.6)  # noqa: ASYNC251  # the whole process stands still
        go_on.set()
        assert await ears.until(2) == ["connected", b"still here"]


async def test_a_quiet_server_that_answers_pings_is_kept() -> None:
    pings = 0
    enough = asyncio.Event()

    async def handler(connection: ServerConnection) -> None:
        nonlocal pings
        take = connection.protocol.recv_frame

        def count(frame: object) -> None:
            nonlocal pings
            pings += 1
            if pings == 10:  # more than three watchdogs
                enough.set()
            take(frame)  # type: ignore[arg-type]  # whatever the library gave us

        connection.protocol.recv_frame = count  # type: ignore[method-assign]  # to listen in
        await connection.wait_closed()

    async with server(handler) as port, listening(source(port, watchdog=0.3)) as ears:
        async with asyncio.timeout(SOON):
            await enough.wait()
        assert ears.heard == ["connected"]


async def test_no_silence_is_suspected_while_it_is_we_who_do_not_read() -> None:
    async def handler(connection: ServerConnection) -> None:
        with suppress(Exception):  # it is cut off at the end
            while True:
                await connection.send("x" * 1000)

    async with server(handler) as port, listening(source(port, watchdog=0.05)) as ears:
        await ears.until(2)
        ears.open.clear()
        taken = len(ears.heard)
        await asyncio.sleep(0.3)  # what must not happen has no event to wait for
        ears.open.set()
        await ears.until(taken + 1000)
        assert ("blind", "silent") not in ears.heard


@pytest.mark.parametrize("over", ["x" * (LIMIT + 1), ["x" * LIMIT, "x"]])
async def test_a_frame_over_the_limit_ends_the_connection_and_is_counted(
    over: str | list[str],
) -> None:
    async def handler(connection: ServerConnection) -> None:
        await connection.send("fits")
        await connection.send(over)
        await connection.send("never heard")
        await connection.wait_closed()

    async with server(handler) as port, listening(listener := source(port)) as ears:
        heard = await ears.until(4)
    assert heard[:4] == ["connected", b"fits", ("blind", "frame too large"), "connected"]
    assert listener.failures[Cause.TOO_LARGE] >= 1


async def test_a_server_that_is_not_there_is_told_once_and_found_when_it_comes() -> None:
    port = free_port()
    listener = source(port)

    async def handler(connection: ServerConnection) -> None:
        await connection.wait_closed()

    async with listening(listener) as ears:
        await eventually(lambda: listener.failures[Cause.UNREACHABLE] >= 3)
        assert ears.heard == [("blind", "unreachable")]
        async with serve(handler, "127.0.0.1", port, close_timeout=0.1):
            assert await ears.until(2) == [("blind", "unreachable"), "connected"]


async def test_a_slow_handshake_is_given_up() -> None:
    async with plain_server(None) as port, listening(source(port, open_timeout=0.05)) as ears:
        heard = await ears.until(1)
    assert heard == [("blind", "connecting timed out")]


async def test_a_refusal_says_its_status_and_nothing_else() -> None:
    async def refuse(connection: ServerConnection, _: Request) -> Response:
        return connection.respond(401, "secret")

    async def handler(_: ServerConnection) -> None:
        raise AssertionError

    async with server(handler, refuse) as port, listening(source(port)) as ears:
        heard = await ears.until(1)
    assert heard == [("blind", "handshake rejected: HTTP 401")]


@pytest.mark.parametrize(
    ("answer", "phrase"),
    [
        (b"SSH-2.0-OpenSSH\r\n", "handshake rejected"),
        (b"", "connection lost"),
        (b"HTTP/1.1 302 Found\r\nLocation: ws://host:nonsense/\r\n\r\n", "handshake rejected"),
        (b"HTTP/1.1 302 Found\r\nLocation: http://host/\r\n\r\n", "handshake rejected"),
    ],
)
async def test_what_is_no_websocket_server(answer: bytes, phrase: str) -> None:
    async with plain_server(answer) as port, listening(source(port)) as ears:
        heard = await ears.until(1)
    assert heard == [("blind", phrase)]


async def test_pings_in_the_servers_own_words_only_when_asked() -> None:
    said: asyncio.Queue[object] = asyncio.Queue()

    async def handler(connection: ServerConnection) -> None:
        async for message in connection:
            said.put_nowait(message)

    async with server(handler) as port, listening(source(port, ping_every=0.02)):
        async with asyncio.timeout(SOON):
            assert [await said.get(), await said.get()] == ['{"message":"ping"}'] * 2


async def test_stopping_says_goodbye(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    codes: asyncio.Queue[int | None] = asyncio.Queue()

    async def handler(connection: ServerConnection) -> None:
        await connection.wait_closed()
        codes.put_nowait(connection.close_code)

    async with server(handler) as port:
        async with listening(source(port)) as ears:
            await ears.until(1)
        async with asyncio.timeout(SOON):
            assert await codes.get() == 1000
    assert ears.heard == ["connected"]
    assert not [record for record in caplog.records if record.name == "websockets.client"]
