"""Looks at a store without changing it, for a check before the daemon is started."""

import asyncio
import fcntl
import os
from pathlib import Path

from ringback.errors import StoreError, StoreLocked
from ringback.stores.sqlite.faults import faults
from ringback.stores.sqlite.schema import MIGRATIONS, connect, examine

__all__ = ["inspect"]

MEGABYTE = 1024 * 1024


async def inspect(path: str | Path) -> str:
    """Say in words how the store at `path` is, which need not be there yet.

    Raises `StoreLocked` when another process uses it, and `StoreError` for whatever would keep a
    daemon from opening it. Damage inside is only found when it is opened.
    """
    return await asyncio.to_thread(_inspect, path)


def _inspect(given: str | Path) -> str:
    path = os.path.realpath(given)
    file = Path(path)
    folder = file.parent
    if not folder.is_dir() or not os.access(folder, os.W_OK | os.X_OK):
        raise StoreError(
            path,
            "its directory is not there, or this user may not write to it",
            "make it, or correct [store] path",
        )
    with faults(path):
        if not file.exists():
            return f"{path} will be made at the first start"
        if not os.access(path, os.R_OK | os.W_OK):
            raise StoreError(path, "this user may not read and write it", "give it to this user")
        _refuse_locked(path)
        connection = connect(path, readonly=True)
        try:
            examine(connection, path, MIGRATIONS)
        finally:
            connection.close()
        return f"{path} can be opened, {file.stat().st_size / MEGABYTE:.1f} MB"


def _refuse_locked(path: str) -> None:
    try:
        descriptor = os.open(f"{path}-lock", os.O_RDWR)
    except FileNotFoundError:
        return
    try:
        # Shared, and only for an instant: a daemon that starts just now is the one to be told.
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        raise StoreLocked(path) from None
    finally:
        os.close(descriptor)
