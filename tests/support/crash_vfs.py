"""A disk that loses power: what was not synced is dropped, reordered and torn at random.

SQLite works on real files through this VFS, so locks and shared memory are the real ones. Beside
each file the disk keeps what is surely on the platter and the writes that are still in its cache.
`crash_after` operations it dies: every later one fails, and `remains` writes to another directory
what a restart could find. Only the shared-memory file is left out, as after a real power failure.
"""
# ruff: noqa: N802  # the methods bear the names that apsw calls

from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import NamedTuple, cast

import apsw

__all__ = ["Disk"]

SECTOR = 512


class Write(NamedTuple):
    offset: int
    data: bytes


class Truncate(NamedTuple):
    size: int


@dataclass
class Image:
    """One file: what survives for sure, and what only might."""

    durable: bytearray = field(default_factory=bytearray)
    cached: list[Write | Truncate] = field(default_factory=list)

    def sync(self) -> None:
        for operation in self.cached:
            _apply(self.durable, operation)
        self.cached.clear()

    def after_crash(self, random: Random) -> bytes:
        content = bytearray(self.durable)
        cached = self.cached.copy()
        if random.random() < 0.5:
            random.shuffle(cached)
        fate = random.choice(("all", "none", "some", "torn"))
        for operation in cached:
            if fate == "none" or (fate != "all" and random.random() < 0.4):
                continue
            if fate == "torn" and isinstance(operation, Write) and random.random() < 0.5:
                for part in _sectors(operation):
                    if random.random() < 0.5:
                        _apply(content, part)
            else:
                _apply(content, operation)
        return bytes(content)


class Disk(apsw.VFS):
    """A VFS under `name`; unregister it with `close`. With `honest` off, syncs do nothing."""

    def __init__(self, name: str, *, honest: bool = True) -> None:
        self.name = name
        self.honest = honest
        self.operations = 0
        self.crash_after: int | None = None
        self.failure: type[apsw.Error] = apsw.IOError
        self.images: defaultdict[str, Image] = defaultdict(Image)
        super().__init__(name, "")

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        return _File(self, path or "", name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:
        self.operate()
        super().xDelete(filename, syncdir)
        self.images.pop(filename, None)

    def operate(self) -> None:
        """Count one operation that changes the disk; fail when the power has gone."""
        self.operations += 1
        if self.crash_after is not None and self.operations > self.crash_after:
            raise self.failure("the disk has failed")

    def remains(self, directory: Path, random: Random) -> None:
        """Write what a restart might find; each call with another `random` draws another fate."""
        for path, image in self.images.items():
            (directory / Path(path).name).write_bytes(image.after_crash(random))

    def close(self) -> None:
        self.unregister()


class _File(apsw.VFSFile):
    def __init__(
        self, disk: Disk, path: str, name: str | apsw.URIFilename | None, flags: list[int]
    ) -> None:
        self._disk = disk
        self._image = disk.images[path]
        super().__init__("", cast("str", name), flags)

    def xWrite(self, data: bytes, offset: int) -> None:
        self._disk.operate()
        super().xWrite(data, offset)
        self._image.cached.append(Write(offset, bytes(data)))

    def xTruncate(self, newsize: int) -> None:
        self._disk.operate()
        super().xTruncate(newsize)
        self._image.cached.append(Truncate(newsize))

    def xSync(self, flags: int) -> None:
        self._disk.operate()
        if self._disk.honest:
            self._image.sync()


def _sectors(write: Write) -> list[Write]:
    starts = range(0, len(write.data), SECTOR)
    return [Write(write.offset + start, write.data[start : start + SECTOR]) for start in starts]


def _apply(content: bytearray, operation: Write | Truncate) -> None:
    match operation:
        case Truncate(size):
            del content[size:]
            content.extend(bytes(size - len(content)))
        case Write(offset, data):
            content.extend(bytes(max(0, offset - len(content))))
            content[offset : offset + len(data)] = data
