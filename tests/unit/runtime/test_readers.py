import asyncio
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from ringback.errors import SinkError
from ringback.ports import Batch
from ringback.runtime.pipeline import Pipeline
from ringback.runtime.readers import CHUNK, read_forever
from ringback.stores.memory import MemoryStore
from support.runtime import KEEP, Listener, LoopClock, make_pipeline, settled

pytestmark = pytest.mark.looptime


async def append(store: MemoryStore, pipeline: Pipeline, count: int) -> None:
    now = pipeline.clock.now()
    pipeline.position = await store.commit(Batch({}, [b"{}"] * count, {}), now)


async def read_for_a_while(
    sink: Listener, store: MemoryStore, pipeline: Pipeline
) -> asyncio.Task[None]:
    task = asyncio.create_task(read_forever("stdout", sink, store, pipeline))
    await settled()
    return task


async def end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def positions(sink: Listener) -> list[int]:
    return [entry.position for entry in sink.entries]


async def test_a_reader_gets_everything_once_in_order() -> None:
    store, sink = MemoryStore(KEEP), Listener()
    pipeline = make_pipeline(store, LoopClock())
    await append(store, pipeline, CHUNK + 7)
    task = await read_for_a_while(sink, store, pipeline)
    assert positions(sink) == list(range(1, CHUNK + 8))
    assert pipeline.told == {"stdout": CHUNK + 7}
    await end(task)


async def test_a_reader_goes_on_from_its_cursor() -> None:
    store, sink = MemoryStore(KEEP), Listener()
    pipeline = make_pipeline(store, LoopClock())
    await append(store, pipeline, 10)
    await store.commit(Batch({}, [], {"stdout": 8}), pipeline.clock.now())
    task = await read_for_a_while(sink, store, pipeline)
    assert positions(sink) == [9, 10]
    await end(task)


async def test_a_slow_reader_is_behind_and_loses_nothing() -> None:
    store, sink = MemoryStore(KEEP), Listener()
    pipeline = make_pipeline(store, LoopClock())
    sink.free.clear()
    await append(store, pipeline, 3)
    task = await read_for_a_while(sink, store, pipeline)
    await append(store, pipeline, 3)
    await settled()
    assert pipeline.told == {"stdout": 0}
    sink.free.set()
    await settled()
    assert positions(sink) == [1, 2, 3, 4, 5, 6]
    await end(task)


async def test_a_reader_behind_retention_says_so_and_goes_on() -> None:
    store, sink, clock = MemoryStore(KEEP), Listener(), LoopClock()
    pipeline = make_pipeline(store, clock)
    await append(store, pipeline, 5)
    await asyncio.sleep(2 * KEEP.total_seconds())
    await append(store, pipeline, 2)
    assert await store.prune(clock.now()) == 5
    with capture_logs() as said:
        task = await read_for_a_while(sink, store, pipeline)
    assert positions(sink) == [6, 7]
    assert said == [
        {
            "event": "reader_fell_behind",
            "log_level": "warning",
            "reader": "stdout",
            "after": 0,
            "oldest": 6,
        }
    ]
    await end(task)


async def test_a_reader_behind_an_empty_journal_waits_for_the_next_entry() -> None:
    store, sink, clock = MemoryStore(KEEP), Listener(), LoopClock()
    pipeline = make_pipeline(store, clock)
    await append(store, pipeline, 5)
    assert await store.prune(clock.now() + KEEP + timedelta(seconds=1)) == 5
    task = await read_for_a_while(sink, store, pipeline)
    await append(store, pipeline, 1)
    async with pipeline._advanced:
        pipeline._advanced.notify_all()
    await settled()
    assert positions(sink) == [6]
    await end(task)


async def test_a_sink_that_cannot_tell_ends_its_reader() -> None:
    store = MemoryStore(KEEP)
    pipeline = make_pipeline(store, LoopClock())
    await append(store, pipeline, 1)
    sink = Listener(SinkError("stdout", "its reader has gone", "keep it"))
    with pytest.raises(SinkError):
        await read_forever("stdout", sink, store, pipeline)
    assert pipeline.told == {"stdout": 0}
