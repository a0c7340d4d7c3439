"""The life of alerts, whatever happens to callbacks, sources, clocks, rules and the process."""

from datetime import UTC, datetime, time, timedelta

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ringback.core.derivation import Cast
from ringback.core.events import AlertData, CallbackData, Event
from ringback.core.lifecycle import State
from ringback.core.policy import Policy
from ringback.core.records import Alarm, Callback, Conversation
from ringback.core.snapshots import Sighting, Snapshot
from ringback.core.watch.defaults import built_in
from ringback.core.watch.feed_kinds import Pulse
from ringback.core.watch.hours import Hours
from ringback.core.watch.proofs import PATIENCE
from ringback.core.watch.rules import Filter, RuleSet
from support.callbacks import (
    SOURCE,
    Follower,
    agent,
    at,
    call,
    customer,
    kind,
    queue,
    snapshot,
    told,
)

NAMES = ("c-1", "c-2")
TOPIC = "v2.routing.queues.queue-1.conversations"
MINUTE = timedelta(minutes=1)
DEFAULT = built_in(2 * MINUTE, 5 * MINUTE)


def changed(rules: RuleSet, **said: object) -> RuleSet:
    return RuleSet(msgspec.structs.replace(one, **said) for one in rules.rules)


RULES = (
    DEFAULT,
    RuleSet([]),
    RuleSet(DEFAULT.rules[::2]),
    changed(DEFAULT, after=MINUTE, sustained=MINUTE, damping=timedelta()),
    changed(DEFAULT, after=timedelta(), times=1.0, proof=False),
    changed(DEFAULT, while_blind="mark", where=Filter(automated=False), damping=3 * MINUTE),
    changed(
        DEFAULT,
        hours=Hours(
            days=frozenset(range(7)),
            opens=time(9),
            closes=time(10),
            zone=UTC,
        ),
    ),
)

short = st.sampled_from([0.0, 0.5, 1.0, 15.0, 20.0, 59.0, 60.0, 120.0, 121.0, 300.0, 3600.0])


@st.composite
def legs(draw: st.DrawFn) -> list[Sighting]:
    """Show a callback somewhere in its life; instants lie around the start."""
    begun = draw(st.integers(0, 600))
    ended = draw(st.none() | st.none() | st.integers(600, 900))
    stage = draw(st.integers(0, 4))
    if stage == 0:
        return [customer(state="scheduled", scheduled_at=begun, ended_at=ended)]
    shown = [
        customer(connected_at=begun, ended_at=ended),
        queue(connected_at=begun, ended_at=begun + 10 if stage > 2 else None),
    ]
    if stage > 1:
        number = draw(st.integers(1, 3))
        live = stage > 2
        shown.append(
            agent(
                number,
                state="connected" if live else "alerting",
                connected_at=begun + 10 if live else None,
                alerted_at=begun + 5,
                held=live and draw(st.booleans()),
                ended_at=draw(st.none() | st.integers(610, 620)),
                timeout_seconds=draw(st.sampled_from([None, 0, 30])),
            )
        )
    if stage > 3:
        shown.append(call(draw(st.integers(1, 2)), state="dialing"))
    return shown


class Lives(RuleBasedStateMachine):
    """Two callbacks, a source, and everything that can happen to them."""

    def __init__(self) -> None:
        super().__init__()
        self.it = Follower(Policy(), rules=DEFAULT)
        self.reads = False
        self.shown: dict[str, Snapshot] = {}
        """What was seen of each last."""
        self.seen = 0
        self.alive: dict[tuple[str, str], tuple[int, bool]] = {}
        """By subject and rule: the last episode, and whether it fires."""
        self.ended: set[str] = set()

    @initialize(reads=st.booleans())
    def begin(self, reads: bool) -> None:
        self.reads = reads
        self.it.tracker.proofs.reads(SOURCE, can=reads)
        self.it.hears(0)

    @rule(name=st.sampled_from(NAMES), shown=legs(), read=st.booleans(), late=short)
    def sees(self, name: str, shown: list[Sighting], read: bool, late: float) -> None:
        sent = self.seconds - late if read else None
        self.shown[name] = snapshot(*shown, conversation=name, read_at=sent)
        self.it.observe(self.seconds, self.shown[name])

    @rule()
    def is_surveyed(self) -> None:
        self.it.survey(self.seconds, *self.shown.values())

    @rule(name=st.sampled_from(NAMES))
    def fails_to_read(self, name: str) -> None:
        self.it.tracker.repair.wants.failed(name, self.it.now)

    @rule(seconds=short)
    def waits(self, seconds: float) -> None:
        self.it.wait(self.seconds + seconds)

    @rule(whole=st.booleans(), before=short, evicted=st.booleans())
    def goes_blind(self, whole: bool, before: float, evicted: bool) -> None:
        topics = () if whole else (TOPIC,)
        cause = "evicted by another client" if evicted else "cut"
        self.it.blind(self.seconds, *topics, since=self.seconds - before, cause=cause)

    @rule(whole=st.booleans())
    def hears(self, whole: bool) -> None:
        self.it.hears(self.seconds, *(() if whole else (TOPIC,)))

    @rule(behind=st.none() | short, skew=st.sampled_from([0, 20, 40]))
    def beats(self, behind: float | None, skew: int) -> None:
        since = None if behind is None else at(self.seconds - behind)
        pulse = Pulse(behind_since=since, skew=timedelta(seconds=skew))
        for change in self.it.tracker.sources.beats(SOURCE, pulse, self.it.now):
            self.it._commit(change)

    @rule(count=st.integers(1, 12))
    def brings_nonsense(self, count: int) -> None:
        for _ in range(count):
            for change in self.it.tracker.sources.undecodable(self.it.now):
                self.it._commit(change)

    @rule()
    def restarts(self) -> None:
        before = firing(self.it)
        told_now = self.it.restart(self.seconds, reads=self.reads)
        assert (told_now, firing(self.it)) == ([], before)
        heard = self.it.tracker.repair.ledger.heard_until(SOURCE)
        since = None if heard is None else (heard - at(0)).total_seconds()
        self.it.blind(self.seconds, since=since, cause="restart")

    @rule(seconds=st.sampled_from([-7200.0, -300.0, -30.0, 30.0, 300.0, 7200.0]))
    def has_its_clock_set(self, seconds: float) -> None:
        self.it.now = at(self.seconds + seconds)
        for change in self.it.tracker.sources.alive(SOURCE, self.it.now):
            self.it._commit(change)

    @rule(rules=st.sampled_from(RULES))
    def gets_other_rules(self, rules: RuleSet) -> None:
        self.it.rules = rules
        for changes in self.it.tracker.adopt(rules, self.it.now):
            for change in changes:
                self.it._commit(change)

    @precondition(lambda self: any(fires for _, fires in self.alive.values()))
    @rule(data=st.data())
    def is_acknowledged(self, data: st.DataObject) -> None:
        alert_id = data.draw(st.sampled_from(sorted(firing(self.it))))
        change = self.it.tracker.alerts.acknowledge(alert_id, "ada", self.it.now)
        if change is not None:
            self.it._commit(change)

    @invariant()
    def lives_are_told_in_order(self) -> None:
        self.it.fire()
        for event in self.it.told[self.seen :]:
            if isinstance(event.data, AlertData):
                self._alert(event, event.data)
            elif isinstance(event.data, CallbackData) and event.data.state == State.DISCONNECTED:
                self.ended.add(event.subject)
        self.seen = len(self.it.told)

    @invariant()
    def what_was_told_to_fire_is_what_fires(self) -> None:
        told_to = {
            f"{subject}/{name}/{episode}"
            for (subject, name), (episode, fires) in self.alive.items()
            if fires
        }
        assert told_to == firing(self.it)

    @invariant()
    def what_fires_is_what_the_rules_say(self) -> None:
        for conversation, callback in callbacks(self.it):
            # A skew that was learned since may let it fire sooner, and never lets it fire later.
            applies = {
                one.name: begun.at
                for one, begun in self.it.tracker.alarming(conversation, Cast(callback))
            }
            for alarm in callback.alarms:
                if alarm.since is not None:
                    self._may_fire(callback, alarm, applies.get(alarm.rule) is not None)
            for name, reached in applies.items():
                known = callback.alarm(name)
                if known is None or known.since is None:
                    assert reached > self.it.now or self._may_be_still(
                        conversation, callback, name, reached
                    ), name

    def _may_fire(self, callback: Callback, alarm: Alarm, applies: bool) -> None:
        """Check that one that fires has a reason to."""
        one = self.it.rules.get(alarm.rule)
        assert one is not None
        damped = alarm.over_at is not None and self.it.now < alarm.over_at + one.damping
        assert applies or (alarm.damped and damped and callback.open)

    def _may_be_still(
        self, conversation: Conversation, callback: Callback, name: str, reached: datetime
    ) -> bool:
        """Whether one that has reached its threshold has a reason not to fire."""
        one = self.it.rules.get(name)
        assert one is not None
        if not callback.open:
            return True  # what has ended is told once, and only soon
        repair = self.it.tracker.repair
        if one.while_blind == "hold" and (
            repair.ledger.open_gaps() or conversation.id in repair.doubts
        ):
            return True
        if not self.reads or not one.proof:
            return False
        asked = self.it.tracker.proofs._asked.get(conversation.id)
        if asked is not None:
            return self.it.now < max(reached, asked.at) + PATIENCE
        # It was asked before a restart, and is asked again by when the answer was waited for.
        wakes = self.it.tracker.conversations.entries[conversation.id].wake_at
        return wakes is not None and wakes <= (self.it.now + PATIENCE).timestamp() * 1000

    def _alert(self, event: Event, data: AlertData) -> None:
        subject, name = event.subject, data.rule
        last, fires = self.alive.get((subject, name), (0, False))
        assert data.alert_id == f"{subject}/{name}/{data.alert_id.rsplit('/', 1)[1]}"
        episode = int(data.alert_id.rsplit("/", 1)[1])
        match kind(event):
            case "alert.firing":
                assert not fires
                assert episode == last + 1
                if subject in self.ended:
                    about = self.it.rules.get(name)
                    assert about is not None
                    assert State.DISCONNECTED in RuleSet.kind_of(about).states
                    assert episode == 1
                self.alive[subject, name] = (episode, True)
            case "alert.resolved":
                assert fires
                assert episode == last
                assert told(event)["reason"]
                self.alive[subject, name] = (episode, False)
            case _:
                assert kind(event) == "alert.acknowledged"
                assert fires
                assert episode == last

    @property
    def seconds(self) -> float:
        return (self.it.now - at(0)).total_seconds()


def callbacks(it: Follower) -> list[tuple[Conversation, Callback]]:
    found = [
        one
        for name in it.tracker.conversations.ids()
        if (one := it.tracker.conversations.get(name)) is not None
    ]
    return [(each, callback) for each in found for callback in each.callbacks]


def firing(it: Follower) -> set[str]:
    """Give the ids of the alerts that fire, as the records have them."""
    about_callbacks = {
        f"{callback.id_in(conversation.id)}/{alarm.rule}/{alarm.episode}"
        for conversation, callback in callbacks(it)
        for alarm in callback.alarms
        if alarm.since is not None
    }
    return about_callbacks | {
        f"source:{feed.name}/{alarm.rule}/{alarm.episode}"
        for feed, alarm in it.tracker.feeds.firing()
    }


TestLives = Lives.TestCase
TestLives.settings = settings(max_examples=300, stateful_step_count=40, deadline=None)
