"""Both logs as one process that never fails writes them, of a contact centre that is played."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, timedelta

from ringback.core.changes import Change
from ringback.core.policy import Policy
from ringback.core.snapshots import Snapshot
from ringback.core.tracker import Tracker
from ringback.ports import Row, Step
from ringback.simulator.centre import ContactCentre
from ringback.simulator.options import Options
from ringback.stores.jetstream.subjects import partition_of
from ringback.wire.cloudevents import Encoder
from ringback.wire.decode import Decoder
from ringback.wire.log import Message, Seen, Settled, Tick
from support.callbacks import START
from support.checker import Logs, Put

__all__ = ["Book"]

SLACK = timedelta(milliseconds=1)


class Book:
    """What was put in, what came of it, and what was heard."""

    def __init__(self, partitions: int, seed: int, options: Options, policy: Policy) -> None:
        self.centre = ContactCentre(seed, START, options)
        self.heard: defaultdict[str, list[Snapshot]] = defaultdict(list)
        self.partitions = partitions
        self._inputs: list[Put] = []
        self._steps: list[Step] = []
        self._trackers = [Tracker(policy) for _ in range(partitions)]
        self._encode = Encoder("acme").encode

    @property
    def logs(self) -> Logs:
        """Both logs as they are now."""
        return Logs(self.partitions, list(self._inputs), list(self._steps))

    def play(self, seconds: float) -> None:
        """Play a new centre for so long, then halt it."""
        decoder = Decoder()
        for settings in self.centre.queue_settings():
            for partition, tracker in enumerate(self._trackers):
                reached = self._put(partition, START, Settled(settings))
                self._step(partition, reached, tracker.observe_settings(settings, START))
        for emission in self.centre.advance(START + timedelta(seconds=seconds)):
            self._fire(emission.at)
            seen = decoder.decode(emission.frame)
            if isinstance(seen, Snapshot):
                self.heard[seen.conversation_id].append(seen)
                partition = partition_of(seen.conversation_id, self.partitions)
                reached = self._put(partition, emission.at, Seen(seen))
                change = self._trackers[partition].observe(seen, emission.at)
                self._step(partition, reached, [change] if change else [])
        self.centre.halt()
        self._fire(self.centre.now)

    def _put(self, partition: int, at: datetime, message: Message) -> int:
        self._inputs.append(Put(len(self._inputs) + 1, partition, at, message))
        return len(self._inputs)

    def _step(self, partition: int, reached: int, changes: Sequence[Change]) -> None:
        for change in changes:
            row = Row(change.conversation_id, change.state, change.wake_at)
            events = [self._encode(event) for event in change.events]
            subjects = [event.subject for event in change.events]
            number = len(self._steps) + 1
            self._steps.append(Step(number, partition, row, reached, events, subjects))

    def _fire(self, now: datetime) -> None:
        for partition, tracker in enumerate(self._trackers):
            while (due := tracker.next_deadline()) is not None and due <= now:
                at = due + SLACK
                reached = self._put(partition, at, Tick())
                while changes := tracker.fire_due(at):
                    self._step(partition, reached, changes)
