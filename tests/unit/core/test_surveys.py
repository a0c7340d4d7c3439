"""Bulk reads: what agrees confirms, what differs is read singly, and nothing else happens."""

import pytest

from ringback.core.lifecycle import State
from ringback.core.snapshots import Sighting
from ringback.core.surveys import WITH_AGENT, Place, Survey, outline
from support.callbacks import (
    Follower,
    agent,
    at,
    bare,
    call,
    customer,
    queue,
    snapshot,
)

WAITS = (customer(connected_at=0), queue(connected_at=0))
LEFT = (customer(connected_at=0), queue(connected_at=0, ended_at=10))
HAS = agent(connected_at=10)
ALERTED = agent(state="alerting")
SCENES = {
    "scheduled": (customer(state="scheduled", scheduled_at=600),),
    "waiting": WAITS,
    "alerting": (*WAITS, ALERTED),
    "connected": (*LEFT, HAS),
    "dialing": (*LEFT, HAS, call(state="dialing")),
    "talking": (*LEFT, HAS, call(connected_at=20)),
    "held": (*LEFT, agent(connected_at=10, hold_started_at=30), call(connected_at=20)),
    "after_call_work": (*LEFT, agent(connected_at=10, ended_at=40)),
}


def place(*states: State, user_id: str | None = None, queue_id: str | None = "queue-1") -> Place:
    return Place("c-1", frozenset(states), queue_id, user_id)


def known(name: str) -> Follower:
    """Know a callback in a state since before a gap from 100 to 110 s."""
    follower = Follower()
    follower.hears(0)
    follower.follow(50, *SCENES[name])
    assert follower.state == name
    follower.blind(100)
    follower.hears(110)
    return follower


# What a picture shows


@pytest.mark.parametrize("name", SCENES)
def test_a_picture_is_outlined_by_the_rules_of_frames(name: str) -> None:
    found = outline(snapshot(*SCENES[name]), at(60))
    assert found is not None
    wanted = {State(name)} if name != "connected" else {State.CONNECTED, State.AUTO_DIALING}
    assert found.states == wanted
    assert found.queue_id == (None if name == "scheduled" else "queue-1")
    assert found.user_id == (None if name in ("scheduled", "waiting") else "user-1")


@pytest.mark.parametrize(
    "seen",
    [
        (),
        (customer(connected_at=0, ended_at=5),),
        (call(connected_at=0),),
        (call(connected_at=0, inbound=True),),
    ],
)
def test_what_is_over_or_no_callback_is_outlined_as_over(seen: tuple[Sighting, ...]) -> None:
    assert outline(snapshot(*seen), at(60)).over


def test_of_two_callbacks_the_latest_open_one_is_outlined() -> None:
    second = customer(2, state="scheduled", scheduled_at=900)
    found = outline(snapshot(*SCENES["talking"], second), at(60))
    assert found is not None
    assert found.states == {State.SCHEDULED}
    ended = customer(2, ended_at=50)
    found = outline(snapshot(*SCENES["talking"], ended), at(60))
    assert found is not None
    assert found.states == {State.TALKING}


def test_a_bare_callback_can_be_outlined() -> None:
    found = outline(snapshot(bare(connected_at=0)), at(60))
    assert found is not None
    assert State.CONNECTED in found.states


# What it confirms


@pytest.mark.parametrize("name", SCENES)
def test_a_picture_that_agrees_confirms(name: str) -> None:
    follower = known(name)
    assert follower.survey(120, snapshot(*SCENES[name])) == []
    assert (follower.unverified, len(follower.tracker.repair.wants)) == (set(), 0)
    assert follower.state == name


@pytest.mark.parametrize("shown", SCENES)
@pytest.mark.parametrize("name", SCENES)
def test_a_picture_that_differs_is_wanted_and_changes_nothing(name: str, shown: str) -> None:
    if name == shown:
        return
    follower = known(name)
    before = follower.rows["c-1"]
    assert follower.survey(120, snapshot(*SCENES[shown])) == []
    assert (follower.unverified, follower.rows["c-1"]) == ({"c-1"}, before)
    assert follower.wanted(121) == ["c-1"]


def test_due_and_not_seen_is_connected_as_far_as_a_survey_can_tell() -> None:
    follower = Follower()
    follower.hears(0)
    legs = (*LEFT, agent(connected_at=10, timeout_seconds=30))
    follower.follow(11, *legs)
    follower.wait(99)
    assert follower.state == "auto_dialing"
    follower.blind(100)
    follower.hears(110)
    follower.survey(120, snapshot(*legs))
    assert (follower.unverified, follower.state) == (set(), "auto_dialing")


def test_being_with_an_agent_says_too_little_to_confirm_and_enough_to_differ() -> None:
    follower = known("talking")
    observed = Place("c-1", WITH_AGENT, "queue-1", "user-1")
    follower.survey(120, observed)
    assert follower.unverified == {"c-1"}
    follower.follow(121, *SCENES["talking"], read_at=121)
    follower.survey(130, observed)
    assert len(follower.tracker.repair.wants) == 0
    follower.survey(131, place(*WITH_AGENT, user_id="user-2"))
    assert follower.wanted(132) == ["c-1"]


def test_waiting_or_alerting_confirms_neither() -> None:
    for name in ("waiting", "alerting"):
        follower = known(name)
        follower.survey(120, place(State.WAITING, State.ALERTING))
        assert follower.unverified == {"c-1"}


@pytest.mark.parametrize(
    "other", [place(State.WAITING, queue_id="queue-2"), place(State.SCHEDULED)]
)
def test_another_queue_or_state_is_wanted_to_be_read(other: Place) -> None:
    follower = Follower()
    follower.follow(1, *WAITS)
    follower.survey(120, other)
    assert follower.wanted(121) == ["c-1"]


def test_a_place_confirms_nothing_since_it_shows_neither_offers_nor_holds() -> None:
    follower = known("waiting")
    follower.survey(120, place(State.WAITING), place(State.WAITING, queue_id=None))
    assert follower.unverified == {"c-1"}


# What it does not prove


def test_a_survey_older_than_what_is_known_proves_nothing() -> None:
    follower = Follower()
    follower.follow(50, *SCENES["talking"])
    follower.survey(60, snapshot(*WAITS), as_of=49)
    assert follower.wanted(61) == []
    follower.survey(62, snapshot(*WAITS), as_of=50)
    assert follower.wanted(63) == ["c-1"]


def test_a_survey_that_does_not_know_up_to_when_confirms_nothing() -> None:
    follower = known("waiting")
    page = Survey(at(120), None, [snapshot(*WAITS)], [place(State.WAITING)])
    assert follower.tracker.survey(page, at(120)) == []
    assert follower.unverified == {"c-1"}


def test_what_is_missing_has_not_ended() -> None:
    follower = known("waiting")
    assert follower.survey(120) == []
    assert follower.survey(121, snapshot(customer(connected_at=0, ended_at=115))) == []
    assert (follower.state, follower.unverified) == ("waiting", {"c-1"})


def test_what_has_ended_here_and_not_there_is_read() -> None:
    follower = Follower()
    follower.follow(50, customer(connected_at=0, ended_at=40), queue(ended_at=40))
    follower.survey(60, snapshot(*WAITS))
    assert follower.wanted(61) == ["c-1"]
    assert follower.state == "disconnected"


def test_nobody_knows_it_so_it_is_read_and_not_begun() -> None:
    follower = Follower()
    assert follower.survey(10, snapshot(*WAITS), place(State.WAITING)) == []
    assert len(follower.tracker.conversations) == 0
    assert follower.wanted(11) == ["c-1"]


def test_what_is_in_queues_of_others_is_not_brought_up() -> None:
    follower = Follower()
    follower.tracker.repair.follows("main", ["queue-9"])
    follower.survey(10, snapshot(*WAITS), Place("c-2", frozenset({State.SCHEDULED})))
    assert follower.wanted(11) == ["c-2"]  # it does not say in which queue it is


def test_a_survey_confirms_what_no_gap_has_touched() -> None:
    follower = Follower()
    follower.hears(0)
    follower.follow(1, *WAITS)
    follower.survey(700, snapshot(*WAITS))
    follower.blind(750, since=650)
    assert follower.unverified == set()


def test_what_bulk_reads_knew_before_the_clock_was_set_back_they_do_not_know_yet() -> None:
    follower = known("waiting")
    follower.survey(7000, snapshot(*WAITS, conversation="other"))
    follower.tracker.sources.alive("main", at(100))
    page = Survey(at(120), at(90), [snapshot(*WAITS)])
    follower.tracker.sources.disconnected("main", "cut", at(105), (), at(106))
    follower.tracker.sources.connected("main", (), at(110))
    assert follower.tracker.survey(page, at(120)) == []
    assert "c-1" in follower.unverified


def test_what_is_known_of_an_ended_callback_is_no_news_of_the_next() -> None:
    follower = Follower()
    follower.hears(0)
    first = (
        customer(connected_at=0, ended_at=40),
        queue(connected_at=0, ended_at=10),
        agent(connected_at=10, ended_at=40),
        call(connected_at=20, ended_at=39),
    )
    second = customer(2, state="scheduled", scheduled_at=900)
    follower.follow(50, *first, second)
    follower.blind(100)
    follower.hears(110)
    follower.survey(120, snapshot(*first, second))
    assert (follower.unverified, len(follower.tracker.repair.wants)) == (set(), 0)
    follower.survey(130, snapshot(*first, second, agent(7, ended_at=125)))
    assert follower.wanted(131) == ["c-1"]
