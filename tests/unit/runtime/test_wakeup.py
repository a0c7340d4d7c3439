import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta

import msgspec
import pytest

from ringback.core.policy import Policy
from ringback.runtime.gathering import ROOM
from ringback.runtime.pipeline import Pipeline
from ringback.runtime.wakeup import LONGEST, wake_forever
from support.callbacks import customer, snapshot
from support.runtime import HeldStore, LoopClock, make_pipeline, settled, types

pytestmark = pytest.mark.looptime

GRACE = Policy(due_grace=timedelta())


def schedule(pipeline: Pipeline, seconds: float, conversation: str = "c-1") -> None:
    """Let a callback be known that is alerted on so many seconds after the start."""
    seen = snapshot(customer(state="scheduled", scheduled_at=seconds), conversation=conversation)
    pipeline.take(pipeline.tracker.observe(seen, pipeline.clock.now()))


@asynccontextmanager
async def waking(pipeline: Pipeline) -> AsyncIterator[None]:
    tasks = [
        asyncio.create_task(wake_forever(pipeline)),
        asyncio.create_task(pipeline.commit_forever()),
    ]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def fired(store: HeldStore) -> list[tuple[str, datetime]]:
    """Give each alert's subject and when it was told."""
    events = [msgspec.json.decode(entry.body) for entry in await store.read(0, 1_000_000)]
    return [
        (event["subject"], datetime.fromisoformat(event["data"]["observedTime"]))
        for event in events
        if event["type"] == "ringback.alert.firing.v1"
    ]


async def test_a_deadline_fires_at_its_instant() -> None:
    store, clock = HeldStore(), LoopClock()
    pipeline = make_pipeline(store, clock, policy=GRACE)
    start = clock.now()
    async with waking(pipeline):
        schedule(pipeline, 30)
        await asyncio.sleep(29.9)
        assert await fired(store) == []
        await asyncio.sleep(0.2)
    ((subject, at),) = await fired(store)
    assert subject == "c-1"
    assert at - start == timedelta(seconds=30)


async def test_what_is_due_earlier_rearms_it() -> None:
    store, clock = HeldStore(), LoopClock()
    pipeline = make_pipeline(store, clock, policy=GRACE)
    async with waking(pipeline):
        schedule(pipeline, 1000, "late")
        await asyncio.sleep(0.01)
        schedule(pipeline, 0.25, "early")
        await asyncio.sleep(0.3)
        assert [subject for subject, _ in await fired(store)] == ["early"]


async def test_a_clock_set_forward_is_noticed_soon() -> None:
    store, clock = HeldStore(), LoopClock()
    pipeline = make_pipeline(store, clock, policy=GRACE)
    async with waking(pipeline):
        schedule(pipeline, 7200)
        await asyncio.sleep(5)
        clock.set_forward(7300)
        await asyncio.sleep(LONGEST + 0.1)
        assert [subject for subject, _ in await fired(store)] == ["c-1"]


async def test_a_clock_set_back_only_delays() -> None:
    store, clock = HeldStore(), LoopClock()
    pipeline = make_pipeline(store, clock, policy=GRACE)
    start = clock.now()
    async with waking(pipeline):
        schedule(pipeline, 30)
        await asyncio.sleep(20)
        clock.set_forward(-3600)
        await asyncio.sleep(600)
        assert await fired(store) == []
        await asyncio.sleep(3600)
    ((_, at),) = await fired(store)
    assert at - start == timedelta(seconds=30)


async def test_many_at_once_leave_the_loop_free_and_wait_for_room() -> None:
    store, clock = HeldStore(), LoopClock()
    pipeline = make_pipeline(store, clock, policy=GRACE)
    count = 3 * ROOM
    for number in range(count):
        schedule(pipeline, 60, f"c-{number}")
    await pipeline.commit()
    turns = 0

    async def turn() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    store.free.clear()
    async with waking(pipeline):
        clock.set_forward(100)
        await asyncio.sleep(60)
        assert pipeline.tracker.next_deadline() is not None, "it did not wait for room"
        store.free.set()
        turning = asyncio.create_task(turn())
        while len(await fired(store)) < count:
            await settled()
        turning.cancel()
    assert turns > count // ROOM
    assert max(len(batch.rows) for batch in store.batches[1:]) <= ROOM


async def test_with_nothing_to_wait_for_it_still_shows_that_it_lives() -> None:
    pipeline = make_pipeline(HeldStore(), LoopClock())
    async with waking(pipeline):
        await asyncio.sleep(100)
        assert pipeline.woke_at is not None
        assert asyncio.get_running_loop().time() - pipeline.woke_at <= LONGEST
        assert types(await HeldStore().read(0, 1)) == []
