"""What can be watched of a source, and of the daemon's own dealing with it.

A kind says from when to when its condition holds, or that it does not. All of it is known from
gaps, frames and pulses, so that a replay knows the same.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol

import msgspec

from ringback.core.gaps import Gap
from ringback.core.records import Alarm

__all__ = ["FEED_KINDS", "Feed", "FeedKind", "FeedSight", "Pulse", "Span"]

EVICTED = "evicted"
"""Begins the cause of a gap for which another client is to blame."""
MINUTE = timedelta(minutes=1)
WINDOW = timedelta(hours=1)
"""For so long a frame counts that could not be understood."""


class Pulse(msgspec.Struct, array_like=True, frozen=True):
    """What the core cannot see of a source by itself. Instants are on the daemon's clock."""

    behind_since: datetime | None = None
    """When what is not committed yet came, if that is more than a moment ago."""
    spent_since: datetime | None = None
    """Since when requests wait for the budget of them."""
    skew: timedelta = timedelta()
    """How far a clock of the platform runs ahead."""


class Feed(msgspec.Struct, array_like=True, gc=False):
    """What is kept of a source. Fields may be appended, never moved."""

    name: str
    hears_since: datetime | None = None
    """When it last came to hear."""
    heard_at: datetime | None = None
    """When it last told of a conversation."""
    undecodable: dict[datetime, int] = {}
    """Frames that could not be understood lately, by minute."""
    pulse: Pulse = Pulse()
    pulse_at: datetime | None = None
    """When that was noted."""
    alarms: list[Alarm] = []

    def alarm(self, rule: str) -> Alarm | None:
        """Give the state of a rule, if it has ever fired."""
        return next((alarm for alarm in self.alarms if alarm.rule == rule), None)


class Span(NamedTuple):
    """From when to when a condition holds."""

    begin: datetime
    end: datetime | None = None
    """None: until something happens."""


class FeedSight(NamedTuple):
    """One source as the rules see it."""

    feed: Feed
    gaps: Sequence[Gap]
    """Its gaps, oldest first."""


class Limits(Protocol):
    """What a rule says of how much is too much."""

    @property
    def after(self) -> timedelta:
        """How long, or how far."""

    @property
    def times(self) -> float:
        """How often."""

    @property
    def lasts(self) -> timedelta:
        """For how long something counts that has happened."""


class FeedKind(NamedTuple):
    """Something that can be watched of a source."""

    summary: str
    over: str
    """What has become of it when it is over."""
    after: timedelta
    span: Callable[[FeedSight, Limits], Span | None]
    times: float = 1.0
    amount: bool = False
    """Whether `after` is how far, and not how long."""
    severity: str = "warning"
    built_in: bool = True
    """Whether it is watched without a file of rules that names it."""


def _blind(sight: FeedSight, _limits: Limits) -> Span | None:
    lasting = [gap.since for gap in sight.gaps if gap.until is None]
    return Span(min(lasting)) if lasting else None


def _silent(sight: FeedSight, _limits: Limits) -> Span | None:
    feed = sight.feed
    if feed.hears_since is None or any(gap.until is None and not gap.topics for gap in sight.gaps):
        return None  # it is blind
    return Span(max(feed.heard_at or feed.hears_since, feed.hears_since))


def _evicted(sight: FeedSight, limits: Limits) -> Span | None:
    """Some channel is out, or was pushed out lately: of such times without a break the latest.

    The one that was pushed out last may be back while another is not.
    """
    begin: datetime | None = None
    end: datetime | None = None
    for gap in sight.gaps:
        if not gap.cause.startswith(EVICTED):
            continue
        if begin is None or (end is not None and end <= gap.since):
            begin, end = gap.since, gap.since
        if gap.until is None:
            end = None
        elif end is not None:
            end = max(end, gap.until, gap.since + limits.lasts)
    return None if begin is None else Span(begin, end)


def _behind(sight: FeedSight, _limits: Limits) -> Span | None:
    since = sight.feed.pulse.behind_since
    return None if since is None else Span(since)


def _undecodable(sight: FeedSight, limits: Limits) -> Span | None:
    minutes = sorted(sight.feed.undecodable.items())
    begin, count = None, 0
    for minute, frames in minutes:
        count += frames
        if begin is None and count >= limits.times:
            begin = minute
    if begin is None:
        return None
    # It is over once so many have left the window that too few are in it.
    for minute, frames in minutes:
        count -= frames
        if count < limits.times:
            return Span(begin, minute + MINUTE + WINDOW)
    return Span(begin)


def _skewed(sight: FeedSight, limits: Limits) -> Span | None:
    feed = sight.feed
    if feed.pulse_at is None or feed.pulse.skew < limits.after:
        return None
    return Span(feed.pulse_at)


def _spent(sight: FeedSight, _limits: Limits) -> Span | None:
    since = sight.feed.pulse.spent_since
    return None if since is None else Span(since)


FEED_KINDS: Mapping[str, FeedKind] = {
    "source_blind": FeedKind(
        "a source does not hear, or not all",
        "it hears again",
        timedelta(minutes=2),
        _blind,
        severity="critical",
    ),
    "source_silent": FeedKind(
        "a source that seems to hear tells of no conversation",
        "it tells of conversations again",
        timedelta(minutes=15),
        _silent,
        built_in=False,
    ),
    "channel_evicted": FeedKind(
        "another client of the same name pushes our channels out",
        "no channel was pushed out lately",
        timedelta(),
        _evicted,
    ),
    "lagging": FeedKind(
        "what comes in is not stored in time",
        "it is stored in time",
        timedelta(seconds=10),
        _behind,
        severity="critical",
    ),
    "undecodable_frames": FeedKind(
        "frames cannot be understood",
        "few lately",
        timedelta(),
        _undecodable,
        times=10.0,
    ),
    "clock_skew": FeedKind(
        "the platform's clocks and ours differ",
        "they agree",
        timedelta(seconds=30),
        _skewed,
        amount=True,
    ),
    "budget_spent": FeedKind(
        "REST requests wait for their budget: reads and proofs come late",
        "none wait",
        timedelta(minutes=5),
        _spent,
    ),
}
"""All there are, by name."""
