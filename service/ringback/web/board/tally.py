"""What has happened since this process began, in numbers that only grow."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta

from msgspec import UNSET

from ringback.core.events import AlertData, CallbackData, Event
from ringback.core.lifecycle import State
from ringback.web.board.happenings import happening, passed_through
from ringback.web.journal import Told

__all__ = ["WAITS", "Tally"]

WAITS = (15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 1800.0, 3600.0, 7200.0, 14400.0)
"""Bounds of the classes of waits; seconds."""
BEFORE_AN_AGENT = (State.SCHEDULED, State.WAITING, State.ALERTING)


class Tally:
    """A fold of the journal. No number of it is about one callback, queue or agent."""

    def __init__(self, grace: timedelta) -> None:
        """`grace` is how long after its time a scheduled callback is still released in time."""
        self._grace = grace
        self.seen = 0
        """Callbacks that were seen for the first time."""
        self.offers = 0
        self.released = 0
        """Scheduled callbacks that were released."""
        self.released_late = 0
        """Of those, later than the grace allows."""
        self.automatic = 0
        """Automatic calls that were due."""
        self.missed = 0
        """Of those, the ones that were not seen."""
        self.ended: Counter[str] = Counter()
        """By outcome."""
        self.alerts: Counter[tuple[str, str]] = Counter()
        """By rule, and what was told: `firing`, `acknowledged`, `resolved`."""
        self.proofs: Counter[str] = Counter()
        """Alerts that have begun: `confirmed` by a read, or `unconfirmed`."""
        self.waits = [0] * (len(WAITS) + 1)
        """How many had waited how long when an agent took them, by class."""
        self.waited_seconds = 0.0
        """All of these together."""

    def apply(self, told: Sequence[Told]) -> None:
        """Take in journal entries, each once."""
        for each in told:
            event = each.event
            if event is None:
                continue
            data = event.data
            if isinstance(data, CallbackData):
                self._callback(event, data)
            elif isinstance(data, AlertData):
                self._alert(event, data)

    def _alert(self, event: Event, data: AlertData) -> None:
        told = event.type.split(".")[2]
        self.alerts[data.rule, told] += 1
        if told == "firing":
            confirmed = data.proof is not UNSET and data.proof.confirmed
            self.proofs["confirmed" if confirmed else "unconfirmed"] += 1

    def _callback(self, event: Event, data: CallbackData) -> None:
        happened = happening(event, data, self._grace)
        self.seen += event.sequence == 1
        self.offers += happened.offered
        self.released += happened.released
        self.released_late += happened.released and not happened.in_time
        self.automatic += passed_through(State.AUTO_DIALING, event, data)
        self.missed += happened.missed
        if happened.ended:
            self.ended["unknown" if data.outcome is UNSET else data.outcome] += 1
        if data.previous_state in BEFORE_AN_AGENT and passed_through(State.CONNECTED, event, data):
            self.waits[bisect_left(WAITS, data.wait_seconds)] += 1
            self.waited_seconds += data.wait_seconds
