"""A partition's inputs, and what is done about lost ones. Storms are in tests/property."""

import asyncio
from datetime import datetime
from unittest.mock import Mock

import msgspec
import pytest

from ringback.core.snapshots import QueueSettings
from ringback.core.tracker import Tracker
from ringback.wire.log import Alive, Done, Hearing, Settled
from support.callbacks import QUEUE, agent, at, snapshot
from support.tracked import ALERTING, Logs, gaps, waiting

pytestmark = pytest.mark.looptime


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

    with monkeypatch.context() as patch:
        patch.setattr(Tracker, "observe_settings", Mock(side_effect=ZeroDivisionError))
        await logs.put(Settled(QueueSettings(QUEUE)))
        await logs.hear(waiting())
        await asyncio.sleep(0.1)
    assert tracking.counts["broken"] == 1
    assert len(await logs.told()) == 1
    await tracking.close()


# Inputs that are lost


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


async def test_what_one_partition_has_lost_is_told_by_that_one_and_nothing_else_is() -> None:
    logs = Logs()
    first = await logs.tracked(3)
    await logs.listen(3)
    await logs.hear(waiting(), partition=3)
    await asyncio.sleep(5)
    await first.close()
    await logs.hear(ALERTING, partition=3)
    await asyncio.sleep(10)
    logs.inputs.forget(at(10))
    second = await logs.tracked(3)
    await logs.put(Hearing("ear", "disconnected"), partition=3)
    await asyncio.sleep(5)
    told = [one for one, kind in await logs.told() if kind.startswith("source.")]
    assert len(gaps(second, 3)) > 1
    assert [one.split("/", 2)[2] for one in told] == [
        "partition-3/gap_opened",
        "partition-3/gap_closed",
    ]
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
