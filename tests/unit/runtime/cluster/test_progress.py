"""What a partition knows, and still knows after a takeover."""

import asyncio

import msgspec
import pytest

from ringback.core.snapshots import QueueSettings
from ringback.core.watch.rules import RuleSet
from ringback.wire.inputs import Acknowledge, EndSilence, Ruling
from ringback.wire.log import Hearing, Settled
from support.callbacks import QUEUE, agent, at, snapshot
from support.tracked import Logs, done, gaps, kill, scheduled, silence, waiting

pytestmark = pytest.mark.looptime


async def test_a_takeover_is_no_gap() -> None:
    logs = Logs()
    first = await logs.tracked()
    await logs.listen()
    await logs.hear(waiting())
    await logs.live(7)
    await first.close()
    second = await logs.tracked()
    await logs.live(7)
    await kill(second)
    third = await logs.tracked()
    await logs.live(90)
    assert gaps(third) == []
    assert third.partitions[0].tracker.repair.ledger.hears_all("main")
    assert {kind for _, kind in await logs.told()} == {"source.connected", "callback.waiting"}
    # The listener is known still, so its silence is noticed.
    await asyncio.sleep(30)
    assert [(gap.cause, gap.since) for gap in gaps(third)] == [("listener silent", at(99))]
    await third.close()


async def test_what_a_gap_has_touched_is_in_doubt_after_a_takeover_too() -> None:
    logs = Logs()
    first = await logs.tracked()
    await logs.listen()
    await logs.hear(waiting())
    await asyncio.sleep(1)
    await logs.put(Hearing("ear", "disconnected", "lost", at(1)))
    await asyncio.sleep(10)
    await kill(first)
    second = await logs.tracked()
    await logs.listen()
    await logs.live(100)
    ledger = [kind for _, kind in await logs.told() if kind.startswith("source")]
    assert ledger == [
        "source.connected",
        "source.disconnected",
        "source.gap_opened",
        "source.connected",
        "source.gap_closed",
    ]
    assert ("c-1/2", "callback.unverified") in await logs.told()
    await second.close()


async def test_settings_are_known_after_a_takeover() -> None:
    logs = Logs()
    first = await logs.tracked()
    await logs.put(Settled(QueueSettings(QUEUE, auto_dial_seconds=30)))
    await asyncio.sleep(2)
    await kill(first)
    second = await logs.tracked()
    await logs.hear(snapshot(agent(state="connected", connected_at=2, queue_id=QUEUE)))
    await asyncio.sleep(31)
    *_, dialled = await logs.events()
    assert dialled["type"] == "ringback.callback.auto_dialing.v1"
    assert dialled["time"] == "2026-11-22T08:00:32.000Z"
    await second.close()


async def test_settings_that_change_after_a_takeover_arm_what_was_known_before() -> None:
    logs = Logs()
    first = await logs.tracked()
    await logs.hear(snapshot(agent(state="connected", connected_at=0, queue_id=QUEUE)))
    await asyncio.sleep(2)
    await kill(first)
    second = await logs.tracked()
    await logs.put(Settled(QueueSettings(QUEUE, auto_dial_seconds=30)))
    await asyncio.sleep(0.1)
    *_, armed = await logs.events()
    assert armed["data"]["autoDialAt"] == "2026-11-22T08:00:30.000Z"
    await second.close()


async def test_deeds_that_are_read_again_are_done_once() -> None:
    logs = Logs()
    first = await logs.tracked()
    await logs.hear(scheduled(1))
    await asyncio.sleep(2)
    alert = "c-1/due_not_released/1"
    await logs.put(silence("s-1", 600), silence("s-2", 600))
    await logs.put(done(EndSilence("s-2", "you")), done(Acknowledge(alert, "you")))
    await logs.put(done(Acknowledge(alert, "me")), done(EndSilence("s-3", "you")))
    await asyncio.sleep(0.5)
    await kill(first)
    second = await logs.tracked()
    await asyncio.sleep(2)
    kinds = [kind for _, kind in await logs.told()]
    assert kinds == ["callback.scheduled", "alert.firing", "alert.acknowledged"]
    tracker = second.partitions[0].tracker
    assert [one.id for one in tracker.silences] == ["s-1"]
    assert tracker.alerts.firing(alert).acknowledged_by == "you"
    await second.close()


async def test_rules_in_force_are_those_of_the_log_and_not_a_process() -> None:
    logs = Logs()
    first = await logs.tracked()
    none = RuleSet([])
    await logs.put(done(Ruling("you", msgspec.Raw(none.packed))))
    await asyncio.sleep(2)
    await kill(first)
    second = await logs.tracked()
    assert second.partitions[0].tracker.rules.packed == none.packed
    await logs.hear(scheduled(1))
    await asyncio.sleep(5)
    assert [kind for _, kind in await logs.told()] == ["callback.scheduled"]
    await second.close()


async def test_rules_that_a_process_does_not_know_are_passed_over() -> None:
    logs = Logs()
    tracking = await logs.tracked()
    rules = logs.rules.packed.replace(b'"due_not_released"', b'"of a later version"')
    await logs.put(done(Ruling("you", msgspec.Raw(rules))))
    await asyncio.sleep(0.1)
    assert tracking.counts["unknown"] == 1
    assert tracking.partitions[0].tracker.rules.packed == logs.rules.packed
    await tracking.close()
