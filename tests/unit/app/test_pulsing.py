"""What is handed to the core of a source because it cannot see it."""

import asyncio
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest

from ringback.app.pulsing import MOMENT, Pulsing
from ringback.core.clocks import Clock
from ringback.core.watch.feed_kinds import Pulse
from ringback.ports import Reading
from ringback.sources.genesys.source import GenesysSource
from support.callbacks import at
from support.gateway import frame
from support.runtime import Ear, HeldStore, LoopClock, make_pipeline

pytestmark = pytest.mark.looptime


def pulse(pipeline: Any) -> Pulse:
    found = pipeline.tracker.feeds.feeds["main"].pulse
    assert isinstance(found, Pulse)
    return found


async def test_a_commit_that_takes_long_is_told_with_its_beginning_and_its_end() -> None:
    store = HeldStore()
    pipeline = make_pipeline(store, LoopClock())
    pulsing = Pulsing(pipeline, Ear())
    store.free.clear()
    pipeline.frame(frame())
    committing = asyncio.create_task(pipeline.commit())
    await asyncio.sleep(MOMENT - 0.1)
    pulsing.feel()
    assert pulse(pipeline).behind_since is None
    for _ in range(2):
        await asyncio.sleep(5)
        pulsing.feel()
        assert pulse(pipeline).behind_since == at(0)
    store.free.set()
    await committing
    pulsing.feel()
    assert pulse(pipeline).behind_since is None


async def test_requests_that_wait_are_told_with_since_when() -> None:
    budget = SimpleNamespace(waiting=0)
    source = GenesysSource.__new__(GenesysSource)
    source.client = cast("Any", SimpleNamespace(budget=budget))
    pipeline = make_pipeline(HeldStore(), LoopClock())
    pulsing = Pulsing(pipeline, source)
    told = []
    for waiting in (0, 3, 4, 0, 1):
        budget.waiting = waiting
        pulsing.feel()
        told.append(pulse(pipeline).spent_since)
        await asyncio.sleep(5)
    assert told == [None, at(5), at(5), None, at(20)]


async def test_skew_is_told_in_whole_seconds_and_recorded_when_it_changes() -> None:
    kept: list[str] = []

    def record(_: datetime, __: bytes | str, kind: str, ___: Reading | None = None, /) -> None:
        kept.append(kind)

    pipeline = make_pipeline(HeldStore(), LoopClock(), record=record)
    pulsing = Pulsing(pipeline, Ear())
    for ahead in (0.2, 0.9, 40.7, 40.2):
        pipeline.tracker.skews.notice(Clock.CLOUD, at(ahead), at(0))
        pulsing.feel()
    assert pulse(pipeline).skew == timedelta(seconds=40)
    assert kept == ["pulse", "pulse"]
