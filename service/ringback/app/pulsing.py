"""Tells the core of a source what it cannot see from there: what waits, and whose clock is off."""

import asyncio
from datetime import datetime, timedelta
from typing import Protocol

from ringback.core.clocks import Clock as PlatformClock
from ringback.core.clocks import Skews
from ringback.core.watch.feed_kinds import Pulse
from ringback.ports import Clock, Source
from ringback.runtime.supervision import Supervisor
from ringback.sources.genesys.source import GenesysSource

__all__ = ["Pulsing"]

EVERY = 5.0
"""Seconds between two looks. What has not changed is not told."""
MOMENT = 2.0
"""Seconds that a commit may take before anything is behind."""
SECOND = timedelta(seconds=1)
CLOCKS = (PlatformClock.CLOUD, PlatformClock.PROVIDER)


class Pulsed(Protocol):
    """The intake of a source."""

    @property
    def clock(self) -> Clock:
        """The wall clock."""

    @property
    def skews(self) -> Skews:
        """How far the platform's clocks run ahead."""

    @property
    def pending_since(self) -> float | None:
        """Since when something waits to be stored, on the loop's clock."""

    def beats(self, pulse: Pulse) -> None:
        """Note how the source is, if that is news."""


class Pulsing:
    """Feels the pulse of one source."""

    def __init__(self, intake: Pulsed, source: Source) -> None:
        self._intake = intake
        self._source = source
        self._commit: tuple[float, datetime] | None = None
        """The commit that takes long: since when on the loop's clock, and on ours."""
        self._spent_since: datetime | None = None

    def join(self, process: Supervisor) -> None:
        """Feel it for as long as the process runs, from when it has restored."""
        process.tend("pulse", EVERY, lambda: self.feel() if process.restored else None)

    def feel(self) -> None:
        """Look once, and tell what is news."""
        now, skews = self._intake.clock.now(), self._intake.skews
        ahead = max(
            skews.ahead(clock, now) for clock in (PlatformClock.CLOUD, PlatformClock.PROVIDER)
        )
        pulse = Pulse(self._behind_since(now), self._waits_since(now), ahead // SECOND * SECOND)
        self._intake.beats(pulse)

    def _behind_since(self, now: datetime) -> datetime | None:
        """Say since when there is something to commit, if it takes long."""
        since = self._intake.pending_since
        long = 0.0 if since is None else asyncio.get_running_loop().time() - since
        if since is None or long < MOMENT:
            self._commit = None
            return None
        if self._commit is None or self._commit[0] != since:
            self._commit = (since, now - timedelta(seconds=long))
        return self._commit[1]

    def _waits_since(self, now: datetime) -> datetime | None:
        """Say since when, as far as was seen, requests wait for their budget."""
        source = self._source
        waits = isinstance(source, GenesysSource) and source.client.budget.waiting
        self._spent_since = (self._spent_since or now) if waits else None
        return self._spent_since
