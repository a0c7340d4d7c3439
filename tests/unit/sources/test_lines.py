from pathlib import Path

import pytest
import zstandard

from ringback.errors import RecordingError
from ringback.sources import lines as module
from ringback.sources.lines import lines


def read(path: Path) -> list[tuple[int, bytes | str]]:
    return [
        (number, line.problem if isinstance(line, RecordingError) else line)
        for number, line in lines(path)
    ]


def packed(data: bytes) -> bytes:
    return zstandard.ZstdCompressor().compress(data)


@pytest.fixture(params=["plain.jsonl", "packed.jsonl.zst"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    name: str = request.param
    return tmp_path / name


def write(path: Path, data: bytes) -> None:
    path.write_bytes(packed(data) if path.suffix == ".zst" else data)


@pytest.mark.parametrize("data", [b"", b"\n", b"one", b"one\n", b"one\n\nthree", b"a\r\nb\x85c\n"])
def test_lines_end_with_a_newline_and_nothing_else(path: Path, data: bytes) -> None:
    write(path, data)
    expected = data.removesuffix(b"\n").split(b"\n") if data else []
    assert read(path) == list(enumerate(expected, 1))


def test_lines_across_chunks(path: Path) -> None:
    expected = [b"x" * size for size in (1, 70_000, 3, 200_000)]
    write(path, b"\n".join(expected))
    assert [line for _, line in read(path)] == expected


def test_a_line_that_is_too_long_costs_only_itself(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LONGEST_LINE", 100_000)
    write(path, b"one\n" + b"x" * 300_000 + b"\nthree\n" + b"y" * 100_001)
    assert read(path) == [
        (1, b"one"),
        (2, "longer than 100000 bytes"),
        (3, b"three"),
        (4, "longer than 100000 bytes"),
    ]


def test_several_zstd_frames_in_one_file(tmp_path: Path) -> None:
    path = tmp_path / "x.zst"
    path.write_bytes(packed(b"one\ntw") + packed(b"o\n") + packed(b"") + packed(b"three"))
    assert [line for _, line in read(path)] == [b"one", b"two", b"three"]


def test_a_cut_off_zstd_file_gives_what_it_holds_and_an_error(tmp_path: Path) -> None:
    packer = zstandard.ZstdCompressor().compressobj()
    flushed = packer.compress(b"one\ntwo\n") + packer.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)
    path = tmp_path / "x.zst"
    path.write_bytes(flushed)
    assert read(path) == [
        (1, b"one"),
        (2, b"two"),
        (3, "the compressed data ends early: the file was cut off"),
    ]


def test_a_damaged_zstd_file_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "x.zst"
    path.write_bytes(packed(b"one\n") + b"this is not zstd")
    (_, one), (number, problem) = read(path)
    assert (one, number) == (b"one", 2)
    assert "zstd" in str(problem)


def test_a_file_that_cannot_be_opened_is_an_error(tmp_path: Path) -> None:
    assert read(tmp_path / "none") == [(1, "No such file or directory")]
    assert read(tmp_path) == [(1, "Is a directory")]
