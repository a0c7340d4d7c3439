"""Fires what is due, each at its own instant, so that a replay does the very same.

When a process gets to a deadline is chance; what came of it must not be. So a deadline counts as
reached when it was due, unless it is found so late that this has to be told.
"""

from datetime import datetime, timedelta

from ringback.core.changes import Change
from ringback.core.entries import NEVER
from ringback.core.telling import LATE
from ringback.core.tracker import Tracker

__all__ = ["Firing"]


class Firing:
    """Fires the deadlines of one tracker, and keeps how far time has come."""

    def __init__(self, tracker: Tracker, late: timedelta = LATE) -> None:
        """What is more than `late` behind is fired as of the present."""
        self._tracker = tracker
        self._late = late
        self.reached = NEVER
        """How far time has come. It goes back only when the clock is set back."""

    def due(self, now: datetime) -> bool:
        """Whether anything is due."""
        deadline = self._tracker.next_deadline()
        return deadline is not None and deadline <= now

    def fire(self, until: datetime, limit: int) -> list[Change]:
        """Fire what is due by then, earliest first, until that has changed `limit` rows or more."""
        changes: list[Change] = []
        while (deadline := self._tracker.next_deadline()) is not None and deadline <= until:
            if until - deadline > self._late:
                self.reached = until
            else:
                # What became due in the past is fired now; nothing ever before its time.
                self.reached = max(deadline, min(self.reached, until))
            changes += self._tracker.fire_due(self.reached)
            if len(changes) >= limit:
                break
        return changes
