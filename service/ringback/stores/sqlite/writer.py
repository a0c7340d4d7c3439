"""The one connection that writes: appends, keeps the log of rows short, prunes the journal.

Synchronous, for one thread. After any failed transaction the writer refuses to go on: whether the
last commit reached the disk is then unknown, and only reopening the file tells.
"""

from array import array
from collections.abc import Callable
from contextlib import suppress

import apsw

from ringback.errors import StoreError
from ringback.ports import Batch
from ringback.stores.sqlite.faults import faults
from ringback.stores.sqlite.marks import block_begin, positions_marked

__all__ = ["Writer"]

SLACK_ROWS = 10_000
"""Superseded rows that are always tolerated."""

ROWS_MOVED_A_ROW = 4
"""How many rows of the old end are looked at for each row that a batch appends."""

ENTRIES_A_PRUNE = 10_000


class Writer:
    """Owns a read-write connection and knows which version of each conversation counts."""

    def __init__(self, connection: apsw.Connection, store: str) -> None:
        self._connection = connection
        self._store = store
        self._failed = False
        first, last = self._one("SELECT min(version), max(version) FROM conversation")
        self._oldest = first or 1
        self._version = last or 0
        self._latest: dict[str, int] = {}
        self._knows_all = False
        (pruned,) = self._one("SELECT value FROM meta WHERE name = 'pruned'")
        (position,) = self._one("SELECT max(position) FROM journal")
        self.position: int = max(position or 0, pruned)
        self.cursors: dict[str, int] = dict(
            connection.execute("SELECT reader, position FROM cursor")
        )

    def commit(self, batch: Batch, at: int) -> int:
        """Make a batch durable; `at` is in milliseconds. Return the journal's last position."""
        position = self.position + len(batch.events)

        def append() -> None:
            self._append_rows(batch)
            self._connection.executemany(
                "INSERT INTO journal (position, at, body) VALUES (?, ?, ?)",
                [(p, at, body) for p, body in enumerate(batch.events, self.position + 1)],
            )
            self._connection.executemany(
                "INSERT INTO trace (mark, position) VALUES (?, ?)",
                positions_marked(self.position + 1, batch.subjects),
            )
            if batch.cursors:
                self._connection.executemany(
                    "INSERT OR REPLACE INTO cursor (reader, position) VALUES (?, ?)",
                    batch.cursors.items(),
                )
            self._compact(ROWS_MOVED_A_ROW * len(batch.rows))

        self._transact(append)
        self.position = position
        self.cursors.update(batch.cursors)
        return position

    def prune(self, before: int) -> int:
        """Remove journal entries from before an instant, in milliseconds; return how many."""
        removed = 0

        def remove() -> None:
            nonlocal removed
            (last,) = self._one(
                "SELECT max(position) FROM"
                " (SELECT position, at FROM journal ORDER BY position LIMIT ?) WHERE at < ?",
                (ENTRIES_A_PRUNE, before),
            )
            if last is not None:
                self._connection.execute("DELETE FROM journal WHERE position <= ?", (last,))
                removed = self._connection.changes()
                # The block that `last` is in goes as a whole, once all of it has gone.
                self._connection.execute("DELETE FROM trace WHERE mark < ?", (block_begin(last),))
                self._connection.execute("UPDATE meta SET value = ? WHERE name = 'pruned'", (last,))

        self._transact(remove)
        return removed

    def adopt(self, latest: dict[str, int]) -> None:
        """Learn from a complete load which version counts; 0 stands for a removed conversation.

        Compaction begins here: before, superseded rows cannot be told from those that count.
        """
        if self._knows_all:
            return
        latest.update(self._latest)
        for conversation_id in [key for key, version in latest.items() if not version]:
            del latest[conversation_id]
        self._latest = latest
        self._knows_all = True

    def close(self) -> None:
        """Close the connection; the last one also folds the WAL into the database."""
        self._connection.close()

    def _append_rows(self, batch: Batch) -> None:
        rows: list[tuple[int, str, int | None, bytes | None]] = []
        latest = self._latest
        version = self._version
        for conversation_id, row in batch.rows.items():
            if row.state is not None:
                version += 1
                latest[conversation_id] = version
            elif not self._knows_all:
                version += 1
                latest[conversation_id] = 0
            elif latest.pop(conversation_id, None):
                version += 1
            else:
                continue
            rows.append((version, conversation_id, row.wake_at, row.state))
        self._version = version
        self._connection.executemany(
            "INSERT INTO conversation (version, id, wake_at, state) VALUES (?, ?, ?, ?)", rows
        )

    def _compact(self, limit: int) -> None:
        """Free rows at the old end of the log when half as many are superseded as count.

        What still counts there is appended again, so each call removes a run of pages and adds
        fewer. A removal mark at the old end has nothing left behind it to hide and goes too.
        """
        span = self._version - self._oldest + 1
        if not self._knows_all or span <= len(self._latest) * 3 // 2 + SLACK_ROWS:
            return
        old: list[tuple[int, str]] = list(
            self._connection.execute(
                "SELECT version, id FROM conversation WHERE version >= ? ORDER BY version LIMIT ?",
                (self._oldest, limit),
            )
        )
        if not old:
            return
        moved = array("q")
        start = self._version
        for version, conversation_id in old:
            if self._latest.get(conversation_id) == version:
                self._version += 1
                self._latest[conversation_id] = self._version
                moved.append(version)
        if moved:
            self._connection.execute(
                "INSERT INTO conversation (version, id, wake_at, state)"
                " SELECT ? + moved.rowid, id, wake_at, state"
                " FROM carray(?) AS moved CROSS JOIN conversation ON version = moved.value",
                (start, apsw.carray(moved)),
            )
        self._oldest = old[-1][0] + 1
        self._connection.execute("DELETE FROM conversation WHERE version < ?", (self._oldest,))

    def _transact(self, change: Callable[[], None]) -> None:
        if self._failed:
            raise StoreError(self._store, "an earlier commit failed", "start the daemon again")
        try:
            with faults(self._store):
                self._connection.execute("BEGIN IMMEDIATE")
                change()
                self._connection.execute("COMMIT")
        except BaseException:
            self._failed = True
            with suppress(apsw.Error):
                self._connection.execute("ROLLBACK")
            raise

    def _one(self, sql: str, values: tuple[int, ...] = ()) -> tuple[int, ...]:
        return next(self._connection.execute(sql, values))
