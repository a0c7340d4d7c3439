"""The observation query tells what is so in the queues now."""

import asyncio
from collections import defaultdict
from datetime import timedelta
from typing import Any

import pytest

from ringback.simulator.genesys.limits import Limits
from ringback.simulator.options import Options
from support.genesys import Caller, platform
from support.virtual import run_virtually

PATH = "/api/v2/analytics/queues/observations/query"
METRICS = ["oWaiting", "oAlerting", "oInteracting"]
BUSY = Options(arrivals_per_minute=60, agents=10, warm_up=timedelta(0))
WHERE = {"waiting": "oWaiting", "alerting": "oAlerting"}
AT_DESKS = {"connected", "auto_dialing", "dialing", "talking", "held"}


def query(caller: Caller, media: str = "callback", **more: Any) -> dict[str, Any]:
    queues = [
        {"type": "dimension", "dimension": "queueId", "operator": "matches", "value": queue.id}
        for queue in caller.cloud.centre.queues
    ]
    media_type = {"type": "dimension", "dimension": "mediaType", "value": media}
    clauses = [{"type": "or", "predicates": queues}, {"type": "or", "predicates": [media_type]}]
    return {"filter": {"type": "and", "clauses": clauses}, "metrics": METRICS, **more}


def test_it_lists_what_waits_rings_and_is_worked_on() -> None:
    async def play() -> None:
        async with platform(BUSY) as caller:
            for _ in range(20):
                await asyncio.sleep(15)
                reply = await caller.call("POST", PATH, query(caller, detailMetrics=METRICS))
                assert reply.status == 200, reply.body
                listed = defaultdict(set)
                for result in reply.json["results"]:
                    assert result["group"]["mediaType"] == "callback"
                    for data in result["data"]:
                        assert data["stats"]["count"] == len(data["observations"])
                        for one in data["observations"]:
                            listed[data["metric"]].add(one["conversationId"])
                true = defaultdict(set)
                for one in caller.cloud.centre.truth().values():
                    state = one.state.value
                    metric = "oInteracting" if state in AT_DESKS else WHERE.get(state)
                    if metric is not None:
                        true[metric].add(one.conversation_id)
                assert listed["oWaiting"] >= true["oWaiting"]
                assert listed["oInteracting"] >= true["oInteracting"]
                assert listed["oAlerting"] >= true["oAlerting"]
                assert listed["oWaiting"] == true["oWaiting"] | true["oAlerting"]

    run_virtually(play())


def test_too_many_are_truncated_in_the_middle() -> None:
    async def play() -> None:
        async with platform(BUSY, Limits(observations=2)) as caller:
            await asyncio.sleep(120)
            reply = await caller.call("POST", PATH, query(caller, detailMetrics=["oWaiting"]))
            data = [one["data"][0] for one in reply.json["results"]]
            assert any(one["truncated"] for one in data)
            assert all(len(one["observations"]) <= 2 for one in data)

    run_virtually(play())


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"filter": {"type": "and", "predicates": []}, "metrics": METRICS},
        {"filter": {"type": "and", "predicates": [{"dimension": "moon"}]}, "metrics": METRICS},
    ],
)
def test_nonsense_is_refused(body: dict[str, Any]) -> None:
    async def play() -> None:
        async with platform() as caller:
            reply = await caller.call("POST", PATH, body)
            assert reply.status == 400
            assert reply.json["status"] == 400

    run_virtually(play())


def test_without_the_permission_it_is_named() -> None:
    async def play() -> None:
        async with platform() as caller:
            caller.client.permissions.remove("analytics:queueObservation:view")
            reply = await caller.call("POST", PATH, query(caller))
            assert reply.status == 403
            assert "analytics:queueObservation:view" in reply.json["messageParams"]["permissions"]

    run_virtually(play())
