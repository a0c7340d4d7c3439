"""Tasks by name. If one ends that should not, the daemon stops and says which, and why."""

import asyncio
from collections.abc import Coroutine, Iterable

from ringback.errors import TaskDied

__all__ = ["Tasks", "together"]


class Tasks:
    """The daemon's long-running tasks."""

    def __init__(self) -> None:
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def start(self, name: str, work: Coroutine[None, None, None]) -> None:
        """Start a task that is meant to run until it is cancelled."""
        self._tasks[name] = asyncio.create_task(work, name=name)

    async def first_death(self) -> None:
        """Wait until a task ends by itself; raises `TaskDied`, from what it died of."""
        done, _ = await asyncio.wait(self._tasks.values(), return_when=asyncio.FIRST_COMPLETED)
        task = done.pop()
        reason = None if task.cancelled() else task.exception()
        raise TaskDied(task.get_name(), reason) from reason

    async def stop(self, names: Iterable[str], budget: float) -> list[str]:
        """Cancel tasks and wait for them; give those still alive after `budget` seconds."""
        tasks = [task for name in names if (task := self._tasks.pop(name, None)) is not None]
        for task in tasks:
            task.cancel()
        if not tasks:
            return []
        _, alive = await asyncio.wait(tasks, timeout=budget)
        return sorted(task.get_name() for task in alive)

    def alive(self, name: str) -> bool:
        """Whether a task has neither ended nor been stopped."""
        task = self._tasks.get(name)
        return task is not None and not task.done()

    @property
    def names(self) -> list[str]:
        """The names of the tasks that have not been stopped, in the order of their start."""
        return list(self._tasks)


async def together(*works: Coroutine[None, None, None]) -> None:
    """Run all until one of them ends, raise what that one died of, and leave none."""
    tasks = [asyncio.create_task(work) for work in works]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
