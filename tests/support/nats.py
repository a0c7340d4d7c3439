"""NATS servers, one or three of them, on free ports with their own folders.

What has to stand the loss of servers takes the one that users are told to run; all else the oldest
that Ringback runs on, unless `RINGBACK_NATS` is `current`.
"""

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from enum import Enum
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import httpx
import nats
from nats.errors import Error as NatsError

from support.debian import require_debian

__all__ = [
    "ANY",
    "LOOPBACK",
    "Node",
    "Place",
    "Server",
    "cluster",
    "free_ports",
    "one_node",
]

PATIENCE = 30.0
"""Seconds for a server or a cluster to be ready."""


class Server(Enum):
    """Which server runs. It is a program, of which many may run."""

    OLDEST = "oldest"
    """Debian's."""
    CURRENT = "current"
    """It comes with the tools for development."""

    @cached_property
    def path(self) -> str:
        """Where it is; a test that does not find Debian's is skipped."""
        if self is Server.OLDEST:
            return require_debian("nats-server", "nats-server")
        return str(Path(sys.prefix) / "bin" / "nats-server")

    @cached_property
    def version(self) -> str:
        """Its version, as 2.9.10."""
        told = subprocess.run([self.path, "--version"], capture_output=True, check=True, text=True)
        return told.stdout.strip().rpartition("v")[2]


ANY = Server(os.environ.get("RINGBACK_NATS", "oldest"))
"""Where it does not matter."""


def free_ports(count: int) -> list[int]:
    """Give ports that nobody listened to a moment ago."""
    held = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in held]
    for one in held:
        one.close()
    return ports


class Place(NamedTuple):
    """Where in a network a process runs."""

    address: str
    command: tuple[str, ...] = ()
    """What begins the command of a process that is to run there."""


LOOPBACK = Place("127.0.0.1")


class Node:
    """One server: its folder and ports stay the same over kills and starts."""

    def __init__(
        self,
        name: str,
        folder: Path,
        port: int,
        monitor: int,
        config: str,
        *,
        place: Place = LOOPBACK,
        server: Server = ANY,
    ) -> None:
        self.name = name
        self.server = server
        self.folder = folder
        self.port = port
        self.place = place
        self.url = f"nats://{place.address}:{port}"
        self.monitor = f"http://{place.address}:{monitor}"
        self.process: asyncio.subprocess.Process | None = None
        folder.mkdir(parents=True, exist_ok=True)
        self.config = folder / "nats.conf"
        self.config.write_text(config)

    async def start(self) -> None:
        """Start it; `ready` waits for it."""
        with (self.folder / "log").open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *self.place.command,
                self.server.path,
                "-c",
                str(self.config),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    async def kill(self) -> None:
        """End it at once, as kill -9 does."""
        if self.process is not None and self.process.returncode is None:
            self.process.kill()
            await self.process.wait()

    def signal(self, number: int) -> None:
        """Send it a signal."""
        if self.process is not None and self.process.returncode is None:
            self.process.send_signal(number)

    async def ready(self) -> None:
        """Wait until it answers for JetStream, which in a cluster needs a leader."""
        async with asyncio.timeout(PATIENCE):
            while not await self._answers():  # noqa: ASYNC110  # another process
                await asyncio.sleep(0.05)

    async def listens(self) -> None:
        """Wait until it takes connections, which may be all that it lets a stranger see."""
        async with asyncio.timeout(PATIENCE):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                except OSError:
                    await asyncio.sleep(0.02)
                else:
                    writer.close()
                    await writer.wait_closed()
                    return

    async def _answers(self) -> bool:
        try:
            client = await nats.connect(
                self.url,
                allow_reconnect=False,
                max_reconnect_attempts=1,
                reconnect_time_wait=0.02,
                error_cb=_ignore,
                connect_timeout=1,
            )
        except (OSError, NatsError, TimeoutError):
            return False
        try:
            await client.jetstream(timeout=1).account_info()
        except (NatsError, TimeoutError):
            return False
        finally:
            await client.close()
        return True


async def _know_one_another(nodes: Sequence[Node]) -> None:
    """Wait until whoever leads them has heard of all, or it makes no streams of so many copies."""
    async with asyncio.timeout(PATIENCE), httpx.AsyncClient(trust_env=False) as web:
        while True:
            for node in nodes:
                answer = await web.get(f"{node.monitor}/jsz")
                others = answer.json().get("meta_cluster", {}).get("replicas", ())
                here = [one for one in others if one.get("current") and not one.get("offline")]
                if len(here) == len(nodes) - 1:
                    return
            await asyncio.sleep(0.05)


async def _ignore(_: Exception) -> None:
    """Say nothing of servers that are not there yet."""


def _config(
    name: str,
    folder: Path,
    port: int,
    monitor: int,
    more: str = "",
    *,
    address: str = LOOPBACK.address,
    server: Server = ANY,
) -> str:
    # As deploy/nats/durable.conf has it, which the oldest does not understand.
    durable = "sync_interval: always" if server is Server.CURRENT else ""
    return f"""
server_name: "{name}"
host: "{address}"
port: {port}
http: "{address}:{monitor}"
jetstream {{
  store_dir: "{folder / "store"}", max_memory_store: 256MB, max_file_store: 4GB
  {durable}
}}
{more}
"""


@asynccontextmanager
async def one_node(
    folder: Path, more: str = "", port: int = 0, server: Server = ANY
) -> AsyncIterator[Node]:
    """Run one server; `more` is added to its configuration."""
    free, monitor = free_ports(2)
    port = port or free
    config = _config("n1", folder / "n1", port, monitor, more, server=server)
    node = Node("n1", folder / "n1", port, monitor, config, server=server)
    await node.start()
    try:
        if not more:
            await node.ready()
        yield node
    finally:
        await node.kill()


@asynccontextmanager
async def cluster(
    folder: Path,
    more: str = "",
    places: Sequence[Place] = (LOOPBACK,) * 3,
    server: Server = ANY,
) -> AsyncIterator[Sequence[Node]]:
    """Run three servers that replicate."""
    ports = free_ports(9)
    addresses = [f"{place.address}:{port}" for place, port in zip(places, ports[6:], strict=True)]
    routes = ", ".join(f'"nats-route://{address}"' for address in addresses)
    nodes = []
    for index, place in enumerate(places):
        name = f"n{index + 1}"
        route = f"""
cluster {{ name: "ringback", listen: "{addresses[index]}", routes: [{routes}] }}
{more}"""
        port, monitor = ports[index], ports[3 + index]
        config = _config(
            name, folder / name, port, monitor, route, address=place.address, server=server
        )
        node = Node(name, folder / name, port, monitor, config, place=place, server=server)
        nodes.append(node)
    try:
        for node in nodes:
            await node.start()
        for node in nodes:
            await node.ready()
        await _know_one_another(nodes)
        yield nodes
    finally:
        for node in nodes:
            await node.kill()
