"""A step that a server has stored twice is read once."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from ringback.stores.jetstream.pulling import Found
from ringback.stores.jetstream.steps import REMEMBERED, Firsts, JetStreamSteps
from ringback.stores.jetstream.subjects import Subjects
from ringback.wire.steps import StepBody, encode_step

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


class Copying:
    """A log of which a server has stored a step twice."""

    stream = "steps"

    async def state(self) -> Any:
        return SimpleNamespace(first_seq=1, last_seq=3)

    async def follow(self, after: int) -> AsyncIterator[Sequence[Found]]:
        for sequence, name in ((1, "a.1"), (2, "a.2"), (3, "a.1")):
            body = encode_step(StepBody(f"c-{name}", b"state"))
            yield [Found(sequence, AT, "r.o.st.0.c", body, 0, name)] * (sequence > after)

    read = follow


async def test_readers_of_the_log_pass_over_a_copy(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = JetStreamSteps(SimpleNamespace(), Subjects("r", "o"))  # type: ignore[arg-type]
    monkeypatch.setattr(steps, "_all", Copying())
    followed = [one.sequence async for chunk in steps.follow(0) for one in chunk]
    assert followed == [1, 2]
    assert [one.sequence for one in await steps.read(0, 10)] == [1, 2]
