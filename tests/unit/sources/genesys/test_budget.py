"""Who may go when: never more than allowed in any minute, the urgent first, nobody forgotten."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from ringback.errors import PlatformError, PlatformFault
from ringback.sources.genesys.budget import Budget, Urgency
from support.virtual import run_virtually


async def went(budget: Budget, urgency: Urgency, into: list[tuple[float, str]], name: str) -> None:
    await budget.take(urgency)
    into.append((asyncio.get_running_loop().time(), name))


async def together(*works: Coroutine[Any, Any, None]) -> None:
    async with asyncio.TaskGroup() as group:
        for work in works:
            group.create_task(work)


def test_never_more_than_allowed_in_any_minute() -> None:
    async def work() -> list[tuple[float, str]]:
        budget, times = Budget(10), list[tuple[float, str]]()
        await together(*(went(budget, Urgency.CHANNEL, times, str(n)) for n in range(35)))
        assert budget.spent == {Urgency.CHANNEL: 35}
        assert (budget.waited, budget.waiting) == (25, 0)
        return times

    times = run_virtually(work())
    assert [name for _, name in times] == [str(number) for number in range(35)]
    for (early, _), (late, _) in zip(times, times[10:], strict=False):
        assert late - early >= 60
    assert times[-1][0] == 180


def test_each_urgency_leaves_a_reserve_for_those_before_it() -> None:
    async def work() -> None:
        budget = Budget(100)
        assert [budget.left(urgency) for urgency in reversed(Urgency)] == [60, 80, 95, 100]
        for _ in range(60):
            await budget.take(Urgency.ROUTINE)
        assert [budget.left(urgency) for urgency in reversed(Urgency)] == [0, 20, 35, 40]
        times = list[tuple[float, str]]()
        await together(
            went(budget, Urgency.ROUTINE, times, "routine"),
            went(budget, Urgency.SURVEY, times, "survey"),
            went(budget, Urgency.CHANNEL, times, "channel"),
        )
        assert times == [(0, "survey"), (0, "channel"), (60, "routine")]

    run_virtually(work())


def test_the_urgent_go_first_among_those_who_wait() -> None:
    async def work() -> None:
        budget, times = Budget(1), list[tuple[float, str]]()
        await budget.take(Urgency.CHANNEL)
        names = [Urgency.ROUTINE, Urgency.SURVEY, Urgency.CHANNEL, Urgency.REPAIR, Urgency.CHANNEL]
        await together(*(went(budget, each, times, each.name) for each in names))
        assert [name for _, name in times] == ["CHANNEL", "CHANNEL", "REPAIR", "SURVEY", "ROUTINE"]
        assert [time for time, _ in times] == [60, 120, 180, 240, 300]

    run_virtually(work())


def test_a_pause_stops_everyone() -> None:
    async def work() -> None:
        budget, times = Budget(100), list[tuple[float, str]]()
        budget.pause(5)
        budget.pause(2)
        assert budget.left() == 0
        await went(budget, Urgency.CHANNEL, times, "a")
        assert times == [(5, "a")]

    run_virtually(work())


def test_a_longer_pause_holds_those_who_wait_already() -> None:
    async def work() -> None:
        budget, times = Budget(1), list[tuple[float, str]]()
        await budget.take(Urgency.CHANNEL)
        waiting = asyncio.ensure_future(went(budget, Urgency.CHANNEL, times, "a"))
        await asyncio.sleep(30)
        budget.pause(40)
        await waiting
        assert times == [(70, "a")]

    run_virtually(work())


def test_who_gives_up_takes_nothing_and_holds_nobody_up() -> None:
    async def work() -> None:
        budget, times = Budget(1), list[tuple[float, str]]()
        await budget.take(Urgency.CHANNEL)
        given_up = [asyncio.ensure_future(budget.take(Urgency.CHANNEL)) for _ in range(3)]
        await asyncio.sleep(1)
        assert budget.waiting == 3
        for each in given_up:
            each.cancel()
        await asyncio.wait(given_up)
        assert budget.waiting == 0
        assert budget._waiting == []
        # Its turn has come, and it is broken off before it learns of it.
        late = asyncio.ensure_future(budget.take(Urgency.CHANNEL))
        asyncio.get_running_loop().call_at(60, late.cancel)
        await asyncio.wait([late])
        await went(budget, Urgency.CHANNEL, times, "a")
        assert times == [(60, "a")]
        assert budget.spent[Urgency.CHANNEL] == 2

    run_virtually(work())


def test_too_many_waiting_is_refused_in_words() -> None:
    async def work() -> None:
        budget = Budget(1, most_waiting=2)
        await budget.take(Urgency.CHANNEL)
        waiting = [asyncio.ensure_future(budget.take(Urgency.CHANNEL)) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(PlatformError, match="2 requests wait already") as caught:
            await budget.take(Urgency.CHANNEL, "GET /api/v2/things")
        assert caught.value.fault is PlatformFault.THROTTLED
        await asyncio.wait(waiting)

    run_virtually(work())


def test_even_the_smallest_budget_lets_the_least_urgent_go() -> None:
    async def work() -> None:
        await Budget(1).take(Urgency.ROUTINE)

    run_virtually(work())


def test_what_is_allowed_may_change() -> None:
    async def work() -> None:
        budget, times = Budget(10), list[tuple[float, str]]()
        assert (budget.wanted, budget.used) == (10, 0)
        budget.allow(0)
        assert [budget.left(urgency) for urgency in Urgency] == [0, 0, 0, 0]
        waiting = asyncio.create_task(went(budget, Urgency.ROUTINE, times, "first"))
        await asyncio.sleep(100)
        assert times == []
        budget.allow(2)
        await waiting
        assert times == [(100, "first")]
        await went(budget, Urgency.CHANNEL, times, "second")
        assert (budget.wanted, budget.used) == (10, 2)
        budget.allow(1)
        waiting = asyncio.create_task(went(budget, Urgency.CHANNEL, times, "third"))
        await asyncio.sleep(50)
        budget.allow(0)
        await asyncio.sleep(50)
        assert (budget.used, len(times)) == (0, 2)
        budget.allow(10)
        await waiting
        assert times[2] == (200, "third")

    run_virtually(work())
