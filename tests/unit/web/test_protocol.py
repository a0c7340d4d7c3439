"""What is slow, too large, too much or no HTTP, over real connections in virtual time."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from litestar import Request, get, post

from ringback.web import protocol
from ringback.web.app import create_app
from ringback.web.protocol import BODY_SECONDS, HEAD_SECONDS, READER_SECONDS
from ringback.web.refusals import Refusal, Refusals
from ringback.web.server import WebServer
from ringback.web.visitors import ACTING, roles
from support.virtual import run_virtually
from support.web import HEALTHY, METRICS

BODY = b"POST /echo HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\n"
MUCH = 8 * 1024 * 1024


class Site:
    """A server, and what it has refused."""

    def __init__(self, trusted: Callable[[str], bool]) -> None:
        self.refusals: Refusals = Counter()
        self.echoed: list[int] = []

        @post("/echo", opt=roles(ACTING))
        async def echo(request: Request[Any, Any, Any]) -> None:
            self.echoed.append(len(await request.body()))

        @get("/much", opt=roles(ACTING))
        async def much() -> bytes:
            return b"x" * MUCH

        app = create_app(HEALTHY, METRICS.expose, refusals=self.refusals, handlers=[echo, much])
        self.server = WebServer(
            app, host="127.0.0.1", port=0, drain=1, refusals=self.refusals, trusted=trusted
        )

    async def open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self.server.port)


@asynccontextmanager
async def serving(trusted: Callable[[str], bool] = lambda _: True) -> AsyncIterator[Site]:
    site = Site(trusted)
    site.server.bind()
    task = asyncio.create_task(site.server.run())
    await asyncio.sleep(0.1)
    try:
        yield site
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def now() -> float:
    return asyncio.get_running_loop().time()


async def trickle(writer: asyncio.StreamWriter, text: bytes, every: float) -> None:
    """Send byte by byte, until nobody listens."""
    with suppress(ConnectionError):
        for byte in text:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(every)


async def whole(reader: asyncio.StreamReader) -> bytes:
    """Read to the end. Who goes on sending to a server that has closed may see a reset."""
    content = b""
    with suppress(ConnectionError):
        while part := await reader.read(65536):
            content += part
    return content


async def answered(site: Site, text: bytes, every: float = 0) -> tuple[int, dict[str, Any], float]:
    """Send something; give status and problem, and how long it took until the end."""
    reader, writer = await site.open()
    began = now()
    sending = asyncio.create_task(trickle(writer, text, every))
    try:
        content = await whole(reader)
        took = now() - began
    finally:
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        writer.close()
    head, _, body = content.partition(b"\r\n\r\n")
    assert b"content-type: application/problem+json" in head, content
    assert b"x-content-type-options: nosniff" in head
    return int(head.split()[1]), json.loads(body), took


def test_a_head_that_trickles_in_is_not_waited_for() -> None:
    async def work() -> None:
        async with serving() as site:
            head = b"GET /livez HTTP/1.1\r\nhost: localhost\r\n" + b"x-y: z\r\n" * 1000
            status, problem, took = await answered(site, head, every=1)
            assert (status, problem["detail"]) == (408, "The request took too long to come.")
            assert took == pytest.approx(HEAD_SECONDS, abs=0.5)
            assert site.refusals == {Refusal.SLOW_HEAD: 1}

    run_virtually(work())


def test_who_says_nothing_is_let_go_of_without_a_word() -> None:
    async def work() -> None:
        async with serving() as site:
            began = now()
            reader, writer = await site.open()
            assert await whole(reader) == b""
            assert now() - began == pytest.approx(HEAD_SECONDS, abs=0.5)
            writer.close()
            assert not site.refusals

    run_virtually(work())


def test_the_second_request_of_a_connection_may_not_trickle_in_either() -> None:
    async def work() -> None:
        async with serving() as site:
            reader, writer = await site.open()
            writer.write(b"GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n")
            assert (await reader.readuntil(b"ok\n")).startswith(b"HTTP/1.1 200")
            await asyncio.sleep(3)
            began = now()
            sending = asyncio.create_task(trickle(writer, b"GET /livez" * 100, 1))
            assert (await whole(reader)).startswith(b"HTTP/1.1 408")
            assert now() - began == pytest.approx(HEAD_SECONDS, abs=0.5)
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
            writer.close()

    run_virtually(work())


def test_a_body_that_trickles_in_is_not_waited_for() -> None:
    async def work() -> None:
        async with serving() as site:
            reader, writer = await site.open()
            began = now()
            writer.write(BODY)
            sending = asyncio.create_task(trickle(writer, b"x" * 90, 1))
            assert (await whole(reader)).startswith(b"HTTP/1.1 408")
            assert now() - began == pytest.approx(BODY_SECONDS, abs=0.5)
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
            writer.close()
            assert site.refusals == {Refusal.SLOW_BODY: 1}
            assert site.echoed == []

    run_virtually(work())


def test_a_body_that_nobody_asked_for_keeps_no_connection_open() -> None:
    async def work() -> None:
        async with serving() as site:
            reader, writer = await site.open()
            began = now()
            writer.write(b"GET /livez HTTP/1.1\r\nhost: localhost\r\ncontent-length: 99\r\n\r\n")
            sending = asyncio.create_task(trickle(writer, b"x" * 90, 1))
            content = await whole(reader)
            assert content.startswith(b"HTTP/1.1 200")
            assert content.endswith(b"ok\n")
            assert now() - began < BODY_SECONDS + 1
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
            writer.close()

    run_virtually(work())


def test_a_body_that_comes_slowly_and_in_time_is_taken() -> None:
    async def work() -> None:
        async with serving() as site:
            reader, writer = await site.open()
            writer.write(BODY)
            await trickle(writer, b"x" * 100, 0.1)
            assert (await reader.readuntil(b"\r\n")).startswith(b"HTTP/1.1 201")
            writer.close()
            assert site.echoed == [100]
            assert not site.refusals

    run_virtually(work())


@pytest.mark.parametrize(
    ("text", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
        (b"GET /livez HTTP/1.1\r\n\r\n", 400),
        (b"GET /livez HTTP/1.1\r\nhost: localhost\r\nx: " + b"y" * 70_000, 431),
        (b"GET /" + b"y" * 70_000, 431),
        (b"POST / HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: gzip\r\n\r\n", 501),
    ],
)
def test_what_is_no_request_is_told_so(text: bytes, status: int) -> None:
    async def work() -> None:
        async with serving() as site:
            reader, writer = await site.open()
            with suppress(ConnectionError):
                writer.write(text)
                await writer.drain()
            content = await whole(reader)
            assert content.startswith(b"HTTP/1.1 %d" % status), content
            assert b"application/problem+json" in content
            writer.close()
            assert site.refusals == {Refusal.MALFORMED: 1}

    run_virtually(work())


def test_an_answer_that_nobody_takes_is_given_up() -> None:
    async def work() -> None:
        async with serving() as site:
            reader, writer = await site.open()
            writer.transport.pause_reading()  # type: ignore[attr-defined]
            writer.write(b"GET /much HTTP/1.1\r\nhost: localhost\r\n\r\n")
            await asyncio.sleep(READER_SECONDS - 1)
            assert not site.refusals
            await asyncio.sleep(2)
            assert site.refusals == {Refusal.SLOW_READER: 1}
            writer.transport.resume_reading()  # type: ignore[attr-defined]
            assert len(await whole(reader)) < MUCH
            writer.close()

    run_virtually(work())


async def crowd(site: Site, count: int) -> list[asyncio.StreamWriter]:
    return [(await site.open())[1] for _ in range(count)]


@pytest.mark.parametrize(("limit", "trusted"), [("MOST_CONNECTIONS", True), ("MOST_OF_ONE", False)])
def test_connections_are_as_many_as_there_may_be(
    monkeypatch: pytest.MonkeyPatch, limit: str, *, trusted: bool
) -> None:
    monkeypatch.setattr(protocol, limit, 5)

    async def work() -> None:
        async with serving(lambda _: trusted) as site:
            there = await crowd(site, 5)
            await asyncio.sleep(0.1)
            status, problem, took = await answered(site, b"")
            assert (status, took) == (503, 0)
            assert "as many connections" in problem["detail"]
            assert site.refusals == {Refusal.CONNECTIONS: 1}
            there.pop().close()
            await asyncio.sleep(0.1)
            reader, writer = await site.open()
            writer.write(b"GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n")
            assert (await reader.readuntil(b"ok\n")).startswith(b"HTTP/1.1 200")
            for one in (*there, writer):
                one.close()

    run_virtually(work())


def test_a_proxy_may_connect_as_often_as_it_likes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "MOST_OF_ONE", 5)

    async def work() -> None:
        async with serving() as site:
            there = await crowd(site, 9)
            await asyncio.sleep(0.1)
            assert not site.refusals
            for one in there:
                one.close()

    run_virtually(work())
