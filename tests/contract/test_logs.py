"""What the logs of inputs and steps promise, and the stores of partitions that write to them."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import msgspec
import pytest
import pytest_asyncio

from ringback.errors import Fenced
from ringback.ports import Batch, InputLog, PartitionStore, Row, Step, StepLog
from ringback.stores.memory_log import MemoryInputLog, MemoryPartitionStore, MemoryStepLog
from ringback.wire.steps import MOST_EVENTS, end_of_step, position_in
from support.engine import JETSTREAM, open_engine

T = TypeVar("T")


class RealClock:
    """The machine's: what the engine's is compared with."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class Logs(msgspec.Struct):
    """Both logs of an organisation, and new stores of its partitions."""

    inputs: InputLog
    steps: StepLog
    store: Callable[[int], PartitionStore]


@pytest_asyncio.fixture(params=["memory", *JETSTREAM])
async def logs(request: pytest.FixtureRequest) -> AsyncIterator[Logs]:
    if request.param == "memory":
        steps = MemoryStepLog(RealClock())
        inputs = MemoryInputLog(RealClock())
        yield Logs(inputs, steps, lambda partition: MemoryPartitionStore(steps, partition))
    else:
        engine = await open_engine(request.getfixturevalue(JETSTREAM[request.param]))
        yield Logs(engine.inputs, engine.steps, engine.store)
        await engine.close()


async def some(chunks: AsyncIterator[Sequence[T]], count: int) -> list[T]:
    """Read until so many came, and on until there is no more for now: too much would show."""
    found: list[T] = []
    async for chunk in chunks:
        found += chunk
        if len(found) >= count and not chunk:
            break
    await closed(chunks)
    return found


async def closed(chunks: AsyncIterator[Sequence[T]]) -> None:
    assert isinstance(chunks, AsyncGenerator)
    await chunks.aclose()


def batch(key: str, state: bytes | None, *events: bytes, reached: int = 0) -> Batch:
    keys = [key] * len(events)
    return Batch({key: Row(key, state, 7)}, list(events), {}, keys, keys, reached)


async def loaded(logs: Logs, partition: int = 0) -> PartitionStore:
    store = logs.store(partition)
    async for _ in store.load():
        pass
    return store


async def rows(logs: Logs, partition: int = 0) -> list[Row]:
    return [row async for chunk in logs.store(partition).load() for row in chunk]


def now() -> datetime:
    return RealClock().now()


async def test_inputs_come_in_order_by_partition_with_the_time_of_the_log(logs: Logs) -> None:
    assert await logs.inputs.position() == 0
    before = now()
    for number in range(6):
        assert await logs.inputs.put(number % 2, "c", b"%d" % number, f"{number}") == number + 1
    odd = await some(logs.inputs.follow(1, 0), 3)
    assert [(one.sequence, one.body) for one in odd] == [(2, b"1"), (4, b"3"), (6, b"5")]
    times = [one.at for one in odd]
    assert times == sorted(times)
    assert before - timedelta(seconds=1) < times[0] < now() + timedelta(seconds=1)
    assert [one.sequence for one in await some(logs.inputs.follow(0, 3), 1)] == [5]
    assert await some(logs.inputs.follow(0, 5), 0) == []
    assert await logs.inputs.position() == 6


async def test_an_input_of_the_same_name_is_taken_once(logs: Logs) -> None:
    first = await logs.inputs.put(0, "c", b"x", "once")
    assert await logs.inputs.put(0, "c", b"x", "once") == first
    assert await logs.inputs.put(0, "c", b"x", "twice") == first + 1
    assert [one.sequence for one in await some(logs.inputs.follow(0, 0), 2)] == [first, first + 1]


async def test_any_text_is_a_key_and_any_bytes_are_an_input(logs: Logs) -> None:
    keys = ["a.b", "*", ">", "a b", "", "naïve ☎", "=41", "x" * 100_000]
    for number, key in enumerate(keys):
        await logs.inputs.put(0, key, bytes([number]), f"n{number}")
    assert [one.body for one in await some(logs.inputs.follow(0, 0), len(keys))] == [
        bytes([number]) for number in range(len(keys))
    ]
    await logs.inputs.put(1, "k", b"", "empty")
    assert [one.body for one in await some(logs.inputs.follow(1, 0), 1)] == [b""]


async def test_any_text_is_a_row(logs: Logs) -> None:
    keys = ["a.b", "*", ">", "a b", "", "naïve ☎", "=41", "x" * 100_000, "x" * 100_001]
    store = await loaded(logs)
    for number, key in enumerate(keys):
        await store.commit(batch(key, b"%d" % number, b"e"), now())
    assert [row.conversation_id for row in await rows(logs)] == keys
    for key in keys:
        assert [step.row.conversation_id for step in await logs.steps.history(0, key, 9)] == [key]


async def test_who_follows_is_told_that_there_is_no_more_and_then_of_what_comes(
    logs: Logs,
) -> None:
    follower = logs.inputs.follow(0, 0)
    assert await anext(follower) == []
    await logs.inputs.put(1, "c", b"another's", "a")
    await logs.inputs.put(0, "c", b"mine", "b")
    while not (chunk := await anext(follower)):
        pass
    assert [one.body for one in chunk] == [b"mine"]
    await closed(follower)


async def test_many_inputs_come_without_holes_while_more_are_put(logs: Logs) -> None:
    async def put() -> None:
        for number in range(3_000):
            await logs.inputs.put(number % 3, "c", b"%d" % number, f"{number}")

    putting = asyncio.create_task(put())
    found = await some(logs.inputs.follow(2, 0), 1_000)
    await putting
    assert [int(one.body) for one in found] == list(range(2, 3_000, 3))


async def test_a_row_is_loaded_as_it_was_last_written(logs: Logs) -> None:
    store = await loaded(logs)
    await store.commit(batch("a", b"1", b"e1", reached=3), now())
    await store.commit(batch("a", b"2", reached=5), now())
    await store.commit(batch("b", b"1", reached=6), now())
    await store.commit(batch("b", None, reached=7), now())
    await store.commit(Batch({}, [], {"inputs": 7}), now())
    again = await loaded(logs)
    assert await rows(logs) == [Row("a", b"2", 7)]
    for known in (store, again):
        assert {key: known.marks[key].reached for key in "ab"} == {"a": 5, "b": 7}
    assert await again.cursor("inputs") == 7
    assert await rows(logs, partition=1) == []


async def test_who_does_not_know_the_last_step_is_refused_for_good(logs: Logs) -> None:
    zombie, owner = await loaded(logs), await loaded(logs)
    await owner.commit(batch("a", b"owner"), now())
    with pytest.raises(Fenced):
        await zombie.commit(batch("a", b"zombie", b"twice"), now())
    with pytest.raises(Fenced):
        await zombie.commit(batch("c", b"zombie"), now())
    assert await rows(logs) == [Row("a", b"owner", 7)]
    assert await owner.read(0, 10) == []
    await owner.commit(batch("a", b"goes on"), now())


async def test_rows_of_a_batch_are_refused_each_for_itself(logs: Logs) -> None:
    zombie, owner = await loaded(logs), await loaded(logs)
    await owner.commit(batch("a", b"owner"), now())
    both = Batch({"b": Row("b", b"zombie"), "a": Row("a", b"zombie")}, [], {})
    with pytest.raises(Fenced):
        await zombie.commit(both, now())
    # What came before the refused one is there, and is now what others do not know.
    assert await rows(logs) == [Row("a", b"owner", 7), Row("b", b"zombie")]
    with pytest.raises(Fenced):
        await owner.commit(batch("b", b"owner"), now())


async def test_a_zombie_does_not_move_a_cursor_back(logs: Logs) -> None:
    zombie, owner = await loaded(logs), await loaded(logs)
    await owner.commit(Batch({}, [], {"inputs": 9}), now())
    with pytest.raises(Fenced):
        await zombie.commit(Batch({}, [], {"inputs": 4}), now())
    assert await (await loaded(logs)).cursor("inputs") == 9


async def test_positions_are_of_the_log_and_the_same_for_every_partition(logs: Logs) -> None:
    first, second = await loaded(logs, 0), await loaded(logs, 1)
    assert await first.position() == 0
    await first.commit(batch("a", b"1", b"a1", b"a2"), now())
    assert await second.commit(batch("b", b"1", b"b1"), now()) == end_of_step(2)
    assert await first.position() == end_of_step(2)
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


async def test_a_row_with_more_events_than_a_step_may_have_is_several(logs: Logs) -> None:
    store = await loaded(logs)
    bodies = [b"%d" % number for number in range(2 * MOST_EVENTS + 1)]
    await store.commit(batch("a", b"1", *bodies), now())
    assert [one.body for one in await store.read(0, 5_000)] == bodies
    assert await logs.steps.position() == 3
    assert await rows(logs) == [Row("a", b"1", 7)]


async def test_readers_of_the_log_see_rows_and_no_cursors(logs: Logs) -> None:
    store = await loaded(logs, 3)
    await store.commit(batch("a", b"1", b"e", reached=2), now())
    await store.commit(Batch({}, [], {"inputs": 2}), now())
    await store.commit(batch("a", None, reached=4), now())
    steps = [Step(1, 3, Row("a", b"1", 7), 2, [b"e"], ["a"]), Step(3, 3, Row("a", None, 7), 4)]
    assert await some(logs.steps.follow(0), 2) == steps
    assert await some(logs.steps.follow(1), 1) == steps[1:]
    assert [step async for chunk in logs.steps.load() for step in chunk] == steps[1:]
    assert await logs.steps.read(0, 1) == steps[:1]
    assert await logs.steps.read(1, 9) == steps[1:]
    assert await logs.steps.read(3, 9) == []
    assert await logs.steps.position() == 3


async def test_the_steps_of_a_row_are_found_the_last_ones_in_order(logs: Logs) -> None:
    store, other = await loaded(logs, 0), await loaded(logs, 1)
    for number in range(4):
        await store.commit(batch("a.*", b"%d" % number), now())
        await other.commit(batch("a.*", b"other"), now())
        await store.commit(batch("b", b"b"), now())
    found = await logs.steps.history(0, "a.*", 3)
    assert [step.row.state for step in found] == [b"1", b"2", b"3"]
    assert [step.partition for step in await logs.steps.history(1, "a.*", 9)] == [1] * 4
    assert await logs.steps.history(2, "a.*", 9) == []


async def test_steps_of_all_partitions_come_in_one_order_while_they_are_written(
    logs: Logs,
) -> None:
    stores = [await loaded(logs, partition) for partition in range(3)]

    async def write(store: PartitionStore) -> None:
        for number in range(100):
            await store.commit(batch(f"c{number % 7}", b"%d" % number), now())

    writing = asyncio.gather(*map(write, stores))
    one, other = await asyncio.gather(
        some(logs.steps.follow(0), 300), some(logs.steps.follow(0), 300)
    )
    await writing
    assert one == other
    assert [step.sequence for step in one] == list(range(1, 301))
    for partition in range(3):
        mine = [int(step.row.state or b"") for step in one if step.partition == partition]
        assert mine == list(range(100))


async def test_where_each_row_stands_is_known_oldest_first(logs: Logs) -> None:
    begin = now() - timedelta(seconds=1)
    store = await loaded(logs)
    for key in ("a", "b", "gone", "c"):
        await store.commit(batch(key, b"1"), now())
    await store.commit(Batch({}, [], {"inputs": 3}), now())
    await store.commit(batch("a", b"2"), now())
    await store.commit(batch("gone", None), now())
    for known in (store, await loaded(logs)):
        marks = {key: mark for key, mark in known.marks.items() if not key.startswith("~")}
        assert [(key, mark.sequence) for key, mark in marks.items()] == [
            ("b", 2),
            ("c", 4),
            ("a", 6),
            ("gone", 7),
        ]
        assert all(begin < mark.at < now() + timedelta(seconds=1) for mark in marks.values())
        assert [key for key, mark in marks.items() if not mark.there] == ["gone"]
    assert not (await loaded(logs, 1)).marks
