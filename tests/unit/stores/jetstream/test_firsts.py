"""A step that a server has stored twice is read once."""

from datetime import UTC, datetime

from ringback.stores.jetstream.following import Found
from ringback.stores.jetstream.steps import REMEMBERED, Firsts

AT = datetime(2026, 11, 25, tzinfo=UTC)


def found(sequence: int, name: str) -> Found:
    return Found(sequence, AT, "r.o.st.0.c", b"", 0, name)


def test_a_copy_is_passed_over_in_the_same_chunk_and_in_later_ones() -> None:
    firsts = Firsts()
    first, other, again = found(1, "a.1"), found(2, "a.2"), found(3, "a.1")
    assert firsts.of([first, other, again]) == [first, other]
    assert firsts.of([found(4, "a.2"), found(5, "a.3")]) == [found(5, "a.3")]


def test_what_bears_no_id_is_never_a_copy() -> None:
    assert len(Firsts().of([found(1, ""), found(2, "")])) == 2


def test_what_was_long_ago_is_forgotten() -> None:
    firsts = Firsts()
    firsts.of([found(number, f"a.{number}") for number in range(REMEMBERED + 1)])
    assert firsts.of([found(REMEMBERED + 1, "a.0"), found(REMEMBERED + 2, "a.5")]) == [
        found(REMEMBERED + 1, "a.0")
    ]
