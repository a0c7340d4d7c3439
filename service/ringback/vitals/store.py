"""How large the store's files are, and how much room is left beside them, as metrics."""

import os
from collections.abc import Iterator
from pathlib import Path

from ringback.vitals.measuring import gauge
from ringback.web.metrics import Measure

__all__ = ["measures_of_store"]

FILES = {"database": "", "log": "-wal"}
"""Of SQLite, by what they are: endings of the path. The log is emptied into the database."""


def measures_of_store(path: Path) -> Iterator[Measure]:
    """Give every number there is of the database at `path`; nothing of a file that is not there."""
    for name, ending in FILES.items():
        try:
            size = os.stat(f"{path}{ending}").st_size  # noqa: PTH116  # what SQLite calls it
        except OSError:
            continue
        yield gauge("store_bytes", "How large the store's files are.", size, file=name)
    try:
        room = os.statvfs(path.absolute().parent)
    except OSError:
        return
    yield gauge(
        "store_free_bytes",
        "How much may still be written to the file system that the store is on.",
        room.f_bavail * room.f_frsize,
    )
