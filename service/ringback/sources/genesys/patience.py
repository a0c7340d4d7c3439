"""When one request is tried again, after what wait, and when not any more."""

import random
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from ringback.errors import PlatformError, PlatformFault
from ringback.sources.backoff import waits

__all__ = ["MOST_PAUSE_SECONDS", "MOST_TIMES", "Patience", "asked_pause"]

MOST_TIMES = 3
"""How often one request is tried again after a failure, and again after being throttled."""
FIRST_SECONDS = 0.5
MOST_SECONDS = 8.0
PAUSE_SECONDS = 1.0
"""After a 429 that does not say for how long."""
MOST_PAUSE_SECONDS = 120.0

PASSING = {PlatformFault.SERVER, PlatformFault.UNREACHABLE, PlatformFault.TIMED_OUT}
"""Faults that may be over in a moment."""
UNAVAILABLE = 503


class Patience:
    """For one request: counts what went wrong."""

    def __init__(self, chance: random.Random, *, repeatable: bool) -> None:
        """Say whether doing it twice does no more than doing it once."""
        self.retries = 0
        self._throttled = 0
        self._repeatable = repeatable
        self._waits = waits(FIRST_SECONDS, MOST_SECONDS, chance)

    def after(self, error: PlatformError) -> float:
        """Say how many seconds to wait after a failure; raises it when it is for good."""
        repeatable = self._repeatable or error.status == UNAVAILABLE
        if error.fault not in PASSING or not repeatable or self.retries >= MOST_TIMES:
            raise error
        self.retries += 1
        return next(self._waits)

    def throttled(self, error: PlatformError) -> None:
        """Count one 429; raises `error` when it was one too many."""
        if self._throttled >= MOST_TIMES:
            raise error
        self._throttled += 1


def asked_pause(retry_after: str | None, now: datetime) -> float:
    """Read a `Retry-After` header, seconds or a date, within bounds. Gives seconds."""
    if retry_after is None:
        return PAUSE_SECONDS
    try:
        seconds = float(retry_after)
    except ValueError:
        try:
            until = parsedate_to_datetime(retry_after)
        except ValueError:
            return PAUSE_SECONDS
        if until.tzinfo is None:
            until = until.replace(tzinfo=UTC)
        seconds = (until - now).total_seconds()
    # Also turns what is no number into the shortest pause.
    return min(seconds, MOST_PAUSE_SECONDS) if seconds > 0 else PAUSE_SECONDS
