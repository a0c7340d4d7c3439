"""Holds within a gap: frames tell of no former hold, so a read or a bulk read must."""

from datetime import timedelta

from ringback.core.derivation import holds_of
from ringback.core.snapshots import Span
from support.callbacks import (
    Follower,
    agent,
    at,
    call,
    customer,
    only,
    queue,
    reasons,
    snapshot,
    told,
)

LEFT = (customer(connected_at=0), queue(connected_at=0, ended_at=10))
TALKS = (*LEFT, agent(connected_at=10), call(connected_at=20))
ENDS = (
    customer(connected_at=0, ended_at=130),
    queue(connected_at=0, ended_at=10),
    agent(connected_at=10, ended_at=130),
    call(connected_at=20, ended_at=130),
)
HELD = [Span(at(101), at(108))]
TALKED = (*LEFT, agent(connected_at=10, holds=HELD), call(connected_at=20))
ENDED = (*ENDS[:2], agent(connected_at=10, ended_at=130, holds=HELD), ENDS[3])


def after_a_gap() -> Follower:
    """Know a call from before a gap from 100 to 110 s, and that it went on, or so a frame says."""
    follower = Follower()
    follower.hears(0)
    follower.follow(5, customer(connected_at=0), queue(connected_at=0))
    follower.follow(50, *TALKS)
    follower.blind(100)
    follower.hears(110)
    follower.follow(120, *TALKS)
    assert not follower.unverified
    return follower


def held_for(follower: Follower) -> timedelta:
    return timedelta(seconds=holds_of(follower.callback, follower.now).total)


def test_what_a_frame_has_confirmed_is_read_for_its_holds_once_surveys_had_their_chance() -> None:
    follower = after_a_gap()
    assert follower.wanted(134) == []
    assert follower.wanted(135) == ["c-1"]
    follower.observe(136, snapshot(*TALKED, read_at=135))
    assert (held_for(follower), follower.wanted(200)) == (timedelta(seconds=7), [])


def test_a_picture_that_shows_no_hold_spares_the_read() -> None:
    follower = after_a_gap()
    follower.survey(130, snapshot(*TALKS), as_of=115)
    assert follower.wanted(135) == []


def test_a_picture_from_within_the_gap_spares_nothing() -> None:
    follower = after_a_gap()
    follower.survey(130, snapshot(*TALKS), as_of=109)
    assert follower.wanted(135) == ["c-1"]


def test_a_picture_with_a_hold_that_is_not_known_changes_nothing_and_spares_nothing() -> None:
    follower = after_a_gap()
    follower.survey(130, snapshot(*TALKED), as_of=115)
    assert held_for(follower) == timedelta(0)
    assert follower.wanted(135) == ["c-1"]


def test_a_hold_whose_end_was_lost_is_as_good_as_unknown() -> None:
    follower = Follower()
    follower.hears(0)
    follower.follow(50, *TALKS)
    follower.follow(99, *LEFT, agent(connected_at=10, hold_started_at=99), TALKS[3])
    follower.blind(100)
    follower.hears(130)
    follower.follow(140, *TALKS)
    shown = agent(connected_at=10, holds=[Span(at(99), at(102))])
    follower.survey(150, snapshot(*LEFT, shown, TALKS[3]))
    assert follower.wanted(155) == ["c-1"]


def test_an_ended_callback_learns_its_holds_and_tells_once() -> None:
    follower = after_a_gap()
    follower.follow(130, *ENDS)
    assert follower.wanted(135) == ["c-1"]
    event = only(follower.observe(136, snapshot(*ENDED, read_at=135)))
    assert (reasons([event]), told(event)["state"]) == (["hold_corrected"], "disconnected")
    assert (told(event)["holdSeconds"], told(event)["cause"]) == (7.0, "reconcile")
    assert follower.wanted(300) == []
    assert follower.observe(301, snapshot(*ENDED, read_at=300)) == []


def test_an_end_in_the_gap_is_read_for_holds_as_well() -> None:
    follower = Follower()
    follower.hears(0)
    follower.follow(50, *TALKS)
    follower.blind(100)
    follower.hears(131)
    follower.follow(132, *ENDS)
    assert follower.wanted(156) == ["c-1"]


def test_a_callback_that_never_was_with_an_agent_has_no_holds_to_ask_for() -> None:
    follower = Follower()
    follower.hears(0)
    follower.follow(50, customer(connected_at=0), queue(connected_at=0))
    follower.blind(100)
    follower.hears(110)
    follower.follow(120, customer(connected_at=0), queue(connected_at=0))
    assert follower.wanted(300) == []


def test_what_cannot_be_read_is_asked_for_a_while_only() -> None:
    follower = after_a_gap()
    follower.tracker.repair.wants.failed("c-1", at(200))
    assert follower.wanted(240) == ["c-1"]
    follower.tracker.repair.wants.failed("c-1", at(1200))
    assert len(follower.tracker.repair.wants) == 0
