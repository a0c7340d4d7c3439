"""Opens connections to the database file and brings its tables up to date.

A conversation's rows are a log: each commit appends the latest version of every row it touches, and
the writer moves what still counts away from the old end. Updating rows in place would rewrite one
random page for each row, several times the row's size, as soon as the table outgrows the cache.
"""

from typing import NamedTuple

import apsw

from ringback.errors import StoreDamaged, StoreError, StoreTooNew
from ringback.stores.sqlite.faults import faults
from ringback.stores.sqlite.marks import mark_of_entry

__all__ = ["MIGRATIONS", "Migration", "connect", "examine", "upgrade"]

OLDEST_SQLITE = (3, 51, 3)
"""Before it, two connections that checkpoint at once can damage a database in WAL mode."""

APPLICATION_ID = 0x52696E67
"""`Ring`, in the file's header: tells our databases from others'."""

SYNCHRONOUS = "FULL"
"""With anything less, a power failure takes back commits that were reported as done."""

BUSY_MILLISECONDS = 5_000
CACHE_KIBIBYTES = 32_768
CHECKPOINT_PAGES = 4_000
WAL_LIMIT_BYTES = 64 << 20


class Migration(NamedTuple):
    """One step from a schema version to the next; versions count from 1 in the list's order."""

    script: str
    readable_by: int
    """The oldest schema version whose code can still work with the tables after this step."""


MIGRATIONS: tuple[Migration, ...] = (
    Migration(
        """
        CREATE TABLE conversation (
            version INTEGER PRIMARY KEY,  -- counts every row ever written; a conversation's highest
            id TEXT NOT NULL,             --   version is the one that counts
            wake_at INTEGER,              -- milliseconds since the epoch
            state BLOB                    -- NULL: the conversation was removed
        ) STRICT;
        CREATE TABLE journal (
            position INTEGER PRIMARY KEY,
            at INTEGER NOT NULL,          -- milliseconds since the epoch
            body BLOB NOT NULL
        ) STRICT;
        CREATE TABLE cursor (
            reader TEXT PRIMARY KEY,
            position INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID;
        INSERT INTO meta VALUES ('pruned', 0);  -- the last journal position that retention removed
        """,
        readable_by=1,
    ),
    Migration(
        """
        CREATE TABLE trace (
            mark INTEGER NOT NULL,        -- what the entry is about: see marks.py
            position INTEGER NOT NULL,
            PRIMARY KEY (mark, position)
        ) STRICT, WITHOUT ROWID;
        INSERT INTO trace
            SELECT mark, position FROM
                (SELECT mark_of_entry(position, body) AS mark, position FROM journal)
            WHERE mark IS NOT NULL;
        """,
        readable_by=1,
    ),
)


def connect(path: str, *, vfs: str | None = None, readonly: bool = False) -> apsw.Connection:
    """Open an existing file; the first read-write connection makes an empty one a WAL database."""
    mode = apsw.SQLITE_OPEN_READONLY if readonly else apsw.SQLITE_OPEN_READWRITE
    connection = apsw.Connection(path, flags=mode, vfs=vfs)
    try:
        connection.set_busy_timeout(BUSY_MILLISECONDS)
        connection.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 1)
        connection.pragma("trusted_schema", value=False)
        connection.pragma("cache_size", -CACHE_KIBIBYTES)
        if not readonly:
            connection.pragma("journal_mode", "wal")
            connection.pragma("synchronous", SYNCHRONOUS)
            connection.pragma("wal_autocheckpoint", CHECKPOINT_PAGES)
            connection.pragma("journal_size_limit", WAL_LIMIT_BYTES)
    except BaseException:
        connection.close()
        raise
    return connection


def upgrade(connection: apsw.Connection, store: str, migrations: tuple[Migration, ...]) -> None:
    """Check that the database is whole and ours, and bring it to the version of this code.

    Raises `StoreDamaged`, `StoreTooNew`, and `StoreError` for a database of something else or a
    SQLite that is too old. All missing migrations are one transaction.
    """
    if tuple(map(int, apsw.sqlite_lib_version().split("."))) < OLDEST_SQLITE:
        needed = ".".join(map(str, OLDEST_SQLITE))
        problem = f"SQLite {apsw.sqlite_lib_version()} may damage it"
        raise StoreError(store, problem, f"install an apsw that carries SQLite {needed} or later")
    finding = connection.pragma("quick_check", 1)
    if finding != "ok":
        raise StoreDamaged(store, "quick_check found a fault")
    with faults(store), connection:
        found = _version(connection, store)
        known = len(migrations)
        if found > known:
            if _meta(connection, "readable_by") > known:
                raise StoreTooNew(store, found, known)
            return
        connection.create_scalar_function("mark_of_entry", mark_of_entry, 2)
        for migration in migrations[found:]:
            connection.execute(migration.script)
        if found < known:
            _stamp(connection, known, migrations[-1].readable_by)


def examine(connection: apsw.Connection, store: str, migrations: tuple[Migration, ...]) -> None:
    """Check, without writing, that the database is ours and not too new. Raises as `upgrade`."""
    with faults(store):
        if not connection.execute("SELECT count(*) FROM sqlite_schema").get:
            return
        if connection.pragma("application_id") != APPLICATION_ID:
            raise _of_another(store)
        found, known = _meta(connection, "schema_version"), len(migrations)
        if found > known and _meta(connection, "readable_by") > known:
            raise StoreTooNew(store, found, known)


def _version(connection: apsw.Connection, store: str) -> int:
    """Give the database's schema version; 0 for an empty database, which gets its `meta` table."""
    tables = connection.execute("SELECT count(*) FROM sqlite_schema").get
    if connection.pragma("application_id") == APPLICATION_ID and tables:
        return _meta(connection, "schema_version")
    if tables:
        raise _of_another(store)
    connection.pragma("application_id", APPLICATION_ID)
    connection.execute(
        "CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID"
    )
    return 0


def _of_another(store: str) -> StoreError:
    return StoreError(
        store,
        "the database belongs to another program",
        "give another [store] path; nothing was changed",
    )


def _meta(connection: apsw.Connection, name: str) -> int:
    value = connection.execute("SELECT value FROM meta WHERE name = ?", (name,)).get
    if not isinstance(value, int):
        raise apsw.CorruptError(f"meta {name} is missing")
    return value


def _stamp(connection: apsw.Connection, version: int, readable_by: int) -> None:
    connection.executemany(
        "INSERT OR REPLACE INTO meta VALUES (?, ?)",
        [("schema_version", version), ("readable_by", readable_by)],
    )
