"""Commands change the centre, and everybody hears of it."""

import asyncio
from datetime import timedelta
from typing import Any

from ringback.simulator.genesys.tokens import EVERY_PERMISSION
from ringback.simulator.options import Options
from ringback.simulator.truths import State
from support.genesys import Caller, platform
from support.virtual import run_virtually

CALLBACKS = "/api/v2/conversations/callbacks"
QUIET = Options(arrivals_per_minute=0.001, warm_up=timedelta(0))
NUMBER = "+15550100"


async def created(caller: Caller, **more: Any) -> str:
    queue_id = caller.cloud.centre.queues[0].id
    body = {"queueId": queue_id, "callbackNumbers": [NUMBER], **more}
    reply = await caller.call("POST", CALLBACKS, body)
    assert reply.status == 200, reply.body
    made: str = reply.json["conversation"]["id"]
    return made


def state(caller: Caller, conversation_id: str) -> State:
    return caller.cloud.centre.truth()[conversation_id].state


def test_a_callback_is_made_moved_and_ended() -> None:
    async def play() -> None:
        async with platform(QUIET) as caller:
            now = caller.cloud.centre.now
            later, sooner = (
                (now + timedelta(hours=hours)).isoformat().replace("+00:00", "Z")
                for hours in (3, 1)
            )
            made = await created(caller, callbackScheduledTime=later)
            assert state(caller, made) is State.SCHEDULED
            body = {"conversationId": made, "callbackScheduledTime": sooner}
            assert (await caller.call("PATCH", CALLBACKS, body)).status == 200
            await asyncio.sleep(3600 + 70)
            assert state(caller, made) is not State.SCHEDULED
            other = await created(caller, callbackScheduledTime=later)
            path = f"{CALLBACKS}/{other}"
            assert (await caller.call("PATCH", path, {"state": "disconnected"})).status == 200
            assert state(caller, other) is State.DISCONNECTED
            assert (await caller.call("PATCH", path, {"state": "disconnected"})).status == 404

    run_virtually(play())


def test_moved_to_later_it_is_not_released_before() -> None:
    async def play() -> None:
        async with platform(QUIET) as caller:
            now = caller.cloud.centre.now
            first, later = now + timedelta(minutes=10), now + timedelta(hours=5)
            made = await created(caller, callbackScheduledTime=first.isoformat())
            move = {"conversationId": made, "callbackScheduledTime": later.isoformat()}
            body = {"patchCallbackRequests": [move, {**move, "conversationId": "nobody"}]}
            reply = await caller.call("POST", f"{CALLBACKS}/bulk/update", body)
            assert reply.json["errorIndexes"] == [1]
            await asyncio.sleep(4.9 * 3600)
            assert state(caller, made) is State.SCHEDULED

    run_virtually(play())


def test_only_scheduled_ones_are_ended_in_bulk() -> None:
    async def play() -> None:
        async with platform(QUIET) as caller:
            later = (caller.cloud.centre.now + timedelta(hours=1)).isoformat()
            waiting, scheduled = (
                await created(caller),
                await created(caller, callbackScheduledTime=later),
            )
            named = []
            for one in (waiting, scheduled):
                single = (await caller.call("GET", f"/api/v2/conversations/{one}")).json
                callback = single["participants"][0]["callbacks"][0]
                named.append({"conversationId": one, "callbackId": callback["id"]})
            body = {"callbackDisconnectIdentifiers": named}
            reply = await caller.call("POST", f"{CALLBACKS}/bulk/disconnect", body)
            assert reply.status == 202
            assert state(caller, scheduled) is State.DISCONNECTED
            assert state(caller, waiting) is not State.DISCONNECTED
            path = f"/api/v2/conversations/{waiting}/disconnect"
            assert (await caller.call("POST", path)).status == 202
            assert state(caller, waiting) is State.DISCONNECTED

    run_virtually(play())


def test_agents_are_free_again_whatever_is_ended_when() -> None:
    async def play() -> None:
        busy = Options(arrivals_per_minute=60, agents=20, max_live=100, warm_up=timedelta(0))
        async with platform(busy) as caller:
            centre = caller.cloud.centre
            for _ in range(60):
                await asyncio.sleep(5)
                for one in centre.conversations(ended=False)[:3]:
                    path = f"/api/v2/conversations/{one.id}/disconnect"
                    assert (await caller.call("POST", path)).status == 202
            for queue in list(centre.queues):  # nobody comes any more
                caller.cloud.remove_queue(queue)
            assert not centre.live
            await asyncio.sleep(60)
            assert not [agent for agent in centre.agents if agent.busy]

    run_virtually(play())


def test_commands_need_permissions() -> None:
    async def play() -> None:
        async with platform(QUIET) as caller:
            caller.client.permissions = {one for one in EVERY_PERMISSION if "callback" not in one}
            body = {"queueId": caller.cloud.centre.queues[0].id, "callbackNumbers": [NUMBER]}
            reply = await caller.call("POST", CALLBACKS, body)
            assert reply.status == 403
            assert "conversation:callback:create" in reply.json["message"]

    run_virtually(play())
