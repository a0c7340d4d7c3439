"""The engine on a real server, as one process after another uses it."""

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import TypeVar

import pytest

from ringback.errors import EngineForeign, Fenced
from ringback.ports import Batch, Input, Row, Step
from ringback.stores.jetstream.engine import Engine
from ringback.stores.jetstream.store import JetStreamStore
from support.engine import KEEP_HOURS, engine_settings, new_org, open_engine

T = TypeVar("T")
NOW = datetime(2026, 11, 25, tzinfo=UTC)


async def some(chunks: AsyncIterator[Sequence[T]], count: int) -> list[T]:
    """Take that many from what is followed."""
    found: list[T] = []
    async for chunk in chunks:
        found += chunk
        if len(found) >= count:
            break
    await chunks.aclose()  # type: ignore[attr-defined]
    return found


async def rows(store: JetStreamStore) -> dict[str, bytes | None]:
    return {row.conversation_id: row.state async for chunk in store.load() for row in chunk}


async def test_what_one_process_has_stored_another_loads(nats_url: str) -> None:
    first = await open_engine(nats_url)
    second = await open_engine(nats_url, first.subjects.org)
    batch = Batch(
        {"a": Row("a", b"1", 5), "b.*": Row("b.*", b"2")}, [b"told"], {"inputs": 9}, ["s"], ["a"], 9
    )
    position = await first.store(2).commit(batch, NOW)
    found = second.store(2)
    assert await rows(found) == {"a": b"1", "b.*": b"2"}
    assert await found.cursor("inputs") == 9
    assert found.marks["b.*"].reached == 9
    assert await rows(second.store(1)) == {}
    told = await found.read(0, 10)
    assert [(entry.position <= position, entry.body) for entry in told] == [(True, b"told")]
    await first.close()
    await second.close()


async def test_who_was_overtaken_is_fenced_for_good(nats_url: str) -> None:
    engine = await open_engine(nats_url)
    one, other = engine.store(0), engine.store(0)
    await one.commit(Batch({"a": Row("a", b"1")}, [], {}), NOW)
    assert await rows(other) == {"a": b"1"}
    await other.commit(Batch({"a": Row("a", b"2")}, [], {}), NOW)
    with pytest.raises(Fenced, match="partition 0"):
        await one.commit(Batch({"a": Row("a", b"3")}, [], {}), NOW)
    with pytest.raises(Fenced):
        await one.commit(Batch({"b": Row("b", b"3")}, [], {}), NOW)
    assert await rows(engine.store(0)) == {"a": b"2"}
    await engine.close()


async def test_inputs_are_followed_by_partition_and_put_once(nats_url: str) -> None:
    engine = await open_engine(nats_url)
    put = [await engine.inputs.put(n % 2, "k", b"%d" % n, f"m{n}") for n in range(1000)]
    assert put == list(range(1, 1001))
    assert await engine.inputs.put(1, "k", b"999", "m999") == 1000
    found: list[Input] = await some(engine.inputs.follow(1, 500), 250)
    assert [(one.sequence, one.body) for one in found] == [
        (n + 1, b"%d" % n) for n in range(501, 1000, 2)
    ]
    assert await engine.inputs.position() == 1000
    await engine.close()


async def test_steps_of_all_partitions_are_followed_in_one_order(nats_url: str) -> None:
    engine = await open_engine(nats_url)
    for partition in (0, 1, 0):
        store = engine.store(partition)
        await store.commit(Batch({"k": Row("k", b"s")}, [b"e"], {}, ["k"], ["k"], 3), NOW)
    found: list[Step] = await some(engine.steps.follow(0), 3)
    assert [(one.sequence, one.partition) for one in found] == [(1, 0), (2, 1), (3, 0)]
    assert found[0].row == Row("k", b"s")
    assert found[0].events == [b"e"]
    assert found[0].reached == 3
    last = [one.sequence async for chunk in engine.steps.load() for one in chunk]
    assert sorted(last) == [2, 3]
    await engine.close()


async def test_another_number_of_partitions_is_refused(nats_url: str) -> None:
    org = new_org()
    await (await Engine.open(engine_settings(nats_url, 4), org, KEEP_HOURS)).close()
    with pytest.raises(EngineForeign, match="made for 4 partitions"):
        await Engine.open(engine_settings(nats_url, 8), org, KEEP_HOURS)
