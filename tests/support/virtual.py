"""Virtual time for tasks that talk over real sockets to one another, all within one loop.

When nothing is ready, the loop's clock jumps to the next timer. What loopback sockets carry is
ready as soon as it is sent, so nothing is ever waited for. Threads do not fit in: time would run
away while they work.
"""

import asyncio
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

__all__ = ["VirtualLoop", "run_virtually"]

T = TypeVar("T")


class _Selector(selectors.DefaultSelector):
    """Never waits: it reports how long it would have waited instead."""

    def __init__(self) -> None:
        super().__init__()
        self.skipped = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Give what is ready; with nothing ready and a timer to wait for, skip that time."""
        ready = super().select(0)
        if ready or (timeout is not None and timeout <= 0):
            return ready
        if timeout is None:
            return super().select(None)
        self.skipped += timeout
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock begins at 0 and only goes on when nothing else can."""

    def __init__(self) -> None:
        self._virtual = _Selector()
        super().__init__(self._virtual)

    def time(self) -> float:
        """Give the virtual time, in seconds."""
        return self._virtual.skipped


def run_virtually(work: Coroutine[Any, Any, T]) -> T:
    """Run to the end in virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(work)
