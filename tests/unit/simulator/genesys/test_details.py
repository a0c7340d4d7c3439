"""The detail query tells what was so a while ago."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from ringback.simulator.genesys.limits import Limits
from ringback.simulator.interventions import create_callback, reschedule
from ringback.simulator.options import Options
from support.genesys import Caller, platform
from support.virtual import run_virtually

PATH = "/api/v2/analytics/conversations/details/query"
DAY = "2026-11-22T00:00:00.000Z/2026-11-23T00:00:00.000Z"
BUSY = Options(arrivals_per_minute=60, agents=20, warm_up=timedelta(0))
CALLBACKS = {"type": "or", "predicates": [{"dimension": "mediaType", "value": "callback"}]}
OPEN = {"type": "or", "predicates": [{"dimension": "conversationEnd", "operator": "notExists"}]}


async def pages(caller: Caller, size: int = 100, **more: Any) -> list[dict[str, Any]]:
    """Read every page."""
    found: list[dict[str, Any]] = []
    while True:
        number = len(found) // size + 1
        paging = {"pageSize": size, "pageNumber": number}
        body = {"interval": DAY, "paging": paging, "segmentFilters": [CALLBACKS], **more}
        reply = await caller.call("POST", PATH, body)
        assert reply.status == 200, reply.body
        page = reply.json.get("conversations", [])
        found += page
        if len(page) < size:
            return found


def sessions(conversation: dict[str, Any], media: str) -> list[dict[str, Any]]:
    return [
        session
        for participant in conversation["participants"]
        for session in participant["sessions"]
        if session["mediaType"] == media
    ]


def test_it_lags_behind() -> None:
    async def play() -> None:
        async with platform(BUSY) as caller:
            await asyncio.sleep(60)
            then = {one.id for one in caller.cloud.centre.conversations()}
            await asyncio.sleep(7)
            found = await pages(caller, conversationFilters=[OPEN])
            assert {one["conversationId"] for one in found} <= then
            assert len(found) > len(then) / 2
            assert len(caller.cloud.centre.conversations()) > len(then)

    run_virtually(play())


def test_without_a_lag_it_agrees_with_the_single_read() -> None:
    async def play() -> None:
        async with platform(BUSY, Limits(details_lag_seconds=0)) as caller:
            await asyncio.sleep(300)
            found = await pages(caller)
            assert len(found) > 100
            for one in found[::9]:
                path = f"/api/v2/conversations/{one['conversationId']}"
                single = (await caller.call("GET", path)).json
                assert ("endTime" in single) == ("conversationEnd" in one)
                legs = [leg for each in single["participants"] for leg in each["callbacks"]]
                shown = {each["sessionId"]: each for each in sessions(one, "callback")}
                assert set(shown) == {leg["id"] for leg in legs}
                for leg in legs:
                    session = shown[leg["id"]]
                    assert session.get("callbackScheduledTime") == leg.get("callbackScheduledTime")
                    assert session["timeoutSeconds"] == leg["timeoutSeconds"]

    run_virtually(play())


def test_it_knows_a_reschedule_only_after_the_lag() -> None:
    async def play() -> None:
        async with platform(BUSY) as caller:
            centre = caller.cloud.centre
            hour = timedelta(hours=1)
            made = create_callback(centre, centre.queues[0], at=centre.now + hour).id
            await asyncio.sleep(20)
            earlier = await shown_time(caller, made)
            assert reschedule(centre, made, centre.now + 3 * hour)
            await asyncio.sleep(5)
            assert await shown_time(caller, made) == earlier
            await asyncio.sleep(5)
            assert await shown_time(caller, made) > earlier

    async def shown_time(caller: Caller, made: str) -> str:
        found = {one["conversationId"]: one for one in await pages(caller)}
        time: str = sessions(found[made], "callback")[0]["callbackScheduledTime"]
        return time

    run_virtually(play())


def test_pages_shift_on_demand() -> None:
    async def play() -> None:
        async with platform(BUSY) as caller:
            await asyncio.sleep(120)
            whole = [one["conversationId"] for one in await pages(caller)]
            caller.cloud.faults.shifted_pages = 3
            paged = [one["conversationId"] for one in await pages(caller, size=10)]
            assert len(set(paged)) < len(paged) or set(paged) != set(whole)

    run_virtually(play())


@pytest.mark.parametrize(
    "more",
    [
        {"interval": "yesterday"},
        {"interval": "2026-10-01T00:00:00Z/2026-11-22T00:00:00Z"},
        {"paging": {"pageSize": 101, "pageNumber": 1}},
        {"segmentFilters": [{"type": "and", "predicates": [{"dimension": "moon"}]}]},
        {"order": "sideways"},
    ],
)
def test_nonsense_is_refused(more: dict[str, Any]) -> None:
    async def play() -> None:
        async with platform() as caller:
            reply = await caller.call("POST", PATH, {"interval": DAY, **more})
            assert reply.status == 400

    run_virtually(play())
