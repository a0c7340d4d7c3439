"""What a partition has decided, on its way into the log of steps.

The rows of conversations are committed as they come. How far the partition is, and the rows about
no conversation with it, are noted once a second, when somebody waits, or when they add up.
"""

from ringback.core.asides import is_aside
from ringback.core.changes import Change
from ringback.ports import Batch, PartitionStore, Row
from ringback.runtime.cluster.asides import Asides, speaks
from ringback.runtime.cluster.checkpoint import Aside
from ringback.runtime.cluster.means import Means
from ringback.runtime.cluster.noting import Noting
from ringback.runtime.cluster.progress import Progress
from ringback.runtime.gathering import Gathering

__all__ = ["Writing"]

REPUBLISHED_AT_ONCE = 100


class Writing(Gathering):
    """Writes the steps of one partition. What was decided runs ahead of it, within bounds."""

    def __init__(
        self, progress: Progress, store: PartitionStore, noting: Noting, means: Means
    ) -> None:
        super().__init__(means.encoder)
        self.asides = Asides()
        self.due = False
        """Whether to note how far it is with the next commit that can."""
        self._progress = progress
        self._store = store
        self._noting = noting
        self._means = means

    def take(self, change: Change | None) -> None:
        """Gather a change; what is about no conversation is stored with the next note."""
        if change is None or not is_aside(change.conversation_id):
            super().take(change)
            return
        # The ids of events end with what they tell.
        number = self._progress.number
        events = [one for one in change.events if speaks(number, one.id.rpartition("/")[0])]
        bodies, subjects = [self._encode(one) for one in events], [one.subject for one in events]
        aside = Aside(change.conversation_id, change.state, bodies, subjects)
        if self.asides.add(aside):
            self.due = True

    def note_soon(self) -> None:
        """Commit, and note how far that is, if that is news."""
        if self._progress.reached > self._progress.noted:
            self.due = True
            self._gathered.set()

    async def room_aside(self) -> None:
        """Wait until more can be taken that is about no conversation."""
        while self.asides.full:
            self.note_soon()
            await self.asides.taken()

    async def at_rest(self) -> None:
        """Wait until no commit is under way."""
        async with self._committing:
            pass

    def republish(self) -> None:
        """Write again what was last written so long ago that retention comes near."""
        limit = self._means.clock.now() - self._means.keep / 2
        count = 0
        for key, mark in self._store.marks.items():
            if mark.at >= limit or count >= REPUBLISHED_AT_ONCE:
                break
            count += mark.there and self._write_again(key)
        if count:
            self._means.counts["republished"] += count
            self.due = True
            self._gather()

    def _write_again(self, key: str) -> bool:
        """Let a row be written as it is; whether that is to be."""
        if self.asides.again(key):
            return True
        progress = self._progress
        row = None if progress.within else progress.tracker.conversations.row(key)
        if row is None:
            return False
        self._batch.rows.setdefault(key, Row(key, *row))
        return True

    def _counts(self, batch: Batch) -> bool:
        return super()._counts(batch) or self._may_note()

    def _may_note(self) -> bool:
        progress = self._progress
        return self.due and not progress.within and progress.reached > progress.noted

    async def _write(self, batch: Batch) -> int:
        progress, counts = self._progress, self._means.counts
        batch.reached = progress.dealing or progress.reached
        checkpoint = None
        if self._may_note():
            self.due = False
            checkpoint = progress.checkpoint(self.asides.take())
        position = 0
        if batch.rows:
            position = await self._store.commit(batch, self._means.clock.now())
            counts["steps"] += len(batch.rows)
        if checkpoint is not None:
            position = await self._noting.note(checkpoint)
            counts["steps"] += 1 + len(checkpoint.asides)
            progress.noted = checkpoint.reached
        return position
