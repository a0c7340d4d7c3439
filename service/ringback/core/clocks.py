"""How far the platform's two clocks run ahead of the daemon's.

Known only from timestamps that must lie in the past yet arrive from the future. Lateness says
nothing: a delayed frame and a slow clock look alike. Reported times are never corrected, only
wake-ups are.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from enum import StrEnum

__all__ = ["EPOCH", "NO_SKEW", "Clock", "Skews", "milliseconds"]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NO_SKEW = timedelta(0)
NONSENSE = timedelta(minutes=10)
"""A timestamp further ahead than this is no clock that runs fast, but a mistake."""
MEMORY = timedelta(hours=1)
"""A skew is believed for one to two of these after it was last seen; clocks get set right."""
_MILLISECOND = timedelta(milliseconds=1)


def milliseconds(instant: datetime, *, up: bool = False) -> int:
    """Give milliseconds since `EPOCH`, rounded down, or up so that a deadline is never early."""
    whole, rest = divmod(instant - EPOCH, _MILLISECOND)
    return whole + 1 if up and rest else whole


class Clock(StrEnum):
    """Which clock an instant was read from."""

    CLOUD = "cloud"
    """`connectedTime`, `startHoldTime`, after-call work."""
    PROVIDER = "provider"
    """`disconnectedTime`, `callbackScheduledTime`."""
    OBSERVER = "observer"
    """The daemon's own."""


class Skews:
    """The skew of each platform clock, as seen lately."""

    def __init__(self) -> None:
        self._windows: dict[Clock, tuple[datetime, timedelta, timedelta]] = {}
        self.nonsense = 0
        """Timestamps too far in the future to be believed."""

    def notice(self, clock: Clock, reported: datetime | None, now: datetime) -> None:
        """Learn from a reported instant that cannot lie in the future."""
        if reported is None or reported <= now:
            return
        ahead = reported - now
        if ahead > NONSENSE:
            self.nonsense += 1
            return
        began, lately, before = self._roll(clock, now)
        self._windows[clock] = (began, max(lately, ahead), before)

    def kept(self) -> list[tuple[Clock, datetime, timedelta, timedelta]]:
        """Give all that is known, for `restore`."""
        return [(clock, *window) for clock, window in self._windows.items()]

    def restore(self, kept: Iterable[tuple[Clock, datetime, timedelta, timedelta]]) -> None:
        """Know again what `kept` gave."""
        for clock, began, lately, before in kept:
            self._windows[clock] = (began, lately, before)

    def ahead(self, clock: Clock, now: datetime) -> timedelta:
        """How far `clock` runs ahead of the daemon's clock; never negative."""
        if clock not in self._windows:
            return NO_SKEW
        _, lately, before = self._roll(clock, now)
        return max(lately, before)

    def _roll(self, clock: Clock, now: datetime) -> tuple[datetime, timedelta, timedelta]:
        """Give the window of now: when it began, the skew seen in it, and in the one before.

        It follows from what was noticed alone, whoever asks and when.
        """
        began, lately, before = self._windows.get(clock, (now, NO_SKEW, NO_SKEW))
        age = now - began
        if age < MEMORY:
            return began, lately, before
        if age < 2 * MEMORY:
            return began + MEMORY, NO_SKEW, lately
        return now, NO_SKEW, NO_SKEW
