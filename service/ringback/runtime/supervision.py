"""What a process is made of: started in order, watched, and stopped in stages."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine
from typing import NamedTuple

import structlog

from ringback.errors import RingbackError
from ringback.runtime.systemd import feed_forever, notify
from ringback.runtime.tasks import Tasks

__all__ = ["STALLED", "Budgets", "Supervisor"]

STALLED = 30.0
"""Seconds without progress after which the watchdog is no longer fed."""

log = structlog.get_logger(__name__)

Work = Callable[[], Coroutine[None, None, None]]


class Budgets(NamedTuple):
    """Seconds that each stage of a stop may take."""

    intake: float
    drain: float
    close: float


class Supervisor(ABC):
    """Runs services from the beginning, the rest once it has restored, and stops in stages.

    Hear nothing more; finish what was heard; end the rest.
    """

    intake: tuple[str, ...]
    """The tasks that are ended first: what brings new work."""

    def __init__(self, budgets: Budgets) -> None:
        self._services: dict[str, Work] = {}
        self._followers: dict[str, Work] = {}
        self._drains: list[Work] = []
        self._budgets = budgets
        self._tasks = Tasks()
        self.restored = False
        """Whether all that was stored is known again."""

    def serve(self, name: str, service: Work) -> None:
        """Let something else run for as long as the process does, from before it restores."""
        self._services[name] = service

    def follow(self, name: str, follower: Work) -> None:
        """Let something run for as long as the process does, from when it has restored."""
        self._followers[name] = follower

    def drain(self, drain: Work) -> None:
        """Let something end what it is about before the last commit of a stop."""
        self._drains.append(drain)

    def tend(self, name: str, every: float, work: Callable[[], object]) -> None:
        """Do something every so many seconds for as long as the process runs."""

        async def tend_forever() -> None:
            while True:
                await asyncio.sleep(every)
                work()

        self._services[name] = tend_forever

    async def run(self, wished: asyncio.Event) -> None:
        """Run until `wished` is set. Raises `RingbackError` when it cannot go on."""
        try:
            for name, service in self._services.items():
                self._tasks.start(name, service())
            if await self._restores(wished):
                self.restored = True
                self._start()
                for name, follower in self._followers.items():
                    self._tasks.start(name, follower())
                self._tasks.start("watchdog", feed_forever(self.complaint))
                notify("READY=1")
                await self._follow(wished)
        finally:
            notify("STOPPING=1")
            log.info("stopping", asked=wished.is_set())
            trouble = await self._stop()
        if trouble is not None:
            raise trouble

    @abstractmethod
    def complaint(self) -> str | None:
        """Say what does not progress; None when all does."""

    @abstractmethod
    async def _restore(self) -> None:
        """Know again what was stored."""

    @abstractmethod
    def _start(self) -> None:
        """Start the tasks of its own."""

    @abstractmethod
    async def _finish(self) -> None:
        """Finish what was heard, once nothing more is."""

    @abstractmethod
    async def _close(self) -> None:
        """Release what is left once every task has ended."""

    async def _restores(self, wished: asyncio.Event) -> bool:
        """Restore, unless a stop is wished before; whether it has. What fails meanwhile is told."""
        restore = asyncio.create_task(self._restore(), name="restore")
        wish = asyncio.create_task(wished.wait(), name="wish")
        waits = {restore, wish}
        died: asyncio.Task[None] | None = None
        if self._services:
            died = asyncio.create_task(self._tasks.first_death(), name="watch")
            waits.add(died)
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            if restore.done():
                await restore
                return True
            if died is not None and died.done():
                await died
            return False
        finally:
            for each in waits:
                each.cancel()
            await asyncio.gather(*waits, return_exceptions=True)

    async def _follow(self, wished: asyncio.Event) -> None:
        """Wait for the wish to stop. Raises `TaskDied` when a task ends before."""
        died = asyncio.create_task(self._tasks.first_death(), name="watch")
        wish = asyncio.create_task(wished.wait(), name="wish")
        try:
            await asyncio.wait({died, wish}, return_when=asyncio.FIRST_COMPLETED)
            if died.done():
                await died
        finally:
            died.cancel()
            wish.cancel()
            await asyncio.gather(died, wish, return_exceptions=True)

    async def _stop(self) -> RingbackError | None:
        """Stop in stages; give what went wrong with what was heard."""
        budgets = self._budgets
        await self._end(list(self.intake), budgets.intake)
        undrained = None
        if self.restored:
            undrained = await self._within("drain", self._finish(), budgets.drain)
        await self._end(self._tasks.names, budgets.close)
        unclosed = await self._within("close", self._close(), budgets.close)
        return undrained or unclosed

    async def _end(self, names: list[str], budget: float) -> None:
        for name in await self._tasks.stop(names, budget):
            log.error("task_still_alive", task=name, budget_seconds=budget)

    async def _within(
        self, stage: str, work: Coroutine[None, None, None], budget: float
    ) -> RingbackError | None:
        """Give a stage its time, and give what went wrong in it."""
        try:
            async with asyncio.timeout(budget):
                await work
        except TimeoutError:
            log.warning("stage_cut_short", stage=stage, budget_seconds=budget)
        except RingbackError as error:
            return error
        return None
