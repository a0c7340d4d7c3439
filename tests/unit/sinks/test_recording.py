import errno
import json
import os
import stat
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.errors import RecordingError, SettingsError
from ringback.ports import Reading, Record, RecordKind
from ringback.sinks.recording import RecordingWriter
from ringback.sources.recording import read_recordings

AT = datetime(2026, 11, 22, 8, tzinfo=UTC)
DAY = timedelta(days=1)


class Stops(list[OSError]):
    """What `on_stop` was told."""


def writer(
    path: Path,
    stops: Stops | None = None,
    *,
    most_bytes: int = 10_000_000,
    most_age: timedelta = DAY,
) -> RecordingWriter:
    told = Stops() if stops is None else stops
    return RecordingWriter(path, most_bytes=most_bytes, most_age=most_age, on_stop=told.append)


def read(*paths: Path) -> list[Record]:
    records = []
    for item in read_recordings(paths):
        assert isinstance(item, Record), item
        records.append(item)
    return records


@pytest.fixture(params=["frames.jsonl", "frames.jsonl.zst"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    name: str = request.param
    return tmp_path / name


def older(path: Path) -> list[Path]:
    return sorted(each for each in path.parent.iterdir() if each != path)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
frames = st.one_of(
    st.binary(max_size=40),
    st.text(max_size=40).map(str.encode),
    values.map(lambda value: json.dumps(value).encode()),
    st.sampled_from(
        [
            b'1,"kind":"gap"',
            b'{}}\n{"at":',
            b"[1,\n 2]",
            b' "text" ',
            b'"\\ud800"',
            b"\xef\xbb\xbf{}",
        ]
    ),
)
kinds = st.sampled_from(get_args(RecordKind))
instants = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


@given(st.lists(st.tuples(instants, frames, kinds), max_size=8), st.booleans())
def test_what_is_written_is_read_again(
    records: list[tuple[datetime, bytes, RecordKind]],
    compressed: bool,
) -> None:
    with TemporaryDirectory() as folder:
        path = Path(folder, "r.jsonl.zst" if compressed else "r.jsonl")
        recording = writer(path, most_age=timedelta(days=1_000_000))
        for at, frame, kind in records:
            recording.record(at, frame, kind)
        recording.close()
        found = read(path)
    for record, (at, frame, kind) in zip(found, records, strict=True):
        assert record.kind == kind
        assert record.at == at.replace(microsecond=at.microsecond // 1000 * 1000)
        assert record.frame == frame or json.loads(record.frame) == json.loads(frame)


@pytest.mark.parametrize("date", [None, AT + timedelta(seconds=7)])
@pytest.mark.parametrize("body", [b'{"id":"c-1"}', b"<html>", b"\xff"])
def test_a_read_is_kept_with_when_it_was_sent(
    path: Path, body: bytes, date: datetime | None
) -> None:
    recording = writer(path)
    sent = AT - timedelta(milliseconds=250)
    recording.record(AT, body, "read", Reading(body, sent, date))
    recording.record(AT, b"{}", "gap")
    recording.close()
    found, other = read(path)
    assert (found.kind, found.at, found.frame) == ("read", AT, body)
    assert (found.sent, found.date) == (sent, date)
    assert (other.sent, other.date) == (None, None)


def test_frames_stay_as_they_came_byte_for_byte(path: Path) -> None:
    recording = writer(path)
    recording.record(AT, '{"a" : 1.50, "é": "\\u00e9"}')
    recording.close()
    assert read(path)[0].frame == '{"a" : 1.50, "é": "\\u00e9"}'.encode()


def test_the_file_is_for_its_owner_alone(path: Path) -> None:
    before = os.umask(0)
    try:
        writer(path).close()
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_was_flushed_survives_without_an_end(path: Path) -> None:
    recording = writer(path)
    recording.record(AT, b"1")
    recording.flush()
    recording.record(AT, b"2")
    found = list(read_recordings([path]))
    assert isinstance(found[0], Record)
    assert found[0].frame == b"1"
    # A compressed file says that it was cut off; a plain one cannot know.
    assert len(found) == (2 if path.suffix == ".zst" else 1)
    assert all(isinstance(item, RecordingError) for item in found[1:])
    recording.close()


def test_a_folder_gets_a_file(tmp_path: Path) -> None:
    recording = writer(tmp_path)
    recording.close()
    assert recording.path == tmp_path / "frames.jsonl.zst"
    assert recording.path.exists()


def link(path: Path) -> None:
    path.symlink_to(path.parent / "elsewhere")


@pytest.mark.parametrize("make", [link, Path.mkdir, os.mkfifo])
def test_nothing_but_a_plain_file_is_touched(path: Path, make: Callable[[Path], None]) -> None:
    make(path)
    if path.is_dir():
        (path / "frames.jsonl.zst").symlink_to("/dev/null")
    with pytest.raises(SettingsError, match=r"record\.path: .*frames.* is a link or no plain file"):
        writer(path)


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"record\.path: .*none/x: No such file"):
        writer(tmp_path / "none" / "x")


def test_the_file_of_a_former_run_is_put_aside(path: Path) -> None:
    path.write_bytes(b'{"torn')
    os.utime(path, (AT.timestamp(), AT.timestamp()))
    writer(path).close()
    (former,) = older(path)
    assert former.name == path.name.replace("frames.", "frames.20261122T080000000Z.")
    assert former.read_bytes() == b'{"torn'


def test_two_of_one_moment_have_names_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    for content in (b"1", b"2", b"3"):
        path.write_bytes(content)
        os.utime(path, (AT.timestamp(), AT.timestamp()))
        writer(path).close()
        path.unlink()
    assert {each.name: each.read_bytes() for each in older(path)} == {
        "x.20261122T080000000Z.jsonl": b"1",
        "x.20261122T080000000Z-1.jsonl": b"2",
        "x.20261122T080000000Z-2.jsonl": b"3",
    }


def test_all_files_together_stay_within_the_size(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    recording = writer(path, most_bytes=80_000)
    for number in range(1000):
        recording.record(AT + timedelta(seconds=number), b'"%s"' % (b"x" * 1000))
        recording.flush()
    recording.close()
    assert sum(each.stat().st_size for each in tmp_path.iterdir()) <= 82_000
    kept = [record.at for record in read(*older(path), path)]
    assert kept[-1] == AT + timedelta(seconds=999)
    assert kept == [kept[0] + timedelta(seconds=number) for number in range(len(kept))]
    assert len(kept) > 50


def test_no_file_outlives_the_age(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl.zst"
    recording = writer(path, most_age=timedelta(hours=8))
    (tmp_path / "x.notes.jsonl.zst").write_text("not ours")
    for number in range(200):
        recording.record(AT + timedelta(minutes=10 * number), b"{}")
        recording.flush()
    recording.close()
    (tmp_path / "x.notes.jsonl.zst").unlink()
    last = AT + timedelta(minutes=1990)
    kept = read(*older(path), path)
    assert timedelta(hours=8) <= last - kept[0].at <= timedelta(hours=10)
    assert kept[-1].at == last


def test_a_full_disk_ends_the_recording_and_is_told_once(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stops = Stops()
    recording = writer(path, stops)
    recording.record(AT, b"1")
    recording.flush()
    size = path.stat().st_size
    real_write = os.write

    def full(file: int, data: bytes) -> int:
        if len(data) > 5:
            return real_write(file, data[:5])
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("ringback.sinks.recording.os.write", full)
    for _ in range(3):
        recording.record(AT, b"2")
        recording.flush()
    recording.close()
    assert [stop.errno for stop in stops] == [errno.ENOSPC]
    assert (recording.recorded, recording.dropped) == (1, 3)
    assert path.stat().st_size == size


def test_much_is_written_without_being_asked(path: Path) -> None:
    recording = writer(path)
    for _ in range(300):
        recording.record(AT, b"x" * 1000)
    assert path.stat().st_size > 0
    recording.close()
    assert len(read(path)) == 300
