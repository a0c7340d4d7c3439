"""A tracker that is fed, in virtual time, what a simulated contact centre sends."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from msgspec import UNSET

from ringback.core.changes import Change
from ringback.core.events import AlertData
from ringback.core.policy import Policy
from ringback.core.snapshots import Snapshot
from ringback.core.tracker import Tracker
from ringback.core.watch.rules import RuleSet
from ringback.errors import FrameError
from ringback.simulator.centre import ContactCentre, Emission
from ringback.wire.decode import Decoder
from ringback.wire.privacy import Privacy

__all__ = ["START", "Told", "Watcher"]

START = datetime(2026, 11, 22, 8, tzinfo=UTC)
LARGEST = 1 << 20


class Told:
    """One alert: when it fired, and when and why it was over."""

    def __init__(self, data: AlertData, fired: datetime) -> None:
        self.data = data
        self.fired = fired
        self.resolved: datetime | None = None
        self.reason: str | None = None


class Watcher:
    """Follows a centre, and keeps what alerts it was told of."""

    def __init__(
        self,
        centre: ContactCentre,
        rules: RuleSet | None = None,
        *,
        hash_key: bytes | None = None,
    ) -> None:
        """With `hash_key` hashes of numbers are kept."""
        self.centre = centre
        self.tracker = Tracker(Policy(numbers_kept=hash_key is not None), rules)
        self.decoder = Decoder(Privacy(hash_key=hash_key), LARGEST)
        self.now = START
        self.alerts: dict[str, Told] = {}
        """By id, in the order of their firing."""
        self.settle()

    def settle(self) -> None:
        """Take in the settings of the queues as they are."""
        for one in self.centre.queue_settings():
            self.take(self.tracker.observe_settings(one, self.now))

    def follow(self, until: datetime, *, step: timedelta = timedelta(minutes=1)) -> None:
        """Let centre and tracker go on until then."""
        while self.now < until:
            reached = min(self.now + step, until)
            for emission in self.centre.advance(reached):
                self.hear(emission)
            self.wait(reached)

    def hear(self, emission: Emission) -> None:
        """Take in one frame as it is sent, if it can be understood."""
        self.wait(emission.at)
        try:
            found = self.decoder.decode(emission.frame)
        except FrameError:
            return
        if isinstance(found, Snapshot):
            change = self.tracker.observe(found, self.now)
            self.take([] if change is None else [change])

    def wait(self, until: datetime) -> None:
        """Let timers fire, each at its own instant."""
        while (deadline := self.tracker.next_deadline()) is not None and deadline <= until:
            self.now = max(self.now, deadline)
            self.take(self.tracker.fire_due(self.now))
        self.now = max(self.now, until)

    def take(self, changes: Iterable[Change]) -> None:
        """Keep what is told. An alert fires once and is over once."""
        for change in changes:
            for event in change.events:
                data = event.data
                if not isinstance(data, AlertData):
                    continue
                if event.type.endswith("firing.v1"):
                    assert data.alert_id not in self.alerts, data.alert_id
                    self.alerts[data.alert_id] = Told(data, self.now)
                elif event.type.endswith("resolved.v1"):
                    told = self.alerts[data.alert_id]
                    assert told.resolved is None, data.alert_id
                    told.resolved = self.now
                    told.reason = None if data.reason is UNSET else data.reason

    def told(self, callback_id: str, rule: str | None = None) -> list[Told]:
        """Give the alerts of one callback, of one rule or of all."""
        return [
            told
            for told in self.alerts.values()
            if told.data.callback_id == callback_id and rule in {None, told.data.rule}
        ]
