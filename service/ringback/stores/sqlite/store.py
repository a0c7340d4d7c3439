"""The store as the daemon sees it: SQLite works on threads of its own, the loop never waits.

One thread holds the read-write connection, another a read-only one: in WAL mode a reader never
waits for a commit. A lock file beside the database keeps a second daemon out; the kernel frees it
however this process ends, and other programs may still read the database.
"""

import asyncio
import fcntl
import os
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import BinaryIO, NamedTuple, Self, TypeVar

import apsw

from ringback.core.clocks import milliseconds
from ringback.errors import PositionGone, StoreError, StoreLocked
from ringback.ports import Batch, Entry, Row
from ringback.stores.sqlite.faults import faults
from ringback.stores.sqlite.marks import marks_of, subject_of
from ringback.stores.sqlite.schema import MIGRATIONS, Migration, connect, upgrade
from ringback.stores.sqlite.writer import Writer

__all__ = ["SqliteStore", "backup"]

ROWS_A_CHUNK = 10_000
PRIVATE = 0o600

T = TypeVar("T")


class Opened(NamedTuple):
    """What a store holds for life."""

    lock: BinaryIO
    writer: Writer
    reader: apsw.Connection


class SqliteStore:
    """Keeps rows, journal and cursors in one SQLite file. Use `await SqliteStore.open(...)`."""

    def __init__(self, path: str | Path, keep_journal: timedelta) -> None:
        self._path = os.path.realpath(path)
        self._keep_journal = keep_journal
        self._writing = ThreadPoolExecutor(1, "store-writer")
        self._reading = ThreadPoolExecutor(1, "store-reader")
        self._opened: Opened

    @classmethod
    async def open(
        cls,
        path: str | Path,
        keep_journal: timedelta,
        *,
        migrations: tuple[Migration, ...] = MIGRATIONS,
        vfs: str | None = None,
    ) -> Self:
        """Open the database at `path`, creating the file (mode 0600) but not its directory.

        `keep_journal` is how long an entry stays after the `now` of its commit. Raises
        `StoreLocked`, `StoreDamaged`, `StoreTooNew`, `StoreFull`, and `StoreError` for the rest.
        """
        store = cls(path, keep_journal)
        try:
            store._opened = await store._on(
                store._writing, partial(_open, store._path, migrations, vfs)
            )
        except BaseException:
            store._end_threads()
            raise
        return store

    async def load(self) -> AsyncIterator[Sequence[Row]]:
        """Give every row as it was when the first chunk was asked for, the newest first.

        The log of rows is compacted only after a load has gone to its end.
        """
        latest: dict[str, int] = {}
        log = await self._on(
            self._reading,
            partial(
                self._opened.reader.execute,
                "SELECT version, id, wake_at, state FROM conversation ORDER BY version DESC",
            ),
        )
        try:
            while chunk := await self._on(self._reading, partial(_newest, log, latest)):
                yield chunk
        finally:
            self._reading.submit(log.close)
        await self._on(self._writing, partial(self._opened.writer.adopt, latest))

    async def commit(self, batch: Batch, now: datetime) -> int:
        """Make a batch durable and return the journal's last position.

        Raises `StoreError`; whether the batch is stored is then unknown, and every further commit
        is refused until the store is opened again.
        """
        writer = self._opened.writer
        return await self._on(self._writing, partial(writer.commit, batch, milliseconds(now)))

    async def read(self, after: int, limit: int) -> Sequence[Entry]:
        """Give at most `limit` entries that follow `after`, oldest first. Raises `PositionGone`."""
        return await self._on(self._reading, partial(self._entries, after, limit))

    async def history(self, subject: str, limit: int) -> Sequence[Entry]:
        """Give the last `limit` entries about one subject that are kept, oldest first."""
        return await self._on(self._reading, partial(self._history, subject, limit))

    async def position(self) -> int:
        """Give the journal's last position; 0 when nothing was ever appended."""
        return self._opened.writer.position

    async def cursor(self, reader: str) -> int | None:
        """Give the last position that `reader` has dealt with; None for a new reader."""
        return self._opened.writer.cursors.get(reader)

    async def prune(self, now: datetime) -> int:
        """Remove entries older than the retention, a bounded number a call; return how many."""
        before = milliseconds(now - self._keep_journal)
        return await self._on(self._writing, partial(self._opened.writer.prune, before))

    async def close(self) -> None:
        """Finish what is under way, then release the file, the lock and both threads."""
        try:
            try:
                await self._on(self._reading, self._opened.reader.close)
            finally:
                await self._on(self._writing, self._opened.writer.close)
        finally:
            self._end_threads()
            self._opened.lock.close()

    def _entries(self, after: int, limit: int) -> list[Entry]:
        # Positions have no holes, so a first entry that does not follow `after` shows retention.
        reader = self._opened.reader
        found = reader.execute(
            "SELECT position, body FROM journal WHERE position > ? ORDER BY position LIMIT ?",
            (after, limit),
        )
        entries = [Entry(position, body) for position, body in found]
        if entries:
            pruned = entries[0].position - 1
        else:
            pruned = reader.execute("SELECT value FROM meta WHERE name = 'pruned'").get
        if after < pruned:
            raise PositionGone(self._path, after, pruned + 1)
        return entries

    def _history(self, subject: str, limit: int) -> list[Entry]:
        reader = self._opened.reader
        # One by one: SQLite looks up either at once, but reads the whole table for both together.
        first = reader.execute("SELECT min(position) FROM journal").get
        last = reader.execute("SELECT max(position) FROM journal").get
        if first is None:
            return []
        found = reader.execute(
            "SELECT journal.position, body FROM carray(?) AS marks"
            " CROSS JOIN trace ON mark = marks.value CROSS JOIN journal USING (position)",
            (apsw.carray(marks_of(subject, first, last)),),
        )
        # Another subject may have the same mark. The last ones are kept, however many there are.
        entries = (Entry(position, body) for position, body in found if subject_of(body) == subject)
        return list(deque(entries, maxlen=limit))

    async def _on(self, thread: ThreadPoolExecutor, work: Callable[[], T]) -> T:
        # Shielded: what was asked of a thread is done, even if nobody waits for it any more.
        with faults(self._path):
            return await asyncio.shield(asyncio.get_running_loop().run_in_executor(thread, work))

    def _end_threads(self) -> None:
        self._reading.shutdown()
        self._writing.shutdown()


async def backup(path: str | Path, target: str | Path) -> None:
    """Copy a store, running or not, to a new file (mode 0600) as of one instant.

    Raises `StoreError`; nothing is left at `target` then.
    """
    await asyncio.to_thread(_backup, os.fspath(path), Path(target))


def _backup(path: str, target: Path) -> None:
    try:
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, PRIVATE))
    except FileExistsError as error:
        raise StoreError(str(target), "it exists already", "name a new file") from error
    except OSError as error:
        remedy = "check its directory"
        raise StoreError(str(target), f"no file ({error.strerror})", remedy) from error
    try:
        with faults(path):
            source = connect(path, readonly=True)
            try:
                source.execute("VACUUM INTO ?", (str(target),))
            finally:
                source.close()
            _sync(target)
            _sync(target.absolute().parent)
    except BaseException:
        target.unlink()
        raise


def _open(path: str, migrations: tuple[Migration, ...], vfs: str | None) -> Opened:
    lock_path = f"{path}-lock"
    with faults(path), ExitStack() as undo:
        known = os.path.exists(lock_path)  # noqa: PTH110  # of a path that SQLite takes as text
        lock = undo.enter_context(_lock(lock_path))
        if not known:
            undo.callback(os.unlink, lock_path)
        _create(path)
        connection = connect(path, vfs=vfs)
        undo.callback(connection.close)
        upgrade(connection, path, migrations)
        writer = Writer(connection, path)
        reader = connect(path, vfs=vfs, readonly=True)
        undo.pop_all()
        return Opened(lock, writer, reader)


def _lock(path: str) -> BinaryIO:
    # Not on the database itself: closing any descriptor of that file would drop SQLite's locks.
    lock = os.fdopen(os.open(path, os.O_CREAT | os.O_RDWR, PRIVATE), "r+b")
    with ExitStack() as undo:
        undo.callback(lock.close)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StoreLocked(path.removesuffix("-lock")) from error
        if not os.fstat(lock.fileno()).st_nlink:  # who held it could not open, and removed it
            raise StoreLocked(path.removesuffix("-lock"))
        undo.pop_all()
    return lock


def _create(path: str) -> None:
    # Before SQLite opens it, for the mode: the WAL and the index of it take theirs from this file.
    with suppress(FileExistsError):
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, PRIVATE))
        _sync(Path(path).parent)


def _sync(path: Path) -> None:
    """Put a file, or the names in a directory, on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _newest(log: apsw.Cursor, latest: dict[str, int]) -> list[Row]:
    """Take the next chunk of rows that no newer version supersedes, noting each one's version."""
    rows: list[Row] = []
    for version, conversation_id, wake_at, state in log:
        if conversation_id in latest:
            continue
        if state is None:
            latest[conversation_id] = 0
            continue
        latest[conversation_id] = version
        rows.append(Row(conversation_id, state, wake_at))
        if len(rows) == ROWS_A_CHUNK:
            break
    return rows
