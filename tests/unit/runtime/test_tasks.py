import asyncio

import pytest

from ringback.errors import TaskDied
from ringback.runtime.tasks import Tasks

pytestmark = pytest.mark.looptime


async def wait_forever() -> None:
    await asyncio.Event().wait()


async def fail() -> None:
    await asyncio.sleep(1)
    raise ValueError("no such luck")


async def ignore_the_first_cancellation() -> None:
    try:
        await asyncio.sleep(1000)
    except asyncio.CancelledError:
        await asyncio.sleep(1000)


async def test_a_task_that_fails_is_named_with_its_reason() -> None:
    tasks = Tasks()
    tasks.start("steady", wait_forever())
    tasks.start("sink stdout", fail())
    with pytest.raises(
        TaskDied, match=r"^task sink stdout ended: ValueError: no such luck$"
    ) as died:
        await tasks.first_death()
    assert isinstance(died.value.__cause__, ValueError)
    assert (tasks.alive("steady"), tasks.alive("sink stdout")) == (True, False)
    assert await tasks.stop(tasks.names, 1) == []


async def test_a_task_that_returns_is_named() -> None:
    tasks = Tasks()
    tasks.start("wake-up", asyncio.sleep(5))
    with pytest.raises(TaskDied, match=r"^task wake-up ended: it returned$"):
        await tasks.first_death()


async def test_stopping_gives_those_that_are_still_alive_within_one_budget() -> None:
    tasks = Tasks()
    for number in range(3):
        tasks.start(f"stubborn {number}", ignore_the_first_cancellation())
    tasks.start("steady", wait_forever())
    await asyncio.sleep(0)
    stubborn = [f"stubborn {number}" for number in range(3)]
    left = [task for task in asyncio.all_tasks() if task.get_name() in stubborn]
    assert await tasks.stop(tasks.names, 5) == stubborn
    assert asyncio.get_running_loop().time() == pytest.approx(5)
    assert tasks.names == []
    for task in left:
        task.cancel()
    await asyncio.gather(*left, return_exceptions=True)


async def test_stopping_what_was_never_started_is_nothing() -> None:
    assert await Tasks().stop(["source"], 5) == []
    assert not Tasks().alive("source")
