"""Channels that another client of the same OAuth client pushes out: recovered from, not fought.

One eviction is recovered from at once. If they go on, then two clients want more channels together
than the platform allows, and each new channel of ours would only push out one of theirs, and so on.
"""

import asyncio
import random
from collections import deque

import structlog

__all__ = ["Evictions"]

log = structlog.get_logger(__name__)

LOOP = 3
"""So many within the window are a loop."""
WINDOW_SECONDS = 600.0
CALM_SECONDS = 3600.0
"""So long without any, and the loop is over."""
FIRST_SECONDS = 60.0
MOST_SECONDS = 1800.0

PROBLEM = (
    "channels are evicted again and again: another client of the same OAuth client uses more than"
    " the 20 that the platform allows both; give Ringback an OAuth client of its own"
)


class Evictions:
    """Counts evictions, tells a loop, and says how long to wait in one."""

    def __init__(self, chance: random.Random) -> None:
        self.total = 0
        self.looping = False
        """Whether it happens again and again."""
        self._chance = chance
        self._recent: deque[float] = deque(maxlen=LOOP)
        self._ceiling = FIRST_SECONDS

    @property
    def problem(self) -> str | None:
        """What is wrong and what to do; None while all is well."""
        self._calm_down()
        return PROBLEM if self.looping else None

    def note(self) -> None:
        """Count one more."""
        self._calm_down()
        now = asyncio.get_running_loop().time()
        self.total += 1
        self._recent.append(now)
        if self.looping:
            self._ceiling = min(self._ceiling * 2, MOST_SECONDS)
        elif len(self._recent) == LOOP and now - self._recent[0] <= WINDOW_SECONDS:
            self.looping = True
            log.error("channels_evicted", problem=PROBLEM, evictions=self.total)

    def pause(self) -> float:
        """Say how many seconds to wait, in a loop, before an evicted channel is made anew."""
        return self._ceiling * self._chance.uniform(0.5, 1)

    def _calm_down(self) -> None:
        if self.looping and asyncio.get_running_loop().time() - self._recent[-1] > CALM_SECONDS:
            self.looping = False
            self._ceiling = FIRST_SECONDS
            self._recent.clear()
            log.info("channels_kept")
