"""The daemon of a single machine: a pipeline over a store, and what listens, tells and serves."""

import asyncio
from collections.abc import Callable

import structlog

from ringback.ports import Sink, Source, Store
from ringback.runtime.pipeline import Pipeline
from ringback.runtime.readers import read_forever
from ringback.runtime.supervision import STALLED, Budgets, Supervisor
from ringback.runtime.tuning import restoring
from ringback.runtime.wakeup import wake_forever

__all__ = ["Daemon"]

PRUNE_EVERY = 60.0
"""Seconds between two looks for journal entries that are past their retention."""
ALIVE_EVERY = 5.0
"""Seconds between two notes that the source hears. A kill makes its gap longer by that at most."""

log = structlog.get_logger(__name__)


class Daemon(Supervisor):
    """Joins a pipeline, its store, one source, its sinks and what serves beside them."""

    intake = ("source", "alive", "wake-up", "prune", "rules")

    def __init__(
        self,
        *,
        pipeline: Pipeline,
        store: Store,
        source: Source,
        sinks: dict[str, Sink],
        budgets: Budgets,
    ) -> None:
        super().__init__(budgets)
        self._pipeline = pipeline
        self._store = store
        self._source = source
        self._sinks = sinks
        self._readers: dict[str, Callable[[list[tuple[str, bytes]]], None]] = {}

    def remember(self, prefix: str, restore: Callable[[list[tuple[str, bytes]]], None]) -> None:
        """Let `restore` have the stored rows whose keys begin so: they are a reader's own."""
        self._readers[prefix] = restore

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
        log.info(
            "restored", conversations=len(tracker.conversations), position=self._pipeline.position
        )

    def _start(self) -> None:
        self._tasks.start("commit", self._pipeline.commit_forever())
        self._tasks.start("wake-up", wake_forever(self._pipeline))
        for name, sink in self._sinks.items():
            self._tasks.start(f"sink {name}", read_forever(name, sink, self._store, self._pipeline))
        self._tasks.start("prune", self._prune_forever())
        self._tasks.start("alive", self._stay_alive())
        self._tasks.start("rules", self._pipeline.settle_forever())
        self._tasks.start("source", self._listen())

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

    async def _finish(self) -> None:
        """Commit what is gathered, let the sinks tell it, commit how far they have come."""
        await self._pipeline.commit()
        for drain in self._drains:
            await drain()
        await self._pipeline.all_told(
            name for name in self._sinks if self._tasks.alive(f"sink {name}")
        )
        await self._pipeline.commit()

    async def _close(self) -> None:
        for sink in self._sinks.values():
            await sink.close()
