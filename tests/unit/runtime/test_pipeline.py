import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest

from ringback.core.clocks import Clock as PlatformClock
from ringback.core.events import Event
from ringback.core.policy import Policy
from ringback.core.snapshots import QueueSettings
from ringback.core.tracker import Tracker
from ringback.core.watch.feed_kinds import Pulse
from ringback.core.watch.rules import RuleSet
from ringback.errors import AlertUnknown, StoreError
from ringback.ports import Reading, Record
from ringback.runtime.gathering import GROUP, LINGER, ROOM
from ringback.runtime.pipeline import Pipeline
from ringback.runtime.replay import Replay
from ringback.wire.cloudevents import Encoder
from support.callbacks import at
from support.gateway import frame
from support.runtime import (
    HeldStore,
    LoopClock,
    LostFrames,
    decoder,
    make_pipeline,
    settled,
    types,
)

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


# Reads


def rest(conversation: str = "c-1", **said: Any) -> bytes:
    """Make the answer of a single read."""
    return msgspec.json.encode(msgspec.json.decode(frame(conversation, **said))["eventBody"])


def observed(*conversations: str) -> bytes:
    """Make a bulk answer: these wait."""
    seen = [{"conversationId": one} for one in conversations]
    data = [{"metric": "oWaiting", "observations": seen}]
    group = {"queueId": "queue-1", "mediaType": "callback"}
    return msgspec.json.encode({"results": [{"group": group, "data": data}]})


OVER = {"state": "disconnected", "disconnectedTime": "2026-11-22T08:05:00.000Z"}


async def test_a_read_changes_what_frames_did_not_show() -> None:
    store = HeldStore()
    pipeline = make_pipeline(store, LoopClock())
    pipeline.frame(frame(state="scheduled", connectedTime=None))
    await asyncio.sleep(1)
    assert pipeline.read(Reading(rest(), pipeline.clock.now())) == frozenset()  # it is recent
    assert pipeline.frames["read"] == 1
    await pipeline.commit()
    entries = await store.read(0, 10)
    assert msgspec.json.decode(entries[-1].body)["data"]["cause"] == "reconcile"


async def test_a_read_of_an_old_move_gives_the_queue_whose_frames_were_lost() -> None:
    pipeline = make_pipeline(HeldStore(), LoopClock())
    pipeline.frame(frame(state="scheduled", connectedTime=None))
    await asyncio.sleep(600)
    assert pipeline.read(Reading(rest(), pipeline.clock.now())) == {"queue-1"}
    assert pipeline.corrections == 1
    # Known now: the same again shows nothing.
    assert pipeline.read(Reading(rest(), pipeline.clock.now())) == frozenset()
    assert pipeline.corrections == 1


async def test_what_a_gap_explains_was_not_missed() -> None:
    pipeline = make_pipeline(HeldStore(), LoopClock())
    pipeline.connected()
    pipeline.frame(frame(state="scheduled", connectedTime=None))
    await asyncio.sleep(600)
    pipeline.disconnected("cut")
    pipeline.connected()
    assert pipeline.read(Reading(rest(), pipeline.clock.now())) == frozenset()
    assert pipeline.corrections == 0


async def test_a_stranger_that_a_read_shows_was_not_missed() -> None:
    pipeline = make_pipeline(HeldStore(), LoopClock())
    await asyncio.sleep(600)
    assert pipeline.read(Reading(rest(), pipeline.clock.now())) == frozenset()


@pytest.mark.parametrize("body", [b"<html>", b"", b"[1]", b'{"results":1}', b'{"id":[]}'])
async def test_a_read_that_makes_no_sense_is_put_aside_and_confirms_nothing(body: bytes) -> None:
    aside = LostFrames()
    pipeline = make_pipeline(HeldStore(), LoopClock(), quarantine=aside)
    pipeline.connected()
    pipeline.frame(frame())
    await asyncio.sleep(1)
    pipeline.disconnected("cut")
    assert pipeline.read(Reading(body, pipeline.clock.now())) == frozenset()
    assert [kept for kept, _ in aside.put_aside] == [body]
    assert pipeline.frames["read"] == 0
    assert list(pipeline.tracker.repair.doubts) == ["c-1"]


async def test_a_bulk_answer_brings_up_what_is_to_be_read() -> None:
    pipeline = make_pipeline(HeldStore(), LoopClock())
    pipeline.follows(["queue-1"])
    assert pipeline.read(Reading(observed("c-7"), pipeline.clock.now())) == frozenset()
    assert pipeline.wanted(5) == ["c-7"]
    pipeline.read_failed("c-7")
    await asyncio.sleep(60)
    assert pipeline.wanted(5) == []
    assert len(pipeline.tracker.conversations) == 0


async def test_the_date_of_an_answer_tells_how_far_the_platforms_clock_is_ahead() -> None:
    pipeline = make_pipeline(HeldStore(), LoopClock())
    now = pipeline.clock.now()
    pipeline.read(Reading(observed(), now, now + timedelta(seconds=40)))
    ahead = pipeline.tracker.skews.ahead(PlatformClock.CLOUD, now)
    assert ahead == timedelta(seconds=40)


# Gaps


async def test_what_a_restart_missed_is_a_gap_since_it_last_heard() -> None:
    store = HeldStore()
    clock = LoopClock()
    first = make_pipeline(store, clock)
    first.resume()
    first.connected()
    first.frame(frame())
    await asyncio.sleep(30)
    first.alive()
    heard_until = clock.now()
    await first.commit()
    await asyncio.sleep(100)
    second = make_pipeline(store, clock)
    async for rows in store.load():
        second.tracker.restore(
            [(row.conversation_id, row.state, row.wake_at) for row in rows if row.state],
            clock.now(),
        )
    second.resume()
    (gap,) = second.tracker.repair.ledger.gaps.values()
    assert (gap.cause, gap.since) == ("restart", heard_until)
    assert list(second.tracker.repair.doubts) == ["c-1"]
    assert second.blind_since() == heard_until
    second.disconnected("unreachable")  # part of it
    second.connected()
    second.frame(frame())
    assert len(second.tracker.repair.doubts) == 0
    await second.commit()
    assert types(await store.read(0, 10))[-2:] == ["source.connected", "source.gap_closed"]


async def test_the_very_first_start_misses_nothing() -> None:
    store = HeldStore()
    pipeline = make_pipeline(store, LoopClock())
    pipeline.resume()
    await pipeline.commit()
    assert (store.batches, pipeline.blind_since()) == ([], None)


async def test_a_source_that_cannot_begin_is_blind_since_the_start() -> None:
    clock = LoopClock()
    pipeline = make_pipeline(HeldStore(), clock)
    began = clock.now()
    await asyncio.sleep(20)
    pipeline.disconnected("unreachable")
    assert pipeline.blind_since() == began
    pipeline.connected()
    await asyncio.sleep(20)
    pipeline.disconnected("cut")
    assert pipeline.blind_since() == began + timedelta(seconds=40)


async def test_that_a_source_hears_is_stored_and_tells_nothing() -> None:
    store = HeldStore()
    pipeline = make_pipeline(store, LoopClock())
    pipeline.connected()
    await pipeline.commit()
    await asyncio.sleep(5)
    pipeline.alive()
    await pipeline.commit()
    assert len(store.batches) == 2
    assert (list(store.batches[1].rows), store.batches[1].events) == (["~source/main"], [])


async def test_what_is_in_doubt_is_told_by_the_wake_up() -> None:
    store = HeldStore()
    pipeline = make_pipeline(store, LoopClock())
    pipeline.connected()
    pipeline.frame(frame())
    await asyncio.sleep(10)
    pipeline.disconnected("cut")
    pipeline.rearm.clear()
    await asyncio.sleep(59.9)
    assert not pipeline.fire()
    await asyncio.sleep(0.1)
    assert pipeline.fire()
    assert not pipeline.fire()
    await pipeline.commit()
    assert types(await store.read(0, 10))[-1] == "callback.unverified"


# Time


async def test_a_clock_that_is_set_back_fires_nothing_before_its_time() -> None:
    clock = LoopClock()
    store = HeldStore()
    pipeline = make_pipeline(store, clock)
    scheduled = {"state": "scheduled", "connectedTime": None}
    pipeline.frame(frame("c-1", **scheduled, callbackScheduledTime="2026-11-22T07:59:00.000Z"))
    await asyncio.sleep(61)
    assert pipeline.fire()  # the first is late
    clock.set_forward(-7200)
    pipeline.frame(frame("c-2", **scheduled, callbackScheduledTime="2026-11-22T07:00:00.000Z"))
    pipeline.frame(frame("c-3", **scheduled, callbackScheduledTime="2026-11-22T05:59:30.000Z"))
    await asyncio.sleep(31)
    assert pipeline.fire()  # so is the third; the second has an hour left
    await pipeline.commit()
    told = [msgspec.json.decode(entry.body) for entry in await store.read(0, 20)]
    fired = [one["data"]["callbackId"] for one in told if one["type"].endswith("firing.v1")]
    assert fired == ["c-1", "c-3"]


async def test_what_is_recorded_replays_to_the_same_bytes() -> None:
    """Frames, reads, settings, gaps, deeds, and what falls due, be it noticed a bit late."""
    store = HeldStore()
    records: list[Record] = []

    def record(
        at: datetime, data: bytes | str, kind: Any, reading: Reading | None = None, /
    ) -> None:
        body = data.encode() if isinstance(data, str) else data
        sent, date = (None, None) if reading is None else (reading.sent_at, reading.date)
        records.append(Record(at, kind, body, "day.jsonl", len(records) + 1, sent, date))

    clock = LoopClock()
    pipeline = make_pipeline(store, clock, record=record)
    pipeline.connected()
    pipeline.settings(QueueSettings("queue-1", 30))
    for number in range(4):
        pipeline.frame(frame(f"c-{number}"))
        await asyncio.sleep(1.5)
    late = {"state": "scheduled", "connectedTime": None}
    pipeline.frame(frame("c-8", **late, callbackScheduledTime="2026-11-22T07:58:05.700Z"))
    sent = clock.now()
    await asyncio.sleep(0.4)
    pipeline.disconnected("cut", clock.now() - timedelta(seconds=2))
    pipeline.read(Reading(rest("c-0"), sent, sent))
    await asyncio.sleep(20)
    pipeline.connected()
    pipeline.frame(frame("c-1"))
    pipeline.read(Reading(observed("c-2", "c-9"), clock.now()))
    for _ in range(60):
        await asyncio.sleep(0.7)
        pipeline.fire()
    pipeline.frame(frame("c-2"))
    await pipeline.acknowledge("c-8/due_not_released/1", "ada")
    await pipeline.acknowledge("c-8/due_not_released/1", "bob")
    with pytest.raises(AlertUnknown):
        await pipeline.acknowledge("c-8/due_not_released/2", "ada")
    pipeline.read(Reading(rest("c-3", **OVER), clock.now()))
    pipeline.read(Reading(b"<html>", clock.now()))
    settling = asyncio.create_task(pipeline.settle_forever())
    await pipeline.adopt(RuleSet([]), "ada")
    await settled()
    pipeline.frame(frame("c-4"))
    await pipeline.adopt(pipeline.tracker.rules, "ada")
    settling.cancel()
    await pipeline.commit()
    told: list[Event] = []
    replay = Replay(Tracker(Policy()), decoder(), told.append, lambda _: None)
    replay.run(records, None)
    encode = Encoder("acme").encode
    journal = [entry.body for entry in await store.read(0, 100)]
    assert [encode(event) for event in told] == journal
    kinds = types(await store.read(0, 100))
    assert {"callback.unverified", "callback.verified", "alert.firing"} <= set(kinds)
    assert kinds.count("alert.acknowledged") == 1
    assert any(b"its rule is gone" in body for body in journal)
    assert [record.kind for record in records].count("operator") == 3


async def test_what_a_source_is_like_is_recorded_and_replays_to_the_same_bytes() -> None:
    store = HeldStore()
    records: list[Record] = []

    def record(at: datetime, data: bytes | str, kind: Any, _: Reading | None = None, /) -> None:
        body = data.encode() if isinstance(data, str) else data
        records.append(Record(at, kind, body, "day.jsonl", len(records) + 1))

    pipeline = make_pipeline(store, LoopClock(), record=record)
    pipeline.connected()
    for skew in (0, 0, 40, 2):
        pipeline.beats(Pulse(skew=timedelta(seconds=skew), behind_since=at(-2)))
        pipeline.frame(frame())
        await asyncio.sleep(4)
        pipeline.fire()
    for _ in range(12):
        pipeline.frame(b"nonsense")
    await pipeline.acknowledge("source:main/lagging/1", "ada")
    await pipeline.commit()
    told: list[Event] = []
    replay = Replay(Tracker(Policy()), decoder(), told.append, lambda _: None)
    replay.run(records, None)
    encode = Encoder("acme").encode
    assert [encode(event) for event in told] == [one.body for one in await store.read(0, 100)]
    assert [event.id for event in told if event.type.startswith("ringback.alert")] == [
        "source:main/lagging/1/firing",
        "source:main/clock_skew/1/firing",
        "source:main/clock_skew/1/resolved",
        "source:main/undecodable_frames/1/firing",
        "source:main/lagging/1/acknowledged",
    ]


async def test_one_can_wait_until_what_was_decided_is_committed() -> None:
    store = HeldStore()
    pipeline = make_pipeline(store, LoopClock())
    await pipeline.committed()
    async with committing(pipeline):
        feed(pipeline, 1)
        await asyncio.sleep(1)
        store.free.clear()
        feed(pipeline, 1, start=1)
        await asyncio.sleep(1)
        feed(pipeline, 1, start=2)
        waiting = asyncio.create_task(pipeline.committed())
        await settled()
        assert not waiting.done()
        store.free.set()
        await waiting
        assert (pipeline.commits, pipeline.position) == (3, 3)
        await pipeline.committed()


async def test_rules_are_adopted_in_turns_and_wait_for_one_another() -> None:
    pipeline = make_pipeline(HeldStore(), LoopClock())
    first = pipeline.tracker.rules
    late = {"state": "scheduled", "connectedTime": None}
    for number in range(250):
        pipeline.frame(
            frame(f"c-{number}", **late, callbackScheduledTime="2026-11-22T07:00:00.000Z")
        )
    pipeline.fire()
    assert firing(pipeline) == 250
    await pipeline.adopt(RuleSet([]), "ada")
    again = asyncio.create_task(pipeline.adopt(first, "bob"))
    await settled()
    assert not again.done()
    async with committing(pipeline):
        settling = asyncio.create_task(pipeline.settle_forever())
        await again
        assert pipeline.tracker.rules is first
        await asyncio.sleep(1)
        assert firing(pipeline) == 250
        settling.cancel()
    assert pipeline.tracker.adoption.settled


async def test_after_a_start_under_other_rules_all_comes_under_them() -> None:
    store = HeldStore()
    pipeline = make_pipeline(store, LoopClock())
    late = {"state": "scheduled", "connectedTime": None}
    pipeline.frame(frame("c-1", **late, callbackScheduledTime="2026-11-22T07:00:00.000Z"))
    pipeline.fire()
    await pipeline.commit()
    again = make_pipeline(store, LoopClock(), rules=RuleSet([]))
    async for rows in store.load():
        again.tracker.restore(
            ((row.conversation_id, row.state or b"", row.wake_at) for row in rows), at(0)
        )
    assert firing(again) == 1
    again.resume()
    settling = asyncio.create_task(again.settle_forever())
    await settled()
    settling.cancel()
    assert firing(again) == 0


def firing(pipeline: Pipeline) -> int:
    tracker = pipeline.tracker
    found = [
        one
        for name in tracker.conversations.ids()
        if (one := tracker.conversations.get(name)) is not None
    ]
    return sum(
        alarm.since is not None
        for each in found
        for callback in each.callbacks
        for alarm in callback.alarms
    )
