"""A store that forgets everything when it is closed: for trying things out, replay and tests."""

from collections import deque
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from itertools import islice

from ringback.errors import PositionGone
from ringback.ports import Batch, Entry, Row

__all__ = ["MemoryStore"]

NAME = "memory"
ROWS_A_CHUNK = 10_000
ENTRIES_A_PRUNE = 10_000


class MemoryStore:
    """Keeps rows, journal and cursors in this process; each call does all its work at once.

    `keep_journal` is how long an entry stays after the `now` of its commit.
    """

    def __init__(self, keep_journal: timedelta) -> None:
        self._keep_journal = keep_journal
        self._rows: dict[str, Row] = {}
        self._journal: deque[tuple[datetime, Entry, str | None]] = deque()
        self._of: dict[str, deque[Entry]] = {}
        """The same by what they are about."""
        self._cursors: dict[str, int] = {}
        self._position = 0

    async def load(self) -> AsyncIterator[Sequence[Row]]:
        """Give every row as it was when the first chunk was asked for."""
        rows = iter(list(self._rows.values()))
        while chunk := list(islice(rows, ROWS_A_CHUNK)):
            yield chunk

    async def commit(self, batch: Batch, now: datetime) -> int:
        """Take a batch and return the journal's last position."""
        for conversation_id, row in batch.rows.items():
            if row.state is None:
                self._rows.pop(conversation_id, None)
            else:
                self._rows[conversation_id] = row
        for index, body in enumerate(batch.events):
            self._position += 1
            entry = Entry(self._position, body)
            subject = batch.subjects[index] if batch.subjects else None
            self._journal.append((now, entry, subject))
            if subject is not None:
                self._of.setdefault(subject, deque()).append(entry)
        self._cursors.update(batch.cursors)
        return self._position

    async def read(self, after: int, limit: int) -> Sequence[Entry]:
        """Give at most `limit` entries that follow `after`. Raises `PositionGone`."""
        pruned = self._position - len(self._journal)
        if after < pruned:
            raise PositionGone(NAME, after, pruned + 1)
        start = after - pruned
        return [entry for _, entry, _ in islice(self._journal, start, start + limit)]

    async def history(self, subject: str, limit: int) -> Sequence[Entry]:
        """Give the last `limit` entries about one subject that are kept, oldest first."""
        entries = self._of.get(subject, ())
        return list(islice(entries, max(0, len(entries) - limit), None))

    async def position(self) -> int:
        """Give the journal's last position; 0 when nothing was ever appended."""
        return self._position

    async def cursor(self, reader: str) -> int | None:
        """Give the last position that `reader` has dealt with; None for a new reader."""
        return self._cursors.get(reader)

    async def prune(self, now: datetime) -> int:
        """Remove entries older than the retention, a bounded number a call; return how many."""
        limit = now - self._keep_journal
        removed = 0
        for count, (at, _, _) in enumerate(islice(self._journal, ENTRIES_A_PRUNE), start=1):
            if at < limit:
                removed = count
        for _ in range(removed):
            _, _, subject = self._journal.popleft()
            if subject is not None:
                entries = self._of[subject]
                entries.popleft()
                if not entries:
                    del self._of[subject]
        return removed

    async def close(self) -> None:
        """Forget everything."""
        self._rows.clear()
        self._journal.clear()
        self._of.clear()
        self._cursors.clear()
