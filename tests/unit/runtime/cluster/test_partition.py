"""One partition, from one process to the next, and what it asks listeners for."""

import asyncio

import pytest

from ringback.wire.log import Hearing
from support.callbacks import QUEUE, agent, customer, queue, snapshot
from support.tracked import ALERTING, Logs, kill, scheduled, waiting

pytestmark = pytest.mark.looptime


async def test_the_next_process_goes_on_where_one_was_handed_over() -> None:
    logs = Logs()
    first = await logs.tracked()
    await logs.hear(waiting())
    await asyncio.sleep(0.1)
    await first.close()
    second = await logs.tracked()
    assert second.partitions[0].progress.reached == 2
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


# What listeners are asked for


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
