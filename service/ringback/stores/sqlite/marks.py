"""Where in the journal something is told of: a small index of what each entry is about.

An entry's mark is a hash of its subject behind the number of its block of positions. So entries
of one time lie together: what a commit adds, and what retention removes, are a few pages however
long the journal is. With the hash alone each would be a page of its own.
"""

from array import array
from collections.abc import Iterable, Iterator
from hashlib import blake2b

import msgspec

__all__ = ["block_begin", "mark_of_entry", "marks_of", "positions_marked", "subject_of"]

BLOCK = 4096
HASH_BYTES = 5
HASH_BITS = 8 * HASH_BYTES


class _Subject(msgspec.Struct):
    subject: str


_subject = msgspec.json.Decoder(_Subject).decode


def mark_of(position: int, subject: str) -> int:
    """Give the mark of one entry."""
    return block_begin(position) | _hash(subject)


def block_begin(position: int) -> int:
    """Give the least mark in the block of a position."""
    return position // BLOCK << HASH_BITS


def marks_of(subject: str, first: int, last: int) -> "array[int]":
    """Give the marks that entries about a subject have from one position to another."""
    hashed = _hash(subject)
    blocks = range(first // BLOCK, last // BLOCK + 1)
    return array("q", (block << HASH_BITS | hashed for block in blocks))


def mark_of_entry(*entry: object) -> int | None:
    """Give the mark of an entry, its position and body; None if that does not say its subject."""
    position, body = entry
    assert isinstance(position, int)  # noqa: S101  # as the columns are declared
    assert isinstance(body, bytes)  # noqa: S101
    found = subject_of(body)
    return None if found is None else mark_of(position, found)


def subject_of(body: bytes) -> str | None:
    """Say what an entry is about."""
    try:
        return _subject(body).subject
    except msgspec.DecodeError:
        return None


def positions_marked(first: int, subjects: Iterable[str]) -> Iterator[tuple[int, int]]:
    """Give mark and position of entries that follow one another."""
    for position, subject in enumerate(subjects, first):
        yield mark_of(position, subject), position


def _hash(subject: str) -> int:
    return int.from_bytes(blake2b(subject.encode(), digest_size=HASH_BYTES).digest(), "big")
