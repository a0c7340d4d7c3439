import math
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ringback.errors import RecordingError
from ringback.ports import Record
from ringback.sources.recording import Pace, RecordingSource, read_recordings
from support.intake import Ears

AT = datetime(2026, 11, 22, 8, tzinfo=UTC)


def at(seconds: float) -> str:
    return (AT + timedelta(seconds=seconds)).isoformat()


def line(seconds: float, frame: str = "{}", more: str = "") -> str:
    return f'{{"at": "{at(seconds)}", "frame": {frame}{more}}}'


def recording(path: Path, *lines: str) -> Path:
    path.write_text("\n".join(lines))
    return path


def read(*paths: Path) -> list[Record | RecordingError]:
    return list(read_recordings(paths))


def frames(*paths: Path) -> list[bytes]:
    return [item.frame for item in read(*paths) if isinstance(item, Record)]


def test_a_record(tmp_path: Path) -> None:
    path = recording(
        tmp_path / "a", '{"at":"2026-11-22T09:00:00.5+01:00","frame": {"a" : 1.50},"kind":"read"}'
    )
    assert read(path) == [
        Record(AT + timedelta(seconds=0.5), "read", b'{"a" : 1.50}', str(path), 1)
    ]


def test_unknown_members_are_ignored_and_the_kind_is_frame(tmp_path: Path) -> None:
    (record,) = read(recording(tmp_path / "a", line(0, "[]", ', "source": "main"')))
    assert isinstance(record, Record)
    assert record.kind == "frame"


@pytest.mark.parametrize(
    ("value", "frame"),
    [
        ('"no \\u00e9 JSON"', "no é JSON".encode()),
        ('"\\"quoted\\""', b'"quoted"'),
        ('"\\udc80\\udcff"', b"\x80\xff"),
        ("null", b"null"),
        ("12.0", b"12.0"),
    ],
)
def test_what_a_frame_was(tmp_path: Path, value: str, frame: bytes) -> None:
    assert frames(recording(tmp_path / "a", line(0, value))) == [frame]


@pytest.mark.parametrize(
    "bad",
    [
        "not json",
        "[]",
        "{}",
        '{"at": "2026-11-22T08:00:00Z"}',
        '{"frame": {}}',
        '{"at": "2026-11-22T08:00:00", "frame": {}}',
        '{"at": "yesterday", "frame": {}}',
        '{"at": 1763798400, "frame": {}}',
        '{"at": "0001-01-01T00:00:00+14:00", "frame": {}}',
        '{"at": "2026-11-22T08:00:00Z", "frame": {}, "kind": "other"}',
        '{"at": "2026-11-22T08:00:00Z", "frame": "\\ud800"}',
        '{"at": "2026-11-22T08:00:00Z", "frame": ' + "[" * 100_000 + "]" * 100_000 + "}",
        '{"at": "2026-11-22T08:00:00Z", "frame": {"cut',
    ],
)
def test_a_bad_line_is_reported_with_its_number_and_passed_over(tmp_path: Path, bad: str) -> None:
    path = recording(tmp_path / "a", line(0, "1"), "", bad, line(1, "2"))
    first, error, last = read(path)
    assert isinstance(error, RecordingError)
    assert (error.path, error.line) == (str(path), 3)
    assert isinstance(first, Record)
    assert isinstance(last, Record)
    assert (first.frame, last.frame, last.line) == (b"1", b"2", 4)


def test_files_merge_by_time_then_file_then_line(tmp_path: Path) -> None:
    a = recording(tmp_path / "a", line(1, '"a1"'), line(3, '"a3"'), line(3, '"a3b"'))
    b = recording(tmp_path / "b", line(0, '"b0"'), line(3, '"b3"'), line(4, '"b4"'))
    assert frames(a, b) == [b"b0", b"a1", b"a3", b"a3b", b"b3", b"b4"]
    assert frames(b, a) == [b"b0", b"a1", b"b3", b"a3", b"a3b", b"b4"]


def test_time_that_goes_backwards_keeps_the_order_of_the_file(tmp_path: Path) -> None:
    a = recording(tmp_path / "a", line(5, '"a5"'), line(1, '"a1"'), line(6, '"a6"'))
    b = recording(tmp_path / "b", line(2, '"b2"'), line(5.5, '"b5.5"'))
    assert frames(a, b) == [b"b2", b"a5", b"a1", b"b5.5", b"a6"]


def test_an_error_stands_where_its_file_had_got_to(tmp_path: Path) -> None:
    a = recording(tmp_path / "a", line(5, '"a5"'), "bad", line(9, '"a9"'))
    b = recording(tmp_path / "b", line(4, '"b4"'), line(6, '"b6"'))
    shown = [item.frame if isinstance(item, Record) else "bad" for item in read(a, b)]
    assert shown == [b"b4", b"a5", "bad", b"b6", b"a9"]


def test_a_read_says_when_it_was_sent_and_what_the_platforms_clock_was(tmp_path: Path) -> None:
    more = f', "kind": "read", "sent": "2026-11-22T09:00:01+01:00", "date": "{at(5)}"'
    said, silent = read(recording(tmp_path / "a", line(2, "{}", more), line(3, "{}")))
    assert isinstance(said, Record)
    assert isinstance(silent, Record)
    assert (said.kind, said.at) == ("read", AT + timedelta(seconds=2))
    assert (said.sent, said.date) == (AT + timedelta(seconds=1), AT + timedelta(seconds=5))
    assert (silent.sent, silent.date) == (None, None)


@pytest.mark.parametrize(
    "more",
    [
        ', "sent": "2026-11-22T08:00:00"',
        ', "sent": 5',
        ', "date": "Sun, 22 Nov 2026 08:00:00 GMT"',
        ', "sent": "0001-01-01T00:00:00+14:00"',
    ],
)
def test_an_instant_that_makes_no_sense_is_an_error(tmp_path: Path, more: str) -> None:
    (item,) = read(recording(tmp_path / "a", line(0, "{}", more)))
    assert isinstance(item, RecordingError)


def test_reading_is_lazy(tmp_path: Path) -> None:
    path = tmp_path / "a"
    with path.open("w") as file:
        file.writelines(line(number) + "\n" for number in range(20_000))
    items = read_recordings([path])
    next(items)
    with path.open("a") as file:
        file.write("bad")
    assert isinstance(list(items)[-1], RecordingError)


async def test_playback_gives_frames_alone_and_then_ends(tmp_path: Path) -> None:
    path = recording(
        tmp_path / "a", line(0, "1"), line(1, "2", ', "kind": "read"'), "bad", line(9e6, "3")
    )
    errors: list[RecordingError] = []
    source = RecordingSource("main", [path], speed=math.inf, on_error=errors.append)
    ears = Ears()
    await source.run(ears)
    assert ears.heard == ["connected", b"1", b"3"]
    assert source.skipped == {"read": 1}
    assert [error.line for error in errors] == [3]


def test_the_pace_follows_the_recording() -> None:
    pace = Pace(AT, 10, now=100)
    delays = [
        (pace.delay(AT + timedelta(seconds=second), now))
        for second, now in [(0, 100), (20, 100), (20, 101.5), (10, 102), (30, 105)]
    ]
    assert delays == [0, 2, 0.5, 0, 0]
