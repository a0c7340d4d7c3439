"""What a partition stores, and when."""

import asyncio
from datetime import timedelta

import pytest

from ringback.core.snapshots import QueueSettings
from ringback.runtime.cluster import asides as asides_module
from ringback.runtime.cluster import partition as partition_module
from ringback.runtime.cluster.checkpoint import CHECKPOINT, decode_checkpoint
from ringback.wire.log import Hearing, Seen, Settled
from support.callbacks import QUEUE, at
from support.tracked import KEEP, Logs, gaps, kill, scheduled, waiting

pytestmark = pytest.mark.looptime


async def test_nothing_that_a_frame_does_is_noted_before_it_is_committed() -> None:
    logs = Logs()
    tracking, store = await logs.cut()
    noted = tracking.partitions[0].progress.noted
    store.left = 0
    await logs.put(Seen(waiting()))
    await asyncio.sleep(5)
    assert tracking.partitions[0].progress.reached > noted
    assert tracking.partitions[0].progress.noted == noted
    await kill(tracking)


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


async def test_many_rows_about_no_conversation_are_noted_in_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(partition_module, "NOTED_EVERY", 10**6)
    monkeypatch.setattr(asides_module, "MOST_ASIDE", 10_000)
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
