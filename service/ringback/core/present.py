"""The present, which goes on, and now and then is set back."""

from datetime import datetime, timedelta

from ringback.core.repair import Repair
from ringback.core.resting import Resting
from ringback.core.watch.feeds import Feeds
from ringback.core.watch.proofs import LEAD, PATIENCE, Proofs
from ringback.core.watch.waits import Waits

__all__ = ["Present"]

SET_BACK = timedelta(seconds=2)
"""A clock that goes back by more was set; by less, timers were only found late."""


class Present:
    """The daemon's wall clock as timers and sources last knew it."""

    def __init__(
        self, resting: Resting, repair: Repair, proofs: Proofs, feeds: Feeds, waits: Waits
    ) -> None:
        self._now: datetime | None = None
        self._resting = resting
        self._repair = repair
        self._proofs = proofs
        self._feeds = feeds
        self._waits = waits

    def go_on(self, now: datetime) -> None:
        """Let time go on; should the clock have been set back, much is known in its future."""
        if self._now is not None and now < self._now - SET_BACK:
            self._repair.set_back(now)
            self._feeds.set_back(now)
            self._waits.set_back(now)
            self._proofs.forget_all()
            # Those whose alerts wait for a read, if only since before a restart, are among these.
            self._resting.wake_all(self._now + LEAD + PATIENCE, now)
        self._now = now
