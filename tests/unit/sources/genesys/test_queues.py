"""Queues over all pages; and that no failure makes one vanish."""

from typing import Any

import pytest
from aiohttp import web

from ringback.core.snapshots import QueueSettings
from ringback.errors import PlatformError, PlatformFault, SourceError
from ringback.sources.genesys.client import RestClient
from ringback.sources.genesys.patterns import Patterns
from ringback.sources.genesys.queues import (
    Difference,
    Discovery,
    FollowedQueue,
    difference,
    discover,
    refuse_none,
)
from support.platform import Answerer, FakePlatform, json_answer
from support.rest_client import talk

ROUTE = "GET /api/v2/routing/queues"


def queue(number: int, **more: Any) -> dict[str, Any]:
    return {"id": f"q{number}", "name": f"Queue {number}", **more}


def pages(queues: list[dict[str, Any]]) -> Answerer:
    """Serve as the platform does, by page."""

    def answer(request: web.BaseRequest) -> web.StreamResponse:
        size, number = int(request.query["pageSize"]), int(request.query["pageNumber"])
        entities = queues[(number - 1) * size : number * size]
        count = -(-len(queues) // size)
        return json_answer(
            {
                "entities": entities,
                "pageSize": size,
                "pageNumber": number,
                "total": len(queues),
                "pageCount": count,
            }
        )(request)

    return answer


def followed(id_: str, name: str = "", **settings: Any) -> FollowedQueue:
    return FollowedQueue(id_, name or id_, "", QueueSettings(id_, **settings))


def found(*queues: FollowedQueue, complete: bool = True) -> Discovery:
    return Discovery({each.id: each for each in queues}, [each.name for each in queues], complete)


def test_all_pages_are_read() -> None:
    async def work(platform: FakePlatform, client: RestClient) -> None:
        discovery = await discover(client, Patterns("Queue 24?, id:q1"))
        assert set(discovery.queues) == {"q1", *(f"q{number}" for number in range(240, 250))}
        assert len(discovery.names) == 250
        assert discovery.complete
        assert platform.times(ROUTE) == 3

    talk(work, {ROUTE: pages([queue(number) for number in range(250)])})


def test_settings_come_with_them() -> None:
    async def work(platform: FakePlatform, client: RestClient) -> None:
        discovery = await discover(client, Patterns())
        assert discovery.queues == {
            "q1": FollowedQueue(
                "q1",
                "Queue 1",
                "Home",
                QueueSettings(
                    "q1",
                    40,
                    customer_first=True,
                    alerting_timeout_seconds=30,
                    division_id="d",
                    name="Queue 1",
                ),
            ),
            "q2": followed("q2"),
        }

    callback = {
        "enableAutoDialAndEnd": True,
        "autoDialDelaySeconds": 40,
        "mode": "CustomerFirst",
        "alertingTimeoutSeconds": 30,
    }
    entities = [
        queue(1, mediaSettings={"callback": callback}, division={"id": "d", "name": "Home"}),
        {"id": "q2", "name": None, "division": {}, "mediaSettings": {"callback": {}}},
    ]
    talk(work, {ROUTE: pages(entities)})


@pytest.mark.parametrize(
    ("answers", "fault"),
    [
        ([{"pageCount": 1, "total": 5}], PlatformFault.WRONG_SHAPE),
        ([{}], PlatformFault.WRONG_SHAPE),
        (
            [{"entities": [queue(1)], "pageCount": 2}, {"pageCount": 2}],
            PlatformFault.WRONG_SHAPE,
        ),
        (
            [{"entities": [queue(1)], "pageCount": 3}, {"entities": [], "pageCount": 3}],
            PlatformFault.WRONG_SHAPE,
        ),
        ([{"entities": [queue(1)], "pageCount": 2}, 404], PlatformFault.NOT_FOUND),
        ([{"entities": [{"name": "no id"}]}], PlatformFault.WRONG_SHAPE),
    ],
)
def test_a_page_that_fails_or_is_missing_is_raised(
    answers: list[Any], fault: PlatformFault
) -> None:
    async def work(platform: FakePlatform, client: RestClient) -> None:
        with pytest.raises(PlatformError) as caught:
            await discover(client, Patterns())
        assert caught.value.fault is fault

    talk(work, {ROUTE: answers})


def test_pages_that_shift_are_read_again() -> None:
    async def work(platform: FakePlatform, client: RestClient) -> None:
        discovery = await discover(client, Patterns())
        assert set(discovery.queues) == {"q1", "q2"}
        assert discovery.complete
        assert platform.times(ROUTE) == 4

    first = {"entities": [queue(1)], "pageCount": 2, "total": 2}
    talk(work, {ROUTE: [first, first, first, {**first, "entities": [queue(2)]}]})


def test_a_number_that_never_fits_is_told_but_stops_nothing() -> None:
    async def work(platform: FakePlatform, client: RestClient) -> None:
        discovery = await discover(client, Patterns())
        assert set(discovery.queues) == {"q1"}
        assert not discovery.complete
        assert platform.times(ROUTE) == 3

    talk(work, {ROUTE: {"entities": [queue(1)], "pageCount": 1, "total": 9}})


def test_without_a_count_a_short_page_is_the_last() -> None:
    async def work(platform: FakePlatform, client: RestClient) -> None:
        assert len((await discover(client, Patterns())).queues) == 101

    full = {"entities": [queue(number) for number in range(100)], "pageSize": 100}
    talk(work, {ROUTE: [full, {"entities": [queue(100)], "pageSize": 100}]})


def test_the_difference() -> None:
    old = found(followed("a"), followed("b"), followed("c")).queues
    changed = followed("b", auto_dial_seconds=5)
    assert difference(old, found(followed("a"), changed, followed("d"))) == Difference(
        [followed("d")], ["c"], [changed]
    )
    assert difference(old, found(followed("a"), followed("b", "New name"), followed("c"))) == (
        Difference([], [], [])
    )


def test_nothing_vanishes_by_an_incomplete_answer_or_all_at_once() -> None:
    old = found(followed("a"), followed("b")).queues
    assert difference(old, found(followed("a"), complete=False)).vanished == []
    assert difference(old, found()).vanished == []
    assert difference(old, found(followed("a"))).vanished == ["b"]


def test_no_queue_is_refused_with_what_there_is() -> None:
    names = ["Care", "Sales EMEA", "Sales US", "Support", "Returns", "Billing"]
    with pytest.raises(SourceError) as caught:
        refuse_none("main", Discovery({}, names, complete=True), Patterns("Sales UK, id:5"))
    assert "none of the 6 that the client sees matches queues 'Sales UK, id:5'" in str(caught.value)
    assert "there are 'Sales US', 'Sales EMEA'" in str(caught.value)
    assert "and 1 more" in str(caught.value)
    with pytest.raises(SourceError, match="sees no queue at all; give it a role with routing:q"):
        refuse_none("main", Discovery({}, [], complete=True), Patterns())
    refuse_none("main", found(followed("a")), Patterns())
