"""Whatever a tracker does, and whenever one began to mirror it: the mirror knows what it knows."""

from collections import Counter
from collections.abc import Callable
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from ringback.core.changes import Change
from ringback.core.policy import Policy
from ringback.core.snapshots import QueueSettings
from ringback.core.tracker import Tracker
from ringback.core.watch.silences import Matcher
from support.callbacks import Follower, agent, customer, queue, snapshot

SOURCE = "main"
SHORT = Policy(
    due_grace=timedelta(seconds=30),
    keep_ended=timedelta(minutes=5),
    keep_tombstone=timedelta(minutes=5),
    unverified_patience=timedelta(seconds=20),
)
RULE = Matcher("rule", "due_not_released")


class Mirrored(Follower):
    """A tracker, and one that is told of each of its rows that changes."""

    def __init__(self) -> None:
        self.mirror: Tracker | None = None
        self.silence = 0
        super().__init__(SHORT)

    def begin(self) -> None:
        """Begin to mirror, with what is there, in whatever order."""
        self.mirror = Tracker(self.policy, self.rules)
        for key, state, _ in reversed(self.rows.values()):
            self.mirror.mirror(key, state, self.now)

    def silenced(self, at: float) -> None:
        """Begin a silence that ends soon, or end the one that there is."""
        self.wait(at)
        tracker = self.tracker
        there = next(iter(tracker.silences), None)
        if there is None:
            until = self.now + timedelta(seconds=100)
            _, changes = tracker.alerts.silence([RULE], until, "ada", "", self.now)
        else:
            changes = tracker.alerts.end_silence(there.id)
        for change in changes:
            self._commit(change)

    def _commit(self, change: Change) -> None:
        super()._commit(change)
        if self.mirror is not None:
            self.mirror.mirror(change.conversation_id, change.state, self.now)


Act = Callable[[Mirrored, float], object]
seconds = st.none() | st.integers(0, 300)
legs = st.one_of(
    st.builds(customer, connected_at=seconds, ended_at=seconds),
    st.builds(customer, state=st.just("scheduled"), scheduled_at=st.integers(0, 300)),
    st.builds(queue, connected_at=seconds, ended_at=seconds),
    st.builds(agent, connected_at=seconds, ended_at=seconds),
)
acts: st.SearchStrategy[Act] = st.one_of(
    st.builds(
        lambda seen, name: lambda it, at: it.observe(at, snapshot(*seen, conversation=name)),
        st.lists(legs, min_size=1, max_size=3),
        st.sampled_from(["c-1", "c-2", "c-3"]),
    ),
    st.just(lambda it, at: it.hears(at)),
    st.just(lambda it, at: it.blind(at)),
    st.builds(
        lambda name, after: lambda it, at: it.settings(at, QueueSettings(name, after)),
        st.sampled_from(["queue-1", "queue-2"]),
        st.sampled_from([None, 30, 60]),
    ),
    st.just(Mirrored.silenced),
    st.just(Mirrored.wait),
)
lives = st.lists(st.tuples(st.integers(0, 400), acts), min_size=3, max_size=25)


def known(tracker: Tracker) -> dict[str, object]:
    """Give all of a tracker that can be looked at, and is stored."""
    ledger = tracker.repair.ledger
    return {
        "conversations": {
            key: tracker.conversations.get(key) for key in tracker.conversations.ids()
        },
        "stages": +Counter(tracker.conversations.stages),
        "gaps": [(gap.id, gap.until, gap.cause, gap.touched) for gap in ledger.gaps.values()],
        "hears": ledger.hears_all(SOURCE),
        "alarms": [(feed.name, alarm) for feed, alarm in tracker.feeds.firing()],
        "queues": dict(tracker.queues),
        "silences": list(tracker.silences),
    }


@settings(max_examples=200)
@given(lives, st.integers(0, 24))
def test_a_mirror_knows_what_it_mirrors(life: list[tuple[int, Act]], begins: int) -> None:
    it, at = Mirrored(), 0
    for number, (pause, act) in enumerate(life):
        if number == begins:
            it.begin()
        at += pause
        act(it, at)
    if it.mirror is None:
        it.begin()
    assert it.mirror is not None
    assert known(it.mirror) == known(it.tracker)
