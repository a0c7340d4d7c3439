import asyncio
from datetime import timedelta

import pytest

from ringback.core.lifecycle import State
from ringback.core.policy import Policy
from ringback.errors import FrameFault
from ringback.runtime.daemon import Daemon
from ringback.runtime.pipeline import Pipeline
from ringback.runtime.supervision import Budgets
from ringback.vitals.daemon import Vitals
from ringback.web.health import Check, Status, overall
from support.gateway import frame
from support.runtime import Ear, HeldStore, LoopClock, make_pipeline

DUE = {"state": "scheduled", "connectedTime": None, "callbackScheduledTime": "2026-11-22T08:01:00Z"}

pytestmark = pytest.mark.looptime


@pytest.fixture
async def pipeline() -> Pipeline:
    return make_pipeline(HeldStore(), LoopClock(), policy=Policy(due_grace=timedelta()))


@pytest.fixture
async def daemon(pipeline: Pipeline) -> Daemon:
    return Daemon(
        pipeline=pipeline, store=HeldStore(), source=Ear(), sinks={}, budgets=Budgets(1, 1, 1)
    )


@pytest.fixture
async def vitals(daemon: Daemon, pipeline: Pipeline) -> Vitals:
    return Vitals(daemon, pipeline, Ear())


def measured(vitals: Vitals, name: str, **labels: str) -> object:
    """Give the one measure of that name and those labels."""
    (found,) = [
        measure.value
        for measure in vitals.measures()
        if measure.name == f"ringback_{name}" and measure.labels == labels
    ]
    return found


async def test_until_it_has_restored_it_is_not_ready(daemon: Daemon, vitals: Vitals) -> None:
    assert overall(vitals.checks()) is Status.FAILED
    assert Check("restored", Status.FAILED, "still reading the store") in vitals.checks()
    daemon.restored = True
    assert Check("restored", Status.OK) in vitals.checks()


async def test_a_source_that_does_not_hear_degrades_it(
    daemon: Daemon, pipeline: Pipeline, vitals: Vitals
) -> None:
    daemon.restored = True
    assert overall(vitals.checks()) is Status.DEGRADED
    assert measured(vitals, "source_connected", source="main") == 0
    pipeline.connected()
    assert overall(vitals.checks()) is Status.OK
    assert measured(vitals, "source_connected", source="main") == 1
    pipeline.disconnected("silent")
    assert overall(vitals.checks()) is Status.DEGRADED


async def test_what_makes_no_progress_fails_it(
    daemon: Daemon, pipeline: Pipeline, vitals: Vitals
) -> None:
    daemon.restored = True
    pipeline.connected()
    pipeline.pending_since = -31
    (failed,) = [check for check in vitals.checks() if check.status is Status.FAILED]
    assert failed == Check("progress", Status.FAILED, "commit makes no progress for 31 s")


async def test_every_kind_of_frame_is_counted_from_zero(pipeline: Pipeline, vitals: Vitals) -> None:
    kinds = ["snapshot", "system", "ignored", *FrameFault]
    assert [measured(vitals, "frames", kind=kind) for kind in kinds] == [0] * len(kinds)
    pipeline.frame(frame())
    pipeline.frame(frame())
    pipeline.frame(b"{")
    assert measured(vitals, "frames", kind="snapshot") == 2
    assert measured(vitals, "frames", kind="not_json") == 1
    assert pipeline.frames.keys() <= set(kinds)


async def test_it_tells_where_conversations_and_readers_are(
    pipeline: Pipeline, vitals: Vitals
) -> None:
    pipeline.frame(frame("c-1"))
    pipeline.frame(frame("c-2"))
    await pipeline.commit()
    await pipeline.note_told("stdout", 1)
    states = {state.value: measured(vitals, "conversations", state=state.value) for state in State}
    assert {state: count for state, count in states.items() if count} == {"waiting": 2}
    assert measured(vitals, "journal_position") == 2
    assert measured(vitals, "commits") == 1
    assert measured(vitals, "reader_lag_entries", reader="stdout") == 1


async def test_it_tells_how_its_parts_are(
    daemon: Daemon, pipeline: Pipeline, vitals: Vitals
) -> None:
    assert measured(vitals, "checks", status="failed") == 1
    daemon.restored = True
    pipeline.connected()
    parts = {status.value: measured(vitals, "checks", status=status.value) for status in Status}
    assert parts == {"ok": 3, "degraded": 0, "failed": 0}


async def test_it_tells_how_long_commits_take(pipeline: Pipeline, vitals: Vitals) -> None:
    assert measured(vitals, "commit_pending_seconds") == 0
    pipeline.frame(frame("c-1"))
    pipeline.pending_since = asyncio.get_running_loop().time() - 3
    assert measured(vitals, "commit_pending_seconds") == 3
    pipeline.pending_since = None
    await pipeline.commit()
    assert measured(vitals, "commits") == 1
    assert measured(vitals, "commit_seconds") == pipeline.commit_seconds >= 0


async def test_a_deadline_that_nobody_acts_on_is_late(pipeline: Pipeline, vitals: Vitals) -> None:
    assert measured(vitals, "timer_late_seconds") == 0
    pipeline.frame(frame("c-1", **DUE))
    assert measured(vitals, "timer_late_seconds") == 0
    await asyncio.sleep(90)
    assert measured(vitals, "timer_late_seconds") == 30


async def test_the_last_frame_has_a_time_once_there_was_one(
    pipeline: Pipeline, vitals: Vitals
) -> None:
    name = "ringback_last_frame_timestamp_seconds"
    assert name not in {measure.name for measure in vitals.measures()}
    pipeline.frame(b"{")
    assert measured(vitals, "last_frame_timestamp_seconds") == pipeline.clock.now().timestamp()


async def test_no_label_is_an_id(pipeline: Pipeline, vitals: Vitals) -> None:
    pipeline.frame(frame("conversation-canary", disconnectType="never-heard-of"))
    shown = repr(list(vitals.measures()))
    assert "canary" not in shown
    assert "never-heard-of" not in shown
