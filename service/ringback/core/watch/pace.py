"""How many messages a receiver gets in any minute."""

from collections import deque
from collections.abc import Iterable
from datetime import datetime, timedelta

from ringback.core.entries import NEVER

__all__ = ["Pace"]

MINUTE = timedelta(seconds=61)
"""A second more: of two messages one may be quicker on its way."""


class Pace:
    """At most so many in any minute; the last of them is kept for what is critical."""

    def __init__(self, most: int) -> None:
        """`most` of 0 is no limit."""
        self._most = most
        self._times: deque[datetime] = deque()

    @property
    def times(self) -> list[datetime]:
        """When the latest of them were sent, as far as that matters."""
        return list(self._times)

    def restore(self, times: Iterable[datetime]) -> None:
        """Take over what an earlier process has sent."""
        self._times.extend(times)

    def room(self, now: datetime, *, critical: bool) -> int | None:
        """Say how many messages may be sent now; None: any number."""
        if not self._most:
            return None
        while self._times and self._times[0] + MINUTE <= now:
            self._times.popleft()
        while self._times and self._times[-1] > now:  # the clock was set back
            self._times.pop()
        return max(0, self._allowed(critical=critical) - len(self._times))

    def free_at(self, *, critical: bool) -> datetime:
        """Say when there is room, as things stand; in the past if there is."""
        allowed = self._allowed(critical=critical)
        full = self._most > 0 and len(self._times) >= allowed
        return self._times[-allowed] + MINUTE if full else NEVER

    def count(self, now: datetime) -> None:
        """Note that one is sent."""
        if self._most:
            self._times.append(now)
            while len(self._times) > self._most:
                self._times.popleft()

    def _allowed(self, *, critical: bool) -> int:
        return self._most if critical or self._most == 1 else self._most - 1
