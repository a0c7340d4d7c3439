import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest

from support.callbacks import agent, at, customer, snapshot
from support.tracked import Logs, kill

pytestmark = pytest.mark.looptime


def waiting(seconds: float = 0.0, conversation: str = "c-1") -> Any:
    return snapshot(customer(state="connected", connected_at=seconds), conversation=conversation)


async def test_what_is_put_becomes_steps() -> None:
    logs = Logs()
    tracking = await logs.tracked()
    await logs.hear(waiting(), snapshot(agent(state="alerting")))
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


@pytest.mark.parametrize("ahead", [-20.0, -0.5, 0.0, 0.5, 20.0])
async def test_a_deadline_fires_once_when_the_engines_clock_has_come_to_it(ahead: float) -> None:
    logs = Logs()
    logs.engine.set_forward(ahead)
    tracking = await logs.tracked()
    late = snapshot(customer(state="scheduled", scheduled_at=60 + ahead))
    await logs.hear(late)
    await asyncio.sleep(59.5)
    assert len(await logs.told()) == 1
    await asyncio.sleep(25)
    *_, fired = await logs.events()
    assert fired["type"] == "ringback.alert.firing.v1"
    assert len(await logs.told()) == 2
    lateness = datetime.fromisoformat(fired["data"]["observedTime"]) - at(60 + ahead)
    # As soon as it is known how far the clocks are apart, which takes one tick.
    assert timedelta() <= lateness <= timedelta(seconds=0.01 if ahead <= 0.5 else 20.1)
    await tracking.close()


async def test_the_next_process_goes_on_where_one_was_handed_over() -> None:
    logs = Logs()
    first = await logs.tracked()
    await logs.hear(waiting())
    await asyncio.sleep(0.1)
    await first.close()
    steps = len(await logs.all_steps())
    second = await logs.tracked()
    assert second.partitions[0].reached == 2
    await logs.hear(snapshot(agent(state="alerting")))
    await asyncio.sleep(0.1)
    assert [name for name, _ in await logs.told()] == ["c-1/1", "c-1/2"]
    assert second.counts["redelivered"] == 0
    assert len(await logs.all_steps()) > steps
    await second.close()


async def test_the_next_process_goes_on_where_one_was_killed() -> None:
    logs = Logs()
    first = await logs.tracked()
    await logs.hear(waiting())
    await asyncio.sleep(0.1)
    await kill(first)
    second = await logs.tracked()
    await logs.hear(snapshot(agent(state="alerting")))
    await asyncio.sleep(0.1)
    assert [name for name, _ in await logs.told()] == ["c-1/1", "c-1/2"]
    assert second.counts["redelivered"] == 1
    await second.close()
