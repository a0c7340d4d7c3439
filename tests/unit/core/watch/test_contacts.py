"""Who waits twice: found by number, told of the later one, over when the other is."""

from typing import Any

import pytest

from ringback.core.policy import Policy
from ringback.core.snapshots import Sighting
from ringback.core.watch.defaults import rule_of
from ringback.core.watch.rules import RuleSet
from support.callbacks import Follower, agent, alert, at, customer, kind

TWICE = RuleSet([rule_of("same_number_twice")])
KEPT = Policy(numbers_kept=True)
AFTER = 300


def caller(begin: float, *numbers: str, name: str | None = None, **said: Any) -> Sighting:
    contact = numbers if name is None else (*numbers, name)
    return customer(connected_at=begin, contact=contact, numbers=len(numbers), **said)


def two(policy: Policy = KEPT, rules: RuleSet = TWICE) -> Follower:
    """Follow two callbacks of one number that wait, the second since 100 s later."""
    follower = Follower(policy, rules=rules)
    follower.follow(0, caller(0, "n1"), conversation="first")
    follower.follow(100, caller(100, "n2", "n1"), conversation="second")
    return follower


def test_the_later_one_is_told_once_and_is_over_when_the_other_is() -> None:
    follower = two()
    assert follower.wait(100 + AFTER - 0.001) == []
    fired = alert(follower.wait(100 + AFTER))
    assert (fired.callback_id, fired.severity) == ("second", "info")
    follower.follow(500, caller(0, "n1", ended_at=500), conversation="first")
    resolved = alert(follower.wait(500))
    assert (resolved.callback_id, resolved.reason) == ("second", "no other waits")
    assert follower.wait(5000) == []


def test_an_agent_who_takes_the_other_ends_it_too() -> None:
    follower = two()
    follower.wait(450)
    follower.follow(
        *(460, caller(0, "n1"), agent(connected_at=460, peer_id="k-customer")),
        conversation="first",
    )
    assert alert(follower.wait(460)).reason == "no other waits"


def test_one_that_was_waiting_before_is_found_though_it_is_heard_of_later() -> None:
    follower = Follower(KEPT, rules=TWICE)
    follower.follow(100, caller(100, "n1"), conversation="second")
    follower.follow(600, caller(0, "n1"), conversation="first")
    assert alert(follower.wait(600)).callback_id == "second"


def test_names_are_no_numbers() -> None:
    follower = Follower(KEPT, rules=TWICE)
    follower.follow(0, caller(0, "n1", name="Ada"), conversation="first")
    follower.follow(100, caller(100, "n2", name="Ada"), conversation="second")
    assert follower.wait(5000) == []


@pytest.mark.parametrize(
    ("policy", "rules"), [(Policy(), TWICE), (KEPT, RuleSet([rule_of("too_old")]))]
)
def test_without_numbers_or_a_rule_nothing_is_noted(policy: Policy, rules: RuleSet) -> None:
    assert two(policy, rules).wait(5000) == []


def test_it_is_known_again_after_a_restart() -> None:
    follower = two()
    assert follower.restart(200) == []
    assert alert(follower.wait(100 + AFTER)).callback_id == "second"
    follower.restart(500)
    follower.follow(600, caller(0, "n1", ended_at=600), conversation="first")
    assert alert(follower.wait(600)).reason == "no other waits"


def test_a_restart_between_the_two_does_not_leave_it_firing() -> None:
    follower = two()
    follower.wait(450)
    follower.follow(500, caller(0, "n1", ended_at=500), conversation="first")
    assert [kind(event) for event in follower.restart(501)] == ["alert.resolved"]


def test_a_rule_that_comes_finds_who_waits_already() -> None:
    follower = two(rules=RuleSet([rule_of("too_old")]))
    follower.wait(1000)
    told = [
        event
        for changes in follower.tracker.adopt(TWICE, follower.now)
        for change in changes
        for event in change.events
    ]
    told += [event for change in follower.tracker.fire_due(at(1000)) for event in change.events]
    assert alert(told).callback_id == "second"
    for _ in follower.tracker.adopt(RuleSet([]), follower.now):
        pass
    follower.follow(1100, caller(1100, "n1"), conversation="third")
    assert follower.wait(5000) == []
