"""What is usual in a queue, and that it is kept, bounded and fixed for each callback."""

import pytest

from ringback.core.watch.defaults import rule_of
from ringback.core.watch.rules import RuleSet
from ringback.core.watch.waits import FEWEST, MOST, WAITS, Waits
from support.callbacks import Follower, agent, alert, at, customer, queue

UNUSUAL = RuleSet([rule_of("waiting_unusually_long")])


def serve(follower: Follower, number: int, waits: float) -> None:
    """Let a callback wait, be accepted and end."""
    name, begin = f"s-{number}", (follower.now - at(0)).total_seconds()
    waiting = (customer(connected_at=begin), queue(connected_at=begin))
    follower.follow(begin, *waiting, conversation=name)
    end = begin + waits
    follower.follow(end, *waiting, agent(connected_at=end), conversation=name)
    over = (customer(connected_at=begin, ended_at=end), agent(connected_at=end, ended_at=end))
    follower.follow(end, queue(connected_at=begin, ended_at=end), *over, conversation=name)


def wait_from(follower: Follower, begin: float, conversation: str = "c-1") -> None:
    waiting = (customer(connected_at=begin), queue(connected_at=begin))
    follower.follow(begin, *waiting, conversation=conversation)


def test_nothing_is_usual_before_enough_were_served() -> None:
    waits = Waits()
    for number in range(FEWEST - 1):
        waits.note("q", number, at(0))
    assert waits.usual("q") is None
    waits.note("q", 1000, at(0))
    assert waits.usual("q") == FEWEST // 2
    assert waits.usual("other") is None
    assert waits.usual(None) is None


def test_only_the_latest_count() -> None:
    waits = Waits()
    for seconds in (*(10 for _ in range(MOST)), *(20 for _ in range(MOST // 2 + 1))):
        waits.note("q", seconds, at(0))
    assert waits.usual("q") == 20


def test_a_callback_fires_at_times_the_median_as_at_its_release() -> None:
    follower = Follower(rules=UNUSUAL)
    for number in range(FEWEST):
        serve(follower, number, 400)
    begin = FEWEST * 400
    wait_from(follower, begin)
    for number in range(FEWEST, FEWEST + 3):
        serve(follower, number, 1)
    assert follower.callback.usual_wait == 400
    assert follower.wait(begin + 1599) == []
    assert alert(follower.wait(begin + 1600)).rule == "waiting_unusually_long"


def test_where_waits_are_short_the_rules_own_threshold_counts() -> None:
    follower = Follower(rules=UNUSUAL)
    for number in range(FEWEST):
        serve(follower, number, 2)
    begin = FEWEST * 2
    wait_from(follower, begin)
    assert follower.wait(begin + 899) == []
    assert alert(follower.wait(begin + 900)).since == "2026-11-22T08:15:40.000Z"


def test_where_nothing_is_known_nothing_is_unusual() -> None:
    follower = Follower(rules=UNUSUAL)
    wait_from(follower, 0)
    assert follower.wait(100_000) == []


@pytest.mark.parametrize("restarts", [False, True])
def test_it_is_the_same_over_a_restart(restarts: bool) -> None:
    follower = Follower(rules=UNUSUAL)
    for number in range(FEWEST):
        serve(follower, number, 500)
    begin = FEWEST * 500
    follower.wait(begin + 10)
    assert [key for key in follower.rows if key.startswith(WAITS)] == ["~wait/queue-1"]
    if restarts:
        follower.restart(begin + 10)
    wait_from(follower, begin + 10)
    assert follower.callback.usual_wait == 500
    if restarts:
        follower.restart(begin + 100)
    assert alert(follower.wait(begin + 10 + 2000)).rule == "waiting_unusually_long"


def test_who_is_lost_has_not_been_served() -> None:
    follower = Follower(rules=UNUSUAL)
    for number in range(FEWEST):
        wait_from(follower, number, f"l-{number}")
        gone = (customer(connected_at=number, ended_at=number + 0.5), queue(ended_at=number + 0.5))
        follower.follow(number + 0.5, *gone, conversation=f"l-{number}")
    wait_from(follower, 100)
    assert follower.callback.usual_wait is None


def test_what_is_learnt_is_stored_now_and_then() -> None:
    waits = Waits()
    waits.note("q", 1, at(0))
    waits.note("r", 2, at(3))
    assert waits.next_save() == at(5)
    assert waits.unsaved(at(4.9)) == {}
    assert set(waits.unsaved(at(5))) == {"~wait/q", "~wait/r"}
    assert (waits.next_save(), waits.unsaved(at(9))) == (None, {})


def test_an_hour_that_comes_again_does_not_keep_it_from_being_stored() -> None:
    follower = Follower(rules=UNUSUAL)
    serve(follower, 1, 10)
    follower.tracker.sources.alive("main", follower.now)
    follower.now = at(-3600)
    follower.tracker.sources.alive("main", follower.now)
    follower.wait(-3590)
    assert "~wait/queue-1" in follower.rows
