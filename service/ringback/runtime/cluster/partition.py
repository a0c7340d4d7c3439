"""One partition: follows its part of the input log and commits what comes of it.

What it does follows from the log alone, so whoever has the partition does the same. It runs ahead
of what is committed, within bounds; how far it is, is noted after that. Another process may have a
partition as well, as long as neither knows: the first to write shuts the other out, row by row.
"""

import asyncio
from collections.abc import Callable

import structlog

from ringback.core.entries import NEVER
from ringback.core.tracker import Tracker
from ringback.ports import PartitionStore
from ringback.runtime.cluster.means import Means
from ringback.runtime.cluster.noting import Noting
from ringback.runtime.cluster.progress import Progress
from ringback.runtime.cluster.reading import Reading
from ringback.runtime.cluster.ticking import Ticking
from ringback.runtime.cluster.writing import Writing

__all__ = ["Partition"]

log = structlog.get_logger(__name__)

NOTED_EVERY = 1.0
"""Seconds."""
WANTED_AT_ONCE = 10
"""Conversations that are wanted to be read, each second."""


class Partition:
    """One partition, from when it is loaded until it is given up."""

    def __init__(self, number: int, store: PartitionStore, means: Means) -> None:
        self.number = number
        self.loaded = False
        self._means = means
        self._store = store
        self._noting = Noting(store, means.clock)
        self.progress = Progress(number, means)
        self.writing = Writing(self.progress, store, self._noting, means)
        self.reading = Reading(self.progress, self.writing, means)
        self.ticking = Ticking(self.progress, self.reading, self.writing, means)

    @property
    def tracker(self) -> Tracker:
        """What is known of its conversations."""
        return self.progress.tracker

    async def load(self) -> None:
        """Take over what is stored, and shut out whoever had it. Raises `StoreError`."""
        progress = self.progress
        stored = await self._noting.take_over()
        progress.take_over(stored.checkpoint)
        await self.reading.look_at_end()
        self.writing.asides.restore(stored.apart)
        await progress.restore(stored, self._store.marks)
        if stored.checkpoint.at > NEVER:
            self.reading.begin(stored.checkpoint.at)
        progress.read_at = asyncio.get_running_loop().time()
        self.loaded = True
        log.info(
            "partition_loaded",
            partition=self.number,
            conversations=len(self.tracker.conversations),
            reached=progress.reached,
        )

    async def run(self) -> None:
        """Follow the log until cancelled. Raises `StoreError`, `Fenced` among them."""
        works = (
            self.reading.run(),
            self.writing.commit_forever(),
            self.ticking.run(),
            _every(NOTED_EVERY, self.writing.note_soon),
            _every(1.0, self.writing.republish),
            self._want_forever(),
        )
        tasks = [asyncio.create_task(work) for work in works]
        read, commit, *others = tasks
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            try:
                await _end(read, *others)
                # Not within a commit: what came of it would not be known.
                await self.writing.at_rest()
            finally:
                await _end(commit)

    async def hand_over(self) -> None:
        """Commit all that is decided, and note exactly how far that is. Raises `StoreError`."""
        self.writing.due = True
        await self.writing.commit()

    async def _want_forever(self) -> None:
        """Say which conversations are best read, and where frames seem to be lost."""
        progress, means = self.progress, self._means
        while True:
            await asyncio.sleep(1.0)
            if not progress.begun:
                continue
            now = max(progress.now(), means.clock.now())
            wanted = self.tracker.repair.wants.most_urgent(WANTED_AT_ONCE, now)
            if wanted:
                await means.wants.want(self.number, wanted)
            lost_in, progress.consuming.lost_in = progress.consuming.lost_in, set()
            if lost_in:
                means.counts["corrections"] += 1
                await means.wants.suspect(sorted(lost_in))


async def _every(seconds: float, work: Callable[[], object]) -> None:
    while True:
        await asyncio.sleep(seconds)
        work()


async def _end(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
