"""The feed over real connections: Server-Sent Events and a websocket of a real server."""

import asyncio
import json
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from ringback.runtime.clock import SystemClock
from ringback.vitals.feed import measures_of_feed
from ringback.web.access.access import OpenAccess
from ringback.web.app import create_app
from ringback.web.feed.events import events_handlers
from ringback.web.feed.feed import Feed, Limits
from ringback.web.feed.portions import SourceBeat
from ringback.web.feed.sockets import sockets_handlers
from ringback.web.journal import Journal
from ringback.web.server import WebServer
from ringback.web.visitors import LOCAL, Role, Visitor
from support.feed import GrowingJournal, alert_told, callback_told, source_told
from support.web import HEALTHY, METRICS

SOON = 10.0
PADDING = "x" * 4000
"""Makes an event large, so that buffers are full soon."""


class Site:
    """A served feed, and who may see what of it."""

    def __init__(self, limits: Limits) -> None:
        self.growing = GrowingJournal()
        self.journal = Journal(self.growing.store, self.growing.advanced, most_entries=100)
        self.feed = Feed(
            self.journal, SystemClock(), lambda: [SourceBeat(name="main", hears=True)], limits
        )
        self.tasks: list[asyncio.Task[None]] = []
        handlers = [*events_handlers(self.feed), *sockets_handlers(self.feed)]
        self.access = OpenAccess()
        app = create_app(HEALTHY, METRICS.expose, access=self.access, handlers=handlers)
        self.server = WebServer(app, host="127.0.0.1", port=0, drain=5)

    @property
    def url(self) -> str:
        return f"127.0.0.1:{self.server.port}/api/v1"

    async def start(self) -> None:
        """Follow the journal and serve."""
        self.server.bind()
        self.tasks = [asyncio.create_task(self.journal.follow(self.growing.position))]
        await asyncio.sleep(0)
        self.tasks += [
            asyncio.create_task(self.feed.run()),
            asyncio.create_task(self.server.run()),
        ]
        await asyncio.sleep(0)

    async def stop(self) -> None:
        """Stop all at once, as the daemon does."""
        for task in self.tasks:
            task.cancel()
        async with asyncio.timeout(SOON):
            await asyncio.gather(*self.tasks, return_exceptions=True)

    async def append(self, *bodies: bytes) -> None:
        """Commit, and let it be read."""
        await self.growing.append(*bodies)
        await self.journal.beyond(self.growing.position - 1)

    async def grow(self, count: int, **said: Any) -> None:
        """Commit so many events, each on its own."""
        for _ in range(count):
            await self.append(callback_told(sequence=self.growing.position + 1, **said))

    async def until(self, seen: Any) -> None:
        """Wait until something is so."""
        async with asyncio.timeout(SOON):
            while not seen():  # noqa: ASYNC110  # of what nobody tells about
                await asyncio.sleep(0.01)


@asynccontextmanager
async def site(**limits: Any) -> AsyncIterator[Site]:
    made = Site(Limits(**limits))
    await made.start()
    try:
        yield made
    finally:
        await made.stop()


class Events:
    """One that reads Server-Sent Events, as the standard says."""

    def __init__(self, answer: httpx.Response) -> None:
        self.answer = answer
        self.lines = answer.aiter_lines()

    async def next(self) -> tuple[str, str, Any]:
        """Give event name, id and data of the next one."""
        fields: dict[str, str] = {}
        async with asyncio.timeout(SOON):
            async for line in self.lines:
                name, _, value = line.partition(": ")
                if name:
                    fields[name] = value
                elif "data" in fields:
                    break
                else:
                    fields = {}
            else:
                raise EOFError
        event = fields.get("event", "message")
        return event, fields.get("id", ""), json.loads(fields["data"])

    async def rest(self) -> None:
        """Read to the end of the stream."""
        with suppress(EOFError):
            while True:
                await self.next()

    async def told(self, count: int) -> list[tuple[int, Any]]:
        """Give the next CloudEvents with their positions."""
        found: list[tuple[int, Any]] = []
        while len(found) < count:
            event, name, data = await self.next()
            if event == "message":
                found.append((int(name), data))
        return found


@asynccontextmanager
async def events(site: Site, query: str = "", last: str | None = None) -> AsyncIterator[Events]:
    headers = {} if last is None else {"last-event-id": last}
    async with (
        httpx.AsyncClient(trust_env=False, timeout=SOON) as client,
        client.stream("GET", f"http://{site.url}/events{query}", headers=headers) as answer,
    ):
        yield Events(answer)


def feed(site: Site, query: str = "", **options: Any) -> connect:
    return connect(f"ws://{site.url}/feed{query}", proxy=None, **options)


async def received(connection: ClientConnection) -> Any:
    async with asyncio.timeout(SOON):
        return json.loads(await connection.recv())


# Server-Sent Events


async def test_events_come_with_their_positions_and_a_heartbeat_at_once() -> None:
    async with site() as it, events(it) as stream:
        assert stream.answer.status_code == 200
        assert stream.answer.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert stream.answer.headers["cache-control"] == "no-store"
        assert stream.answer.headers["x-content-type-options"] == "nosniff"
        event, name, beat = await stream.next()
        assert (event, name, beat["position"]) == ("heartbeat", "0", 0)
        assert beat["sources"] == [{"name": "main", "hears": True}]
        bodies = [source_told(), callback_told(), alert_told()]
        await it.append(*bodies)
        told = await stream.told(3)
        assert told == [(at, json.loads(body)) for at, body in enumerate(bodies, start=1)]


@pytest.mark.parametrize(
    ("query", "last", "first"),
    [
        ("?after=2", None, 3),
        ("?after=0", None, 1),
        ("", "3", 4),
        ("?after=1", "3", 4),
        ("?after=1", "", 2),
        ("", None, 6),
    ],
)
async def test_where_a_reader_begins(query: str, last: str | None, first: int) -> None:
    async with site() as it:
        await it.grow(5)
        async with events(it, query, last) as stream:
            await it.until(lambda: it.feed.readers.total() == 1)
            await it.grow(1)
            told = await stream.told(7 - first)
            assert [at for at, _ in told] == list(range(first, 7))


async def test_who_reconnects_all_the_time_misses_and_repeats_nothing() -> None:
    async with site() as it:
        got: list[int] = []

        async def reconnect() -> None:
            while len(got) < 1500:
                last = str(got[-1]) if got else "0"
                async with events(it, last=last) as stream:
                    got.extend([at for at, _ in await stream.told(37)])

        task = asyncio.create_task(reconnect())
        for _ in range(200):
            await it.grow(8)
            await asyncio.sleep(0.001)
        async with asyncio.timeout(SOON):
            await task
        assert got == list(range(1, len(got) + 1))
        await it.until(lambda: it.feed.readers["events"] == 0)


async def test_a_filter_passes_what_it_says() -> None:
    async with (
        site() as it,
        events(it, "?type=ringback.alert.*,ringback.callback.talking.v1&queue=q-1") as stream,
    ):
        await stream.next()
        await it.append(
            source_told(),
            callback_told(state="talking", queue_id="q-1"),
            callback_told(state="waiting", queue_id="q-1"),
            alert_told(queue_id="q-2"),
            alert_told(queue_id="q-1"),
        )
        assert [at for at, _ in await stream.told(2)] == [2, 5]


@pytest.mark.parametrize(
    ("query", "last", "detail"),
    [
        ("?type=ringback.callback.flying.v1", None, "type: no event is of"),
        ("?state=flying", None, "state.*flying"),
        ("?after=-1", None, "after"),
        ("?after=soon", None, "after"),
        ("?after=99999999999999999999", None, "after"),
        ("?colour=red", None, "colour"),
        ("", "soon", "Last-Event-ID"),
        ("", "-1", "Last-Event-ID"),
        ("", "99999999999999999999", "Last-Event-ID"),
    ],
)
async def test_what_is_asked_wrongly_is_a_problem_on_either_transport(
    query: str, last: str | None, detail: str
) -> None:
    headers = {} if last is None else {"last-event-id": last}
    async with site() as it:
        async with events(it, query, last) as stream:
            body = await stream.answer.aread()
        assert stream.answer.headers["content-type"] == "application/problem+json"
        problem = json.loads(body)
        assert problem["status"] == 400
        with pytest.raises(InvalidStatus) as refused:
            async with feed(it, query, additional_headers=headers):
                pass
        answer = refused.value.response
        assert answer.status_code == 400
        assert json.loads(answer.body or b"") == problem
    assert re.search(detail, problem["detail"])


async def test_a_position_that_is_no_longer_kept_gives_a_reset_and_the_stream_ends() -> None:
    async with site() as it:
        await it.grow(300)
        await it.growing.forget()
        await it.grow(1)
        async with events(it, last="5") as stream:
            event, name, reset = await stream.next()
            assert (event, name, reset["position"]) == ("reset", "", 301)
            assert reset["reason"] == "what follows this position is no longer kept"
            with pytest.raises(EOFError):
                await stream.next()
        async with events(it, last=str(reset["position"])) as stream:
            assert (await stream.next())[0] == "heartbeat"
        assert it.feed.cut_off == {"retention": 1}


async def test_a_position_that_never_was_gives_a_reset() -> None:
    async with site() as it:
        await it.grow(1)
        async with events(it, last="2") as stream:
            event, _, reset = await stream.next()
            assert (event, reset["position"]) == ("reset", 1)


async def test_a_viewer_sees_no_number_and_no_name_and_an_operator_the_journal() -> None:
    body = callback_told(contact=["+49 30 1234567", "Ada Lovelace"])
    async with site() as it:
        it.access.visitor = Visitor("eve", Role.VIEWER)
        async with events(it) as viewer, feed(it) as socket:
            await viewer.next()
            it.access.visitor = LOCAL
            async with events(it) as operator:
                await operator.next()
                await it.append(body)
                ((_, whole),) = await operator.told(1)
                ((_, shown),) = await viewer.told(1)
                framed = await received(socket)
    assert whole == json.loads(body)
    assert shown["data"]["contact"] == ["…67", "A. L."]
    assert framed.pop("journalposition") == "1"
    assert framed == shown


async def test_one_too_many_is_told_to_come_later() -> None:
    async with site(readers=1) as it, events(it) as first:
        await first.next()
        async with events(it) as second:
            problem = json.loads(await second.answer.aread())
        assert second.answer.status_code == 503
        assert second.answer.headers["retry-after"] == "5"
        assert problem["detail"] == "1 readers follow already."
        with pytest.raises(InvalidStatus) as refused:
            async with feed(it):
                pass
        assert refused.value.response.status_code == 503
        assert refused.value.response.headers["retry-after"] == "5"
        assert it.feed.refused == 2


async def test_nothing_is_followed_before_the_daemon_has_restored() -> None:
    it = Site(Limits())
    it.server.bind()
    serving = asyncio.create_task(it.server.run())
    await asyncio.sleep(0)
    try:
        async with events(it) as stream:
            await stream.answer.aread()
        assert stream.answer.status_code == 503
    finally:
        serving.cancel()
        with suppress(asyncio.CancelledError):
            await serving


# The websocket


async def test_a_websocket_gets_one_event_a_message_with_its_position() -> None:
    async with site() as it, feed(it, "?after=0") as connection:
        body = callback_told()
        await it.append(source_told(), body)
        first, second = await received(connection), await received(connection)
        assert first["journalposition"] == "1"
        assert second == json.loads(body) | {"journalposition": "2"}


async def test_a_websocket_goes_on_where_it_was_and_filters() -> None:
    async with site() as it:
        await it.grow(300)
        headers = {"last-event-id": "290"}
        async with feed(it, "?after=3", additional_headers=headers) as connection:
            got = [int((await received(connection))["journalposition"]) for _ in range(10)]
            assert got == list(range(291, 301))
        async with feed(it, "?after=0&state=waiting") as connection:
            got = [int((await received(connection))["journalposition"]) for _ in range(300)]
            assert got == list(range(1, 301))
            pong = await connection.ping()
            async with asyncio.timeout(SOON):
                await pong
            await connection.send("nobody listens")
            await it.grow(1)
            assert (await received(connection))["journalposition"] == "301"
        await it.until(lambda: it.feed.readers["websocket"] == 0)


@pytest.mark.parametrize(("after", "why"), [(5, "no longer kept"), (400, "not as far")])
async def test_a_websocket_without_a_place_is_closed_with_4409(after: int, why: str) -> None:
    async with site() as it:
        await it.grow(300)
        await it.growing.forget()
        await it.grow(1)
        async with feed(it, f"?after={after}") as connection:
            with pytest.raises(ConnectionClosed) as closed:
                await received(connection)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 4409
        assert why in closed.value.rcvd.reason


# Those who do not read


class Stalled:
    """A raw connection that takes nothing after its first bytes."""

    def __init__(self, site: Site, path: str, *more: str) -> None:
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.setblocking(False)
        self.site = site
        self.request = "\r\n".join(
            [f"GET /api/v1/{path} HTTP/1.1", "Host: 127.0.0.1", *more, "", ""]
        ).encode()

    async def begin(self) -> None:
        loop = asyncio.get_running_loop()
        await loop.sock_connect(self.socket, ("127.0.0.1", self.site.server.port))
        await loop.sock_sendall(self.socket, self.request)
        assert await loop.sock_recv(self.socket, 12)

    async def rest(self) -> int:
        """Read to the end; how much there was."""
        loop = asyncio.get_running_loop()
        size = 0
        with suppress(ConnectionResetError):
            async with asyncio.timeout(SOON):
                while data := await loop.sock_recv(self.socket, 1 << 16):
                    size += len(data)
        return size


UPGRADE = (
    *("Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"),
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
)


@pytest.mark.parametrize(("path", "more"), [("events", ()), ("feed", UPGRADE)])
async def test_who_takes_nothing_is_cut_off_and_slows_nobody(
    path: str, more: tuple[str, ...]
) -> None:
    async with site(stall_seconds=0.5) as it, events(it) as other:
        await other.next()
        stalled = Stalled(it, path, *more)
        with stalled.socket:
            await stalled.begin()
            await it.until(lambda: it.feed.readers.total() == 2)
            sent = 0
            while not it.feed.cut_off:
                await it.grow(20, user_id=PADDING)
                sent += 20
                assert len(await other.told(20)) == 20
                assert sent < 5000
            assert it.feed.cut_off == {"stalled": 1}
            assert it.feed.readers.total() == 1
            held = await stalled.rest()
            assert held < 1 << 20, "what is held for one reader is bounded"
        await it.grow(1)
        assert (await other.told(1))[0][0] == sent + 1


@pytest.mark.parametrize("full", [False, True])
async def test_a_stop_waits_for_nobody(full: bool) -> None:
    it = Site(Limits(ending_seconds=0.3))
    await it.start()
    stalled = [Stalled(it, "events"), Stalled(it, "feed", *UPGRADE)]
    async with events(it) as stream:
        await stream.next()
        for one in stalled:
            await one.begin()
        await it.until(lambda: it.feed.readers.total() == 3)
        for _ in range(60 if full else 0):
            await it.grow(20, user_id=PADDING)
            await stream.told(20)
        began = asyncio.get_running_loop().time()
        await it.stop()
        assert asyncio.get_running_loop().time() - began < 2
        await stream.rest()
    for one in stalled:
        one.socket.close()


async def test_a_websocket_is_told_that_the_daemon_stops() -> None:
    it = Site(Limits())
    await it.start()
    async with feed(it) as connection:
        await it.until(lambda: it.feed.readers.total() == 1)
        await it.stop()
        with pytest.raises(ConnectionClosed) as closed:
            await received(connection)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code in (1001, 1012)


async def test_a_daemons_metrics_say_how_the_feed_is() -> None:
    async with site() as it, events(it) as stream, feed(it, "?after=0"):
        await stream.next()
        await it.grow(3)
        await stream.told(3)
        await it.until(lambda: it.feed.sent["websocket"] == 3)
        measures = {
            (measure.name, *measure.labels.values()): measure.value
            for measure in measures_of_feed(it.feed)
        }
    assert measures["ringback_feed_readers", "events"] == 1
    assert measures["ringback_feed_readers", "websocket"] == 1
    assert measures["ringback_feed_entries_sent", "events"] == 3
    assert measures["ringback_feed_readers_cut_off", "stalled"] == 0
    assert measures["ringback_feed_readers_refused",] == 0
    assert measures["ringback_feed_lag_entries",] == 0


async def test_who_asks_only_for_the_head_follows_nothing() -> None:
    async with site() as it, httpx.AsyncClient(trust_env=False, timeout=SOON) as client:
        for _ in range(2):
            answer = await client.head(f"http://{it.url}/events")
            assert answer.status_code == 200
            assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
        await it.until(lambda: it.feed.readers.total() == 0)


async def test_a_websocket_asked_for_without_one_says_so() -> None:
    async with site() as it, httpx.AsyncClient(trust_env=False, timeout=SOON) as client:
        answer = await client.get(f"http://{it.url}/feed")
    assert (answer.status_code, answer.headers["upgrade"]) == (426, "websocket")
    assert answer.headers["content-type"] == "application/problem+json"
    assert "/api/v1/events" in answer.json()["detail"]
