"""A survey in parts, each to who tracks what it is about, does what it does as a whole."""

from datetime import timedelta

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from ringback.core.policy import Policy
from ringback.core.snapshots import Snapshot
from ringback.core.surveys import Dividing, Survey
from ringback.core.tracker import Tracker
from support.callbacks import SOURCE, agent, at, customer, few, snapshot

PARTS = 3
CONVERSATIONS = [f"c-{number}" for number in range(6)]

STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("frame"), st.sampled_from(CONVERSATIONS), st.integers(0, 2)),
        st.tuples(
            st.just("survey"),
            st.dictionaries(st.sampled_from([*CONVERSATIONS, "new"]), st.integers(0, 2)),
            st.integers(0, 60),
        ),
        st.tuples(st.sampled_from(["lost", "heard"]), st.just(""), st.integers(0, 20)),
    ),
    max_size=25,
)


def part_of(conversation_id: str) -> int:
    return sum(conversation_id.encode()) % PARTS


def shown(conversation: str, stage: int, read_at: float | None = None) -> Snapshot:
    legs = [customer(state="connected", connected_at=0.0)]
    if stage:
        state = ("alerting", "connected")[stage - 1]
        legs.append(agent(state=state, connected_at=1.0 if stage == 2 else None))
    return snapshot(*legs, conversation=conversation, read_at=read_at)


class Watch:
    """Trackers that together know all, and what each is handed."""

    def __init__(self, parts: int) -> None:
        policy = Policy()
        self.trackers = [Tracker(policy, few(policy)) for _ in range(parts)]

    def of(self, conversation_id: str) -> Tracker:
        return self.trackers[part_of(conversation_id) % len(self.trackers)]

    def known(self, now: float) -> dict[str, object]:
        return {
            one: (self.of(one).conversations.get(one), self.of(one).repair.doubts.ended_at(one))
            for one in (*CONVERSATIONS, "new")
        } | {"wanted": sorted(self.wanted(now))}

    def wanted(self, now: float) -> list[str]:
        later = at(now) + timedelta(seconds=60)
        return [one for each in self.trackers for one in each.repair.wants.most_urgent(99, later)]


@given(STEPS)
@settings(max_examples=150)
def test_the_parts_of_surveys_do_what_the_whole_does(steps: list[tuple[str, object, int]]) -> None:
    whole, parts, dividing = Watch(1), Watch(PARTS), Dividing()
    now = 0.0
    for tracker in whole.trackers + parts.trackers:
        list(tracker.sources.connected(SOURCE, (), at(now)))
    for what, about, number in steps:
        now += 5
        if what == "frame":
            for watch in (whole, parts):
                watch.of(str(about)).observe(shown(str(about), number), at(now))
        elif what == "survey":
            stages: dict[str, int] = msgspec.convert(about, dict[str, int])
            pictures = [shown(one, stage, now) for one, stage in stages.items()]
            survey = Survey(at(now), at(now - number) if pictures else None, pictures)
            whole.trackers[0].survey(survey, at(now))
            for part, its in dividing.divide(survey, part_of).items():
                parts.trackers[part].survey(its, at(now))
        else:
            for tracker in whole.trackers + parts.trackers:
                if what == "lost":
                    tracker.sources.disconnected(SOURCE, "lost", at(now - number), (), at(now))
                else:
                    tracker.sources.connected(SOURCE, (), at(now))
        assert parts.known(now) == whole.known(now)


def test_what_a_page_proves_to_be_known_holds_for_parts_that_have_nothing_of_it() -> None:
    one = next(each for each in CONVERSATIONS if part_of(each) == 0)
    other = next(each for each in CONVERSATIONS if part_of(each) == 1)
    whole, parts, dividing = Watch(1), Watch(PARTS), Dividing()
    for watch in (whole, parts):
        for tracker in watch.trackers:
            list(tracker.sources.connected(SOURCE, (), at(0)))
        for conversation in (one, other):
            watch.of(conversation).observe(shown(conversation, 0), at(1))
        for tracker in watch.trackers:
            tracker.sources.disconnected(SOURCE, "lost", at(10), (), at(10))
            list(tracker.sources.connected(SOURCE, (), at(15)))
        assert watch.of(other).repair.doubts.ended_at(other) == at(15)
    pages = [
        Survey(at(20), at(20), [shown(one, 0, 20)]),
        Survey(at(21), at(5), [shown(other, 0, 21)]),  # as if nothing newer were in it
    ]
    for page in pages:
        whole.trackers[0].survey(page, at(22))
        for part, its in dividing.divide(page, part_of).items():
            parts.trackers[part].survey(its, at(22))
    for watch in (whole, parts):
        assert watch.of(other).repair.doubts.ended_at(other) is None
