"""The daemon's life: restore, follow, and stop in stages."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import NamedTuple

import structlog

from ringback.errors import RingbackError
from ringback.ports import Sink, Source, Store
from ringback.runtime.pipeline import Pipeline
from ringback.runtime.readers import read_forever
from ringback.runtime.systemd import feed_forever, notify
from ringback.runtime.tasks import Tasks
from ringback.runtime.tuning import restoring
from ringback.runtime.wakeup import wake_forever

__all__ = ["Budgets", "Daemon"]

PRUNE_EVERY = 60.0
"""Seconds between two looks for journal entries that are past their retention."""
ALIVE_EVERY = 5.0
"""Seconds between two notes that the source hears. A kill makes its gap longer by that at most."""
STALLED = 30.0
"""Seconds that a commit may take before the watchdog is no longer fed."""

log = structlog.get_logger(__name__)


class Budgets(NamedTuple):
    """Seconds that each stage of a stop may take."""

    intake: float
    drain: float
    close: float


class Daemon:
    """Joins a pipeline, its store, one source, its sinks and what serves beside them."""

    def __init__(
        self,
        *,
        pipeline: Pipeline,
        store: Store,
        source: Source,
        sinks: dict[str, Sink],
        budgets: Budgets,
    ) -> None:
        self._pipeline = pipeline
        self._store = store
        self._source = source
        self._sinks = sinks
        self._services: dict[str, Callable[[], Coroutine[None, None, None]]] = {}
        self._followers: dict[str, Callable[[], Coroutine[None, None, None]]] = {}
        self._readers: dict[str, Callable[[list[tuple[str, bytes]]], None]] = {}
        self._drains: list[Callable[[], Coroutine[None, None, None]]] = []
        self._budgets = budgets
        self._tasks = Tasks()
        self.restored = False
        """Whether all that was stored is known again."""

    def serve(self, name: str, service: Callable[[], Coroutine[None, None, None]]) -> None:
        """Let something else run for as long as the daemon does, from before it restores."""
        self._services[name] = service

    def follow(self, name: str, follower: Callable[[], Coroutine[None, None, None]]) -> None:
        """Let something run for as long as the daemon does, from when it has restored."""
        self._followers[name] = follower

    def remember(self, prefix: str, restore: Callable[[list[tuple[str, bytes]]], None]) -> None:
        """Let `restore` have the stored rows whose keys begin so: they are a reader's own."""
        self._readers[prefix] = restore

    def drain(self, drain: Callable[[], Coroutine[None, None, None]]) -> None:
        """Let something end what it is about before the last commit of a stop."""
        self._drains.append(drain)

    def tend(self, name: str, every: float, work: Callable[[], object]) -> None:
        """Do something every so many seconds for as long as the daemon runs."""

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
            await self._restore()
            self._start()
            notify("READY=1")
            await self._follow(wished)
        finally:
            notify("STOPPING=1")
            log.info("stopping", asked=wished.is_set())
            trouble = await self._stop()
        if trouble is not None:
            raise trouble

    def complaint(self) -> str | None:
        """Say what does not progress; None when all does."""
        now = asyncio.get_running_loop().time()
        waits = {"commit": self._pipeline.pending_since, "wake-up": self._pipeline.woke_at}
        for name, since in waits.items():
            if since is not None and now - since > STALLED:
                return f"{name} makes no progress for {now - since:.0f} s"
        return None

    async def _restore(self) -> None:
        """Know again what was committed."""
        clock = self._pipeline.clock
        tracker = self._pipeline.tracker
        prefixes = tuple(self._readers)
        apart: list[tuple[str, bytes]] = []
        with restoring():
            async for rows in self._store.load():
                now = clock.now()
                known = [(row.conversation_id, row.state, row.wake_at) for row in rows if row.state]
                if theirs := [row[:2] for row in known if row[0].startswith(prefixes)]:
                    apart += theirs
                    known = [row for row in known if not row[0].startswith(prefixes)]
                tracker.restore(known, now)
                await asyncio.sleep(0)
        for prefix, restore in self._readers.items():
            restore([row for row in apart if row[0].startswith(prefix)])
        self._pipeline.position = await self._store.position()
        self._pipeline.resume()
        self.restored = True
        log.info("restored", conversations=len(tracker), position=self._pipeline.position)

    def _start(self) -> None:
        self._tasks.start("commit", self._pipeline.commit_forever())
        self._tasks.start("wake-up", wake_forever(self._pipeline))
        for name, sink in self._sinks.items():
            self._tasks.start(f"sink {name}", read_forever(name, sink, self._store, self._pipeline))
        for name, follower in self._followers.items():
            self._tasks.start(name, follower())
        self._tasks.start("prune", self._prune_forever())
        self._tasks.start("watchdog", feed_forever(self.complaint))
        self._tasks.start("alive", self._stay_alive())
        self._tasks.start("rules", self._pipeline.settle_forever())
        self._tasks.start("source", self._listen())

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

    async def _listen(self) -> None:
        """Run the source. One that has said all it has to say is no failure."""
        await self._source.run(self._pipeline)
        log.info("source_ended", source=self._source.name)
        await asyncio.Event().wait()

    async def _stay_alive(self) -> None:
        while True:
            await asyncio.sleep(ALIVE_EVERY)
            self._pipeline.alive()

    async def _prune_forever(self) -> None:
        while True:
            removed = await self._store.prune(self._pipeline.clock.now())
            if not removed:
                await asyncio.sleep(PRUNE_EVERY)

    async def _stop(self) -> RingbackError | None:
        """Stop in stages: hear nothing more; commit what was heard; tell it; end the rest.

        Gives what went wrong with what was heard; whatever was not told is told after a restart.
        """
        budgets = self._budgets
        await self._end(["source", "alive", "wake-up", "prune", "rules"], budgets.intake)
        undrained = None
        if self.restored:
            undrained = await self._within("drain", self._drain(), budgets.drain)
        await self._end(self._tasks.names, budgets.close)
        unclosed = await self._within("close", self._close_sinks(), budgets.close)
        return undrained or unclosed

    async def _drain(self) -> None:
        """Commit what is gathered, let the sinks tell it, commit how far they have come."""
        await self._pipeline.commit()
        for drain in self._drains:
            await drain()
        await self._pipeline.all_told(
            name for name in self._sinks if self._tasks.alive(f"sink {name}")
        )
        await self._pipeline.commit()

    async def _close_sinks(self) -> None:
        for sink in self._sinks.values():
            await sink.close()

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
