"""What time it is for the daemon, whose clock and this machine's may be minutes apart."""

from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

__all__ = ["DaemonClock"]

KEPT = 12
JUMP_SECONDS = 2.0
START = datetime(1970, 1, 1, tzinfo=UTC)


class DaemonClock:
    """The daemon's time by what its answers say, carried on by this machine's own seconds."""

    def __init__(self, seconds: Callable[[], float]) -> None:
        """Count on by `seconds`, which never goes back: a running loop's time."""
        self._seconds = seconds
        self._heard = deque[float](maxlen=KEPT)

    def hear(self, now: datetime) -> None:
        """Take the daemon's time.

        Every answer is late by its way, so the largest offset heard of late is the closest. One
        that is far off means that a clock was set, or that this machine has slept.
        """
        offset = (now - START).total_seconds() - self._seconds()
        if self._heard and abs(offset - max(self._heard)) > JUMP_SECONDS:
            self._heard.clear()
        self._heard.append(offset)

    def now(self) -> datetime:
        """Give the daemon's time."""
        return START + timedelta(seconds=self._seconds() + max(self._heard, default=0.0))
