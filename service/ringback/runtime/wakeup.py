"""The one armed wake-up: sleeps until the core's next deadline and fires what is due."""

import asyncio

from ringback.core.clocks import milliseconds
from ringback.runtime.pipeline import Pipeline

__all__ = ["wake_forever"]

LONGEST = 1.0
"""Seconds. asyncio sleeps on the monotonic clock: it does not notice that the wall clock was set or
that the machine slept. So no sleep is longer, and a jump is noticed within this."""
SHORTEST = 0.001


async def wake_forever(pipeline: Pipeline) -> None:
    """Fire deadlines as they fall due, until cancelled.

    A clock set forwards lets many fall due at once: they are fired in bounded groups, with the loop
    free in between. A clock set backwards only delays.
    """
    while True:
        await pipeline.room()
        pipeline.woke_at = asyncio.get_running_loop().time()
        if pipeline.fire():
            await asyncio.sleep(0)
            continue
        await _sleep(pipeline)


async def _sleep(pipeline: Pipeline) -> None:
    """Sleep until the next deadline, or until something is due earlier than that."""
    pipeline.rearm.clear()
    deadline = pipeline.tracker.next_deadline()
    delay = LONGEST
    pipeline.waking_at = None
    if deadline is not None:
        delay = min(LONGEST, (deadline - pipeline.clock.now()).total_seconds())
        pipeline.waking_at = milliseconds(deadline)
    try:
        async with asyncio.timeout(max(SHORTEST, delay)):
            await pipeline.rearm.wait()
    except TimeoutError:
        pass
