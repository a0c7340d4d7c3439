"""What a daemon can listen to in tests: a peer that sends what it is told, a contact centre."""

import asyncio
import secrets
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path
from typing import Any

import msgspec
from websockets.asyncio.server import ServerConnection, serve

from ringback.runtime.clock import SystemClock
from ringback.simulator.centre import ContactCentre
from ringback.simulator.options import Options
from ringback.simulator.server import SimulatorServer
from support.daemon import SOON

__all__ = [
    "FEW_RULES",
    "NAME",
    "NUMBER",
    "Gateway",
    "contact_centre",
    "frame",
    "free_port",
    "gateway",
    "to",
]

NUMBER = "+15550142233"
NAME = "Canary Quetzal"
PORTS = range(20_000, 32_768)
"""The kernel's own choice begins behind them."""
BUSY = Options(arrivals_per_minute=120, agents=100, speed=20, max_live=100)


class Gateway:
    """A websocket server that sends what the test wants, to whoever is connected."""

    def __init__(self, port: int) -> None:
        self.url = f"ws://127.0.0.1:{port}/feed"
        self.connections: set[ServerConnection] = set()
        self.news = asyncio.Condition()

    async def handle(self, connection: ServerConnection) -> None:
        self.connections.add(connection)
        async with self.news:
            self.news.notify_all()
        try:
            await connection.wait_closed()
        finally:
            self.connections.discard(connection)

    async def connected(self) -> None:
        async with asyncio.timeout(SOON), self.news:
            await self.news.wait_for(lambda: self.connections)

    async def send(self, *frames: bytes | str) -> None:
        await self.connected()
        for connection in self.connections:
            for frame in frames:
                await connection.send(frame, text=True)

    async def hang_up(self) -> None:
        for connection in list(self.connections):
            await connection.close()


def free_port() -> int:
    """Give a port that nobody listens on, and that nobody is given who asks for any."""
    while True:
        port = secrets.choice(PORTS)  # `random` draws the same in all processes that test
        with closing(socket.socket()) as one, suppress(OSError):
            one.bind(("127.0.0.1", port))
            return port


@asynccontextmanager
async def gateway(port: int = 0) -> AsyncIterator[Gateway]:
    """Serve on `port`; 0 takes any free one."""
    made = Gateway(port)
    async with serve(made.handle, "127.0.0.1", port, compression=None) as server:
        found = next(iter(server.sockets)).getsockname()[1]
        made.url = f"ws://127.0.0.1:{found}/feed"
        yield made


@asynccontextmanager
async def contact_centre(
    options: Options = BUSY, outbox: int = 5000
) -> AsyncIterator[SimulatorServer]:
    """Serve a simulated contact centre in real time."""
    centre = ContactCentre(22, SystemClock().now(), options)
    async with SimulatorServer(centre, SystemClock(), outbox=outbox) as server:
        yield server


FEW_RULES = {"watch__rules": Path(__file__).with_name("few_rules.toml")}
"""Settings of a daemon for which little is alarming."""


def to(url: str, **settings: Any) -> dict[str, Any]:
    """Give the settings of a daemon that listens there and is quick to connect again."""
    quick = {"source__reconnect_first_seconds": 0.05, "source__reconnect_most_seconds": 0.05}
    return {"source__kind": "websocket", "source__url": url} | quick | settings


def frame(conversation: str = "c-1", **said: Any) -> bytes:
    """Make a notification of a callback that waits."""
    leg = {
        "id": "k-1",
        "state": "connected",
        "direction": "outbound",
        "connectedTime": "2026-11-22T08:00:00.000Z",
        "callbackNumbers": [NUMBER],
        "callbackUserName": NAME,
        **said,
    }
    customer = {"id": "p-1", "purpose": "customer", "name": NAME, "address": NUMBER}
    acd = {"id": "p-2", "purpose": "acd", "queueId": "queue-1"}
    waiting = {key: leg[key] for key in ("state", "direction", "connectedTime")} | {"id": "k-2"}
    return msgspec.json.encode(
        {
            "topicName": "v2.routing.queues.queue-1.conversations",
            "eventBody": {
                "id": conversation,
                "participants": [
                    customer | {"callbacks": [leg]},
                    acd | {"callbacks": [waiting]},
                ],
            },
        }
    )
