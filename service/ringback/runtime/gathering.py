"""Changes gather into a batch; a batch is committed as a whole while the next one gathers."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Iterable
from contextlib import suppress

from ringback.core.changes import Change
from ringback.ports import Batch, Row
from ringback.wire.cloudevents import Encoder

__all__ = ["GROUP", "LINGER", "ROOM", "Gathering"]

GROUP = 500
"""Changes committed together at the most, unless more came while the last commit ran."""
LINGER = 0.005
"""Seconds that a batch waits for company."""
ROOM = 4 * GROUP
"""Uncommitted changes at which whoever brings more is asked to wait."""


class Gathering(ABC):
    """What was decided and is not committed yet."""

    def __init__(self, encoder: Encoder) -> None:
        self._encode = encoder.encode
        self._batch = _empty()
        self._gathered = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()
        self._full = asyncio.Event()
        self._committing = asyncio.Lock()
        self._advanced = asyncio.Condition()
        self.position = 0
        """Of the last committed journal entry."""
        self.waking_at: int | None = None
        """What the wake-up is armed for, milliseconds since the epoch."""
        self.rearm = asyncio.Event()
        """Set when something became due earlier than the wake-up is armed for."""
        self.commits = 0
        self.commit_seconds = 0.0
        """How long they took, all together."""
        self.pending_since: float | None = None
        """Since when a commit is under way, on the loop's clock."""

    async def room(self) -> None:
        """Wait until more can be taken."""
        if not self._room.is_set():
            await self._room.wait()

    def take(self, change: Change | None) -> None:
        """Gather a change for the next commit."""
        if change is None:
            return
        batch = self._batch
        key = change.conversation_id
        batch.rows[key] = Row(key, change.state, change.wake_at)
        if change.events:
            batch.events.extend(map(self._encode, change.events))
            batch.subjects.extend([event.subject for event in change.events])
            batch.keys.extend([key] * len(change.events))
        if change.wake_at is not None and (
            self.waking_at is None or change.wake_at < self.waking_at
        ):
            self.waking_at = change.wake_at
            self.rearm.set()
        self._gather()

    def take_all(self, changes: Iterable[Change]) -> None:
        """Gather what something has done to several rows, or to none: something may be due."""
        for change in changes:
            self.take(change)
        self.rearm.set()

    async def advanced(self, after: int) -> None:
        """Wait until the journal's committed position is beyond `after`."""
        async with self._advanced:
            await self._advanced.wait_for(lambda: self.position > after)

    async def committed(self) -> None:
        """Wait until all that was decided so far is committed."""
        gathered = bool(self._batch.rows or self._batch.events)
        wanted = self.commits + (self.pending_since is not None) + gathered
        async with self._advanced:
            await self._advanced.wait_for(lambda: self.commits >= wanted)

    async def commit_forever(self) -> None:
        """Commit what gathers, until cancelled. Whatever a commit raises ends this."""
        while True:
            await self._gathered.wait()
            if not self._full.is_set():
                with suppress(TimeoutError):
                    async with asyncio.timeout(LINGER):
                        await self._full.wait()
            await self.commit()

    async def commit(self) -> None:
        """Commit what has gathered so far, and let readers know; waits for a commit under way."""
        async with self._committing:
            batch, self._batch = self._batch, _empty()
            self._gathered.clear()
            self._full.clear()
            if not self._counts(batch):
                return
            loop = asyncio.get_running_loop()
            self.pending_since = loop.time()
            position = await self._write(batch)
            self.commits += 1
            self.commit_seconds += loop.time() - self.pending_since
            self.pending_since = None
        if self._gathering < ROOM:
            self._room.set()
        async with self._advanced:
            self.position = max(self.position, position)
            self._advanced.notify_all()

    def _counts(self, batch: Batch) -> bool:
        """Whether there is anything to commit."""
        return bool(batch.rows or batch.events or batch.cursors)

    @abstractmethod
    async def _write(self, batch: Batch) -> int:
        """Make a batch durable and give the journal's last position.

        Until its first wait, all is as it was when the batch was closed.
        """

    @property
    def _gathering(self) -> int:
        return len(self._batch.rows) + len(self._batch.events)

    def _gather(self) -> None:
        size = self._gathering
        if size >= GROUP:
            self._full.set()
            if size >= ROOM:
                self._room.clear()
        if not self._gathered.is_set():
            self._gathered.set()


def _empty() -> Batch:
    return Batch({}, [], {})
