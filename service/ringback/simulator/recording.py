"""Writes what arrives as a recording: JSON Lines, one frame a line."""

from collections.abc import Iterable
from typing import BinaryIO

import msgspec

from ringback.core.events import rfc3339
from ringback.simulator.centre import Emission

__all__ = ["recording_line", "write_recording"]


def recording_line(emission: Emission) -> bytes:
    """Give the line of one frame, with its newline; what is no JSON becomes a string."""
    return msgspec.json.encode({"at": rfc3339(emission.at), "frame": _content(emission)}) + b"\n"


def write_recording(emissions: Iterable[Emission], file: BinaryIO) -> int:
    """Write a line for each frame, and say how many there were."""
    lines = [recording_line(emission) for emission in emissions]
    file.writelines(lines)
    return len(lines)


def _content(emission: Emission) -> object:
    as_text = emission.frame.decode("utf-8", "replace")
    if emission.binary:
        return as_text
    try:
        msgspec.json.decode(emission.frame)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return as_text
    # A recording is read line by line, and a raw frame may hold a line break of its own.
    return as_text if b"\n" in emission.frame else msgspec.Raw(emission.frame)
