"""The server speaks over real sockets, and lives on a clock that the test moves."""

import asyncio
import json
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import aiohttp
import pytest
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as plain_connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from ringback.simulator.centre import ContactCentre
from ringback.simulator.faults import FaultRates, Faults
from ringback.simulator.genesys.server import GenesysCloud
from ringback.simulator.options import Options
from ringback.simulator.server import SimulatorServer

LARGE = FaultRates(damage=1, oversize_bytes=200_000)
START = datetime.fromisoformat("2026-11-22T08:00:00Z")


def connect(url: str, **keywords: Any) -> plain_connect:
    # A client with unread frames does not see the answer to its close, and waits in vain.
    return plain_connect(url, close_timeout=0.1, **keywords)


class LoopClock:
    """The loop's time, so many times as fast, from `START`."""

    def __init__(self, pace: float = 1.0) -> None:
        self.pace = pace
        self.began = asyncio.get_running_loop().time()

    def now(self) -> datetime:
        passed = asyncio.get_running_loop().time() - self.began
        return START + timedelta(seconds=passed * self.pace)


def served(pace: float = 200.0, **keywords: Any) -> SimulatorServer:
    centre = ContactCentre(1, START, Options(warm_up=timedelta(0)))
    return SimulatorServer(centre, LoopClock(pace), **keywords)


async def receive(socket: ClientConnection, count: int) -> list[dict[str, Any]]:
    async with asyncio.timeout(20):
        return [json.loads(await socket.recv()) for _ in range(count)]


async def drain(socket: ClientConnection) -> None:
    async with asyncio.timeout(30):
        while True:
            await socket.recv()


async def until(server: SimulatorServer, clients: int) -> None:
    async with asyncio.timeout(20):
        while server.clients != clients:  # noqa: ASYNC110 - the server tells nobody
            await asyncio.sleep(0.005)


async def test_every_client_gets_every_frame_from_then_on() -> None:
    async with served() as server, connect(server.url) as one, connect(server.url) as other:
        first, second = await receive(one, 90), await receive(other, 60)
    missed = first.index(second[0])  # those sent before the other had connected
    assert missed < 30
    assert first[missed : missed + 60] == second
    kinds = Counter(frame["topicName"].rpartition(".")[2] for frame in first)
    assert set(kinds) == {"conversations", "callbacks"}


@pytest.mark.parametrize("shape", ["conversations", "callbacks"])
async def test_the_query_chooses_the_shape(shape: str) -> None:
    async with served() as server, connect(f"{server.url}?topics={shape}") as socket:
        frames = await receive(socket, 20)
    assert {frame["topicName"].rpartition(".")[2] for frame in frames} == {shape}


async def test_other_paths_are_not_found() -> None:
    async with served() as server:
        base = server.url.removesuffix("/stream")
        for path in ("/", "/stream?topics=all"):
            with pytest.raises(InvalidStatus) as refused:
                async with connect(base + path):
                    pass
            assert refused.value.response.status_code == 404


async def test_ping_is_answered_and_nonsense_is_not() -> None:
    async with served(pace=0.0) as server, connect(server.url) as socket:
        for message in ("nonsense", "[]", '{"message": 5}', b"\xff", "[" * 50_000):
            await socket.send(message)
        await socket.send('{"message":"ping"}')
        [pong] = await receive(socket, 1)
    assert pong == {"topicName": "channel.metadata", "eventBody": {"message": "pong"}}


async def test_the_heart_beats(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ringback.simulator.server.HEARTBEAT_SECONDS", 0.02)
    async with served(pace=0.0) as server, connect(server.url) as socket:
        beats = await receive(socket, 2)
    assert beats == 2 * [
        {"topicName": "channel.metadata", "eventBody": {"message": "WebSocket Heartbeat"}}
    ]


async def test_dropped_clients_may_come_back_unless_refused() -> None:
    async with served() as server:
        async with connect(server.url) as socket:
            await receive(socket, 1)
            await server.drop_clients()
            with pytest.raises(ConnectionClosed):
                await drain(socket)
            assert socket.close_code == 1001
        await until(server, 0)
        server.refuse_connects(3600)
        with pytest.raises(InvalidStatus) as refused:
            async with connect(server.url):
                pass
        assert refused.value.response.status_code == 503
        server.refuse_connects(0)
        async with connect(server.url) as socket:
            assert await receive(socket, 1)


async def test_a_client_that_does_not_read_is_dropped_and_slows_nobody() -> None:
    async with (
        served(pace=40.0, outbox=300, faults=Faults(1, LARGE)) as server,
        connect(server.url, max_queue=1, max_size=None) as stalled,
        connect(server.url, max_size=None) as reading,
    ):
        async with asyncio.timeout(30):
            while not server.dropped:
                await reading.recv()
        assert server.clients == 1
        await reading.recv()
        with pytest.raises(ConnectionClosed):
            await drain(stalled)
        assert stalled.close_code in {1006, 1013}


async def test_resend_brings_the_latest_whole_snapshot_of_every_conversation() -> None:
    faults = Faults(1, FaultRates(lose=0.5, delay=0.3, reorder=0.3, damage=0.2, oversize_bytes=10))
    async with served(faults=faults) as server, connect(server.url) as socket:
        for _ in range(100):
            await socket.recv()
        server.centre.halt()
        count = await server.resend_latest()
        expected = [one.frame for one in server.centre.latest_frames()]
        assert count == len(expected)
        received: list[str | bytes] = []
        async with asyncio.timeout(20):
            while [str(one).encode() for one in received[-count:]] != expected:
                received.append(await socket.recv())
    assert len(received) >= count


async def test_a_task_that_dies_ends_the_block() -> None:
    class Broken(ContactCentre):
        def advance(self, until: datetime) -> list[Any]:
            if until > START:
                raise ArithmeticError
            return super().advance(until)

    centre = Broken(1, START, Options(warm_up=timedelta(0)))
    with pytest.raises(ExceptionGroup) as failed:
        async with SimulatorServer(centre, LoopClock(100.0)):
            await asyncio.sleep(20)
    assert failed.group_contains(ArithmeticError)


async def test_other_ways_of_showing_the_centre_share_the_port() -> None:
    clock = LoopClock(200.0)
    centre = ContactCentre(1, START, Options(warm_up=timedelta(0)))
    cloud = GenesysCloud(centre, clock)
    async with (
        SimulatorServer(centre, clock, beside=[cloud]) as server,
        aiohttp.ClientSession() as session,
        connect(server.url) as socket,
    ):
        assert cloud.url == server.url.replace("ws://", "http://").removesuffix("/stream")
        async with session.get(f"{cloud.url}/api/v2/routing/queues") as response:
            assert response.status == 401
        frames = await receive(socket, 20)
    prefixes = {frame["topicName"].rpartition(".conversations")[0] for frame in frames}
    assert all(prefix.startswith("v2.routing.queues.") for prefix in prefixes)
