"""Business hours: when they are, and how long a span of them lasts.

Hours are wall time of a place, so their length in instants changes with the clocks of that place. A
time of day that the clocks jump over is the instant of the jump; of one that comes twice the first
counts. So the order of times of day is the order of their instants, and spans never overlap.
"""

from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache

import msgspec

__all__ = ["WEEK", "Hours"]

WEEK = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
"""Days as `Hours.days` counts them, from 0."""

DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)
MOST_DAYS = 3 * 366
"""What takes longer than that many days is never reached."""
FIRST, LAST = date(1, 1, 4), date(9999, 12, 28)
"""Dates that every time zone can express."""


class Hours(msgspec.Struct, frozen=True, kw_only=True):
    """One span of every week's days. It belongs to the day on which it begins."""

    days: frozenset[int] = frozenset(range(5))
    """Monday is 0."""
    opens: time
    closes: time
    """At or before `opens`: on the next day."""
    zone: tzinfo
    closed: frozenset[date] = frozenset()
    """Dates on which no span begins."""

    def later(self, at: datetime, by: timedelta) -> datetime | None:
        """Give the first instant within them by which so much of them has passed since `at`.

        None if that is years away, or never.
        """
        day = _earliest_day(at)
        for _ in range(MOST_DAYS):
            span = _span(self, day)
            if span is not None and span[1] > at:
                begin = max(span[0], at)
                room = span[1] - begin
                if by < room or (by == room and by):
                    return begin + by
                by -= room
            if day >= LAST:
                break
            day += DAY
        return None


@lru_cache(maxsize=4096)
def _span(hours: Hours, day: date) -> tuple[datetime, datetime] | None:
    """Give the span that begins on a day, in UTC; None where there is none."""
    if day.weekday() not in hours.days or day in hours.closed:
        return None
    last = day if hours.opens < hours.closes else day + DAY
    begin, end = _instant(hours.zone, day, hours.opens), _instant(hours.zone, last, hours.closes)
    return (begin, end) if begin < end else None


def _earliest_day(at: datetime) -> date:
    """Give the first day whose span can still last: zones are less than a day apart from UTC."""
    return min(max(at.astimezone(UTC).date(), FIRST), LAST - 4 * DAY) - 2 * DAY


def _instant(zone: tzinfo, day: date, wall: time) -> datetime:
    """Give the instant at which the clocks of a zone come to show a time, or pass it."""
    shown = datetime.combine(day, wall, zone)
    late = shown.astimezone(UTC)
    if late.astimezone(zone).replace(tzinfo=None) == shown.replace(tzinfo=None):
        return late
    # Jumped over: read with the offset from before the jump it lies after it, and vice versa.
    early = shown.replace(fold=1).astimezone(UTC)
    before = early.astimezone(zone).utcoffset()
    while late - early > SECOND:
        middle = early + (late - early) // (2 * SECOND) * SECOND
        if middle.astimezone(zone).utcoffset() == before:
            early = middle
        else:
            late = middle
    return late
