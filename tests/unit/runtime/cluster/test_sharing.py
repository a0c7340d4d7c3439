"""A share of a limit: what slots make together, and when one may go."""

import asyncio

import pytest

from ringback.runtime.cluster.sharing import Share, slots

pytestmark = pytest.mark.looptime

SLOTS = {"x.0": 5, "x.1": 5, "x.2": 4}


class Limit:
    """Something of which so much is used."""

    def __init__(self) -> None:
        self.wanted = 14
        self.used = 0
        self.allowed = -1

    def allow(self, amount: int) -> None:
        self.allowed = amount


async def test_what_slots_make_together_is_allowed() -> None:
    limit = Limit()
    share = Share(limit, SLOTS)
    assert limit.allowed == 0
    await share.take("x.0")
    await share.take("x.2")
    assert limit.allowed == 9
    await share.lose("x.2")
    assert limit.allowed == 5


async def test_slots_go_one_by_one_as_soon_as_the_others_are_enough() -> None:
    limit = Limit()
    share = Share(limit, SLOTS)
    for name in SLOTS:
        await share.take(name)
    limit.used = 6
    gone = {name: asyncio.create_task(share.give(name)) for name in SLOTS}
    await asyncio.sleep(1)
    assert limit.allowed == 0
    assert [name for name, task in gone.items() if task.done()] == ["x.0"]
    limit.used = 5
    await asyncio.sleep(1)
    assert [name for name, task in gone.items() if task.done()] == ["x.0", "x.2"]
    limit.used = 1
    await asyncio.sleep(1)
    assert not gone["x.1"].done()
    limit.used = 0
    await asyncio.wait(gone.values(), timeout=1)
    assert all(task.done() for task in gone.values())


async def test_a_slot_that_is_lost_while_it_is_given_is_gone() -> None:
    limit = Limit()
    share = Share(limit, SLOTS)
    await share.take("x.0")
    limit.used = 5
    giving = asyncio.create_task(share.give("x.0"))
    await asyncio.sleep(1)
    giving.cancel()
    await asyncio.wait({giving})
    await share.lose("x.0")
    assert limit.allowed == 0
    await share.take("x.1")
    assert limit.allowed == 5


async def test_no_more_slots_are_of_use_than_are_wanted() -> None:
    limit = Limit()
    share = Share(limit, SLOTS)
    found = []
    for wanted in (0, 1, 5, 6, 10, 11, 14, 100):
        limit.wanted = wanted
        found.append(share.most())
    assert found == [0, 1, 1, 2, 2, 3, 3, 3]


def test_a_limit_is_divided_without_a_rest() -> None:
    assert slots("requests", 300, 20) == {f"requests.{number}": 15 for number in range(20)}
    assert list(slots("x", 7, 3).values()) == [2, 2, 3]
    assert slots("x", 2, 20) == {"x.0": 1, "x.1": 1}
    for amount in range(10, 500):
        assert sum(slots("x", amount, 20).values()) == amount
