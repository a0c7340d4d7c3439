"""Whatever is seen, in whatever order and at whatever times: what must hold all the same."""

from datetime import datetime, timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from ringback.core import derivation
from ringback.core.events import EVENT_TYPES, CallbackData, Event
from ringback.core.policy import Policy
from ringback.core.records import Callback, pack, stage_of, unpack
from ringback.core.snapshots import Medium, QueueSettings, Role, Sighting, Snapshot, Span
from ringback.core.tracker import Change, Tracker
from support.callbacks import at

STATES = (
    *(None, "none", "scheduled", "offering", "alerting", "contacting", "dialing", "connected"),
    *("disconnected", "terminated", "parked", "uploading", "entangled"),
)
EDGES = (datetime.fromisoformat("1970-01-01T00:00Z"), datetime.fromisoformat("8999-12-31T23:59Z"))
"""What `wire.translate` lets through."""

near = st.integers(-400, 4000).map(at)
instants = st.none() | near | st.floats(-1e8, 1e8).map(at) | st.sampled_from(EDGES)
numbers = st.integers(1, 3)
spans = st.builds(Span, near, st.none() | near)


@st.composite
def sightings(draw: st.DrawFn) -> Sighting:
    """Show any leg of one conversation in any way."""
    role = draw(st.sampled_from(Role))
    number = draw(numbers)
    medium = draw(st.sampled_from([Medium.CALLBACK, Medium.CALLBACK, Medium.VOICE]))
    held = draw(st.booleans())
    return Sighting(
        f"p-{role.value}-{number}",
        draw(st.none() | st.just(f"k-{role.value}-{number}-{medium.value}") | st.just("k-again")),
        role,
        medium,
        draw(st.sampled_from(STATES)),
        inbound=draw(st.booleans()) and draw(st.booleans()),
        held=held,
        hold_started_at=draw(instants) if held else None,
        connected_at=draw(instants),
        ended_at=draw(st.none() | st.none() | st.none() | instants),
        scheduled_at=draw(st.none() | instants),
        alerted_at=draw(st.none() | instants),
        work_started_at=draw(st.none() | instants),
        timeout_seconds=draw(st.sampled_from([None, 0, 30, 30, 600, -1, 2**31 - 1, -(2**31)])),
        disconnect_type=draw(st.sampled_from([None, "client", "system", "ERROR", "novel"])),
        peer_id=draw(st.none() | numbers.map(lambda n: f"k-customer-{n}-callback")),
        user_id=draw(st.none() | st.sampled_from(["user-1", "user-2"])),
        queue_id=draw(st.none() | st.sampled_from(["queue-1", "queue-2"])),
        automated=draw(st.booleans()) and draw(st.booleans()),
        preview=draw(st.booleans()) and draw(st.booleans()),
        holds=draw(st.none() | st.lists(spans, max_size=3).map(tuple)),
    )


conversations = st.sampled_from(["c-1", "c-1", "c-1", "c-2"])
queue_settings = st.builds(
    QueueSettings,
    st.sampled_from(["queue-1", "queue-2"]),
    st.sampled_from([None, 0, 45, 1200]),
    st.booleans(),
)
OPEN_FOR_A_DAY = Policy(keep_ended=timedelta(hours=1), keep_tombstone=timedelta(hours=3))


class AnythingGoes(RuleBasedStateMachine):
    """A tracker, and what was committed of it."""

    @initialize()
    def begin(self) -> None:
        self.now = at(0)
        self.earliest = self.latest = self.now
        self.tracker = Tracker(OPEN_FOR_A_DAY)
        self.rows: dict[str, tuple[str, bytes, int | None]] = {}
        self.ids: set[str] = set()
        self.reached: dict[str, int] = {}
        self.ended: dict[str, tuple[str | None, int]] = {}
        """Outcome and sequence of each ended callback, as last told."""
        self.snapshots: list[Snapshot] = []

    @rule(
        seen=st.lists(sightings(), max_size=4),
        conversation=conversations,
        voice=st.booleans(),
        read=st.none() | st.integers(-100, 100),
    )
    def observe(
        self, seen: list[Sighting], conversation: str, voice: bool, read: int | None
    ) -> None:
        sent = None if read is None else self.now + timedelta(seconds=read)
        snapshot = Snapshot(conversation, seen, voice, sent)
        self.snapshots.append(snapshot)
        self.feed(snapshot)

    @rule(data=st.data())
    def observe_again(self, data: st.DataObject) -> None:
        if self.snapshots:
            self.feed(data.draw(st.sampled_from(self.snapshots)))

    @rule(settings=queue_settings)
    def learn_settings(self, settings: QueueSettings) -> None:
        for change in self.tracker.observe_settings(settings, self.now):
            self.commit(change)
            self.check_one_event_a_callback(change.events)

    @rule(seconds=st.integers(0, 900))
    def wait(self, seconds: int) -> None:
        """Let time go on as the daemon does: each deadline fires at its own instant."""
        until = self.now + timedelta(seconds=seconds)
        fired = 0
        while (deadline := self.tracker.next_deadline()) is not None and deadline <= until:
            self.now = max(self.now, deadline)
            self.fire()
            fired += 1
            assert fired < 200, "timers without end"
        self.now = until

    @rule(hours=st.integers(1, 6))
    def jump_forward(self, hours: int) -> None:
        self.now += timedelta(hours=hours)
        self.fire()

    @rule(seconds=st.integers(1, 7200))
    def set_back(self, seconds: int) -> None:
        self.now -= timedelta(seconds=seconds)
        self.fire()

    @rule()
    def restart(self) -> None:
        self.tracker = Tracker(OPEN_FOR_A_DAY)
        self.tracker.restore(self.rows.values(), self.now)

    # What each input does

    def feed(self, snapshot: Snapshot) -> None:
        change = self.tracker.observe(snapshot, self.now)
        if change is None:
            return
        self.commit(change)
        self.check_one_event_a_callback(change.events)
        conversation = self.tracker.get(snapshot.conversation_id)
        assert conversation is not None
        for callback in conversation.callbacks:
            if callback.open:
                assert callback.state is derivation.state_of(derivation.Cast(callback))

    def fire(self) -> None:
        for change in self.tracker.fire_due(self.now):
            self.commit(change)
        deadline = self.tracker.next_deadline()
        assert deadline is None or deadline > self.now - timedelta(milliseconds=1)

    def check_one_event_a_callback(self, events: list[Event]) -> None:
        subjects = [event.subject for event in events if event.sequence is not None]
        assert len(subjects) == len(set(subjects))

    def commit(self, change: Change) -> None:
        self.earliest = min(self.earliest, self.now)
        self.latest = max(self.latest, self.now)
        if change.state is None:
            self.rows.pop(change.conversation_id)
            # Forgotten for good: should it come again, it is a new one.
            for known in [
                key for key in self.reached if key.split(".")[0] == change.conversation_id
            ]:
                del self.reached[known]
                self.ended.pop(known, None)
            self.ids = {
                one for one in self.ids if not one.startswith((f"{change.conversation_id}/",))
            } - {one for one in self.ids if one.startswith(f"{change.conversation_id}.")}
        else:
            row = (change.conversation_id, change.state, change.wake_at)
            self.rows[change.conversation_id] = row
        for event in change.events:
            self.check(event)

    def check(self, event: Event) -> None:
        wanted: type[object] = EVENT_TYPES[event.type]
        assert isinstance(event.data, wanted)
        assert event.id not in self.ids
        self.ids.add(event.id)
        if event.sequence is None:
            return
        key = event.subject
        assert event.sequence == self.reached.get(key, 0) + 1
        assert event.id == f"{key}/{event.sequence}"
        self.reached[key] = event.sequence
        assert isinstance(event.data, CallbackData)
        told = event.data
        if key in self.ended:
            # After its end there is one anomaly at most.
            assert event.type == "ringback.callback.anomaly.v1"
            assert (told.outcome, event.sequence) == (
                self.ended[key][0],
                self.ended[key][1] + 1,
            )
        elif told.state == "disconnected":
            assert isinstance(told.outcome, str)
            self.ended[key] = (told.outcome, event.sequence)
        else:
            assert not isinstance(told.outcome, str)
        assert told.hold_seconds >= 0
        assert told.wait_seconds >= 0

    # What holds at any time

    @invariant()
    def what_is_committed_is_what_is_known(self) -> None:
        assert set(self.tracker.ids()) == set(self.rows)
        stages: dict[str, int] = {}
        for key, state, _ in self.rows.values():
            conversation = unpack(state)
            assert conversation == self.tracker.get(key)
            assert pack(conversation) == state
            stages[stage_of(state)] = stages.get(stage_of(state), 0) + 1
            for callback in conversation.callbacks:
                self.holds_are_sane(callback)
        assert +self.tracker.stages == stages

    @invariant()
    def the_next_deadline_is_the_earliest_of_all(self) -> None:
        wakes = [wake for _, _, wake in self.rows.values() if wake is not None]
        deadline = self.tracker.next_deadline()
        if wakes:
            assert deadline is not None
            assert round(deadline.timestamp() * 1000) == min(wakes)
        else:
            assert deadline is None
        for key, state, wake in self.rows.values():
            conversation = unpack(state)
            if all(not callback.open for callback in conversation.callbacks):
                assert wake is not None, f"{key} would never be forgotten"

    def holds_are_sane(self, callback: Callback) -> None:
        holds = derivation.holds_of(callback, self.now)
        starts = [span.start for leg in callback.legs for span in leg.holds]
        assert 0 <= holds.current <= holds.longest <= holds.total
        if starts:
            since_the_first = (self.now - min(starts)).total_seconds()
            assert holds.total <= max(0.0, since_the_first) + 0.001
        for leg in callback.legs:
            assert all(span.end is not None for span in leg.holds[:-1])


TestAnythingGoes = AnythingGoes.TestCase
TestAnythingGoes.settings = settings(max_examples=150, stateful_step_count=30)
