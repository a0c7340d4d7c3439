"""One process of several that share the work through an engine: whatever roles it has."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import TypeVar

import structlog

from ringback.errors import EngineUnreachable
from ringback.runtime.supervision import Budgets, Supervisor

__all__ = ["Member", "when_reached"]

log = structlog.get_logger(__name__)

T = TypeVar("T")
AGAIN = 1.0
"""Seconds between two attempts to reach the engine at the start."""

Work = Callable[[], Coroutine[None, None, None]]


async def when_reached(
    attempt: Callable[[], Coroutine[None, None, T]], told: Callable[[EngineUnreachable], None]
) -> T:
    """Try until the engine can be reached; `told` is told of each attempt that was in vain."""
    while True:
        try:
            return await attempt()
        except EngineUnreachable as error:
            told(error)
            await asyncio.sleep(AGAIN)


class Member(Supervisor):
    """Joined of parts: each adds what it restores, what it runs, and what it finishes."""

    intake = ("source",)

    def __init__(self, budgets: Budgets) -> None:
        super().__init__(budgets)
        self._restores_of: dict[str, Work] = {}
        self._complaints: list[Callable[[], str | None]] = []

    def restore(self, name: str, work: Work) -> None:
        """Let something be known again before anything follows, in the order of these calls."""
        self._restores_of[name] = work

    def tend(self, name: str, every: float, work: Callable[[], object]) -> None:
        """Do something every so many seconds, from when all parts are known."""

        async def tend_forever() -> None:
            while True:
                await asyncio.sleep(every)
                work()

        self.follow(name, tend_forever)

    def complain(self, complaint: Callable[[], str | None]) -> None:
        """Ask this whether all progresses, too."""
        self._complaints.append(complaint)

    def complaint(self) -> str | None:
        """Say what does not progress; None when all does."""
        return next((found for each in self._complaints if (found := each())), None)

    async def _restore(self) -> None:
        for name, work in self._restores_of.items():
            await work()
            log.info("restored", part=name)

    def _start(self) -> None:
        """Everything is a follower."""

    async def _finish(self) -> None:
        for drain in self._drains:
            await drain()

    async def _close(self) -> None:
        """Whoever has opened something closes it."""
