import asyncio
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from ringback.core.changes import Change
from ringback.core.gaps import LEDGER, Gap
from ringback.core.snapshots import QueueSettings
from ringback.core.watch.defaults import built_in
from ringback.core.watch.rules import RuleSet
from ringback.core.watch.silences import Matcher
from ringback.errors import AlertOver, AlertUnknown, EngineSilent, SilenceUnknown
from ringback.runtime.cluster.asides import part_of
from ringback.runtime.cluster.gaps import PartedGaps
from ringback.wire.inputs import Acknowledge, BeginSilence, Ruling
from ringback.wire.steps import end_of_step, position_in
from support.callbacks import at
from support.gateway import frame
from support.mirrored import Tracking
from support.runtime import LoopClock, settled, types

pytestmark = pytest.mark.looptime

OVER = {"state": "disconnected", "disconnectedTime": "2026-11-22T08:00:00Z"}
DUE = {"state": "scheduled", "connectedTime": None, "callbackScheduledTime": "2026-11-22T07:50:00Z"}
ALERT = "c-1/due_not_released/1"
HOUR = timedelta(hours=1)


def late(callback: str = "c-1") -> bytes:
    """Make a frame of a callback that is due, and was not released."""
    return frame(callback, **DUE)


async def test_it_knows_what_was_there_and_what_comes() -> None:
    tracking = Tracking(LoopClock(), 4)
    await tracking.see(*(frame(f"c-{number}") for number in range(20)))
    async with tracking.mirroring() as mirror:
        assert sorted(mirror.tracker.conversations.ids()) == sorted(
            f"c-{number}" for number in range(20)
        )
        assert mirror.tracker.conversations.stages["waiting"] == 20
        began = mirror.position
        await tracking.see(frame("c-20"), frame("c-3", **OVER))
        await settled()
        assert mirror.tracker.conversations.stages == {"waiting": 20, "disconnected": 1}
        assert types(await mirror.read(began, 9)) == ["callback.waiting", "callback.disconnected"]
        assert mirror.position == position_in(await tracking.steps.position(), 0)


async def test_what_moves_while_it_loads_is_as_it_was_left() -> None:
    tracking = Tracking(LoopClock())
    await tracking.see(frame("c-1"), frame("c-2"))
    mirror = tracking.mirror()
    load = tracking.steps.load

    async def loading() -> object:
        async for chunk in load():
            await tracking.see(frame("c-1", **OVER))
            yield chunk
        async for chunk in load():
            yield chunk

    tracking.steps.load = loading  # type: ignore[assignment,method-assign]
    await mirror.load()
    assert mirror.tracker.conversations.stages == {"waiting": 1, "disconnected": 1}
    # Nothing that is known is ahead of what was told.
    assert mirror.position == position_in(await tracking.steps.position(), 0)


async def test_what_is_forgotten_is_gone() -> None:
    tracking = Tracking(LoopClock())
    await tracking.see(frame("c-1"))
    async with tracking.mirroring() as mirror:
        mirror.tracker.mirror("c-1", None, tracking.clock.now())
        assert mirror.tracker.conversations.get("c-1") is None
        assert not +mirror.tracker.conversations.stages
        mirror.tracker.mirror("c-1", None, tracking.clock.now())
        assert not +mirror.tracker.conversations.stages


async def test_of_sources_it_knows_what_one_partition_says() -> None:
    clock = LoopClock()
    tracking = Tracking(clock)
    await tracking.hear()
    async with tracking.mirroring() as mirror:
        assert mirror.freshness("main").hears
        await tracking.go_blind()
        await settled()
        fresh = mirror.freshness("main")
        assert (fresh.hears, fresh.blind_since) == (False, clock.now())
        assert len(mirror.tracker.repair.ledger.gaps) == 1
        await asyncio.sleep(1)
        await tracking.hear()
        await settled()
        assert mirror.freshness("main").hears
        (gap,) = mirror.tracker.repair.ledger.gaps.values()
        assert gap.until == clock.now()
        entries = await mirror.read(0, 99)
        assert len({entry.body for entry in entries}) == len(entries)


async def test_a_gap_comes_to_what_it_is_over_all_partitions() -> None:
    tracking = Tracking(LoopClock(), 4)
    await tracking.hear()
    await tracking.see(*(frame(f"c-{number}") for number in range(20)))
    async with tracking.mirroring() as mirror:
        await tracking.go_blind()
        await asyncio.sleep(1)
        await tracking.hear()
        await settled()
        (gap,) = mirror.gaps("main")
        assert (gap.touched, gap.unverified, gap.repaired_at) == (20, 20, None)
        late, *others = (f"c-{number}" for number in range(20))
        await tracking.see(*(frame(one, **OVER) for one in others))
        await tracking.live()
        await settled()
        assert mirror.gaps("main")[0].repaired_at is None
        await asyncio.sleep(1)
        await tracking.see(frame(late, **OVER))
        await asyncio.sleep(60)
        await tracking.live()
        await settled()
        (gap,) = mirror.gaps("main")
        assert (gap.unverified, sum(gap.repaired_by.values())) == (0, 20)
        assert gap.repaired_at is not None


def test_what_partitions_came_to_know_of_moments_apart_is_one_gap() -> None:
    parted = PartedGaps()

    def gap(seconds: float, **more: Any) -> Gap:
        since = at(seconds)
        return Gap(f"main/{since}", "main", since, "silence", [], [], at(60), **more)

    def tell(partition: int, one: Gap) -> None:
        parted.mirror(partition, LEDGER + one.id, msgspec.msgpack.encode(one))

    spoken = [gap(0, touched=1, repaired_at=at(70)), gap(30, touched=1, repaired_at=at(70))]
    tell(1, gap(5.1, touched=2, unverified=1))
    tell(1, gap(29, touched=4, repaired_at=at(80)))
    tell(2, gap(15, touched=100))
    first, second = parted.summed(spoken)
    assert (first.touched, first.unverified, first.repaired_at) == (3, 1, None)
    assert (second.touched, second.unverified, second.repaired_at) == (5, 0, at(80))
    parted.mirror(1, LEDGER + gap(5.1).id, None)
    assert parted.summed(spoken)[0].touched == 1


async def test_a_gap_that_only_one_partition_has_is_told_by_that_one() -> None:
    clock = LoopClock()
    tracking = Tracking(clock, 4)
    await tracking.hear()
    await asyncio.sleep(10)
    async with tracking.mirroring() as mirror:
        changes = tracking.trackers[3].sources.missed(
            "main", part_of(3), "input log", clock.now() - timedelta(seconds=5), clock.now()
        )
        await tracking.commit(3, changes)
        await settled()
        (gap,) = mirror.gaps("main")
        assert (gap.cause, gap.until) == ("input log", clock.now())
        assert gap.id.endswith("/partition-3")
        names = {tracking.partition_of(name): name for name in (f"c-{one}" for one in range(99))}
        assert mirror.gaps_about(names[3]) == [mirror.tracker.repair.ledger.gaps[gap.id]]
        assert mirror.gaps_about(names[0]) == []
        await tracking.commit(3, [Change(changes[0].conversation_id, None, None, [])])
        await settled()
        assert mirror.gaps("main") == []


async def test_queues_are_known_by_name() -> None:
    tracking = Tracking(LoopClock())
    async with tracking.mirroring() as mirror:
        await tracking.know(QueueSettings("queue-1", auto_dial_seconds=30, name="Sales"))
        await settled()
        assert mirror.tracker.queues["queue-1"].name == "Sales"


async def test_positions_are_the_same_for_all_and_nothing_is_told_twice_on_the_way() -> None:
    tracking = Tracking(LoopClock(), 3)
    await tracking.see(*(frame(f"c-{number}") for number in range(5)))
    async with tracking.mirroring() as first:
        await tracking.see(*(frame(f"c-{number}") for number in range(5, 40)))
        async with tracking.mirroring() as second:
            await tracking.see(*(frame(f"c-{number}") for number in range(40, 60)))
            await settled()
            whole = await first.read(0, 1000)
            assert [entry.position for entry in whole] == [
                position_in(number, 0) for number in range(1, 61)
            ]
            position, read, turn = 0, list(whole[:0]), 0
            while more := await (first, second)[turn % 2].read(position, 7):
                read += more
                position = more[-1].position
                turn += 1
            assert read == list(whole)


async def test_what_is_older_than_what_it_has_at_hand_is_read_from_the_log() -> None:
    tracking = Tracking(LoopClock())
    async with tracking.mirroring() as mirror:
        mirror._past._most_entries = 3
        await tracking.see(*(frame(f"c-{number}") for number in range(10)))
        await settled()
        assert len(mirror._past._recent) == 3
        for after in range(12):
            entries = await mirror.read(end_of_step(after), 4)
            found = [position_in(number, 0) for number in range(after + 1, 11)][:4]
            assert [entry.position for entry in entries] == found
            assert [e.position for e in await mirror.read(position_in(after + 1, 0), 1)] == [
                position_in(number, 0) for number in range(after + 2, 11)
            ][:1]


async def test_the_life_of_one_callback_is_found() -> None:
    tracking = Tracking(LoopClock())
    await tracking.see(frame("c-1"), frame("c-2"))
    async with tracking.mirroring() as mirror:
        await tracking.see(frame("c-1", **OVER))
        await settled()
        assert types(await mirror.history("c-1", 9)) == [
            "callback.waiting",
            "callback.disconnected",
        ]
        assert types(await mirror.history("c-1", 1)) == ["callback.disconnected"]
        assert await mirror.history("c-9", 9) == []


async def test_who_acknowledges_sees_it_done_and_only_the_first_counts() -> None:
    tracking = Tracking(LoopClock(), 4)
    await tracking.see(late("c-1"), late("c-2"))
    async with tracking.working(), tracking.mirroring() as mirror, tracking.mirroring() as other:
        await asyncio.sleep(200)
        await tracking.live()
        await settled()
        await mirror.acknowledge(ALERT, "ada")
        await mirror.committed()
        assert mirror.tracker.alerts.firing(ALERT).acknowledged_by == "ada"
        await settled()
        await other.acknowledge(ALERT, "bob")
        assert tracking.deeds == [Acknowledge(ALERT, "ada")]
        assert other.tracker.alerts.firing(ALERT).acknowledged_by == "ada"


async def test_what_is_not_firing_cannot_be_acknowledged() -> None:
    tracking = Tracking(LoopClock())
    await tracking.see(late())
    async with tracking.working(), tracking.mirroring() as mirror:
        await asyncio.sleep(200)
        await tracking.live()
        await tracking.see(frame("c-1", **OVER))
        await settled()
        with pytest.raises(AlertOver):
            await mirror.acknowledge(ALERT, "ada")
        with pytest.raises(AlertUnknown):
            await mirror.acknowledge("c-7/due_not_released/1", "ada")
        assert tracking.deeds == []


async def test_nobody_waits_for_ever_for_what_does_not_come_back() -> None:
    tracking = Tracking(LoopClock())
    await tracking.see(late())
    async with tracking.mirroring() as mirror:
        await asyncio.sleep(200)
        await tracking.live()
        await settled()
        loop = asyncio.get_running_loop()
        began = loop.time()
        await mirror.acknowledge(ALERT, "ada")  # nobody takes it
        await mirror.committed()
        assert loop.time() - began == 2
        await mirror.committed()
        assert loop.time() - began == 2


async def test_what_is_back_before_the_log_has_said_that_it_is_there_is_not_waited_for() -> None:
    tracking = Tracking(LoopClock())
    await tracking.see(late())
    put = tracking.inputs.put

    async def slowly(*what: Any) -> int:
        sequence = await put(*what)
        await asyncio.sleep(1)
        return sequence

    tracking.inputs.put = slowly  # type: ignore[assignment,method-assign]
    async with tracking.working(), tracking.mirroring() as mirror:
        await asyncio.sleep(200)
        await tracking.live()
        await settled()
        loop = asyncio.get_running_loop()
        began = loop.time()
        await mirror.acknowledge(ALERT, "ada")
        await mirror.committed()
        assert loop.time() - began == 1
        assert mirror.tracker.alerts.firing(ALERT).acknowledged_by == "ada"


async def test_a_log_that_takes_nothing_is_no_success() -> None:
    tracking = Tracking(LoopClock())
    await tracking.see(late())

    async def put(*_: object) -> int:
        await asyncio.Event().wait()
        return 0

    tracking.inputs.put = put  # type: ignore[assignment,method-assign]
    async with tracking.mirroring() as mirror:
        await asyncio.sleep(200)
        await tracking.live()
        await settled()
        with pytest.raises(EngineSilent):
            await mirror.acknowledge(ALERT, "ada")


async def test_a_silence_has_one_name_everywhere() -> None:
    clock = LoopClock()
    tracking = Tracking(clock)
    async with tracking.working(), tracking.mirroring() as mirror, tracking.mirroring() as other:
        looked = []
        other.tracker.silences.changed = lambda: looked.append("again")
        silence = await mirror.silence(
            [Matcher("rule", "due_not_released")], clock.now() + HOUR, "ada", "known"
        )
        await mirror.committed()
        await settled()
        (found,) = other.tracker.silences
        assert found == silence
        assert looked == ["again"]
        assert isinstance(tracking.deeds[0], BeginSilence)
        await other.end_silence(silence.id, "bob")
        await other.committed()
        assert not list(other.tracker.silences)
        await settled()
        with pytest.raises(SilenceUnknown):
            await mirror.end_silence(silence.id, "ada")


async def test_rules_come_into_force_everywhere() -> None:
    tracking = Tracking(LoopClock(), 3)
    await tracking.see(late("c-1"), late("c-2"), late("c-3"))
    async with tracking.working(), tracking.mirroring() as mirror, tracking.mirroring() as other:
        await mirror.adopt(RuleSet([]), "ada")
        await settled()
        assert list(mirror.tracker.rules.rules) == list(other.tracker.rules.rules) == []
        assert [type(deed) for deed in tracking.deeds] == [Ruling] * 3
        await mirror.adopt(RuleSet([]), "ada")
        assert len(tracking.deeds) == 3
        rules = built_in(timedelta(minutes=2), timedelta(seconds=30))
        await mirror.adopt(rules, "ada")
        assert mirror.tracker.rules.packed == rules.packed
    async with tracking.mirroring() as later:
        assert later.tracker.rules.packed == rules.packed


async def test_a_position_that_was_told_elsewhere_is_reached_and_one_of_another_log_is_not() -> (
    None
):
    tracking = Tracking(LoopClock())
    await tracking.see(frame("c-1"))
    mirror = tracking.mirror()
    await mirror.load()
    await tracking.see(frame("c-2"))  # it does not follow
    assert await mirror.reaches(position_in(1, 0))
    assert await mirror.reaches(position_in(2, 0))
    assert not await mirror.reaches(position_in(3, 0))


async def test_while_the_log_says_nothing_the_source_is_not_heard() -> None:
    clock = LoopClock()
    tracking = Tracking(clock)
    await tracking.hear()
    mirror = tracking.mirror()
    await mirror.load()
    assert mirror.freshness("main").hears
    began = clock.now()
    await asyncio.sleep(6)  # it does not follow
    assert mirror.silent_seconds == 6
    fresh = mirror.freshness("main")
    assert (fresh.hears, fresh.blind_since) == (False, began)


async def test_a_partition_that_makes_no_steps_is_noticed() -> None:
    clock = LoopClock()
    tracking = Tracking(clock)
    await tracking.hear()
    async with tracking.mirroring() as mirror:
        for _ in range(10):
            await asyncio.sleep(5)
            await tracking.live()
        await settled()
        assert (mirror.quiet(), mirror.freshness("main").hears) == ([], True)
        began = clock.now()
        for _ in range(5):
            await asyncio.sleep(5)
            tracking.trackers[0].sources.alive("main", clock.now())
            await tracking.commit(1, tracking.trackers[1].sources.alive("main", clock.now()))
        await settled()
        assert mirror.quiet() == [0]
        fresh = mirror.freshness("main")
        assert (fresh.hears, fresh.blind_since) == (False, began)


async def test_it_is_known_how_far_behind_it_is() -> None:
    tracking = Tracking(LoopClock())
    mirror = tracking.mirror()
    await mirror.load()
    measuring = asyncio.create_task(mirror.measure_forever())
    await tracking.see(frame("c-1"), frame("c-2"))
    await asyncio.sleep(6)
    assert mirror.behind == 2
    following = asyncio.create_task(mirror.follow_forever())
    await settled()
    assert mirror.behind == 0
    for task in (measuring, following):
        task.cancel()
    await asyncio.gather(measuring, following, return_exceptions=True)
