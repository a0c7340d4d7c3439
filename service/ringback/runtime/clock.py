"""The one place that reads the wall clock."""

from datetime import UTC, datetime

__all__ = ["SystemClock"]


class SystemClock:
    """The machine's clock, in whole milliseconds.

    Recordings, rows and events keep no more. What is decided on here and now is so decided on the
    very same instant when it is replayed.
    """

    def now(self) -> datetime:
        """The present instant, aware, UTC."""
        now = datetime.now(UTC)
        return now.replace(microsecond=now.microsecond // 1000 * 1000)
