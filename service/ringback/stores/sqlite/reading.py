"""Reads a store that nobody uses, without changing it: to carry it elsewhere."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

import apsw

from ringback.errors import StoreError, StoreLocked
from ringback.ports import Entry, Row
from ringback.stores.sqlite.faults import faults
from ringback.stores.sqlite.schema import MIGRATIONS, connect, examine

__all__ = ["Kept", "SqliteReader"]


class Kept(NamedTuple):
    """How much of the journal there is."""

    first: int
    """Position of the oldest entry; one after the last when there is none."""
    last: int


class SqliteReader:
    """A store as of one instant. Use `with SqliteReader.open(...)`; any one thread at a time."""

    def __init__(self, connection: apsw.Connection, path: str) -> None:
        self._connection = connection
        self._path = path

    @classmethod
    @contextmanager
    def open(cls, given: str | Path) -> Iterator["SqliteReader"]:
        """Open a store, and let no daemon open it meanwhile.

        Raises `StoreLocked` while one uses it, and `StoreError` for what is none of ours.
        """
        path = os.path.realpath(given)
        if not Path(path).is_file():
            raise StoreError(path, "there is no such file", "name the database of [store] path")
        with ExitStack() as undo, faults(path):
            undo.enter_context(_kept_from_others(path))
            connection = connect(path, readonly=True)
            undo.callback(connection.close)
            examine(connection, path, MIGRATIONS)
            if not connection.execute("SELECT count(*) FROM sqlite_schema").get:
                raise StoreError(path, "it is empty", "name the database of [store] path")
            connection.execute("BEGIN")
            yield cls(connection, path)

    def rows(self) -> Iterator[Row]:
        """Give every row; the same order each time."""
        known: set[str] = set()
        found = self._connection.execute(
            "SELECT id, state, wake_at FROM conversation ORDER BY version DESC"
        )
        for conversation_id, state, wake_at in found:
            if conversation_id not in known:
                known.add(conversation_id)
                if state is not None:
                    yield Row(conversation_id, state, wake_at)

    @property
    def kept(self) -> Kept:
        """How much of the journal there is."""
        first, last = self._connection.execute(
            "SELECT (SELECT min(position) FROM journal), (SELECT max(position) FROM journal)"
        ).get
        if first is None:
            pruned = self._connection.execute("SELECT value FROM meta WHERE name = 'pruned'").get
            return Kept(pruned + 1, pruned)
        return Kept(first, last)

    def first_since(self, milliseconds: int) -> int:
        """Give the position of the first entry that is no older; one after the last if none is."""
        found = self._connection.execute(
            "SELECT min(position) FROM journal WHERE at >= ?", (milliseconds,)
        ).get
        return self.kept.last + 1 if found is None else int(found)

    def newest(self) -> int | None:
        """Give when the last entry was made, milliseconds since the epoch."""
        found = self._connection.execute(
            "SELECT at FROM journal ORDER BY position DESC LIMIT 1"
        ).get
        return None if found is None else int(found)

    def entries(self, first: int) -> Iterator[Entry]:
        """Give the journal from a position on."""
        found = self._connection.execute(
            "SELECT position, body FROM journal WHERE position >= ? ORDER BY position", (first,)
        )
        for position, body in found:
            yield Entry(position, body)

    def cursors(self) -> dict[str, int]:
        """Give how far each reader is."""
        return dict(self._connection.execute("SELECT reader, position FROM cursor ORDER BY reader"))


@contextmanager
def _kept_from_others(path: str) -> Iterator[None]:
    """Hold the lock that a daemon needs for itself. Without a lock file none was ever here."""
    try:
        descriptor = os.open(f"{path}-lock", os.O_RDONLY)
    except FileNotFoundError:
        yield
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise StoreLocked(path) from None
    finally:
        os.close(descriptor)
