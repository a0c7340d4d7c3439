"""Speaks for the contact centre over a websocket: one frame a message, in real time.

`ws://host:port/stream` sends everything from the moment of connecting on; `?topics=conversations`,
`callbacks` or `both` (the default) chooses the shapes. Nothing is queued for who is not connected,
as with the real service; `latest=1` begins with every live conversation, as some gateways do.
"""

import asyncio
import contextlib
import http
from collections.abc import Iterable
from datetime import timedelta
from types import TracebackType
from typing import Self
from urllib.parse import parse_qs, urlsplit

import msgspec
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from ringback.ports import Clock
from ringback.simulator.centre import ContactCentre, Emission
from ringback.simulator.faults import Faults

__all__ = ["SimulatorServer"]

HEARTBEAT = b'{"topicName":"channel.metadata","eventBody":{"message":"WebSocket Heartbeat"}}'
PONG = b'{"topicName":"channel.metadata","eventBody":{"message":"pong"}}'
HEARTBEAT_SECONDS = 30.0
LONGEST_SLEEP_SECONDS = 1.0
"""The wall clock may jump, so it is looked at this often at least."""
LONGEST_STEP = timedelta(seconds=5)
"""How much of the play is given at once."""
RESEND_PATIENCE_SECONDS = 10.0
TRY_AGAIN_LATER = 1013
SHAPES = {
    "conversations": frozenset({"conversations"}),
    "callbacks": frozenset({"callbacks"}),
    "both": frozenset({"conversations", "callbacks"}),
}


class Client:
    """One connection, with a bounded queue of what it has yet to be sent."""

    def __init__(self, shapes: frozenset[str], bound: int) -> None:
        self.shapes = shapes
        self.outbox: asyncio.Queue[tuple[bytes, bool]] = asyncio.Queue(bound)
        self.behind = asyncio.Event()
        """Set when the queue ran over: the client is to be dropped."""

    def wants(self, emission: Emission) -> bool:
        """Whether it asked for this shape."""
        return emission.topic.rpartition(".")[2] in self.shapes

    def put(self, frame: bytes, *, binary: bool = False) -> None:
        """Queue a frame, or give up on a client that does not read."""
        try:
            self.outbox.put_nowait((frame, binary))
        except asyncio.QueueFull:
            self.behind.set()


class SimulatorServer:
    """Serves a contact centre on loopback; an async context manager.

    A task that dies inside ends the `async with` block with an exception group.
    """

    def __init__(
        self,
        centre: ContactCentre,
        clock: Clock,
        host: str = "127.0.0.1",
        port: int = 0,
        faults: Faults | None = None,
        *,
        outbox: int = 5000,
    ) -> None:
        """Port 0 takes a free one; `outbox` is how many frames a client may be behind."""
        self.centre = centre
        self.clock = clock
        self.faults = faults or Faults(0)
        self.sent = 0
        """How many messages were sent, to all clients together."""
        self.dropped = 0
        """How many clients were dropped because they did not read."""
        self._host, self._port = host, port
        self._outbox = outbox
        self._clients: dict[ServerConnection, Client] = {}
        self._refusing_until = 0.0
        self._server: Server | None = None
        self._tasks = asyncio.TaskGroup()
        self._background: list[asyncio.Task[None]] = []

    @property
    def port(self) -> int:
        """The port it listens on."""
        if self._server is None:
            return self._port
        port: int = next(iter(self._server.sockets)).getsockname()[1]
        return port

    @property
    def url(self) -> str:
        """Where to connect: both shapes."""
        return f"ws://{self._host}:{self.port}/stream"

    @property
    def clients(self) -> int:
        """How many are connected."""
        return len(self._clients)

    async def __aenter__(self) -> Self:
        self._server = await serve(
            self._serve_client,
            self._host,
            self._port,
            process_request=self._admit,
            compression=None,
            ping_interval=None,
            close_timeout=1,
            max_size=64 * 1024,
        )
        await self._tasks.__aenter__()
        self._background = [
            self._tasks.create_task(self._play(), name="simulator.play"),
            self._tasks.create_task(self._beat(), name="simulator.heartbeat"),
        ]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for task in self._background:
            task.cancel()
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
        if kind is not None and not issubclass(kind, asyncio.CancelledError):
            # The block's own error is for whoever wrote the block, as it is and in no group.
            kind = error = trace = None
        await self._tasks.__aexit__(kind, error, trace)

    # On demand

    async def drop_clients(self, code: int = 1001) -> None:
        """Close every connection, as the service does for maintenance."""
        async with asyncio.TaskGroup() as closing:
            for connection in list(self._clients):
                closing.create_task(connection.close(code), name="simulator.drop")

    def refuse_connects(self, seconds: float) -> None:
        """Answer 503 to whoever connects within that time; 0 accepts again."""
        self._refusing_until = asyncio.get_running_loop().time() + seconds

    async def resend_latest(self) -> int:
        """Send what is still under way, then the latest snapshot of every conversation, whole.

        Waits for room with clients that are behind. Returns how many frames there were. Halt the
        centre first if nothing newer shall follow.
        """
        self._send(self.centre.advance(self.clock.now()))
        self._hand_out(self.faults.flush())
        latest = self.centre.latest_frames()
        for client in list(self._clients.values()):
            try:
                async with asyncio.timeout(RESEND_PATIENCE_SECONDS):
                    for emission in latest:
                        if client.wants(emission):
                            await client.outbox.put((emission.frame, False))
            except TimeoutError:
                client.behind.set()
        return len(latest)

    # All the time

    async def _play(self) -> None:
        """Drive the centre with the clock."""
        while True:
            # A step at a time, so that clients are served even while the centre is behind.
            step = self.centre.now + LONGEST_STEP
            self._send(self.centre.advance(min(self.clock.now(), step)))
            moments = [at for at in (self.centre.next_at, self.faults.next_at) if at is not None]
            wait = LONGEST_SLEEP_SECONDS
            if self.centre.now == step:
                wait = 0.0
            elif moments:
                wait = min(wait, (min(moments) - self.clock.now()).total_seconds())
            await asyncio.sleep(max(wait, 0.0))

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT_SECONDS)
            for client in self._clients.values():
                client.put(HEARTBEAT)

    def _send(self, emissions: Iterable[Emission]) -> None:
        self._hand_out(self.faults.pass_on(emissions, self.centre.now))

    def _hand_out(self, emissions: Iterable[Emission]) -> None:
        for emission in emissions:
            for client in self._clients.values():
                if client.wants(emission):
                    client.put(emission.frame, binary=emission.binary)

    def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        if asyncio.get_running_loop().time() < self._refusing_until:
            return connection.respond(http.HTTPStatus.SERVICE_UNAVAILABLE, "not now\n")
        if _shapes_of(request.path) is None:
            return connection.respond(
                http.HTTPStatus.NOT_FOUND,
                "connect to /stream, or /stream?topics=conversations|callbacks|both\n",
            )
        return None

    async def _serve_client(self, connection: ServerConnection) -> None:
        """Write and read until the client goes, or does not keep up."""
        path = connection.request.path if connection.request else ""
        client = Client(_shapes_of(path) or SHAPES["both"], self._outbox)
        self._clients[connection] = client
        if _wants_latest(path):
            for emission in self.centre.latest_frames(ended=False):
                if client.wants(emission):
                    client.put(emission.frame)
        jobs = {
            asyncio.create_task(self._write(connection, client), name="simulator.write"),
            asyncio.create_task(_answer(connection, client), name="simulator.read"),
            asyncio.create_task(client.behind.wait(), name="simulator.watch"),
        }
        try:
            await asyncio.wait(jobs, return_when=asyncio.FIRST_COMPLETED)
        finally:
            del self._clients[connection]
            for job in jobs:
                job.cancel()
            ended = await asyncio.gather(*jobs, return_exceptions=True)
        if client.behind.is_set():
            self.dropped += 1
            await connection.close(TRY_AGAIN_LATER, "does not read")
        for result in ended:
            if isinstance(result, Exception) and not isinstance(result, ConnectionClosed):
                raise result

    async def _write(self, connection: ServerConnection, client: Client) -> None:
        while True:
            frame, binary = await client.outbox.get()
            await connection.send(frame, text=not binary)
            self.sent += 1


async def _answer(connection: ServerConnection, client: Client) -> None:
    async for message in connection:
        # What is no ping is ignored, as the real service ignores it.
        with contextlib.suppress(msgspec.DecodeError, RecursionError):
            if msgspec.json.decode(message, type=dict[str, object]).get("message") == "ping":
                client.put(PONG)


def _shapes_of(path: str) -> frozenset[str] | None:
    """Read which shapes a request path asks for; None if there is no such thing here."""
    parts = urlsplit(path)
    asked = parse_qs(parts.query).get("topics", ["both"])[0]
    return SHAPES.get(asked) if parts.path == "/stream" else None


def _wants_latest(path: str) -> bool:
    return parse_qs(urlsplit(path).query).get("latest") == ["1"]
