"""How the last hours went, minute by minute: who waited and how long, offers, misses, ends.

An event belongs to the minute in which the daemon observed it, which is the journal's order, so the
past can be folded from the journal the same way as the present.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import islice

import msgspec

from ringback.core.clocks import EPOCH
from ringback.core.events import CallbackData, Event
from ringback.core.lifecycle import State
from ringback.web.board.happenings import happening

__all__ = ["MINUTE", "MOST_HOURS", "Minute", "Trends", "minute_of"]

MOST_HOURS = 24
MINUTES_KEPT = MOST_HOURS * 60 + 1
MINUTE = timedelta(minutes=1)


class Minute(msgspec.Struct, gc=False):
    """One minute: where it ended, and what happened in it."""

    waiting: int = 0
    oldest_seconds: float = 0.0
    offers: int = 0
    missed: int = 0
    ended: int = 0
    released: int = 0
    """Scheduled callbacks that were released."""
    in_time: int = 0
    """Those that were no later than the grace allows."""


class Trends:
    """The minutes up to the present one. Minutes are counted from the epoch."""

    def __init__(self, begin: int, waiting: Iterable[tuple[str, str]], grace: timedelta) -> None:
        """Begin with a minute; `waiting` are the callbacks that wait then, and since when.

        `grace` is how long after its time a scheduled callback is still released in time.
        """
        self._grace = grace
        self.present = begin
        """The minute that lasts."""
        self._now = Minute()
        self._past: deque[Minute] = deque(maxlen=MINUTES_KEPT)
        self.waiting = dict(waiting)
        """Since when each callback waits that does."""

    def tell(self, event: Event) -> None:
        """Take in one event of the journal, in order."""
        data = event.data
        if not isinstance(data, CallbackData):
            return
        self.go_on(minute_of(datetime.fromisoformat(data.observed_time)))
        if data.state == State.WAITING:
            since = self.waiting.get(data.callback_id)
            if since is None or event.type.endswith(".waiting.v1"):
                self.waiting[data.callback_id] = event.time
        else:
            self.waiting.pop(data.callback_id, None)
        self._count(event, data)

    def go_on(self, minute: int) -> None:
        """Let time go on to a minute; a clock that was set back changes nothing."""
        if minute - self.present > MINUTES_KEPT:
            self._past.clear()
            self._now = Minute()
            self.present = minute - 1
        while self.present < minute:
            self._sample(EPOCH + (self.present + 1) * MINUTE)
            self._past.append(self._now)
            self._now = Minute()
            self.present += 1

    def join(self, past: "Trends") -> None:
        """Put the minutes of an earlier time before these; a minute that is in both is added up."""
        *earlier, now = past.minutes(self.present)
        *later, present = self.minutes(self.present)
        own = earlier[len(earlier) - len(later) :] if later else []
        both = [_sum(one, other) for one, other in zip(own, later, strict=False)]
        self._past = deque([*earlier[: len(earlier) - len(own)], *both], maxlen=MINUTES_KEPT)
        self._now = _sum(now, present)

    def minutes(self, until: int) -> Sequence[Minute]:
        """Give every minute up to one, which is the last."""
        self.go_on(until)
        return [*self._past, self._now]

    def last(self, count: int, now: datetime) -> tuple[int, Sequence[Minute]]:
        """Give the last minutes, the present one included, and which is the first of them."""
        self.go_on(minute_of(now))
        self._sample(now)
        known = min(count - 1, len(self._past))
        past = islice(self._past, len(self._past) - known, None)
        return self.present - known, [*past, self._now]

    def _sample(self, at: datetime) -> None:
        self._now.waiting = len(self.waiting)
        oldest = min(self.waiting.values(), default=None)
        if oldest is not None:
            seconds = (at - datetime.fromisoformat(oldest)).total_seconds()
            self._now.oldest_seconds = max(0.0, round(seconds, 1))
        else:
            self._now.oldest_seconds = 0.0

    def _count(self, event: Event, data: CallbackData) -> None:
        happened = happening(event, data, self._grace)
        now = self._now
        now.offers += happened.offered
        now.missed += happened.missed
        now.ended += happened.ended
        now.released += happened.released
        now.in_time += happened.in_time


def minute_of(instant: datetime) -> int:
    """Say which minute an instant is in."""
    return (instant - EPOCH) // MINUTE


def _sum(earlier: Minute, later: Minute) -> Minute:
    """Add up what happened in two parts of one minute; it ended as the later one did."""
    return Minute(
        later.waiting,
        later.oldest_seconds,
        earlier.offers + later.offers,
        earlier.missed + later.missed,
        earlier.ended + later.ended,
        earlier.released + later.released,
        earlier.in_time + later.in_time,
    )
