import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime

import pytest

from ringback.core.snapshots import QueueSettings
from ringback.errors import StoreError
from ringback.runtime.pipeline import GROUP, LINGER, ROOM, Pipeline
from support.gateway import frame
from support.runtime import HeldStore, LoopClock, LostFrames, make_pipeline, settled, types

pytestmark = pytest.mark.looptime

FAILED = StoreError("here", "it failed", "start again")


@asynccontextmanager
async def committing(pipeline: Pipeline) -> AsyncIterator[asyncio.Task[None]]:
    task = asyncio.create_task(pipeline.commit_forever())
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def feed(pipeline: Pipeline, count: int, start: int = 0) -> None:
    for number in range(start, start + count):
        pipeline.frame(frame(f"c-{number}"))


def elapsed() -> float:
    return asyncio.get_running_loop().time()


async def test_what_comes_together_is_committed_together() -> None:
    store = HeldStore()
    pipeline = make_pipeline(store, LoopClock())
    async with committing(pipeline):
        feed(pipeline, 3)
        assert pipeline.position == 0
        await pipeline.advanced(0)
        assert elapsed() == pytest.approx(LINGER)
    assert pipeline.commits == 1
    assert pipeline.position == 3
    assert pipeline.frames["snapshot"] == 3
    assert types(await store.read(0, 10)) == ["callback.waiting"] * 3
    assert pipeline.pending_since is None


async def test_a_full_group_does_not_wait_for_company() -> None:
    pipeline = make_pipeline(HeldStore(), LoopClock())
    async with committing(pipeline):
        feed(pipeline, GROUP)
        await pipeline.advanced(0)
        assert elapsed() == 0
    assert (pipeline.commits, pipeline.position) == (1, GROUP)


async def test_the_next_batch_gathers_while_one_is_committed() -> None:
    store = HeldStore()
    store.free.clear()
    pipeline = make_pipeline(store, LoopClock())
    async with committing(pipeline):
        feed(pipeline, 1)
        await asyncio.sleep(1)
        assert len(store.batches) == 1
        assert pipeline.pending_since == pytest.approx(LINGER)
        feed(pipeline, 5, start=1)
        await asyncio.sleep(1)
        assert len(store.batches) == 1
        assert pipeline.position == 0
        store.free.set()
        await pipeline.advanced(1)
    assert [len(batch.events) for batch in store.batches] == [1, 5]


async def test_of_a_conversation_a_batch_holds_the_latest_row() -> None:
    store = HeldStore()
    pipeline = make_pipeline(store, LoopClock())
    pipeline.frame(frame())
    pipeline.frame(frame(state="disconnected", disconnectedTime="2026-11-22T08:00:00.000Z"))
    await pipeline.commit()
    assert list(store.batches[0].rows) == ["c-1"]
    assert len(store.batches[0].events) == 2


async def test_sources_wait_when_too_much_is_uncommitted() -> None:
    store = HeldStore()
    store.free.clear()
    pipeline = make_pipeline(store, LoopClock())
    async with committing(pipeline):
        await pipeline.room()
        feed(pipeline, 1)
        await asyncio.sleep(1)
        feed(pipeline, ROOM // 2, start=1)  # a row and an event each
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(60):
                await pipeline.room()
        store.free.set()
        async with asyncio.timeout(60):
            await pipeline.room()
    assert max(len(batch.rows) + len(batch.events) for batch in store.batches) == ROOM


async def test_a_failed_commit_ends_it_and_tells_nothing() -> None:
    store = HeldStore()
    store.error = FAILED
    pipeline = make_pipeline(store, LoopClock())
    async with committing(pipeline) as task:
        feed(pipeline, 1)
        with pytest.raises(StoreError):
            await task
    assert (pipeline.position, pipeline.commits) == (0, 0)


async def test_a_bad_frame_is_put_aside_and_the_next_one_taken() -> None:
    aside = LostFrames()
    pipeline = make_pipeline(HeldStore(), LoopClock(), quarantine=aside)
    pipeline.frame(b"{")
    pipeline.frame('"\ud800"')
    pipeline.frame(frame())
    assert [fault for _, fault in aside.put_aside] == ["not_json", "not_json"]
    assert pipeline.frames == {"not_json": 2, "snapshot": 1}


async def test_what_is_consumed_is_recorded_in_its_order() -> None:
    recorded: list[tuple[datetime, str]] = []
    clock = LoopClock()
    pipeline = make_pipeline(
        HeldStore(),
        clock,
        record=lambda at, _, kind, __=None: recorded.append((at, kind)),
    )
    began = clock.now()
    pipeline.settings(QueueSettings("queue-1", 30))
    pipeline.disconnected("unreachable")
    pipeline.connected()
    pipeline.frame(b"{")
    await asyncio.sleep(2)
    pipeline.frame(frame())
    assert [kind for _, kind in recorded] == ["settings", "gap", "gap", "frame", "frame"]
    assert [(at - began).total_seconds() for at, _ in recorded] == [0, 0, 0, 0, 2]


async def test_a_gap_is_told_once() -> None:
    store = HeldStore()
    pipeline = make_pipeline(store, LoopClock())
    pipeline.disconnected("unreachable")
    pipeline.disconnected("unreachable")
    pipeline.connected()
    pipeline.connected()
    await pipeline.commit()
    told = types(await store.read(0, 10))
    assert told == ["source.gap_opened", "source.connected", "source.gap_closed"]


async def test_a_readers_progress_goes_with_the_next_commit_and_causes_none() -> None:
    store = HeldStore()
    pipeline = make_pipeline(store, LoopClock())
    async with committing(pipeline):
        await pipeline.note_told("stdout", 7)
        await asyncio.sleep(60)
        assert store.batches == []
        feed(pipeline, 1)
        await pipeline.advanced(0)
    assert await store.cursor("stdout") == 7


async def test_all_told_waits_for_the_slowest_reader() -> None:
    pipeline = make_pipeline(HeldStore(), LoopClock())
    feed(pipeline, 2)
    await pipeline.commit()
    waiting = asyncio.create_task(pipeline.all_told(["fast", "slow"]))
    await pipeline.note_told("fast", 2)
    await pipeline.note_told("slow", 1)
    await settled()
    assert not waiting.done()
    await pipeline.note_told("slow", 2)
    await waiting


async def test_a_commit_of_nothing_is_none() -> None:
    store = HeldStore()
    await make_pipeline(store, LoopClock()).commit()
    assert store.batches == []
