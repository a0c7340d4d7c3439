"""Serves a contact centre on loopback: one port, and one or more ways of showing it."""

import asyncio
from collections.abc import Coroutine, Iterable, Sequence
from types import TracebackType
from typing import Any, Protocol, Self

from aiohttp import web

from ringback.ports import Clock
from ringback.simulator.centre import ContactCentre, Emission
from ringback.simulator.faults import Faults
from ringback.simulator.playing import Play

__all__ = ["Host", "Part"]

GRACE_SECONDS = 5.0
"""How long a request under way may take once the host closes."""
LARGEST_BODY = 4 * 1024 * 1024


class Part(Protocol):
    """One way of showing the centre."""

    def hosted(self, host: "Host") -> None:
        """Learn who serves it; called before it is."""

    def routes(self) -> Iterable[web.RouteDef]:
        """Give what it answers; routes of earlier parts go first."""

    def jobs(self) -> Iterable[tuple[str, Coroutine[Any, Any, None]]]:
        """Give what goes on all the time, by name."""

    def wants(self, topic: str) -> bool:
        """Whether frames of that topic are of any use to it."""

    def deliver(self, emissions: Sequence[Emission]) -> None:
        """Send what arrives now. Called at least once a second, be it with nothing."""

    def close(self) -> None:
        """Let everyone who is connected go."""


class Host:
    """An async context manager. A task that dies inside ends the block with an exception group."""

    def __init__(
        self,
        centre: ContactCentre,
        clock: Clock,
        parts: Sequence[Part],
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        faults: Faults | None = None,
    ) -> None:
        """Port 0 takes a free one; `faults` befall all frames before any part gets them."""
        self.play = Play(centre, clock, faults or Faults(0), self._deliver)
        self._parts = parts
        self._host, self._port = host, port
        self._runner: web.AppRunner | None = None
        self._tasks = asyncio.TaskGroup()
        self._background: list[asyncio.Task[None]] = []

    @property
    def address(self) -> str:
        """Where it listens, as `host:port`."""
        return f"{self._host}:{self.port}"

    @property
    def port(self) -> int:
        """The port it listens on."""
        if self._runner is None or not self._runner.addresses:
            return self._port
        port: int = self._runner.addresses[0][1]
        return port

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=LARGEST_BODY)
        for part in self._parts:
            part.hosted(self)
            app.add_routes(part.routes())
        runner = web.AppRunner(
            app, access_log=None, handle_signals=False, shutdown_timeout=GRACE_SECONDS
        )
        await runner.setup()
        try:
            await web.TCPSite(runner, self._host, self._port).start()
        except OSError:
            await runner.cleanup()
            raise
        self._runner = runner
        self.play.centre.wanted = self._wants
        await self._tasks.__aenter__()
        jobs = [("simulator.play", self.play.run())]
        jobs += [job for part in self._parts for job in part.jobs()]
        self._background = [self._tasks.create_task(job, name=name) for name, job in jobs]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for task in self._background:
            task.cancel()
        self.play.centre.wanted = None
        for part in self._parts:
            part.close()
        if self._runner is not None:
            await self._runner.cleanup()
        if kind is not None and not issubclass(kind, asyncio.CancelledError):
            # The block's own error is for whoever wrote the block, as it is and in no group.
            kind = error = trace = None
        await self._tasks.__aexit__(kind, error, trace)

    def _wants(self, topic: str) -> bool:
        return any(part.wants(topic) for part in self._parts)

    def _deliver(self, emissions: Iterable[Emission]) -> None:
        arrived = list(emissions)
        for part in self._parts:
            part.deliver(arrived)
