"""Whatever is seen, in whatever order and at whatever times: what must hold all the same."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from operator import attrgetter

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from ringback.core import derivation
from ringback.core.asides import is_aside
from ringback.core.changes import Change
from ringback.core.events import EVENT_TYPES, CallbackData, Event
from ringback.core.lifecycle import State
from ringback.core.policy import Policy
from ringback.core.records import Callback, pack, stage_of, unpack
from ringback.core.snapshots import Medium, QueueSettings, Role, Sighting, Snapshot, Span
from ringback.core.surveys import WITH_AGENT, Place, Survey
from ringback.core.tracker import Tracker
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
SOURCES = ("main", "a/b")
sources = st.sampled_from(SOURCES)
topics = st.lists(
    st.sampled_from(
        [
            "v2.routing.queues.queue-1.conversations",
            "v2.routing.queues.queue-2.conversations",
            "v2.users.user-1.conversations",
        ]
    ),
    max_size=2,
)
places = st.builds(
    Place,
    st.sampled_from(["c-1", "c-2", "c-9"]),
    st.sampled_from([WITH_AGENT, *(frozenset({state}) for state in State)]),
    st.none() | st.sampled_from(["queue-1", "queue-2"]),
    st.none() | st.sampled_from(["user-1", "user-2"]),
)
OPEN_FOR_A_DAY = Policy(keep_ended=timedelta(hours=1), keep_tombstone=timedelta(hours=3))


class AnythingGoes(RuleBasedStateMachine):
    """A tracker, and what was committed of it."""

    @initialize()
    def begin(self) -> None:
        self.now = at(0)
        self.elapsed = timedelta()
        """How much time has gone by, however the clock was set."""
        self.earliest = self.latest = self.now
        self.tracker = Tracker(OPEN_FOR_A_DAY)
        self.rows: dict[str, tuple[str, bytes, int | None]] = {}
        self.ids: set[str] = set()
        self.reached: dict[str, int] = {}
        self.ended: dict[str, tuple[str | None, int]] = {}
        self.anomalous: set[str] = set()
        """Outcome and sequence of each ended callback, as last told."""
        self.snapshots: list[Snapshot] = []
        self.doubted: dict[str, timedelta] = {}
        """Conversations in doubt, and since when."""
        self.unverified: set[str] = set()
        """Callbacks that were told to be unverified, and not yet that they are not."""
        self.told_more: set[str] = set()
        """Those of which a notification or a read has told something since."""
        self.keep_inputs()

    def keep_inputs(self) -> None:
        """Begin to note inputs and answers, so that another tracker can be fed the same."""
        self.begun = self.now, list(self.rows.values())
        self.inputs: list[tuple[str, tuple[object, ...], datetime]] = []
        self.answers: list[object] = []

    # Frames, reads and settings

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
        for change in self.ask("observe_settings", settings):
            self.check_one_event_a_callback(change.events)

    # Gaps and surveys

    @rule(source=sources, lost=topics, ago=st.integers(-30, 300))
    def lose(self, source: str, lost: list[str], ago: int) -> None:
        self.ask("sources.disconnected", source, "cut", self.now - timedelta(seconds=ago), lost)

    @rule(source=sources, heard=topics)
    def hear(self, source: str, heard: list[str]) -> None:
        self.ask("sources.connected", source, heard)

    @rule(source=sources)
    def stay_alive(self, source: str) -> None:
        self.ask("sources.alive", source)

    @rule(
        seen=st.lists(places, max_size=3),
        shown=st.none() | st.lists(sightings(), max_size=3),
        age=st.none() | st.integers(0, 200),
    )
    def survey(self, seen: list[Place], shown: list[Sighting] | None, age: int | None) -> None:
        pictures = [] if shown is None else [Snapshot("c-1", shown, True, self.now)]
        self.look(Survey(self.now, self.before(age), pictures, seen))

    @rule(age=st.none() | st.integers(0, 200))
    def survey_what_is_known(self, age: int | None) -> None:
        """Everything agrees, as far as it is young enough."""
        self.look(Survey(self.now, self.before(age), [], list(self.known_places())))

    @rule(data=st.data(), limit=st.integers(0, 5))
    def read_what_is_wanted(self, data: st.DataObject, limit: int) -> None:
        wanted = self.tracker.repair.wants.most_urgent(limit, self.now)
        assert len(wanted) == len(set(wanted)) <= limit
        for key in wanted:
            if data.draw(st.booleans()):
                seen = data.draw(st.lists(sightings(), max_size=2))
                self.feed(Snapshot(key, seen, True, self.now))
            else:
                self.tracker.repair.wants.failed(key, self.now)

    @rule()
    def mend_everything(self) -> None:
        """Hear everything, then read everything: nothing is left in doubt."""
        self.wait(3)
        for source in SOURCES:
            self.ask("sources.connected", source, ())
        for key in list(self.tracker.conversations.ids()):
            self.feed(Snapshot(key, [], True, self.now))
        self.fire()
        assert set(self.tracker.repair.doubts) == set()
        assert self.flagged() == set()
        for gap in self.tracker.repair.ledger.gaps.values():
            assert gap.until is not None
            assert gap.unverified == 0
            assert sum(gap.repaired_by.values()) <= gap.touched

    # Time

    @rule(seconds=st.integers(0, 900))
    def wait(self, seconds: int) -> None:
        """Let time go on as the daemon does: each deadline fires at its own instant."""
        until = self.now + timedelta(seconds=seconds)
        fired = 0
        while (deadline := self.tracker.next_deadline()) is not None and deadline <= until:
            self.go_on(max(self.now, deadline))
            self.fire()
            fired += 1
            assert fired < 200, "timers without end"
        self.go_on(until)

    @rule(hours=st.integers(1, 6))
    def jump_forward(self, hours: int) -> None:
        self.go_on(self.now + timedelta(hours=hours))
        self.fire()

    @rule(seconds=st.integers(1, 7200))
    def set_back(self, seconds: int) -> None:
        self.now -= timedelta(seconds=seconds)
        self.fire()

    @rule()
    def restart(self) -> None:
        """Begin again with what was committed; what a source missed meanwhile is a gap."""
        self.fire()
        before = self.stored_gaps()
        self.tracker = Tracker(OPEN_FOR_A_DAY)
        self.tracker.restore(self.rows.values(), self.now)
        self.keep_inputs()
        self.doubted.clear()
        assert self.stored_gaps() == before
        for source in SOURCES:
            since = self.tracker.repair.ledger.heard_until(source) or self.now
            self.ask("sources.disconnected", source, "restart", since, ())
        assert set(self.tracker.repair.doubts) == set(self.live())

    def teardown(self) -> None:
        """The same inputs give the same answers."""
        if not hasattr(self, "begun"):
            return
        now, rows = self.begun
        again = Tracker(OPEN_FOR_A_DAY)
        again.restore(rows, now)
        assert [
            attrgetter(what)(again)(*told, at_) for what, told, at_ in self.inputs
        ] == self.answers

    # What each input does

    def ask(self, what: str, *told: object) -> list[Change]:
        """Give the tracker an input, and keep what comes of it."""
        answer = attrgetter(what)(self.tracker)(*told, self.now)
        self.inputs.append((what, told, self.now))
        self.answers.append(answer)
        changes: list[Change] = answer if isinstance(answer, list) else [answer] * bool(answer)
        for change in changes:
            self.commit(change)
        return changes

    def feed(self, snapshot: Snapshot) -> None:
        for change in self.ask("observe", snapshot):
            self.check_one_event_a_callback(change.events)
            conversation = self.tracker.conversations.get(snapshot.conversation_id)
            assert conversation is not None
            for callback in conversation.callbacks:
                if callback.open:
                    assert callback.state is derivation.state_of(derivation.Cast(callback))

    def look(self, survey: Survey) -> None:
        """Survey: whatever it says, no state is changed by it, and nothing begins."""
        before = self.pictured()
        for change in self.ask("survey", survey):
            self.check_one_event_a_callback(change.events)
        assert self.pictured() == before

    def fire(self) -> None:
        self.ask("fire_due")
        deadline = self.tracker.next_deadline()
        assert deadline is None or deadline > self.now - timedelta(milliseconds=1)

    def go_on(self, until: datetime) -> None:
        self.elapsed += until - self.now
        self.now = until

    def before(self, age: int | None) -> datetime | None:
        return None if age is None else self.now - timedelta(seconds=age)

    def check_one_event_a_callback(self, events: list[Event]) -> None:
        subjects = [event.subject for event in events if event.sequence is not None]
        assert len(subjects) == len(set(subjects))

    def commit(self, change: Change) -> None:
        if is_aside(change.conversation_id):
            assert change.state is not None
            self.rows[change.conversation_id] = (change.conversation_id, change.state, None)
            for event in change.events:
                assert event.sequence is None
                self.check(event)
            return
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
                self.unverified.discard(known)
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
        self.check_doubt(event)
        assert event.sequence == self.reached.get(key, 0) + 1
        assert event.id == f"{key}/{event.sequence}"
        self.reached[key] = event.sequence
        assert isinstance(event.data, CallbackData)
        told = event.data
        if key in self.ended:
            # After its end there is one anomaly at most; and holds may have been missed in a gap.
            outcome, last = self.ended[key]
            assert (told.outcome, event.sequence) == (outcome, last + 1)
            self.ended[key] = (outcome, last + 1)
            if event.type != "ringback.callback.updated.v1":
                assert event.type == "ringback.callback.anomaly.v1"
                assert key not in self.anomalous
                self.anomalous.add(key)
            else:
                assert told.reasons == ["hold_corrected"]
        elif told.state == "disconnected":
            assert isinstance(told.outcome, str)
            self.ended[key] = (told.outcome, event.sequence)
        else:
            assert not isinstance(told.outcome, str)
        assert told.hold_seconds >= 0
        assert told.wait_seconds >= 0

    def check_doubt(self, event: Event) -> None:
        """What is told of doubt, by an event that belongs to a callback."""
        key = event.subject
        assert isinstance(event.data, CallbackData)
        doubts = self.tracker.repair.doubts
        if event.type == "ringback.callback.unverified.v1":
            assert key not in self.unverified
            assert event.partition in doubts
            assert (
                self.elapsed - self.doubted[event.partition] >= OPEN_FOR_A_DAY.unverified_patience
            )
            self.unverified.add(key)
            self.told_more.discard(key)
        elif event.type == "ringback.callback.verified.v1":
            assert key in self.unverified
            assert event.partition not in doubts
            self.unverified.discard(key)
        elif event.data.cause != "timer":
            self.told_more.add(key)

    # What is known

    def live(self) -> Iterator[str]:
        return (
            key
            for key, state, _ in self.rows.values()
            if not is_aside(key) and stage_of(state) not in ("disconnected", "tombstone")
        )

    def callbacks(self) -> Iterator[tuple[str, Callback]]:
        for key in self.tracker.conversations.ids():
            conversation = self.tracker.conversations.get(key)
            assert conversation is not None
            for callback in conversation.callbacks:
                yield key, callback

    def pictured(self) -> list[object]:
        return [(key, one.ordinal, one.state, one.legs) for key, one in self.callbacks()]

    def flagged(self) -> set[str]:
        return {one.id_in(key) for key, one in self.callbacks() if one.unverified}

    def known_places(self) -> Iterator[Place]:
        open_ones = {key: one for key, one in self.callbacks() if one.open}
        for key, one in open_ones.items():
            yield Place(key, frozenset({one.state}), one.queue_id, one.user_id)

    def stored_gaps(self) -> dict[str, object]:
        return {
            gap.id: (
                *(gap.source, gap.since, gap.cause, gap.topics, gap.blind),
                *(gap.until, gap.touched, gap.repaired_at),
            )
            for gap in self.tracker.repair.ledger.gaps.values()
        }

    # What holds at any time

    @invariant()
    def doubt_and_its_end_are_told(self) -> None:
        doubts = set(self.tracker.repair.doubts)
        assert doubts <= set(self.live())
        self.doubted = {key: self.doubted.get(key, self.elapsed) for key in doubts}
        flagged = self.flagged()
        assert flagged <= self.unverified
        # Another event than `verified` may say it as well.
        assert self.unverified - flagged <= self.told_more
        self.unverified = flagged

    @invariant()
    def gaps_count_what_is_in_doubt_for_them(self) -> None:
        repair = self.tracker.repair
        held = [gap.id for doubt in repair.doubts._of.values() for gap in doubt.gaps]
        for gap in repair.ledger.gaps.values():
            assert gap.unverified == held.count(gap.id)
            assert gap.until is None or gap.blind == []
            assert gap.until is not None or gap.repaired_at is None
            if gap.repaired_at is not None:
                assert gap.unverified == 0

    @invariant()
    def what_is_committed_is_what_is_known(self) -> None:
        rows = [row for row in self.rows.values() if not is_aside(row[0])]
        assert set(self.tracker.conversations.ids()) == {key for key, _, _ in rows}
        stages: dict[str, int] = {}
        for key, state, _ in rows:
            conversation = unpack(state)
            assert conversation == self.tracker.conversations.get(key)
            assert pack(conversation) == state
            stages[stage_of(state)] = stages.get(stage_of(state), 0) + 1
            for callback in conversation.callbacks:
                self.holds_are_sane(callback)
        assert +self.tracker.conversations.stages == stages

    @invariant()
    def the_next_deadline_is_the_earliest_of_all(self) -> None:
        wakes = [wake for _, _, wake in self.rows.values() if wake is not None]
        tracker = self.tracker
        others = (
            tracker.repair.next_deadline(),
            tracker.waits.next_save(),
            tracker.feeds.wake_at,
        )
        wakes += [round(one.timestamp() * 1000) for one in others if one is not None]
        deadline = tracker.next_deadline()
        if wakes:
            assert deadline is not None
            assert round(deadline.timestamp() * 1000) == min(wakes)
        else:
            assert deadline is None
        for key, state, wake in self.rows.values():
            if is_aside(key):
                continue
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
