"""The audit trail: what people did, a line of JSON each, in private files.

A deed is on the disk before it is done. The newest file is `audit.jsonl`, the older ones stand
beside it with a number at the end; when there are too many, the oldest goes.
"""

import asyncio
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import msgspec
import structlog

from ringback.core.events import rfc3339
from ringback.errors import AuditError, SettingsError
from ringback.ports import Clock, Deed

__all__ = ["AuditTrail"]

MOST_BYTES = 2 * 1024 * 1024
OLDER_FILES = 15

log = structlog.get_logger(__name__)


class AuditTrail:
    """Appends to the newest file, and reads all of them from the end. On a thread of its own."""

    def __init__(
        self, path: Path, clock: Clock, most_bytes: int = MOST_BYTES, older_files: int = OLDER_FILES
    ) -> None:
        """Go on where the file at `path` ends. Raises `SettingsError`."""
        self.path = path
        self.noted = 0
        self.failed = 0
        self.trouble: str | None = None
        """Why the last deed could not be noted."""
        self._clock = clock
        self._most_bytes = most_bytes
        self._older = [path.with_name(f"{path.name}.{each + 1}") for each in range(older_files)]
        try:
            self._file = _open(path)
            self._number = next((deed.number for deed in self._read()), 0)
        except OSError as error:
            raise SettingsError("store.path", f"{path}: {error.strerror}") from None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="audit")

    async def note(
        self,
        who: str,
        action: str,
        subject: str,
        *,
        role: str = "",
        address: str = "",
        result: str = "",
    ) -> None:
        """Keep one deed for good. Raises `AuditError`."""
        time = rfc3339(self._clock.now())

        def numbered(number: int) -> Deed:
            return Deed(
                number=number,
                time=time,
                who=who,
                action=action,
                subject=subject,
                role=role,
                address=address,
                result=result,
            )

        await asyncio.get_running_loop().run_in_executor(self._thread, self._append, numbered)

    async def deeds(
        self, before: int | None, most: int, wish: Callable[[Deed], bool]
    ) -> list[Deed]:
        """Give deeds from the newest back. Raises `AuditError`."""

        def found() -> list[Deed]:
            chosen: list[Deed] = []
            try:
                for deed in self._read():
                    if len(chosen) == most:
                        break
                    if (before is None or deed.number < before) and wish(deed):
                        chosen.append(deed)
            except OSError as error:
                raise AuditError(f"{self.path}: {error.strerror}") from None
            return chosen

        return await asyncio.get_running_loop().run_in_executor(self._thread, found)

    def close(self) -> None:
        """Wait for what is being written."""
        self._thread.shutdown()
        os.close(self._file)

    def _append(self, numbered: Callable[[int], Deed]) -> None:
        line = msgspec.json.encode(numbered(self._number + 1)) + b"\n"
        try:
            self._make_room(len(line))
            _write(self._file, line)
        except OSError as error:
            self.failed += 1
            self.trouble = f"{self.path}: {error.strerror}"
            log.exception("deed_not_noted", path=str(self.path))
            raise AuditError(self.trouble) from None
        self._number += 1
        self.noted += 1
        self.trouble = None

    def _make_room(self, length: int) -> None:
        if not _is(self._file, self.path):
            # Somebody has moved it away.
            self._begin()
        if os.fstat(self._file).st_size + length > self._most_bytes:
            if self._older[-1].exists():
                log.warning("deeds_forgotten", path=str(self._older[-1]))
            for older, newer in zip(
                reversed(self._older), [*reversed(self._older[:-1]), self.path], strict=True
            ):
                with suppress(FileNotFoundError):
                    newer.replace(older)
            self._begin()

    def _begin(self) -> None:
        opened = _open(self.path)
        os.close(self._file)
        self._file = opened

    def _read(self) -> Iterator[Deed]:
        for path in (self.path, *self._older):
            try:
                content = path.read_bytes()
            except FileNotFoundError:
                continue
            for line in reversed(content.split(b"\n")):
                # The last may be torn: that deed was never done.
                with suppress(msgspec.DecodeError):
                    yield msgspec.json.decode(line, type=Deed)


def _open(path: Path) -> int:
    """Open a file for the owner alone, and begin a new line in it."""
    flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    file = os.open(path, flags, 0o600)
    try:
        os.fchmod(file, 0o600)
        size = os.fstat(file).st_size
        if size and os.pread(file, 1, size - 1) != b"\n":
            os.write(file, b"\n")
        folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError:
        os.close(file)
        raise
    return file


def _write(file: int, line: bytes) -> None:
    """Append a whole line and wait until it is on the disk, or leave nothing of it."""
    size = os.fstat(file).st_size
    try:
        left = memoryview(line)
        while left:
            left = left[os.write(file, left) :]
        os.fsync(file)
    except OSError:
        with suppress(OSError):
            os.ftruncate(file, size)
        raise


def _is(file: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file), path.stat())
    except FileNotFoundError:
        return False
