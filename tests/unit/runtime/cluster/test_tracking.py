"""The partitions of a process: taken, given up, and what is said of them."""

import asyncio
from typing import Any
from unittest.mock import Mock

import pytest

from ringback.core.tracker import Tracker
from ringback.core.watch.rules import RuleSet
from ringback.errors import StoreError
from ringback.ports import PartitionStore
from ringback.runtime.cluster.tracking import ROLE
from support.tracked import Logs, kill, scheduled, waiting

pytestmark = pytest.mark.looptime


async def test_what_another_has_is_given_up_at_once() -> None:
    logs = Logs()
    first = await logs.tracked()
    second = await logs.tracked()  # which shuts the first one out
    began = asyncio.get_running_loop().time()
    await first.give(f"{ROLE}.0")
    assert asyncio.get_running_loop().time() - began < 1
    assert not first.partitions
    await asyncio.sleep(60)
    assert not first.partitions
    assert second.partitions[0].loaded
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

    with monkeypatch.context() as patch:
        patch.setattr(Tracker, "fire_due", Mock(side_effect=ZeroDivisionError))
        await logs.hear(scheduled(5))
        await asyncio.sleep(10)
        assert "ZeroDivisionError" in tracking.problems[0]
    await asyncio.sleep(10)
    assert tracking.problems == {}
    assert [kind for _, kind in await logs.told()] == ["callback.scheduled", "alert.firing"]
    await tracking.close()


async def test_what_makes_no_progress_is_said() -> None:
    logs = Logs()
    tracking, store = await logs.cut()
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

    monkeypatch.setattr(tracking.partitions[0].reading, "_take_in", blocked)
    await logs.hear(waiting())
    await asyncio.sleep(45)
    complaint = tracking.complaint()
    assert complaint is not None
    assert complaint.startswith("partition 0: input makes no progress for 3")
    assert tracking.lag > 40
    await kill(tracking)
