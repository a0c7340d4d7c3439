"""The default store: one SQLite file, through `apsw`, in WAL mode with every commit synced.

`store` is what the daemon sees (threads, lock, reads); `writer` is the one connection that writes;
`schema` opens connections and brings tables up to date; `inspection` only looks; `reading` reads a
store to carry it elsewhere; `faults` words SQLite's errors.
"""

from ringback.stores.sqlite.inspection import inspect
from ringback.stores.sqlite.reading import SqliteReader
from ringback.stores.sqlite.store import SqliteStore, backup

__all__ = ["SqliteReader", "SqliteStore", "backup", "inspect"]
