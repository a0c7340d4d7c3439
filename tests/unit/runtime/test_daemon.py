import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from structlog.testing import capture_logs

from ringback.errors import SinkError, StoreError, TaskDied
from ringback.ports import Row, Sink, Source
from ringback.runtime import supervision as module
from ringback.runtime.daemon import Daemon
from ringback.runtime.pipeline import Pipeline
from ringback.runtime.supervision import STALLED, Budgets
from support.gateway import frame
from support.runtime import Ear, HeldStore, Listener, LoopClock, make_pipeline, settled, types

pytestmark = pytest.mark.looptime

BUDGETS = Budgets(2, 5, 3)


@pytest.fixture(autouse=True)
def systemd(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Hear what systemd would be told."""
    told: list[str] = []
    monkeypatch.setattr(module, "notify", told.append)
    return told


class Life:
    """A daemon of the given parts, and its wish to stop."""

    def __init__(self, store: HeldStore, source: Source, **sinks: Sink) -> None:
        self.wished = asyncio.Event()
        self.store = store
        self.pipeline: Pipeline = make_pipeline(store, LoopClock())
        self.daemon = Daemon(
            pipeline=self.pipeline, store=store, source=source, sinks=sinks, budgets=BUDGETS
        )

    @asynccontextmanager
    async def lived(self) -> AsyncIterator[asyncio.Task[None]]:
        """Run it; it must have ended, by itself or by wish, at the end of the block."""
        task = asyncio.create_task(self.daemon.run(self.wished))
        try:
            yield task
        finally:
            self.wished.set()
            await asyncio.gather(task, return_exceptions=True)


def elapsed() -> float:
    return asyncio.get_running_loop().time()


async def test_what_was_heard_is_committed_and_told_before_it_stops(systemd: list[str]) -> None:
    store, sink, ear = HeldStore(), Listener(), Ear(frame())
    life = Life(store, ear, stdout=sink)
    async with life.lived() as task:
        await settled()
        assert life.daemon.restored
        assert systemd == ["READY=1"]
        life.wished.set()
        await task
    assert elapsed() < 1
    assert types(sink.entries) == ["source.connected", "callback.waiting"]
    assert await store.cursor("stdout") == 2
    assert (ear.closed, sink.closed) == (True, True)
    assert systemd == ["READY=1", "STOPPING=1"]


async def test_what_was_committed_is_known_again() -> None:
    store = HeldStore()
    first = Life(store, Ear(frame("c-1"), frame("c-2")))
    async with first.lived():
        await settled()
    second = Life(store, Ear())
    async with second.lived():
        await settled()
        assert sorted(second.pipeline.tracker.conversations.ids()) == ["c-1", "c-2"]
        assert second.pipeline.position == first.pipeline.position == 3


async def test_a_source_that_fails_stops_it_with_its_name() -> None:
    store = HeldStore()
    life = Life(store, Ear(frame(), error=ValueError("no such luck")))
    async with life.lived() as task:
        with pytest.raises(TaskDied, match=r"^task source ended: ValueError: no such luck$"):
            await task
    assert await store.position() == 2, "what was heard is kept"


async def test_a_source_that_has_nothing_more_to_say_stops_nothing() -> None:
    life = Life(HeldStore(), Ear(frame(), ends=True))
    with capture_logs() as said:
        async with life.lived() as task:
            await asyncio.sleep(3600)
            assert not task.done()
    assert "source_ended" in [line["event"] for line in said]


async def test_a_failed_commit_stops_it_and_nothing_of_it_is_told() -> None:
    store, sink = HeldStore(), Listener()
    store.error = StoreError("here", "the disk failed", "check it")
    life = Life(store, Ear(frame()), stdout=sink)
    async with life.lived() as task:
        with pytest.raises(TaskDied, match="task commit ended: StoreError: store here"):
            await task
    assert sink.entries == []


async def test_a_commit_that_fails_at_the_stop_is_no_clean_stop() -> None:
    store = HeldStore()
    life = Life(store, Ear())
    async with life.lived() as task:
        await asyncio.sleep(1)
        life.pipeline.frame(frame())
        store.error = StoreError("here", "the disk failed", "check it")
        life.wished.set()
        with pytest.raises(StoreError, match="the disk failed"):
            await task


async def test_a_sink_that_cannot_tell_stops_it() -> None:
    sink = Listener(SinkError("stdout", "its reader has gone", "keep it"))
    life = Life(HeldStore(), Ear(), stdout=sink)
    async with life.lived() as task:
        with pytest.raises(TaskDied, match="task sink stdout ended: SinkError"):
            await task


async def test_a_sink_that_hangs_delays_the_stop_by_its_budget_only() -> None:
    store, sink = HeldStore(), Listener()
    sink.free.clear()
    life = Life(store, Ear(frame()), stdout=sink)
    with capture_logs() as said:
        async with life.lived() as task:
            await asyncio.sleep(10)
            life.wished.set()
            await task
    assert elapsed() == pytest.approx(10 + BUDGETS.drain, abs=0.1)
    assert ("stage_cut_short", "drain") in [(line["event"], line.get("stage")) for line in said]
    assert await store.position() == 2, "it is told after the next start"


async def test_services_run_from_before_it_restores_and_chores_go_on() -> None:
    store = HeldStore()
    life = Life(store, Ear())
    served = asyncio.Event()
    chores: list[float] = []

    async def serve() -> None:
        served.set()
        await asyncio.Event().wait()

    async def load() -> AsyncIterator[list[Row]]:
        await served.wait()
        yield []

    store.load = load  # type: ignore[method-assign]  # reads only once the service runs
    life.daemon.serve("web", serve)
    life.daemon.tend("flush", 10, lambda: chores.append(elapsed()))
    async with life.lived():
        await asyncio.sleep(35)
    assert life.daemon.restored
    assert chores == pytest.approx([10, 20, 30])


async def test_followers_run_from_when_it_has_restored() -> None:
    store = HeldStore()
    life = Life(store, Ear())
    begun: list[bool] = []

    async def follow() -> None:
        begun.append(life.daemon.restored)
        await asyncio.Event().wait()

    async def load() -> AsyncIterator[list[Row]]:
        await asyncio.sleep(5)
        assert begun == []
        yield []

    store.load = load  # type: ignore[method-assign]  # takes its time
    life.daemon.follow("board", follow)
    async with life.lived():
        await asyncio.sleep(10)
    assert begun == [True]


async def test_a_service_that_dies_stops_it() -> None:
    life = Life(HeldStore(), Ear())

    async def serve() -> None:
        raise OSError("gone")

    life.daemon.serve("web", serve)
    async with life.lived() as task:
        with pytest.raises(TaskDied, match="task web ended: OSError: gone"):
            await task


async def test_a_store_that_cannot_be_read_ends_it_before_it_begins(systemd: list[str]) -> None:
    store = HeldStore()
    unreadable = StoreError("here", "the disk failed", "check it")

    def fail() -> None:
        raise unreadable

    async def load() -> AsyncIterator[list[Row]]:
        fail()
        yield []

    store.load = load  # type: ignore[method-assign]  # fails in place of reading
    life = Life(store, Ear(frame()))
    async with life.lived() as task:
        with pytest.raises(StoreError) as failed:
            await task
    assert failed.value is unreadable
    assert store.batches == []
    assert systemd == ["STOPPING=1"]


async def test_a_commit_that_hangs_is_complained_of_and_starves_the_watchdog(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fed: list[tuple[float, bool]] = []
    monkeypatch.setattr(
        "ringback.runtime.systemd.notify",
        lambda message: fed.append((elapsed(), "WATCHDOG=1" in message)),
    )
    store = HeldStore()
    life = Life(store, Ear())
    async with life.lived():
        await asyncio.sleep(60)
        assert life.daemon.complaint() is None
        store.free.clear()
        life.pipeline.frame(frame())
        await asyncio.sleep(STALLED + 10)
        assert life.daemon.complaint() == "commit makes no progress for 40 s"
        store.free.set()
        await asyncio.sleep(10)
        assert life.daemon.complaint() is None
    hungry = [at for at, healthy in fed if not healthy]
    assert hungry
    assert all(60 + STALLED < at < 60 + STALLED + 11 for at in hungry)
    assert fed[-1][1]


async def test_a_clock_that_jumps_is_no_stall() -> None:
    life = Life(HeldStore(), Ear(frame()))
    clock = life.pipeline.clock
    assert isinstance(clock, LoopClock)
    async with life.lived():
        for seconds in (86_400, -172_800):
            await asyncio.sleep(5)
            clock.set_forward(seconds)
            assert life.daemon.complaint() is None


async def test_the_journal_is_pruned_now_and_then() -> None:
    store = HeldStore()
    life = Life(store, Ear(frame()))
    async with life.lived():
        await asyncio.sleep(2 * 3600)
        assert await store.prune(life.pipeline.clock.now()) == 0
        assert await store.position() == 4  # it hears; it waits, for too long, and is never offered
