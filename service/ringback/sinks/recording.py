"""Writes all that comes in to private files, in the format that `ringback.sources.recording` reads.

Recording must never stop the daemon: when the disk is full, or gone, it ends, is counted, and is
told once. What is written reaches the file at the next `flush`; a crash loses what came after.
"""

import json
import os
import re
import stat
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import zstandard

from ringback.core.events import rfc3339
from ringback.errors import SettingsError
from ringback.ports import Reading

__all__ = ["RecordingWriter"]

SEGMENTS = 8
"""The limits of size and age are kept by removing whole files of an eighth each."""
HELD_BYTES = 256 * 1024
"""How much is gathered before it is written without being asked."""
DEFAULT_NAME = "frames.jsonl.zst"
PACKER = zstandard.ZstdCompressor(level=3)
STAMP = "%Y%m%dT%H%M%S%f"

_check_json = msgspec.json.Decoder(msgspec.Raw).decode


class RecordingWriter:
    """One recording: the file at `path`, and the older files beside it.

    When a file is full, or old, it is renamed after the time of its last record (`frames.jsonl.zst`
    becomes `frames.20261122T080000000Z.jsonl.zst`) and the next begins. Files that a former run
    left are treated so at the start, since their end may be torn.
    """

    def __init__(
        self,
        path: Path,
        *,
        most_bytes: int,
        most_age: timedelta,
        on_stop: Callable[[OSError], None],
        setting: str = "record.path",
    ) -> None:
        """Begin a file, for the owner alone (mode 0600).

        `path` may be a folder. With `.zst` at its end the file is compressed. All files together
        hold about `most_bytes`, none a record older than about `most_age`. `on_stop` is told once
        when nothing can be written any more. Raises `SettingsError`, about `setting`, which says
        where `path` is.
        """
        self.path = path / DEFAULT_NAME if path.is_dir() else path
        self.recorded = 0
        self.dropped = 0
        """Records lost since writing failed."""
        self._most_bytes = most_bytes
        self._most_age = most_age
        self._on_stop = on_stop
        self._setting = setting
        self._stopped = False
        self._held: list[bytes] = []
        self._held_bytes = 0
        self._written = 0
        self._first_at: datetime | None = None
        self._last_at: datetime | None = None
        self._file = -1
        try:
            self._retire_former()
            self._prune(datetime.min.replace(tzinfo=UTC))
            self._begin()
        except OSError as error:
            raise SettingsError(setting, f"{self.path}: {error.strerror}") from None

    def record(
        self,
        at: datetime,
        frame: bytes | str,
        kind: str = "frame",
        reading: Reading | None = None,
    ) -> None:
        """Take one record of a `ports.RecordKind`; of a read, with when it was sent and answered.

        Never raises; while stopped, it only counts.
        """
        if self._stopped:
            self.dropped += 1
            return
        self._last_at = at
        self._first_at = self._first_at or at
        line = _line(at, frame, kind, reading)
        self.recorded += 1
        self._held.append(line)
        self._held_bytes += len(line)
        if self._held_bytes >= HELD_BYTES:
            self.flush()

    def flush(self) -> None:
        """Write what was taken, so that only power loss can take it back. Never raises."""
        if not self._held:
            return
        data, count = b"".join(self._held), len(self._held)
        self._held, self._held_bytes = [], 0
        try:
            self._write(self._packed(data))
        except OSError as error:
            self.recorded -= count
            self.dropped += count
            self._stop(error)
            return
        try:
            if self._is_full():
                self._turn_over()
        except OSError as error:
            self._stop(error)

    def close(self) -> None:
        """Write what was taken and end the file. Never raises."""
        self.flush()
        if not self._stopped:
            try:
                self._end()
            except OSError as error:
                self._stop(error)
            self._stopped = True

    def _retire_former(self) -> None:
        """Put aside the file of a former run. Whatever is not a plain file is not ours to touch."""
        try:
            found = self.path.lstat()
        except FileNotFoundError:
            return
        if not stat.S_ISREG(found.st_mode):
            raise SettingsError(self._setting, f"{self.path} is a link or no plain file: move it")
        if found.st_size:
            self._rename(datetime.fromtimestamp(found.st_mtime, UTC))
        else:
            self.path.unlink()

    def _begin(self) -> None:
        # O_EXCL follows no link and opens no file that somebody else has put there.
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        self._file = os.open(self.path, flags, 0o600)
        self._written = 0
        self._first_at = None
        self._packer = PACKER.compressobj() if self.path.suffix == ".zst" else None

    def _packed(self, data: bytes) -> bytes:
        if self._packer is None:
            return data
        # Ending the block makes all of it readable, should nothing ever follow.
        block = self._packer.compress(data)
        return block + self._packer.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self._file, view) :]
        except OSError:
            with suppress(OSError):  # rather no last line than half of one
                os.ftruncate(self._file, self._written)
            raise
        self._written += len(data)

    def _is_full(self) -> bool:
        if self._written >= self._most_bytes // SEGMENTS:
            return True
        first, last = self._first_at, self._last_at
        return first is not None and last is not None and last - first > self._most_age / SEGMENTS

    def _turn_over(self) -> None:
        self._end()
        last = self._last_at
        assert last is not None  # noqa: S101  # something was written
        self._rename(last)
        self._prune(last - self._most_age)
        self._begin()

    def _end(self) -> None:
        try:
            if self._packer is not None:
                self._write(self._packer.flush())
        finally:
            os.close(self._file)
            self._file = -1

    def _rename(self, last: datetime) -> None:
        stamp = last.astimezone(UTC).strftime(STAMP)[:-3] + "Z"
        base, _, rest = self.path.name.partition(".")
        again = 0
        target = self.path.with_name(f"{base}.{stamp}.{rest}")
        while os.path.lexists(target):
            again += 1
            target = self.path.with_name(f"{base}.{stamp}-{again}.{rest}")
        self.path.rename(target)

    def _prune(self, oldest: datetime) -> None:
        """Remove files whose last record is older than `oldest`, then what exceeds the size."""
        room = self._most_bytes - self._most_bytes // SEGMENTS
        for ended, _, path in sorted(self._older_files(), reverse=True):
            room -= path.lstat().st_size
            if room < 0 or ended < oldest:
                path.unlink()

    def _older_files(self) -> list[tuple[datetime, int, Path]]:
        base, _, rest = self.path.name.partition(".")
        name = re.compile(rf"{re.escape(base)}\.(\d{{8}}T\d{{9}})Z(?:-(\d+))?\.{re.escape(rest)}")
        found = []
        for path in self.path.parent.iterdir():
            if matched := name.fullmatch(path.name):
                ended = datetime.strptime(matched[1] + "000Z", "%Y%m%dT%H%M%S%f%z")
                found.append((ended, int(matched[2] or 0), path))
        return found

    def _stop(self, error: OSError) -> None:
        self._stopped = True
        if self._file >= 0:
            with suppress(OSError):
                os.close(self._file)
            self._file = -1
        self._on_stop(error)


def _line(at: datetime, frame: bytes | str, kind: str, reading: Reading | None) -> bytes:
    data = frame.encode("utf-8", "surrogatepass") if isinstance(frame, str) else frame
    told = b"" if kind == "frame" else b',"kind":' + msgspec.json.encode(kind)
    if reading is not None:
        told += b',"sent":"%s"' % rfc3339(reading.sent_at).encode()
        if reading.date is not None:
            told += b',"date":"%s"' % rfc3339(reading.date).encode()
    return b'{"at":"%s"%s,"frame":%s}\n' % (rfc3339(at).encode(), told, _value(data))


def _value(frame: bytes) -> bytes:
    """Give a frame as one line of JSON: itself if it is JSON and no string, else as a string."""
    try:
        text = frame.decode()
    except UnicodeDecodeError:
        return json.dumps(frame.decode("utf-8", "surrogateescape")).encode()
    try:
        _check_json(frame)
    except (msgspec.DecodeError, RecursionError):
        return msgspec.json.encode(text)
    if frame.lstrip().startswith(b'"'):
        return msgspec.json.encode(text)
    return msgspec.json.format(frame, indent=-1) if b"\n" in frame else frame
