"""Words what can go wrong with a database file as errors of Ringback's own tree."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

import apsw

from ringback.errors import StoreDamaged, StoreError, StoreFull, StoreLocked

__all__ = ["faults"]

_CHECK_PATH = "check that [store] path is a file in a directory which this user may write to"


@contextmanager
def faults(store: str) -> Iterator[None]:
    """Turn the errors of SQLite and of the file system into `StoreError`; `store` is the path."""
    try:
        yield
    except apsw.Error as error:
        raise _from_sqlite(store, error) from error
    except OSError as error:
        raise _from_system(store, error) from error


def _from_sqlite(store: str, error: apsw.Error) -> StoreError:
    code = getattr(error, "extendedresult", 0)
    name = str(apsw.mapping_extended_result_codes.get(code, type(error).__name__))
    match error:
        case apsw.FullError():
            return StoreFull(store)
        case apsw.CorruptError():
            return StoreDamaged(store, name)
        case apsw.NotADBError():
            return StoreError(
                store,
                "the file is not a SQLite database, or its header is damaged",
                "give another [store] path, or restore a backup",
            )
        case apsw.BusyError() | apsw.LockedError():
            return StoreLocked(store)
        case apsw.ReadOnlyError():
            return StoreError(store, f"it cannot be written ({name})", _CHECK_PATH)
        case apsw.CantOpenError() | apsw.PermissionsError():
            return StoreError(store, f"it cannot be opened ({name})", _CHECK_PATH)
        case apsw.IOError():
            return StoreError(
                store, f"the disk failed ({name})", "check the disk, then start again"
            )
        case _:
            return StoreError(store, f"SQLite failed ({name})", "start again; report a recurrence")


def _from_system(store: str, error: OSError) -> StoreError:
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return StoreFull(store)
    return StoreError(store, f"it cannot be opened ({error.strerror})", _CHECK_PATH)
