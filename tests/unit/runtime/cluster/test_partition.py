"""One partition, as whoever puts and whoever reads sees it. Storms are in tests/property."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest

from ringback.core.gaps import Gap
from ringback.core.snapshots import QueueSettings
from ringback.core.tracker import Tracker
from ringback.core.watch.rules import RuleSet
from ringback.errors import StoreError
from ringback.ports import PartitionStore, Row
from ringback.runtime.cluster import partition as partition_module
from ringback.runtime.cluster.checkpoint import CHECKPOINT, decode_checkpoint
from ringback.runtime.cluster.ticking import QUIET
from ringback.runtime.cluster.tracking import Tracking
from ringback.stores.memory_log import MemoryPartitionStore
from ringback.wire.inputs import (
    Acknowledge,
    BeginSilence,
    Deed,
    EndSilence,
    MatcherText,
    Ruling,
    encode_deed,
)
from ringback.wire.log import Alive, Done, Hearing, Seen, Settled
from support.callbacks import QUEUE, agent, at, customer, queue, snapshot
from support.tracked import KEEP, Logs, kill

pytestmark = pytest.mark.looptime


def waiting(seconds: float = 0.0, conversation: str = "c-1") -> Any:
    return snapshot(
        customer(state="connected", connected_at=seconds),
        queue(state="connected", queue_id=QUEUE),
        conversation=conversation,
    )


def scheduled(seconds: float, conversation: str = "c-1") -> Any:
    return snapshot(customer(state="scheduled", scheduled_at=seconds), conversation=conversation)


ALERTING = snapshot(agent(state="alerting"))


def done(deed: Deed) -> Done:
    return Done(encode_deed(deed))


def silence(name: str, seconds: float) -> Done:
    matchers = [MatcherText("severity", "warning")]
    return done(BeginSilence(matchers, at(seconds), "you", id=name))


def gaps(tracking: Tracking, partition: int = 0) -> list[Gap]:
    return list(tracking.partitions[partition].tracker.repair.ledger.gaps.values())


# Following


async def test_what_is_put_becomes_steps() -> None:
    logs = Logs()
    tracking = await logs.tracked()
    await logs.hear(waiting(), ALERTING)
    await asyncio.sleep(0.1)
    assert await logs.told() == [
        ("c-1/1", "callback.waiting"),
        ("c-1/2", "callback.alerting"),
    ]
    await tracking.close()


async def test_time_is_the_engines() -> None:
    logs = Logs()
    logs.engine.set_forward(100)
    tracking = await logs.tracked()
    await asyncio.sleep(1)
    await logs.hear(waiting())
    await asyncio.sleep(0.1)
    (event,) = await logs.events()
    assert datetime.fromisoformat(event["data"]["observedTime"]) == at(101)
    await tracking.close()


async def test_an_engine_whose_clock_is_set_back_does_not_turn_time_back() -> None:
    logs = Logs()
    tracking = await logs.tracked()
    await logs.hear(waiting())
    await asyncio.sleep(10)
    logs.engine.set_forward(-8)
    await logs.hear(ALERTING)
    await asyncio.sleep(0.1)
    first, second = (event["data"]["observedTime"] for event in await logs.events())
    assert first <= second
    await tracking.close()


async def test_what_cannot_be_understood_is_passed_over() -> None:
    logs = Logs()
    tracking = await logs.tracked()
    await logs.inputs.put(0, "c-1", msgspec.msgpack.encode(["of a later version", 1]), "new")
    await logs.inputs.put(0, "c-1", b"\xc1", "bad")
    await logs.put(Done(b'{"action": "unheard of"}'))
    await logs.hear(waiting())
    await asyncio.sleep(0.1)
    assert tracking.counts["unknown"] == 3
    assert len(await logs.told()) == 1
    await tracking.close()


async def test_an_input_that_breaks_the_core_does_not_break_whoever_is_next(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    logs = Logs()
    tracking = await logs.tracked()

    def broken(*_: Any) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(Tracker, "observe_settings", broken)
        await logs.put(Settled(QueueSettings(QUEUE)))
        await logs.hear(waiting())
        await asyncio.sleep(0.1)
    assert tracking.counts["broken"] == 1
    assert len(await logs.told()) == 1
    await tracking.close()


async def test_conversations_that_are_best_read_now_are_wanted_and_again_after_a_takeover() -> None:
    logs = Logs()
    first = await logs.tracked()
    await logs.put(Hearing("ear", "connected", reads=True))
    await logs.hear(scheduled(30))
    await logs.live(20)
    # An alert is about to fire, and asks for its proof.
    assert logs.wants.wanted == [(0, ["c-1"])]
    await kill(first)
    second = await logs.tracked()
    await logs.live(15)
    assert logs.wants.wanted == [(0, ["c-1"]), (0, ["c-1"])]
    await logs.live(20)
    *_, fired = await logs.events()
    assert fired["data"]["proof"] == {"confirmed": False, "why": "not read in time"}
    await second.close()


# Timers


@pytest.mark.parametrize("ahead", [-20.0, -0.5, 0.0, 0.5, 20.0])
async def test_a_deadline_fires_once_when_the_engines_clock_has_come_to_it(ahead: float) -> None:
    logs = Logs()
    logs.engine.set_forward(ahead)
    tracking = await logs.tracked()
    await logs.hear(scheduled(60 + ahead))
    await asyncio.sleep(59.5)
    assert len(await logs.told()) == 1
    await asyncio.sleep(25)
    *_, fired = await logs.events()
    assert fired["type"] == "ringback.alert.firing.v1"
    assert len(await logs.told()) == 2
    lateness = datetime.fromisoformat(fired["data"]["observedTime"]) - at(60 + ahead)
    assert timedelta() <= lateness <= timedelta(seconds=0.01)
    await tracking.close()


async def test_a_deadline_that_nobody_was_there_for_fires_at_once_and_says_how_late() -> None:
    logs = Logs()
    first = await logs.tracked()
    await logs.hear(scheduled(60))
    await asyncio.sleep(10)
    await kill(first)
    await asyncio.sleep(110)
    second = await logs.tracked()
    await asyncio.sleep(0.1)
    *_, fired = await logs.events()
    assert fired["type"] == "ringback.alert.firing.v1"
    assert fired["data"]["lateSeconds"] == pytest.approx(60, abs=0.1)
    await second.close()


async def test_a_tick_that_another_has_put_before_is_not_waited_for() -> None:
    logs = Logs()
    tracking = await logs.tracked()
    await logs.hear(scheduled(60))
    await asyncio.sleep(50)
    # By a clock that is ahead, and named as it will be here: it is too early by the engine's.
    deadline = round(at(60).timestamp() * 1000)
    await logs.inputs.put(0, "~tick", b"\x91\xa4tick", f"t:0:{deadline}")
    await asyncio.sleep(11)
    assert [kind for _, kind in await logs.told()] == ["callback.scheduled", "alert.firing"]
    await tracking.close()


async def test_time_goes_on_though_nobody_puts_anything() -> None:
    logs = Logs()
    tracking = await logs.tracked()
    await logs.hear(waiting())
    await asyncio.sleep(QUIET + 1)
    partition = tracking.partitions[0]
    assert partition.ticking.ticks == 2  # one to know what time it is
    assert partition.now() == at(QUIET)
    await tracking.close()


# Taking over


async def test_the_next_process_goes_on_where_one_was_handed_over() -> None:
    logs = Logs()
    first = await logs.tracked()
    await logs.hear(waiting())
    await asyncio.sleep(0.1)
    await first.close()
    second = await logs.tracked()
    assert second.partitions[0].reached == 2
    await logs.hear(ALERTING)
    await asyncio.sleep(0.1)
    assert [name for name, _ in await logs.told()] == ["c-1/1", "c-1/2"]
    assert second.counts["redelivered"] == 0
    await second.close()


async def test_the_next_process_goes_on_where_one_was_killed() -> None:
    logs = Logs()
    first = await logs.tracked()
    await logs.hear(waiting())
    await asyncio.sleep(0.1)
    await kill(first)
    second = await logs.tracked()
    await logs.hear(ALERTING)
    await asyncio.sleep(0.1)
    assert [name for name, _ in await logs.told()] == ["c-1/1", "c-1/2"]
    assert second.counts["redelivered"] == 1
    await second.close()


async def test_whoever_does_not_know_that_another_has_it_is_shut_out_and_loads_it_anew() -> None:
    logs = Logs()
    first = await logs.tracked()
    await logs.hear(waiting())
    await asyncio.sleep(2)
    second = await logs.tracked()
    await logs.hear(ALERTING)
    await asyncio.sleep(2)
    assert first.counts["fenced"] + second.counts["fenced"] > 0
    assert [name for name, _ in await logs.told()] == ["c-1/1", "c-1/2"]
    await first.lose("track.0")
    await second.close()


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


async def test_only_one_partition_tells_of_sources() -> None:
    logs = Logs()
    tracking = await logs.tracked()
    await tracking.take("track.1")
    for partition in (0, 1):
        await logs.listen(partition)
        await logs.put(Hearing("ear", "disconnected", "lost", at(0)), partition=partition)
    await asyncio.sleep(2)
    told = [kind for _, kind in await logs.told()]
    assert told == ["source.connected", "source.disconnected", "source.gap_opened"]
    assert len(gaps(tracking, 1)) == len(gaps(tracking, 0)) == 1
    await tracking.close()


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


async def test_a_start_puts_its_rules_in_force_in_every_partition() -> None:
    logs = Logs()
    first = await logs.tracked()
    await first.begin(2, "first")
    await logs.hear(scheduled(1))
    await asyncio.sleep(5)
    steps = await logs.steps.history(0, "c-1", 9)
    logs.rules = RuleSet([])
    second = await logs.tracked(1)
    await first.begin(2, "first again")  # makes no difference
    await asyncio.sleep(1)
    assert await logs.steps.history(0, "c-1", 9) == steps
    await second.begin(2, "second")
    await asyncio.sleep(1)
    for partition in (*first.partitions.values(), *second.partitions.values()):
        assert partition.tracker.rules.packed == logs.rules.packed
    assert [kind for _, kind in await logs.told()] == [
        "callback.scheduled",
        "alert.firing",
        "alert.resolved",
    ]
    await first.close()
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


class Cut(MemoryPartitionStore):
    """A store whose process is gone after so many rows."""

    left = 10**9

    async def _append(self, row: Row, reached: int, told: Sequence[tuple[bytes, str]]) -> None:
        if self.left == 0:
            await asyncio.Event().wait()
        self.left -= 1
        await super()._append(row, reached, told)


@pytest.mark.parametrize("rows", range(9))
async def test_what_belongs_together_is_told_once_wherever_it_was_cut(rows: int) -> None:
    logs = Logs()
    store = Cut(logs.steps, 0)

    async def open_store(_: int) -> PartitionStore:
        return store

    first = logs.tracking(open_store)
    await first.take("track.0")
    await asyncio.sleep(1)
    store.left = rows
    await logs.listen()
    await logs.put(Hearing("ear", "disconnected", "lost", at(0)))
    await logs.put(silence("s-1", 600))
    await asyncio.sleep(3)
    await kill(first)
    second = await logs.tracked()
    await asyncio.sleep(2)
    told = [kind for _, kind in await logs.told()]
    assert told == ["source.connected", "source.disconnected", "source.gap_opened"]
    assert len(gaps(second)) == 1
    assert [one.id for one in second.partitions[0].tracker.silences] == ["s-1"]
    await second.close()


# What is lost, and what must not be


async def test_inputs_that_were_removed_before_anybody_read_them_are_a_gap() -> None:
    logs = Logs()
    first = await logs.tracked()
    await logs.listen()
    await logs.hear(waiting())
    await asyncio.sleep(5)
    await first.close()
    await logs.hear(ALERTING)
    await asyncio.sleep(100)
    logs.inputs.forget(at(90))
    second = await logs.tracked()
    await logs.put(Alive("ear"))
    await asyncio.sleep(0.1)
    found = [(gap.cause, gap.since, gap.until) for gap in gaps(second)]
    assert ("input log", at(0), at(105)) in found
    assert second.counts["lost"] == 1
    told = [(event["type"], event["data"].get("cause")) for event in await logs.events()]
    assert ("ringback.source.gap_opened.v1", "input log") in told
    assert ("ringback.source.gap_closed.v1", "input log") in told
    await logs.live(61)
    assert ("c-1/2", "callback.unverified") in await logs.told()
    await second.close()


async def test_an_engine_that_has_lost_what_it_had_stored_is_a_gap_and_goes_on() -> None:
    logs = Logs()
    tracking = await logs.tracked()
    await logs.listen()
    await logs.hear(*(waiting(0.0, f"c-{number}") for number in range(9)))
    await asyncio.sleep(10)
    logs.inputs._inputs[0].clear()
    logs.inputs._position = 2
    # While it runs it is noticed by a tick that comes before what was read.
    await asyncio.sleep(100)
    assert tracking.counts["lost"] == 1
    assert "input log" in [gap.cause for gap in gaps(tracking)]
    await logs.hear(snapshot(agent(state="alerting"), conversation="c-1"))
    await asyncio.sleep(1)
    told = await logs.told()
    assert ("c-1/2", "callback.unverified") in told
    assert ("c-1/3", "callback.alerting") in told
    assert len(dict(told)) == len(told)
    await tracking.close()


async def test_rows_are_written_again_before_retention_comes_to_them() -> None:
    logs = Logs()
    tracking = await logs.tracked()
    await logs.hear(scheduled(40 * 86400.0), scheduled(41 * 86400.0, "c-2"))
    await logs.put(Settled(QueueSettings(QUEUE)))
    await asyncio.sleep(2)
    before = await logs.steps.position()
    for clock in (logs.clock, logs.engine):
        clock.set_forward(KEEP.total_seconds() / 2 + 1)
    await asyncio.sleep(15)
    again = {
        step.row.conversation_id: step
        for step in await logs.all_steps()
        if step.sequence > before and step.row.conversation_id != CHECKPOINT
    }
    assert {"c-1", "c-2", f"~queue/{QUEUE}"} <= again.keys()
    assert tracking.counts["republished"] >= 3
    first, last = await logs.steps.history(0, "c-1", 9)
    assert (first.row, last.events) == (last.row, [])
    assert await logs.told() == [("c-1/1", "callback.scheduled"), ("c-2/1", "callback.scheduled")]
    # Retention comes, and somebody else.
    logs.steps.forget(logs.engine.now() - timedelta(seconds=60))
    await kill(tracking)
    second = await logs.tracked()
    assert sorted(second.partitions[0].tracker.conversations.ids()) == ["c-1", "c-2"]
    assert second.partitions[0].tracker.queues.keys() == {QUEUE}
    await second.close()


async def test_many_rows_about_no_conversation_are_noted_in_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(partition_module, "NOTED_EVERY", 10**6)
    monkeypatch.setattr(partition_module, "MOST_ASIDE", 10_000)
    logs = Logs()
    tracking = await logs.tracked()
    await logs.put(*(Settled(QueueSettings(f"queue-{number}")) for number in range(1000)))
    await asyncio.sleep(1)
    notes = [
        decode_checkpoint(step.row.state or b"")
        for step in await logs.all_steps()
        if step.row.conversation_id == CHECKPOINT
    ]
    assert len(notes) > 5
    assert max(len(note.asides) for note in notes) < 200
    await tracking.close()
    second = await logs.tracked()
    assert len(second.partitions[0].tracker.queues) == 1000
    await second.close()


async def test_a_note_that_is_too_large_is_stored_in_parts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(partition_module, "MOST_NOTED", 1000)
    logs = Logs()
    tracking = await logs.tracked()
    await logs.put(*(Settled(QueueSettings(f"queue-{number}")) for number in range(100)))
    await asyncio.sleep(2)
    await kill(tracking)
    second = await logs.tracked()
    assert len(second.partitions[0].tracker.queues) == 100
    await second.close()


# What a process says of it


async def test_a_store_that_cannot_be_used_is_said_and_tried_again() -> None:
    logs = Logs()
    tries = 0

    async def open_store(partition: int) -> PartitionStore:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise StoreError("steps", "it is full", "make room")
        return await logs.store(partition)

    tracking = logs.tracking(open_store)
    await tracking.take("track.0")
    await asyncio.sleep(0.05)
    assert tracking.problems == {0: "store steps: it is full; make room"}
    await logs.hear(waiting())
    await asyncio.sleep(1)
    assert tracking.problems == {}
    assert len(await logs.told()) == 1
    await tracking.close()


async def test_an_error_of_ours_is_said_and_the_partition_taken_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    logs = Logs()
    tracking = await logs.tracked()

    def broken(*_: Any) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(Tracker, "fire_due", broken)
        await logs.hear(scheduled(5))
        await asyncio.sleep(10)
        assert "ZeroDivisionError" in tracking.problems[0]
    await asyncio.sleep(10)
    assert tracking.problems == {}
    assert [kind for _, kind in await logs.told()] == ["callback.scheduled", "alert.firing"]
    await tracking.close()


async def test_what_makes_no_progress_is_said() -> None:
    logs = Logs()
    store = Cut(logs.steps, 0)

    async def open_store(_: int) -> PartitionStore:
        return store

    tracking = logs.tracking(open_store)
    await tracking.take("track.0")
    await asyncio.sleep(1)
    assert tracking.complaint() is None
    store.left = 0
    await logs.hear(waiting())
    await asyncio.sleep(35)
    assert tracking.complaint() == "partition 0: commit makes no progress for 35 s"
    await kill(tracking)
    assert tracking.complaint() is None


async def test_a_log_that_gives_nothing_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    logs = Logs()
    tracking = await logs.tracked()
    await asyncio.sleep(1)

    async def blocked(*_: Any) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(tracking.partitions[0], "_take_in", blocked)
    await logs.hear(waiting())
    await asyncio.sleep(45)
    complaint = tracking.complaint()
    assert complaint is not None
    assert complaint.startswith("partition 0: input makes no progress for 3")
    assert tracking.lag > 40
    await kill(tracking)


async def test_nothing_that_a_frame_does_is_noted_before_it_is_committed() -> None:
    logs = Logs()
    store = Cut(logs.steps, 0)

    async def open_store(_: int) -> PartitionStore:
        return store

    tracking = logs.tracking(open_store)
    await tracking.take("track.0")
    await asyncio.sleep(1)
    noted = tracking.partitions[0].noted
    store.left = 0
    await logs.put(Seen(waiting()))
    await asyncio.sleep(5)
    assert tracking.partitions[0].reached > noted
    assert tracking.partitions[0].noted == noted
    await kill(tracking)


@pytest.mark.parametrize("later", [20.0, 80.0])
async def test_a_read_that_shows_what_no_frame_had_told_makes_listeners_suspicious(
    later: float,
) -> None:
    logs = Logs()
    tracking = await logs.tracked()
    await logs.listen()
    await logs.hear(
        snapshot(
            customer(state="connected", connected_at=0.0), queue(state="connected", queue_id=QUEUE)
        )
    )
    await logs.live(later)
    shown = snapshot(
        customer(state="connected", connected_at=0.0),
        queue(state="connected", queue_id=QUEUE),
        agent(state="connected", connected_at=10.0),
        read_at=later,
    )
    await logs.hear(shown)
    await asyncio.sleep(2)
    assert [kind for _, kind in await logs.told()][-1] == "callback.connected"
    # What is young may still be told by a frame.
    assert logs.wants.suspected == ([[QUEUE]] if later > 30 else [])
    await tracking.close()
