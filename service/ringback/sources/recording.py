"""Recorded frames: reading them, merged in the order of their time, and playing them back.

The format is JSON Lines, plain or zstd-compressed (`.zst`), one record a line:
`{"at": "2026-11-22T08:00:00.000Z", "frame": <JSON, or a string when it was not JSON>}`, with an
optional `"kind"`; a read may say when it was `"sent"`, and the platform's `"date"` as it answered.
`ringback.sinks.recording` writes it.
"""

import asyncio
import heapq
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Annotated

import msgspec

from ringback.errors import RecordingError
from ringback.ports import Intake, Record, RecordKind
from ringback.sources.lines import lines

__all__ = ["Pace", "RecordingSource", "read_recordings"]

BEGINNING = datetime.min.replace(tzinfo=UTC)
AHEAD = 256
"""Records that a playback reads at once."""


class _Head(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    at: Annotated[datetime, msgspec.Meta(tz=True)]
    kind: RecordKind = "frame"
    sent: Annotated[datetime, msgspec.Meta(tz=True)] | None = None
    date: Annotated[datetime, msgspec.Meta(tz=True)] | None = None


class _Line(_Head, frozen=True, gc=False, kw_only=True):
    frame: msgspec.Raw


_decode_line = msgspec.json.Decoder(_Line).decode
_decode_text = msgspec.json.Decoder(str).decode


def read_recordings(paths: Iterable[Path]) -> Iterator[Record | RecordingError]:
    """Give the records of all files merged by `at`, ties by file and then by line.

    A file keeps its own order: where its `at` goes backwards, the record counts as of the time
    that the file had already reached. What cannot be read is given as an error in its place;
    nothing is raised. Holds one line of each file in memory.
    """
    merged = heapq.merge(*(_timed(path, index) for index, path in enumerate(paths)))
    return (item for _, _, _, item in merged)


def _timed(path: Path, index: int) -> Iterator[tuple[datetime, int, int, Record | RecordingError]]:
    """Give each record under the time that its file has reached, so that files can be merged."""
    reached = BEGINNING
    for order, (number, line) in enumerate(lines(path)):
        if isinstance(line, RecordingError):
            yield reached, index, order, line
        elif line.strip():
            item = _record(str(path), number, line)
            if isinstance(item, Record):
                reached = max(reached, item.at)
            yield reached, index, order, item


def _record(path: str, number: int, line: bytes) -> Record | RecordingError:
    try:
        read = _decode_line(line)
        frame = bytes(read.frame)
        if frame.startswith(b'"'):
            frame = _decode_text(frame).encode()
        return _made(read, frame, path, number)
    except (msgspec.MsgspecError, RecursionError, UnicodeError, OverflowError) as error:
        return _odd_text(path, number, line) or RecordingError(path, number, str(error))


def _odd_text(path: str, number: int, line: bytes) -> Record | None:
    r"""Read a string that holds bytes which are no text, as `\udc80` to `\udcff` for each byte.

    msgspec refuses these, the standard library does not; they only come with broken frames.
    """
    try:
        members = json.loads(line)
        frame = members["frame"].encode("utf-8", "surrogateescape")
        read = msgspec.convert(members, _Head)
    except (ValueError, TypeError, LookupError, AttributeError, RecursionError):
        return None
    return _made(read, frame, path, number)


def _made(head: _Head, frame: bytes, path: str, number: int) -> Record:
    sent, date = head.sent, head.date
    return Record(
        head.at.astimezone(UTC),
        head.kind,
        frame,
        path,
        number,
        None if sent is None else sent.astimezone(UTC),
        None if date is None else date.astimezone(UTC),
    )


class RecordingSource:
    """Plays the frames of recordings at the pace they were recorded with, then ends.

    Only frames are played; what else a recording holds is counted in `skipped` by its kind. Each
    line that cannot be read goes to `on_error`.
    """

    def __init__(
        self,
        name: str,
        paths: Iterable[Path],
        *,
        speed: float,
        on_error: Callable[[RecordingError], None],
    ) -> None:
        """Take `speed` as recorded seconds a second: 1 as it was, `math.inf` without waiting."""
        self.name = name
        self.problems: Sequence[str] = ()
        self.skipped: Counter[RecordKind] = Counter()
        self._paths = tuple(paths)
        self._speed = speed
        self._on_error = on_error

    async def run(self, intake: Intake) -> None:
        """Play to the end. Being at the end is no gap, so the intake is not told of one."""
        intake.connected()
        clock = asyncio.get_running_loop().time
        pace: Pace | None = None
        items = read_recordings(self._paths)
        while batch := await asyncio.to_thread(lambda: list(islice(items, AHEAD))):
            for item in batch:
                if isinstance(item, RecordingError):
                    self._on_error(item)
                elif item.kind != "frame":
                    self.skipped[item.kind] += 1
                else:
                    pace = pace or Pace(item.at, self._speed, clock())
                    await asyncio.sleep(pace.delay(item.at, clock()))
                    await intake.room()
                    intake.frame(item.frame)


class Pace:
    """Maps recorded time to a clock of seconds, from the `first` record, which is due at `now`."""

    def __init__(self, first: datetime, speed: float, now: float) -> None:
        self._first = first
        self._speed = speed
        self._started = now

    def delay(self, at: datetime, now: float) -> float:
        """Say how many seconds from `now` on `at` is reached; 0 if it has been."""
        due = self._started + (at - self._first).total_seconds() / self._speed
        return max(0.0, due - now)
