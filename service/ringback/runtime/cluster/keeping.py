"""What those keep who are told of alerts, where only others track: rows and cursors of their own.

They are steps of a partition that holds nothing else. Each is fenced, so of two processes that both
think it is theirs, one ends; and a message is sent only after it was stored.
"""

import asyncio
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import timedelta

from ringback.ports import Batch, Clock, PartitionStore, Row
from ringback.runtime.desk import Present

__all__ = ["Keeping"]

LINGER = 0.005
"""Seconds that what is to be stored waits for company."""
LATEST = 5.0
"""Seconds after which it is stored how far readers are, though they have kept nothing."""
RENEW_EVERY = 60.0
"""Seconds between two looks for what retention would remove."""
RENEWED_AT_ONCE = 100


class Keeping:
    """The `Books` of this process, in a store of their own, beside a journal that others write."""

    def __init__(
        self,
        store: PartitionStore,
        journal: Present,
        known: Iterable[tuple[str, bytes]],
        keep: timedelta,
    ) -> None:
        """`store` was read to its end: `known` is what is in it. A step is kept for `keep`."""
        self._store = store
        self._journal = journal
        self._standing = dict(known)
        """All rows as they are to be stored."""
        self._told: dict[str, int] = {}
        """How far readers are."""
        self._keep = keep
        self._renew_at = 0.0
        self._rows: dict[str, Row] = {}
        self._cursors: dict[str, int] = {}
        self._kept = asyncio.Event()
        self._changes = 0
        """How often something was kept, and how many of these are stored."""
        self._stored = 0
        self._committing = asyncio.Lock()
        self._advanced = asyncio.Condition()

    @property
    def clock(self) -> Clock:
        """The wall clock."""
        return self._journal.clock

    @property
    def position(self) -> int:
        """Of the last committed journal entry."""
        return self._journal.position

    async def advanced(self, after: int) -> None:
        """Wait until the journal is beyond `after`."""
        await self._journal.advanced(after)

    async def cursor(self, reader: str) -> int | None:
        """Give how far a reader was; None for a new one."""
        found = await self._store.cursor(reader)
        if found is not None:
            self._told.setdefault(reader, found)
        return found

    def keep(self, rows: Mapping[str, bytes | None]) -> None:
        """Store what a reader keeps, in the order in which it is given; None removes."""
        if not rows:
            return
        for key, state in rows.items():
            # What is kept later is also stored later.
            self._rows.pop(key, None)
            self._rows[key] = Row(key, state)
            if state is None:
                self._standing.pop(key, None)
            else:
                self._standing[key] = state
        self._changes += 1
        self._kept.set()

    async def note_told(self, reader: str, position: int) -> None:
        """Note how far a reader is; it is stored after what was kept."""
        self._cursors[reader] = self._told[reader] = position

    async def committed(self) -> None:
        """Wait until all that was kept so far is stored."""
        wanted = self._changes
        async with self._advanced:
            await self._advanced.wait_for(lambda: self._stored >= wanted)

    async def commit_forever(self) -> None:
        """Store what is kept, until cancelled. Raises `StoreError`, `Fenced` above all."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(LATEST):
                    await self._kept.wait()
            if self._kept.is_set():
                await asyncio.sleep(LINGER)
            self._renew()
            await self.commit()

    def _renew(self) -> None:
        """Let be stored again, now and then, what was last stored so long ago that it would go."""
        at = asyncio.get_running_loop().time()
        if at < self._renew_at:
            return
        self._renew_at = at + RENEW_EVERY
        limit = self.clock.now() - self._keep / 2
        old = [key for key, mark in self._store.marks.items() if mark.at < limit]
        for key in [one for one in old if one in self._standing][:RENEWED_AT_ONCE]:
            self._rows.setdefault(key, Row(key, self._standing[key]))
        if old:
            self._cursors = self._told | self._cursors

    async def commit(self) -> None:
        """Store all that was kept so far, and how far readers are."""
        async with self._committing:
            rows, self._rows = self._rows, {}
            cursors, self._cursors = self._cursors, {}
            changes = self._changes
            self._kept.clear()
            if rows or cursors:
                await self._store.commit(Batch(rows, [], cursors), self.clock.now())
            self._stored = changes
        async with self._advanced:
            self._advanced.notify_all()
