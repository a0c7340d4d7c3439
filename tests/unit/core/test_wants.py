"""What is best read now: the most urgent first, and not the same again and again."""

import pytest

from ringback.core import wants
from ringback.core.lifecycle import State
from ringback.core.snapshots import Sighting
from ringback.core.surveys import Place
from support.callbacks import (
    QUEUE,
    SOURCE,
    Follower,
    agent,
    at,
    call,
    customer,
    queue,
    snapshot,
)

WAITS = (customer(connected_at=0), queue(connected_at=0))
LEFT = (customer(connected_at=0), queue(connected_at=0, ended_at=5))
HAS = agent(connected_at=5)
SCENES = {
    "connected": (*LEFT, HAS),
    "held": (*LEFT, agent(connected_at=5, hold_started_at=6)),
    "dialing": (*LEFT, HAS, call(state="dialing")),
    "talking": (*LEFT, HAS, call(connected_at=7)),
    "alerting": (*WAITS, agent(state="alerting")),
    "waiting": WAITS,
    "after_call_work": (*LEFT, agent(connected_at=5, ended_at=8)),
    "scheduled": (customer(state="scheduled", scheduled_at=9000),),
}
ELSEWHERE = Place("stranger", frozenset({State.WAITING}), QUEUE)


def following(*names: str) -> Follower:
    """Follow one conversation of each scene, named after it."""
    follower = Follower()
    follower.hears(0)
    for name in names:
        follower.observe(10, snapshot(*SCENES[name], conversation=name))
    return follower


def test_nothing_is_wanted_while_all_is_well() -> None:
    assert following(*SCENES).wanted(20) == []


def test_the_most_urgent_is_read_first() -> None:
    follower = following(*reversed(SCENES))
    follower.blind(20)
    follower.hears(21)
    assert follower.wanted(22, limit=3) == ["connected", "held", "dialing"]
    assert follower.wanted(22) == ["talking", "alerting"]
    # What only waits, a survey may confirm first.
    assert follower.wanted(46) == ["waiting", "after_call_work", "scheduled"]


def test_nothing_is_read_for_a_gap_that_lasts() -> None:
    follower = following(*SCENES)
    follower.blind(20)
    assert follower.wanted(60) == []


def test_of_two_in_one_state_the_one_that_is_due_first_is_read_first() -> None:
    follower = Follower()
    for number, seconds in enumerate((900, 300, 600)):
        legs = customer(state="scheduled", scheduled_at=seconds)
        follower.observe(0, snapshot(legs, conversation=f"c-{number}"))
    follower.blind(20)
    follower.hears(21)
    assert follower.wanted(46) == ["c-1", "c-2", "c-0"]


def test_the_same_is_not_read_again_at_once() -> None:
    follower = following("connected")
    follower.blind(20)
    follower.hears(21)
    assert follower.wanted(22) == ["connected"]
    assert follower.wanted(51.9) == []
    assert follower.wanted(52) == ["connected"]
    seen = snapshot(*SCENES["connected"], conversation="connected", read_at=52)
    follower.observe(53, seen)
    assert follower.wanted(100) == []


def test_a_read_that_failed_is_tried_again_later() -> None:
    follower = following("connected")
    follower.blind(20)
    follower.hears(21)
    follower.wanted(22)
    follower.tracker.repair.wants.failed("connected", at(40))
    assert follower.wanted(69.9) == []
    assert follower.wanted(70) == ["connected"]


def test_a_stranger_is_read_and_forgotten_when_that_fails() -> None:
    follower = following()
    follower.survey(10, ELSEWHERE)
    assert follower.wanted(11) == ["stranger"]
    follower.tracker.repair.wants.failed("stranger", at(12))
    assert (follower.wanted(100), len(follower.tracker.repair.wants)) == ([], 0)


@pytest.mark.parametrize("seen", [WAITS, (), (call(connected_at=0),), (customer(ended_at=1),)])
def test_a_stranger_is_read_once_whatever_it_shows(seen: tuple[Sighting, ...]) -> None:
    follower = following()
    follower.survey(10, ELSEWHERE)
    follower.observe(12, snapshot(*seen, conversation="stranger", read_at=11))
    assert (follower.wanted(100), len(follower.tracker.repair.wants)) == ([], 0)


def test_what_a_survey_contradicts_is_read_until_that_is_settled() -> None:
    follower = following("waiting")
    follower.survey(20, Place("waiting", frozenset({State.TALKING})))
    assert follower.wanted(21) == ["waiting"]
    assert follower.wanted(60) == ["waiting"]
    follower.observe(61, snapshot(*WAITS, conversation="waiting", read_at=60.5))
    assert follower.wanted(100) == []


def test_strangers_are_bounded() -> None:
    follower = following()
    for number in range(wants.MOST_UNKNOWN + 10):
        follower.tracker.repair.wants.unknown(f"x-{number}", over=False)
    assert len(follower.tracker.repair.wants) == wants.MOST_UNKNOWN


def test_what_nothing_has_confirmed_for_long_is_read() -> None:
    follower = following("waiting")
    rounds = [follower.wanted(seconds) for seconds in (900, 909, 911, 912)]
    assert ["waiting"] in rounds[2:]
    assert rounds[:2] == [[], []]
    follower.observe(920, snapshot(*WAITS, conversation="waiting", read_at=915))
    assert [follower.wanted(seconds) for seconds in (1000, 1001, 1800)] == [[], [], []]


def test_what_has_strayed_is_read_every_minute() -> None:
    follower = following("waiting")
    follower.tracker.repair.follows(SOURCE, ["queue-9"])
    rounds = [follower.wanted(seconds) for seconds in (60, 69, 71, 72)]
    assert rounds[:2] == [[], []]
    assert ["waiting"] in rounds[2:]


def test_what_has_ended_is_never_read_for_being_old() -> None:
    follower = following()
    follower.observe(10, snapshot(customer(connected_at=0, ended_at=9), conversation="over"))
    assert [follower.wanted(seconds) for seconds in (2000, 2001, 2002)] == [[], [], []]


def test_all_of_very_many_have_their_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wants, "MOST_RANKED", 10)
    follower = following("connected")
    for number in range(35):
        follower.observe(10, snapshot(*WAITS, conversation=f"c-{number:02}"))
    follower.blind(20)
    follower.hears(21)
    follower.survey(21, ELSEWHERE)
    found: list[str] = []
    while read := follower.wanted(46, limit=5):
        found += read
        assert len(found) == len(set(found))
        for one in read:
            follower.tracker.repair.wants.satisfied(one, holds=True)
            follower.tracker.repair.doubts.confirm(one, at(46), "read", at(46))
    assert len(found) == 37


def test_nothing_is_remembered_of_reads_long_ago() -> None:
    follower = following(*SCENES)
    follower.blind(20)
    follower.hears(21)
    follower.wanted(22)
    for name, seen in SCENES.items():
        follower.observe(23, snapshot(*seen, conversation=name, read_at=23))
    follower.wanted(100)
    assert follower.tracker.repair.wants._asked == {}


def test_after_a_restart_what_only_waits_is_left_to_surveys_first() -> None:
    follower = following("waiting", "talking")
    follower.resume(100)
    assert follower.wanted(101) == []  # the gap lasts
    follower.hears(110)
    assert [follower.wanted(seconds) for seconds in (111, 112, 134)] == [["talking"], [], []]
    assert follower.wanted(135) == ["waiting"]
