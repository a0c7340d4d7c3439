"""Bulk reads against frames of the same centre: whoever is told the same, says the same."""

import os
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import msgspec
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from ringback.core.changes import Change
from ringback.core.lifecycle import State
from ringback.core.policy import Policy
from ringback.core.records import Callback
from ringback.core.snapshots import Snapshot
from ringback.core.surveys import Survey, agrees, outline
from ringback.core.tracker import Tracker
from ringback.simulator.centre import ContactCentre
from ringback.simulator.genesys.observations import sightings
from ringback.simulator.genesys.pictures import draw, segments
from ringback.simulator.options import Options
from ringback.wire.decode import Decoder
from ringback.wire.surveys import decode_survey

START = datetime(2026, 11, 22, 8, tzinfo=UTC)
TICK = timedelta(seconds=10)
TIMES = int(os.environ.get("RINGBACK_CONVERGENCE", "1"))
GENERATE = (Phase.explicit, Phase.reuse, Phase.generate)
"""A smaller seed is no simpler one."""
ALIKE = {State.CONNECTED, State.AUTO_DIALING}
"""The platform shows both alike."""


def asked(answer: object, now: datetime) -> Survey:
    """Read a bulk answer of a platform whose cloud clock may be a second ahead."""
    found = decode_survey(msgspec.json.encode(answer), now, timedelta(seconds=1))
    assert found is not None
    return found


def details(centre: ContactCentre) -> Survey:
    """Ask for the details of all that holds callbacks, without any lag."""
    drawn = [draw(one, centre.clocks, centre.now) for one in centre.conversations()]
    shown = [one for one in drawn if any(fact["mediaType"] == "callback" for fact in segments(one))]
    return asked({"conversations": shown, "totalHits": len(shown)}, centre.now)


def observations(centre: ContactCentre) -> Survey:
    """Ask what waits and what is with an agent, without any lag."""
    metrics = {"waiting": "oWaiting", "interacting": "oInteracting"}
    results = [
        {
            "group": {"queueId": queue_id, "mediaType": "callback"},
            "data": [{"metric": metrics[state], "observations": [one.shown()]}],
        }
        for queue_id, media, state, one in sightings(centre.conversations(ended=False))
        if media == "callback" and state in metrics
    ]
    return asked({"results": results}, centre.now)


class Watcher:
    """A tracker that hears every frame."""

    def __init__(self, centre: ContactCentre) -> None:
        self.tracker = Tracker(Policy())
        self.now = START
        self.told: Counter[str] = Counter()
        self._decode = Decoder(max_size=1 << 20).decode
        for one in centre.queue_settings():
            self.take(self.tracker.observe_settings(one, START))
        self.take(self.tracker.sources.connected("main", (), START))

    def take(self, changes: Iterable[Change]) -> None:
        self.told.update(event.type for change in changes for event in change.events)

    def wait(self, until: datetime) -> None:
        while (deadline := self.tracker.next_deadline()) is not None and deadline <= until:
            self.now = max(self.now, deadline)
            self.take(self.tracker.fire_due(self.now))
        self.now = max(self.now, until)

    def follow(self, centre: ContactCentre, until: datetime) -> None:
        for emission in centre.advance(until):
            self.wait(emission.at)
            found = self._decode(emission.frame)
            if isinstance(found, Snapshot):
                change = self.tracker.observe(found, self.now)
                self.take([] if change is None else [change])
        self.wait(until)

    def open_ones(self) -> dict[str, Callback]:
        """Give the latest open callback of each conversation."""
        found: dict[str, Callback] = {}
        for key in self.tracker.conversations.ids():
            conversation = self.tracker.conversations.get(key)
            assert conversation is not None
            for callback in conversation.callbacks:
                if callback.open:
                    found[key] = callback
        return found


def opened(seed: int) -> tuple[ContactCentre, Watcher]:
    """Open a centre, heard from its very start: a hold before that, only details would tell."""
    options = Options(
        speed=20, stuck_seconds=200, max_live=30, remember=10_000, warm_up=timedelta(0)
    )
    centre = ContactCentre(seed, START, options)
    return centre, Watcher(centre)


@settings(max_examples=2 * TIMES, phases=GENERATE)
@given(st.integers(0, 2**32 - 1))
def test_details_tell_every_state_as_frames_do(seed: int) -> None:
    centre, watcher = opened(seed)
    seen: Counter[State] = Counter()
    for tick in range(1, 37):
        watcher.follow(centre, START + tick * TICK)
        known = watcher.open_ones()
        pictures = {one.conversation_id: one for one in details(centre).pictures}
        places = {key: outline(picture, watcher.now) for key, picture in pictures.items()}
        assert {key for key, place in places.items() if not place.over} == set(known)
        for key, callback in known.items():
            state, place = callback.state, places[key]
            # Told apart from all others; in doubt about nothing but our own timer.
            assert place.states == (ALIKE if state in ALIKE else {state}), (key, state)
            # Analytics names no queue for the customer of a preview.
            assert place.queue_id in (None, callback.queue_id), key
            assert place.user_id == callback.user_id, key
            conversation = watcher.tracker.conversations.get(key)
            assert conversation is not None
            assert agrees(conversation, callback, pictures[key], place), (callback, pictures[key])
            seen[state] += 1
    assert set(seen) == set(State) - {State.DISCONNECTED}
    assert len(centre.truth()) > 50


@settings(max_examples=TIMES, phases=GENERATE)
@given(st.integers(0, 2**32 - 1))
def test_surveys_without_a_gap_find_nothing_and_tell_nothing(seed: int) -> None:
    centre, watcher = opened(seed)
    for tick in range(1, 37):
        watcher.follow(centre, START + tick * TICK)
        for survey in (observations(centre), details(centre)):
            assert watcher.tracker.survey(survey, watcher.now) == []
        assert len(watcher.tracker.repair.wants) == 0


@settings(max_examples=2 * TIMES, phases=GENERATE)
@given(st.integers(0, 2**32 - 1))
def test_after_a_gap_in_which_nothing_was_lost_details_confirm_all(seed: int) -> None:
    centre, watcher = opened(seed)
    tracker = watcher.tracker
    for tick in range(1, 37):
        until = START + tick * TICK
        watcher.follow(centre, until)
        watcher.take(tracker.sources.disconnected("main", "cut", until, (), until))
        watcher.take(tracker.sources.connected("main", (), until))
        assert set(tracker.repair.doubts) <= set(watcher.open_ones())
        # The platform's latest instant may be older than the gap: a survey then knows too little.
        found = msgspec.structs.replace(details(centre), as_of=until)
        watcher.take(tracker.survey(found, until))
        assert set(tracker.repair.doubts) == set()
    gaps = list(tracker.repair.ledger.gaps.values())
    assert all(gap.repaired_at == gap.until for gap in gaps)
    assert sum(gap.touched for gap in gaps) == sum(sum(gap.repaired_by.values()) for gap in gaps)
    assert watcher.told["ringback.callback.unverified.v1"] == 0
