"""The ledger: when a source was blind, for what, and what its rows and events say of it."""

import pytest

from ringback.core.asides import is_aside
from ringback.core.events import Event, SourceData
from ringback.core.gaps import LEDGER, MOST_GAPS, Gap, Ledger
from ringback.core.policy import Policy
from ringback.core.tracker import Tracker
from support.callbacks import SOURCE, Follower, at, kind, told

A, B = "v2.routing.queues.a.conversations", "v2.routing.queues.b.conversations"
ENDS = {"gap_opened", "gap_closed", "connected", "disconnected"}


def kinds(events: list[Event]) -> list[str]:
    return [kind(event).removeprefix("source.") for event in events]


def listening(*topics: str) -> Follower:
    follower = Follower()
    follower.hears(0, *topics)
    return follower


# What is told


def test_a_source_that_begins_to_hear_is_told_and_told_once() -> None:
    follower = Follower()
    (event,) = follower.hears(1)
    assert (kind(event), event.subject, event.partition) == ("source.connected", SOURCE, SOURCE)
    assert (event.time, event.sequence) == ("2026-11-22T08:00:01.000Z", None)
    assert follower.hears(2) == []
    assert follower.gaps == []


def test_a_gap_is_told_as_it_begins_and_as_it_ends() -> None:
    follower = listening()
    lost, opened = follower.blind(10, since=7, cause="silent")
    assert kinds([lost, opened]) == ["disconnected", "gap_opened"]
    assert told(lost)["cause"] == "silent"
    assert told(opened) == {
        "sourceName": SOURCE,
        "cause": "silent",
        "blindFrom": "2026-11-22T08:00:07.000Z",
        "observedTime": "2026-11-22T08:00:10.000Z",
    }
    back, closed = follower.hears(20)
    assert kinds([back, closed]) == ["connected", "gap_closed"]
    assert closed.time == "2026-11-22T08:00:20.000Z"
    assert told(closed)["blindUntil"] == "2026-11-22T08:00:20.000Z"
    assert told(closed)["touched"] == 0


def test_a_source_that_never_heard_has_a_gap_and_nothing_to_lose() -> None:
    follower = Follower()
    assert kinds(follower.blind(1, cause="unreachable")) == ["gap_opened"]
    assert kinds(follower.hears(2)) == ["connected", "gap_closed"]


def test_a_gap_that_lasts_is_not_told_again() -> None:
    follower = listening()
    follower.blind(10)
    assert follower.blind(11) == []
    assert follower.blind(12, A) == []
    assert len(follower.gaps) == 1
    assert follower.tracker.repair.ledger.opened == {"cut": 1}


def test_a_gap_of_topics_ends_when_all_of_them_are_heard() -> None:
    follower = listening()
    assert kinds(follower.blind(10, A, B, A)) == ["disconnected", "gap_opened"]
    (gap,) = follower.gaps
    assert (gap.topics, gap.blind) == ([A, B], [A, B])
    assert follower.hears(11, A) == []
    assert (gap.topics, gap.blind, gap.until) == ([A, B], [B], None)
    assert kinds(follower.hears(12, B, A)) == ["connected", "gap_closed"]
    assert gap.until == at(12)


def test_topics_that_are_blind_already_are_not_blind_again() -> None:
    follower = listening()
    follower.blind(10, A)
    assert kinds(follower.blind(11, A, B)) == ["gap_opened"]
    assert [gap.topics for gap in follower.gaps] == [[A], [B]]
    assert follower.blind(12, B, A) == []
    # What one channel hears may end the gaps of several.
    assert kinds(follower.hears(13, B)) == ["gap_closed"]
    assert kinds(follower.hears(14, A)) == ["connected", "gap_closed"]


def test_a_topic_that_was_heard_again_can_be_lost_again() -> None:
    follower = listening()
    follower.blind(10, A, B)
    follower.hears(11, A)
    assert kinds(follower.blind(12, A)) == ["gap_opened"]
    assert kinds(follower.hears(13, A, B)) == ["connected", "gap_closed", "gap_closed"]


def test_all_may_be_lost_while_some_is_and_comes_back_at_once() -> None:
    follower = listening()
    follower.blind(10, A)
    assert kinds(follower.blind(11)) == ["gap_opened"]
    # All is blind: what is heard of it ends no more than what was lost by name.
    assert kinds(follower.hears(12, A)) == ["gap_closed"]
    assert not follower.tracker.repair.ledger.hears_all(SOURCE)
    assert kinds(follower.hears(13)) == ["connected", "gap_closed"]
    assert follower.tracker.repair.ledger.hears_all(SOURCE)


def test_many_topics_are_counted_and_some_told() -> None:
    follower = listening()
    event = follower.blind(10, *(f"v2.routing.queues.{n}.conversations" for n in range(300)))[1]
    assert len(told(event)["topics"]) == 100
    assert told(event)["topicCount"] == 300


def test_a_gap_cannot_begin_later_than_now() -> None:
    follower = listening()
    follower.blind(10, since=3600)
    assert follower.gaps[0].since == at(10)


def test_a_gap_over_which_the_clock_was_set_back_has_no_length() -> None:
    ledger = Ledger()
    ledger.disconnected("main", "cut", at(100), (), at(100))
    ledger.connected("main", (), at(40), lambda _: 0)
    assert ledger.blind_time.total_seconds() == 0


def test_every_id_is_told_once_even_if_all_happens_at_one_instant() -> None:
    follower = Follower()
    for _ in range(3):
        follower.hears(5)
        follower.blind(5)
        follower.hears(5, A)
        follower.hears(5)
        follower.blind(5, A)
        follower.blind(5, B)
        follower.hears(5, A, B)
    ids = [event.id for event in follower.told]
    assert len(ids) == len(set(ids)) == 31


def test_sources_with_a_slash_in_their_names_do_not_meet() -> None:
    tracker = Tracker(Policy())
    names = ("a", "a/2026-11-22T08:00:00.000Z", "a/b")
    events: list[Event] = []
    rows: dict[str, bytes | None] = {}
    for seconds in (0, 1):
        for name in names:
            changes = tracker.sources.connected(name, (), at(seconds))
            changes += tracker.sources.disconnected(name, "cut", at(seconds), (), at(seconds))
            for change in changes:
                rows[change.conversation_id] = change.state
                events += change.events
    assert len({event.id for event in events}) == len(events)
    assert len(rows) == 4 * len(names)  # what hears, what is alarming, and two gaps of each
    assert all(is_aside(key) for key in rows)


# Queues


@pytest.mark.parametrize(
    ("topics", "queues"),
    [
        ([A], {"a"}),
        ([A, B], {"a", "b"}),
        (["v2.routing.queues.a?conversations&presence"], {"a"}),
        (["V2.Routing.Queues.a.conversations"], {"a"}),
        ([A, "v2.users.u-1.conversations"], set()),
        (["v2.routing.queues."], set()),
        (["anything"], set()),
        ([], set()),
    ],
)
def test_which_queues_a_gap_is_about(topics: list[str], queues: set[str]) -> None:
    assert Gap("g", "main", at(0), "cut", topics, topics).queues == queues


# What is stored


def test_a_gap_outlives_a_restart() -> None:
    follower = listening()
    follower.blind(10, A)
    follower.hears(12, A)
    follower.blind(20, A, B)
    follower.hears(22, B)
    before = follower.gaps
    follower.restart(30)
    assert follower.gaps == before
    assert follower.gaps[1].blind == [A]
    assert follower.tracker.repair.ledger.heard_until(SOURCE) == at(22)
    assert not follower.tracker.repair.ledger.ever_heard(SOURCE)
    assert kinds(follower.hears(40)) == ["connected", "gap_closed"]


def test_gaps_are_in_their_order_whatever_the_order_of_the_rows() -> None:
    follower = listening()
    for number in range(5):
        follower.blind(10 * number + 5)
        follower.hears(10 * number + 6)
    before = follower.gaps
    ledger = Ledger()
    rows = [(key, state) for key, state, _ in follower.rows.values()]
    ledger.restore(rows[3:])
    ledger.restore(reversed(rows[:3]))
    assert list(ledger.gaps.values()) == before


def test_a_gap_that_is_noticed_late_has_its_place_before_and_after_a_restart() -> None:
    follower = listening(A, B)
    follower.blind(10, A)
    follower.blind(20, B, since=5)
    follower.blind(20, "v2.routing.queues.c.conversations", since=10)
    began = [(gap.since, gap.topics[0]) for gap in follower.gaps]
    assert began == [(at(5), B), (at(10), A), (at(10), "v2.routing.queues.c.conversations")]
    follower.restart(30)
    assert [(gap.since, gap.topics[0]) for gap in follower.gaps] == began


def test_the_oldest_closed_gaps_are_forgotten() -> None:
    follower = listening()
    follower.blind(1, A, cause="refused")
    for number in range(MOST_GAPS + 3):
        follower.blind(number + 2, B)
        follower.hears(number + 2.5, B)
    gaps = follower.gaps
    assert len(gaps) == MOST_GAPS + 1
    assert (gaps[0].cause, gaps[1].since) == ("refused", at(5))
    assert len([key for key in follower.rows if key.startswith(LEDGER)]) == MOST_GAPS + 1


def test_until_when_a_source_heard_is_noted_while_it_does() -> None:
    follower = Follower()
    ledger = follower.tracker.repair.ledger
    assert follower.tracker.sources.alive(SOURCE, at(1)) == []
    follower.hears(2)
    (change,) = follower.tracker.sources.alive(SOURCE, at(7))
    assert (is_aside(change.conversation_id), change.events) == (True, [])
    assert ledger.heard_until(SOURCE) == at(7)
    follower.blind(9, A)
    follower.tracker.sources.alive(SOURCE, at(12))
    assert ledger.heard_until(SOURCE) == at(12)  # the rest of it hears
    follower.blind(20, since=15)
    assert follower.tracker.sources.alive(SOURCE, at(22)) == []
    assert ledger.heard_until(SOURCE) == at(15)


def test_the_data_of_a_gap_is_that_of_a_source() -> None:
    follower = listening()
    events = [*follower.blind(1), *follower.hears(2)]
    assert set(kinds(events)) == ENDS
    assert all(isinstance(event.data, SourceData) for event in events)
