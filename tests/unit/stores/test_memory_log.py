import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import pytest

from ringback.errors import Fenced, PositionGone
from ringback.ports import Batch, Row, Step
from ringback.stores.memory_log import MemoryInputLog, MemoryPartitionStore, MemoryStepLog
from ringback.wire.steps import MOST_EVENTS, end_of_step, position_in

BEGIN = datetime(2026, 11, 22, tzinfo=UTC)

T = TypeVar("T")


class Hands:
    """A clock whose hands are moved."""

    def __init__(self) -> None:
        self.at = BEGIN

    def now(self) -> datetime:
        return self.at

    def go_on(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Hands:
    return Hands()


async def some(chunks: AsyncIterator[Sequence[T]], count: int) -> list[T]:
    """Read until so many came; what is too much would show."""
    found: list[T] = []
    while len(found) < count:
        found += await anext(chunks)
    return found


def batch(key: str, state: bytes | None, *events: bytes, reached: int = 0) -> Batch:
    keys = [key] * len(events)
    return Batch({key: Row(key, state, 7)}, list(events), {}, keys, keys, reached)


async def loaded(log: MemoryStepLog, partition: int = 0) -> MemoryPartitionStore:
    store = MemoryPartitionStore(log, partition)
    async for _ in store.load():
        pass
    return store


async def rows(store: MemoryPartitionStore) -> list[Row]:
    return [row async for chunk in store.load() for row in chunk]


async def test_inputs_come_in_order_by_partition_with_the_time_of_the_log(clock: Hands) -> None:
    log = MemoryInputLog(clock)
    assert await log.position() == 0
    for number in range(6):
        assert await log.put(number % 2, "c", b"%d" % number, f"{number}") == number + 1
        clock.go_on(1)
    odd = await some(log.follow(1, 0), 3)
    assert [(one.sequence, one.body) for one in odd] == [(2, b"1"), (4, b"3"), (6, b"5")]
    assert odd[0].at == BEGIN + timedelta(seconds=1)
    assert [one.sequence for one in await some(log.follow(0, 3), 1)] == [5]
    assert await log.position() == 6


async def test_who_follows_is_told_that_there_is_no_more_and_then_of_what_comes(
    clock: Hands,
) -> None:
    log = MemoryInputLog(clock)
    follower = log.follow(0, 0)
    assert await anext(follower) == []
    waits = asyncio.ensure_future(anext(follower))
    await log.put(1, "c", b"another's", "a")
    assert not waits.done()
    await log.put(0, "c", b"mine", "b")
    assert [one.body for one in await waits] == [b"mine"]


async def test_a_name_counts_for_the_window(clock: Hands) -> None:
    log = MemoryInputLog(clock)
    first = await log.put(0, "c", b"x", "once")
    clock.go_on(119.9)
    assert await log.put(0, "c", b"x", "once") == first
    clock.go_on(0.1)
    assert await log.put(0, "c", b"x", "once") == first + 1
    assert log.repeated == 1


async def test_a_follower_behind_retention_is_told(clock: Hands) -> None:
    log = MemoryInputLog(clock)
    for number in range(4):
        await log.put(number % 2, "c", b"x", f"{number}")
        clock.go_on(10)
    log.forget(BEGIN + timedelta(seconds=15))
    with pytest.raises(PositionGone):
        await anext(log.follow(0, 0))
    assert [one.sequence for one in await some(log.follow(0, 1), 1)] == [3]
    with pytest.raises(PositionGone) as gone:
        await anext(log.follow(1, 0))
    assert gone.value.oldest == 3


async def test_a_row_is_loaded_as_it_was_last_written(clock: Hands) -> None:
    log = MemoryStepLog(clock)
    store = await loaded(log)
    await store.commit(batch("a", b"1", b"e1", reached=3), clock.now())
    await store.commit(batch("a", b"2", reached=5), clock.now())
    await store.commit(batch("b", b"1", reached=6), clock.now())
    await store.commit(batch("b", None, reached=7), clock.now())
    await store.commit(Batch({}, [], {"inputs": 7}), clock.now())
    again = await loaded(log)
    assert await rows(again) == [Row("a", b"2", 7)]
    assert {key: again.marks[key].reached for key in "ab"} == {"a": 5, "b": 7}
    assert await again.cursor("inputs") == 7
    assert await rows(await loaded(log, partition=1)) == []


async def test_who_does_not_know_the_last_step_is_refused_for_good(clock: Hands) -> None:
    log = MemoryStepLog(clock)
    zombie, owner = await loaded(log), await loaded(log)
    await owner.commit(batch("a", b"owner"), clock.now())
    both = Batch({"b": Row("b", b"zombie"), "a": Row("a", b"zombie")}, [], {})
    with pytest.raises(Fenced):
        await zombie.commit(both, clock.now())
    with pytest.raises(Fenced):
        await zombie.commit(batch("c", b"zombie"), clock.now())
    # Rows are steps of their own: what came before the refused one is there.
    assert await rows(await loaded(log)) == [Row("a", b"owner", 7), Row("b", b"zombie")]
    with pytest.raises(Fenced):
        await owner.commit(batch("b", b"owner"), clock.now())


async def test_a_zombie_does_not_move_a_cursor_back(clock: Hands) -> None:
    log = MemoryStepLog(clock)
    zombie, owner = await loaded(log), await loaded(log)
    await owner.commit(Batch({}, [], {"inputs": 9}), clock.now())
    with pytest.raises(Fenced):
        await zombie.commit(Batch({}, [], {"inputs": 4}), clock.now())
    assert await (await loaded(log)).cursor("inputs") == 9


async def test_positions_are_of_the_log_and_the_same_for_every_partition(clock: Hands) -> None:
    log = MemoryStepLog(clock)
    first, second = await loaded(log, 0), await loaded(log, 1)
    assert await first.position() == 0
    await first.commit(batch("a", b"1", b"a1", b"a2"), clock.now())
    assert await second.commit(batch("b", b"1", b"b1"), clock.now()) == end_of_step(2)
    entries = await first.read(0, 10)
    assert [(one.position, one.body) for one in entries] == [
        (position_in(1, 0), b"a1"),
        (position_in(1, 1), b"a2"),
        (position_in(2, 0), b"b1"),
    ]
    for index, entry in enumerate(entries):
        assert await second.read(entry.position, 10) == entries[index + 1 :]
    assert await second.read(end_of_step(2), 10) == []
    assert [one.body for one in await second.history("a", 1)] == [b"a2"]


async def test_a_row_with_more_events_than_a_step_may_have_is_several(clock: Hands) -> None:
    log = MemoryStepLog(clock)
    store = await loaded(log)
    bodies = [b"%d" % number for number in range(MOST_EVENTS + 1)]
    await store.commit(batch("a", b"1", *bodies), clock.now())
    assert [one.body for one in await store.read(0, 5_000)] == bodies
    assert await rows(await loaded(log)) == [Row("a", b"1", 7)]


async def test_readers_of_the_log_see_rows_and_no_cursors(clock: Hands) -> None:
    log = MemoryStepLog(clock)
    store = await loaded(log, 3)
    await store.commit(batch("a", b"1", b"e", reached=2), clock.now())
    await store.commit(Batch({}, [], {"inputs": 2}), clock.now())
    await store.commit(batch("a", None, reached=4), clock.now())
    a_row = Row("a", b"1", 7)
    steps = [Step(1, 3, a_row, 2, [b"e"], ["a"]), Step(3, 3, Row("a", None, 7), 4)]
    assert await some(log.follow(0), 2) == steps
    assert [step async for chunk in log.load() for step in chunk] == steps[1:]
    follower = log.follow(3)
    assert await anext(follower) == []


async def test_what_retention_removes_is_gone_for_readers_and_for_the_fence(clock: Hands) -> None:
    log = MemoryStepLog(clock)
    store = await loaded(log)
    await store.commit(batch("a", b"1", b"a1"), clock.now())
    clock.go_on(10)
    await store.commit(batch("b", b"1", b"b1"), clock.now())
    log.forget(BEGIN + timedelta(seconds=5))
    assert await rows(await loaded(log)) == [Row("b", b"1", 7)]
    with pytest.raises(PositionGone) as gone:
        await store.read(0, 10)
    assert [one.body for one in await store.read(gone.value.oldest - 1, 10)] == [b"b1"]
    assert [one.body for one in await store.history("b", 9)] == [b"b1"]
    with pytest.raises(PositionGone):
        await anext(log.follow(0))
    with pytest.raises(Fenced):
        await store.commit(batch("a", b"2"), clock.now())


async def test_where_each_row_stands_is_known_oldest_first(clock: Hands) -> None:
    log = MemoryStepLog(clock)
    store = await loaded(log)
    for key in ("a", "b", "gone", "c"):
        clock.go_on(10)
        await store.commit(batch(key, b"1"), clock.now())
    await store.commit(Batch({}, [], {"inputs": 3}), clock.now())
    clock.go_on(10)
    await store.commit(batch("a", b"2"), clock.now())
    await store.commit(batch("gone", None), clock.now())
    for found in (store, await loaded(log)):
        marks = {key: mark for key, mark in found.marks.items() if not key.startswith("~")}
        ages = {key: (clock.now() - mark.at).total_seconds() for key, mark in marks.items()}
        assert list(ages.items()) == [("b", 30), ("c", 10), ("a", 0), ("gone", 0)]
        assert [key for key, mark in marks.items() if not mark.there] == ["gone"]
    assert not (await loaded(log, 1)).marks
