"""The simulator as the oracle: what the tracker says is what is true.

Without faults it is so at every instant looked at. With heavy ones it is so once every frame under
way has arrived, no frame can be late any more, and the latest frame of every conversation has come.

The gate plays several hundred callbacks. `RINGBACK_CONVERGENCE=50` plays fifty times as many, and
with `HYPOTHESIS_PROFILE=explore` others every time.
"""

import os
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from ringback.core.changes import Change
from ringback.core.legs import LATEST
from ringback.core.policy import Policy
from ringback.core.snapshots import Snapshot
from ringback.core.tracker import Tracker
from ringback.errors import FrameError
from ringback.simulator.centre import ContactCentre, Emission
from ringback.simulator.faults import FaultRates, Faults
from ringback.simulator.options import Options
from ringback.wire.decode import Decoder
from support.truth import callback_of, cannot_be_armed, differences

START = datetime(2026, 11, 22, 8, tzinfo=UTC)
SECOND = timedelta(seconds=1)
LARGEST = 1 << 20
TIMES = int(os.environ.get("RINGBACK_CONVERGENCE", "1"))
HEAVY = FaultRates(lose=0.2, repeat=0.2, reorder=0.3, delay=0.2, damage=0.05, oddity=0.1)

seeds = st.integers(0, 2**32 - 1)


class Watcher:
    """A tracker that is fed what the simulator sends, in virtual time."""

    def __init__(self, centre: ContactCentre) -> None:
        self.tracker = Tracker(Policy())
        self.decoder = Decoder(max_size=LARGEST)
        self.now = START
        self.sequences: dict[str, int] = {}
        for one in centre.queue_settings():
            self.take(self.tracker.observe_settings(one, START))

    def take(self, changes: Iterable[Change]) -> None:
        for change in changes:
            for event in change.events:
                if event.sequence is not None:
                    # Sequences have no holes, whatever happens.
                    assert event.sequence == self.sequences.get(event.subject, 0) + 1
                    self.sequences[event.subject] = event.sequence

    def wait(self, until: datetime) -> None:
        while (deadline := self.tracker.next_deadline()) is not None and deadline <= until:
            self.now = max(self.now, deadline)
            self.take(self.tracker.fire_due(self.now))
        self.now = max(self.now, until)

    def hear(self, emission: Emission) -> None:
        self.wait(emission.at)
        try:
            found = self.decoder.decode(emission.frame)
        except FrameError:
            return
        if isinstance(found, Snapshot):
            change = self.tracker.observe(found, self.now)
            self.take([] if change is None else [change])


def follow_without_faults(seed: int, *, voice: bool, minutes: int) -> int:
    centre = ContactCentre(
        seed,
        START,
        Options(speed=20, stuck_seconds=200, max_live=30, remember=10_000, generic=voice),
    )
    watcher = Watcher(centre)
    for tick in range(1, minutes * 6 + 1):
        until = START + tick * 10 * SECOND
        for emission in centre.advance(until):
            watcher.hear(emission)
        watcher.wait(until)
        assert differences(watcher.tracker.conversations, centre, voice=voice) == []
    return len(centre.truth())


def follow_through_faults(seed: int, minutes: int) -> int:
    centre = ContactCentre(
        seed, START, Options(speed=20, stuck_seconds=200, max_live=30, remember=10_000)
    )
    faults = Faults(seed, HEAVY)
    watcher = Watcher(centre)
    for tick in range(1, minutes * 60 + 1):
        until = START + tick * SECOND
        for emission in faults.pass_on(centre.advance(until), until):
            watcher.hear(emission)
    centre.halt()
    for emission in faults.flush():
        watcher.hear(emission)
    until = watcher.now + LATEST + SECOND
    centre.advance(until)
    watcher.wait(until)
    for emission in centre.latest_frames():
        watcher.hear(emission)
    watcher.wait(until)
    different = [
        truth.callback_id
        for truth in centre.truth().values()
        if (callback := callback_of(watcher.tracker.conversations, truth)) is None
        or (callback.state.value != truth.state.value and not cannot_be_armed(callback, truth))
    ]
    assert different == [], differences(watcher.tracker.conversations, centre)
    return len(centre.truth())


@settings(max_examples=3 * TIMES)
@given(seeds)
def test_without_faults_states_outcomes_and_offers_are_true_at_every_instant(seed: int) -> None:
    assert follow_without_faults(seed, voice=True, minutes=6) > 20


@settings(max_examples=3 * TIMES)
@given(seeds)
def test_the_flat_topic_alone_tells_all_but_the_calls(seed: int) -> None:
    assert follow_without_faults(seed, voice=False, minutes=6) > 20


@settings(max_examples=4 * TIMES)
@given(seeds)
def test_whatever_was_lost_or_late_the_latest_frames_make_the_states_true(seed: int) -> None:
    assert follow_through_faults(seed, minutes=6) > 20
