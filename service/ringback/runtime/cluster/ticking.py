"""Timers of a partition: time goes on by what is put into its log, so somebody must put something.

When the real clock has passed the earliest deadline and nothing came, a `Tick` is put. The time
that the engine gives it counts, so a deadline is reached where and when it is read back, once,
whoever has put it and however often. Each is named after its deadline, so two owners put it once.
"""

import asyncio
from datetime import datetime, timedelta

from ringback.core.clocks import milliseconds
from ringback.errors import StoreError
from ringback.runtime.cluster.means import Means
from ringback.runtime.cluster.progress import Progress
from ringback.runtime.cluster.reading import Reading
from ringback.runtime.cluster.writing import Writing
from ringback.wire.log import Tick, encode_message

__all__ = ["QUIET", "Ticking"]

KEY = "~tick"
"""A conversation's id begins with no tilde."""
QUIET = 10.0
"""Seconds without any input after which one is put, to see that the way through the log is open."""
LONGEST = 1.0
"""Seconds between two looks at the clock: it may be set, and the machine may sleep."""
SHORTEST = 0.001
PROMPT = timedelta(seconds=1)
"""What is read back later than this says nothing of how far the engine's clock is from ours."""
_TICK = encode_message(Tick())


class Ticking:
    """Puts ticks for one partition, one at a time."""

    def __init__(
        self, progress: Progress, reading: Reading, writing: Writing, means: Means
    ) -> None:
        self._progress = progress
        self._reading = reading
        self._writing = writing
        self._inputs = means.inputs
        self._clock = means.clock
        self._ahead = timedelta()
        """How far our clock is ahead of the engine's, at least; negative when it is behind."""
        self.ticks = 0
        """How many were put."""
        self.waits_since: float | None = None
        """Since when one is on its way, on the loop's clock."""

    async def run(self) -> None:
        """Put ticks as deadlines pass, until cancelled."""
        missed: datetime | None = None
        again = 0
        while True:
            deadline = await self._due()
            again = again + 1 if deadline is not None and deadline == missed else 0
            await self._tick(deadline, again)
            missed = self._progress.next_deadline()
            if missed is not None and missed == deadline:
                # It was too early by the engine's clock, or is an old one that was known already.
                early = (missed - self._progress.now()).total_seconds()
                await asyncio.sleep(min(LONGEST, max(SHORTEST, early)))

    async def _due(self) -> datetime | None:
        """Wait until a deadline has passed, and give it; None when nothing came for too long.

        Nothing has come as it begins: then there may be much to do already.
        """
        loop = asyncio.get_running_loop()
        progress, writing = self._progress, self._writing
        while True:
            writing.rearm.clear()
            deadline = progress.next_deadline()
            quiet = progress.read_at + QUIET - loop.time()
            delay = min(LONGEST, quiet)
            writing.waking_at = None
            if deadline is not None:
                left = (deadline - self._engine_now()).total_seconds()
                if left <= 0:
                    return deadline
                delay = min(delay, left)
                writing.waking_at = milliseconds(deadline)
            if quiet <= 0 or not progress.begun:
                return None
            try:
                async with asyncio.timeout(max(SHORTEST, delay)):
                    await writing.rearm.wait()
            except TimeoutError:
                pass

    async def _tick(self, deadline: datetime | None, again: int) -> None:
        """Put a tick and wait until it is read back."""
        progress = self._progress
        if deadline is None:
            once = f"q:{progress.number}:{progress.reached}"
        else:
            once = f"t:{progress.number}:{milliseconds(deadline)}"
        before = self._clock.now()
        self.waits_since = asyncio.get_running_loop().time()
        known = progress.reached
        name = f"{once}:{again}:{known}" if again else once
        sequence = await self._inputs.put(progress.number, KEY, _TICK, name)
        self.ticks += 1
        if sequence <= known and (again or deadline is None):
            # Nobody can have put it before that was read after which it is named.
            raise StoreError(
                "input log",
                f"what is put comes before {known}, which was read",
                "the partition is loaded anew; see what the engine has lost",
            )
        await self._reading.read(sequence)
        self.waits_since = None
        if sequence > known and self._clock.now() - before < PROMPT:
            # The engine has taken it after we have looked at our clock.
            self._ahead = before - progress.now()

    def _engine_now(self) -> datetime:
        return self._clock.now() - self._ahead
