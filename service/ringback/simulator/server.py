"""Speaks for the contact centre over a websocket: one frame a message, in real time.

`ws://host:port/stream` sends everything from the moment of connecting on; `?topics=conversations`,
`callbacks` or `both` (the default) chooses the shapes. Nothing is queued for who is not connected,
as with the real service; `latest=1` begins with every live conversation, as some gateways do.
"""

import asyncio
from collections.abc import Coroutine, Iterator, Sequence
from typing import Any

from aiohttp import web

from ringback.ports import Clock
from ringback.simulator.centre import ContactCentre, Emission
from ringback.simulator.faults import Faults
from ringback.simulator.hosting import Host, Part
from ringback.simulator.sockets import HEARTBEAT, Socket

__all__ = ["SimulatorServer", "Stream"]

HEARTBEAT_SECONDS = 30.0
RESEND_PATIENCE_SECONDS = 10.0
"""How long a client may not take as much as one frame."""
GOODBYE_SECONDS = 1.0
GOING_AWAY = 1001
SHAPES = {
    "conversations": frozenset({"conversations"}),
    "callbacks": frozenset({"callbacks"}),
    "both": frozenset({"conversations", "callbacks"}),
}


class Stream:
    """Everything, to whoever connects. A part of a host."""

    def __init__(self, centre: ContactCentre, outbox: int = 5000) -> None:
        """`outbox` is how many frames a client may be behind."""
        self.centre = centre
        self.dropped = 0
        """How many clients were dropped because they did not read."""
        self.refusing_until = 0.0
        """Whoever connects before that, on the loop's clock, is answered 503."""
        self.clients: dict[Socket, frozenset[str]] = {}
        """Who is connected, and the shapes that each has asked for."""
        self._sent_before = 0
        self._outbox = outbox

    @property
    def sent(self) -> int:
        """How many messages were sent, to all clients together."""
        return self._sent_before + sum(client.sent for client in self.clients)

    # As a part of a host

    def hosted(self, host: Host) -> None:
        """Need to know nothing of who serves it."""

    def routes(self) -> Iterator[web.RouteDef]:
        """Give the one address there is."""
        yield web.get("/stream", self._serve, allow_head=False)

    def jobs(self) -> Iterator[tuple[str, Coroutine[Any, Any, None]]]:
        """Let the heart beat."""
        yield "simulator.heartbeat", self._beat()

    def wants(self, topic: str) -> bool:
        """Whether the options let it be sent, and there is anybody to send it to."""
        options = self.centre.options
        shape = topic.rpartition(".")[2]
        return (
            bool(self.clients)
            and (options.user_topics or topic.startswith("v2.routing.queues."))
            and (options.flat if shape == "callbacks" else options.generic)
        )

    def deliver(self, emissions: Sequence[Emission]) -> None:
        """Send it to everybody who wants it."""
        for emission in emissions:
            if self.wants(emission.topic):
                for client, shapes in self.clients.items():
                    if _shape(emission) in shapes:
                        client.put(emission.frame, binary=emission.binary)

    def close(self) -> None:
        """Let everyone go."""
        for client in self.clients:
            client.close(GOING_AWAY)

    # What these are made of

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(HEARTBEAT_SECONDS)
            for client in self.clients:
                client.put(HEARTBEAT)

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        """Serve a client until it goes, or does not keep up."""
        if asyncio.get_running_loop().time() < self.refusing_until:
            return web.Response(status=503, text="not now\n")
        shapes = SHAPES.get(request.query.get("topics", "both"))
        if shapes is None:
            text = "connect to /stream, or /stream?topics=conversations|callbacks|both\n"
            return web.Response(status=404, text=text)
        client = Socket(self._outbox, patience=GOODBYE_SECONDS)
        self.clients[client] = shapes
        if request.query.get("latest") == "1":
            for emission in self.centre.latest_frames(ended=False):
                if _shape(emission) in shapes:
                    client.put(emission.frame)
        try:
            return await client.run(request)
        finally:
            del self.clients[client]
            self._sent_before += client.sent
            self.dropped += client.behind


class SimulatorServer(Host):
    """Serves a contact centre as a stream on loopback, and in whatever other ways beside it.

    An async context manager. A task that dies inside ends the `async with` block with an
    exception group.
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
        beside: Sequence[Part] = (),
    ) -> None:
        """Port 0 takes a free one; `outbox` is how many frames a client may be behind."""
        self.stream = Stream(centre, outbox)
        parts = [self.stream, *beside]
        super().__init__(centre, clock, parts, host=host, port=port, faults=faults)
        self.centre = centre

    @property
    def url(self) -> str:
        """Where to connect: both shapes."""
        return f"ws://{self.address}/stream"

    @property
    def clients(self) -> int:
        """How many are connected to the stream."""
        return len(self.stream.clients)

    @property
    def sent(self) -> int:
        """How many messages were sent on the stream, to all clients together."""
        return self.stream.sent

    @property
    def dropped(self) -> int:
        """How many clients of the stream were dropped because they did not read."""
        return self.stream.dropped

    # On demand

    async def drop_clients(self, code: int = GOING_AWAY) -> None:
        """Close every connection, as the service does for maintenance."""
        clients = list(self.stream.clients)
        for client in clients:
            client.close(code)
        for client in clients:
            await client.ended.wait()

    def refuse_connects(self, seconds: float) -> None:
        """Answer 503 to whoever connects within that time; 0 accepts again."""
        self.stream.refusing_until = asyncio.get_running_loop().time() + seconds

    async def resend_latest(self) -> int:
        """Send what is still under way, then the latest snapshot of every conversation, whole.

        Waits for room with clients that are behind. Returns how many frames there were. Halt the
        centre first if nothing newer shall follow.
        """
        self.play.flush()
        latest = self.centre.latest_frames()
        for client, shapes in list(self.stream.clients.items()):
            try:
                for emission in latest:
                    if _shape(emission) in shapes:
                        async with asyncio.timeout(RESEND_PATIENCE_SECONDS):
                            await client.put_patiently(emission.frame)
            except TimeoutError:
                client.cut()
        return len(latest)


def _shape(emission: Emission) -> str:
    return emission.topic.rpartition(".")[2]
