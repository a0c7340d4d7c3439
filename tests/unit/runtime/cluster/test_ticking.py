"""Deadlines of a partition, by the engine's clock."""

import asyncio
from datetime import datetime, timedelta

import pytest

from ringback.runtime.cluster.ticking import QUIET
from support.callbacks import at
from support.tracked import Logs, kill, scheduled, waiting

pytestmark = pytest.mark.looptime


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
    assert partition.progress.now() == at(QUIET)
    await tracking.close()
