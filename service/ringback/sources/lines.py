"""The lines of a file, plain or zstd-compressed, in bounded memory.

Sound as long as the file is: a line that is too long, a truncated or damaged zstd stream, or a disk
that fails, is a `RecordingError` given in place of what could not be read.
"""

from collections.abc import Iterator
from pathlib import Path

import zstandard

from ringback.errors import RecordingError

__all__ = ["LONGEST_LINE", "lines"]

LONGEST_LINE = 64 * 1024 * 1024
"""Bytes; longer ones are given up, and reading goes on with the next."""
CHUNK = 64 * 1024
COMPRESSED_CHUNK = 4 * 1024
"""zstd can make 32,768 bytes out of one, so a small bite bounds what a hostile file unfolds to."""


def lines(path: Path) -> Iterator[tuple[int, bytes | RecordingError]]:
    """Give each line with its number, from 1, without its newline; never raises."""
    number, parts, length = 1, list[bytes](), 0
    try:
        for chunk in _chunks(path):
            *ends, rest = chunk.split(b"\n")
            for end in ends:
                parts.append(end)
                length += len(end)
                yield number, _line(path, number, parts, length)
                number, parts, length = number + 1, [], 0
            length += len(rest)
            if length <= LONGEST_LINE:
                parts.append(rest)
    except (OSError, EOFError, zstandard.ZstdError) as error:
        problem = error.strerror if isinstance(error, OSError) else None
        yield number, RecordingError(str(path), number, problem or str(error))
    else:
        if length:
            yield number, _line(path, number, parts, length)


def _line(path: Path, number: int, parts: list[bytes], length: int) -> bytes | RecordingError:
    if length > LONGEST_LINE:
        return RecordingError(str(path), number, f"longer than {LONGEST_LINE} bytes")
    return b"".join(parts)


def _chunks(path: Path) -> Iterator[bytes]:
    with path.open("rb", buffering=0) as file:
        if path.suffix != ".zst":
            while chunk := file.read(CHUNK):
                yield chunk
            return
        # Each time a daemon starts it begins a new zstd frame; a reader of one would stop there.
        decompressor, begun = zstandard.ZstdDecompressor(), False
        stream = decompressor.decompressobj()
        while chunk := file.read(COMPRESSED_CHUNK):
            while chunk:
                yield stream.decompress(chunk)
                begun = not stream.eof
                chunk = stream.unused_data if stream.eof else b""
                if stream.eof:
                    stream = decompressor.decompressobj()
        if begun:
            raise EOFError("the compressed data ends early: the file was cut off")
