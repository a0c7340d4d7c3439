"""Each built-in rule, on a simulated callback: it fires at its threshold, and not just before."""

from datetime import timedelta

import pytest

from ringback.core.watch.defaults import built_in
from ringback.core.watch.rules import Rule, RuleSet
from ringback.core.watch.waits import FEWEST
from ringback.simulator.centre import ContactCentre
from ringback.simulator.kinds import Kind
from ringback.simulator.options import Options
from ringback.simulator.people import draw_customer
from support.cases import CASES, Case, Stuck, plant, waiting
from support.watching import START, Told, Watcher

SECOND = timedelta(seconds=1)
WAITS = Case(waiting, "")
RULES = built_in(timedelta(minutes=2), timedelta(minutes=5))


def empty_centre() -> ContactCentre:
    """Open a centre where hardly anything happens by itself."""
    options = Options(arrivals_per_minute=1e-6, mix={Kind.TORN_DOWN: 1}, warm_up=timedelta())
    return ContactCentre(7, START, options)


def watch(case: Case, stuck: Stuck) -> tuple[Watcher, str]:
    """Play one stuck callback until it is over."""
    centre = empty_centre()
    watcher = Watcher(centre, RULES)
    if case.usual_wait:
        for _ in range(FEWEST):
            plant(centre, WAITS, Stuck(case.usual_wait))
        watcher.follow(START + timedelta(seconds=case.usual_wait + 60))
    planted = plant(centre, case, stuck)
    watcher.settle()
    watcher.follow(START + timedelta(hours=12), step=timedelta(minutes=5))
    return watcher, planted


def threshold(rule: Rule) -> timedelta:
    usual = timedelta(seconds=CASES[rule.name].usual_wait)
    return -rule.after if RuleSet.kind_of(rule).ahead else max(rule.after, rule.times * usual)


def play(name: str, beyond: float, *, enough: bool) -> tuple[list[Told], Stuck, Watcher]:
    """Let a callback be stuck until so many seconds after the threshold."""
    rule = RULES.get(name)
    assert rule is not None
    stuck = Stuck(threshold(rule).total_seconds() + beyond, enough=enough)
    watcher, planted = watch(CASES[name], stuck)
    assert {told.data.rule for told in watcher.told(planted)} <= {name, *CASES[name].beside}
    return watcher.told(planted, name), stuck, watcher


def test_every_rule_has_a_case() -> None:
    apart = {"unverified_too_long", "same_number_twice"}
    about_sources = {rule.name for rule in RULES.feed}  # in tests/unit/core/watch/test_feeds.py
    assert {*CASES, *apart, *about_sources} == {rule.name for rule in RULES.rules}


@pytest.mark.parametrize("name", CASES)
def test_it_fires_within_a_second_of_its_threshold_and_ends_with_its_reason(name: str) -> None:
    (told,), stuck, _ = play(name, 30, enough=True)
    rule = RULES.get(name)
    assert rule is not None
    assert stuck.since is not None
    assert abs(told.fired - stuck.since - threshold(rule)) < SECOND
    assert told.data.severity == rule.severity
    assert told.resolved is not None
    assert told.reason == CASES[name].reason


@pytest.mark.parametrize("name", CASES)
def test_it_does_not_fire_just_under_its_threshold(name: str) -> None:
    told, _, _ = play(name, -1, enough=False)
    assert told == []


@pytest.mark.parametrize(("confirmed", "fired"), [(1799, False), (1801, True)])
def test_what_stays_unverified_is_told_half_an_hour_after_that_was_told(
    confirmed: float, fired: bool
) -> None:
    """The source is deaf for ten seconds while a callback waits, and hears nothing of it since."""
    centre = empty_centre()
    told_at = 10 + 60
    planted = plant(centre, WAITS, Stuck(told_at + confirmed))
    watcher = Watcher(centre, RULES)
    watcher.take(watcher.tracker.sources.connected("main", (), START))
    watcher.follow(START)
    watcher.take(watcher.tracker.sources.disconnected("main", "cut", START, (), watcher.now))
    watcher.follow(START + 10 * SECOND)
    watcher.take(watcher.tracker.sources.connected("main", (), watcher.now))
    watcher.follow(START + timedelta(hours=1))
    found = watcher.told(planted, "unverified_too_long")
    assert len(found) == fired
    for told in found:
        assert abs(told.fired - START - timedelta(seconds=told_at + 1800)) < SECOND
        assert told.reason == "verified"


@pytest.mark.parametrize(("together", "fired"), [(299, False), (301, True)])
def test_one_who_waits_twice_is_told_of_five_minutes_after_the_second_began_to(
    together: float, fired: bool
) -> None:
    centre = empty_centre()
    customer = draw_customer(centre.random)
    first = plant(centre, WAITS, Stuck(60 + together), customer)
    watcher = Watcher(centre, RULES, hash_key=b"a key of the tests")
    watcher.follow(START + 60 * SECOND)
    second = plant(centre, WAITS, Stuck(3600), customer)
    watcher.follow(START + timedelta(hours=2))
    assert watcher.told(first, "same_number_twice") == []
    found = watcher.told(second, "same_number_twice")
    assert len(found) == fired
    for told in found:
        assert abs(told.fired - START - timedelta(seconds=60 + 300)) < SECOND
        assert told.reason == "no other waits"
