"""Alerts about a source: each kind at its threshold, and their life."""

from datetime import time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from msgspec import UNSET

from ringback.core.policy import Policy
from ringback.core.watch.defaults import built_in, feed_rule_of
from ringback.core.watch.feed_kinds import FEED_KINDS, Pulse
from ringback.core.watch.hours import Hours
from ringback.core.watch.rules import RuleSet
from ringback.errors import AlertOver, AlertUnknown
from support.callbacks import SOURCE, Follower, alert, at, customer, kind, told

HOUR = 3600


def follower(name: str, **changed: Any) -> Follower:
    """Give one who hears and has one rule, named after its kind."""
    rule = msgspec.structs.replace(feed_rule_of(name), **changed)
    made = Follower(rules=RuleSet([rule]))
    made.hears(0)
    return made


def beats(it: Follower, seconds: float, **said: Any) -> list[str]:
    it.wait(seconds)
    before = len(it.told)
    for change in it.tracker.sources.beats(SOURCE, Pulse(**said), it.now):
        it._commit(change)
    return [kind(event) for event in it.told[before:]]


def undecodable(it: Follower, seconds: float) -> list[str]:
    it.wait(seconds)
    before = len(it.told)
    for change in it.tracker.sources.undecodable(it.now):
        it._commit(change)
    return [kind(event) for event in it.told[before:]]


def alerts(it: Follower) -> list[str]:
    return [kind(event) for event in it.told if event.type.startswith("ringback.alert")]


def test_those_that_need_nothing_to_be_said_are_built_in() -> None:
    names = {rule.name for rule in built_in(timedelta(), timedelta()).feed}
    assert FEED_KINDS.keys() - names == {"source_silent"}


def test_a_blind_source_fires_at_its_threshold_and_is_resolved_when_it_hears() -> None:
    it = follower("source_blind")
    it.blind(10)
    assert it.wait(129.999) == []
    fired = alert(it.wait(130))
    assert (fired.alert_id, fired.source, fired.severity) == (
        "source:main/source_blind/1",
        SOURCE,
        "critical",
    )
    assert (fired.callback_id, fired.state, fired.proof) == (UNSET, UNSET, UNSET)
    event = it.told[-1]
    assert (event.subject, event.partition, event.id) == (
        "source:main",
        SOURCE,
        "source:main/source_blind/1/firing",
    )
    resolved = [one for one in it.hears(140) if one.type.startswith("ringback.alert")]
    assert alert(resolved).reason == "it hears again"


def test_a_short_gap_is_none_of_its_business() -> None:
    it = follower("source_blind")
    it.blind(10)
    it.hears(129)
    it.wait(HOUR)
    assert alerts(it) == []


def test_topics_that_are_missing_make_it_blind_too() -> None:
    it = follower("source_blind")
    it.blind(10, "v2.routing.queues.q-1.conversations")
    assert alert(it.wait(130)).rule == "source_blind"


def test_silence_counts_from_the_last_frame_and_ends_with_the_next() -> None:
    it = follower("source_silent")
    it.follow(100, customer(connected_at=100))
    assert it.wait(999) == []
    assert alert(it.wait(1000)).since == "2026-11-22T08:16:40.000Z"
    it.follow(1500, customer(connected_at=100))  # a repetition, and yet something was said
    assert told(it.told[-1])["reason"] == "it tells of conversations again"


def test_a_source_that_is_blind_is_not_silent() -> None:
    it = follower("source_silent")
    it.blind(10)
    it.wait(2 * HOUR)
    assert alerts(it) == []
    it.hears(2 * HOUR + 10)
    it.wait(2 * HOUR + 909)
    assert alerts(it) == []
    assert alert(it.wait(2 * HOUR + 910)).rule == "source_silent"


def test_silence_counts_in_business_hours_alone() -> None:
    hours = Hours(
        days=frozenset(range(7)), opens=time(10), closes=time(18), zone=ZoneInfo("Europe/Berlin")
    )
    it = follower("source_silent", hours=hours)  # it is 9 o'clock there
    it.wait(HOUR + 899)
    assert alerts(it) == []
    it.wait(HOUR + 900)
    assert alerts(it) == ["alert.firing"]


def test_a_channel_that_was_pushed_out_is_told_for_an_hour() -> None:
    it = follower("channel_evicted")
    it.blind(10, cause="evicted by another client")
    assert alerts(it) == ["alert.firing"]
    it.hears(20)
    it.blind(1000, cause="connection lost")
    it.hears(1010)
    it.wait(10 + HOUR - 1)
    assert alerts(it) == ["alert.firing"]
    it.wait(10 + HOUR)
    assert alerts(it) == ["alert.firing", "alert.resolved"]


def test_a_channel_that_is_still_out_is_told_whatever_became_of_another() -> None:
    it = follower("channel_evicted")
    out, back = (f"v2.routing.queues.q-{number}.conversations" for number in (1, 2))
    it.blind(10, out, cause="evicted by another client")
    it.blind(20, back, cause="evicted by another client")
    it.hears(30, back)
    it.wait(2 * HOUR)
    assert alerts(it) == ["alert.firing"]
    it.hears(2 * HOUR, out)
    assert alerts(it) == ["alert.firing", "alert.resolved"]


def test_channels_that_are_pushed_out_again_and_again_are_one_condition() -> None:
    it = follower("channel_evicted", after=timedelta(hours=1.5))
    for begin in (10, 2000, 4000):
        it.blind(begin, cause="evicted by another client")
        it.hears(begin + 5)
    assert it.wait(10 + 1.5 * HOUR - 1) == []
    assert alert(it.wait(10 + 1.5 * HOUR)).since == "2026-11-22T09:30:10.000Z"
    assert it.wait(4000 + HOUR - 1) == []
    assert told(it.wait(4000 + HOUR)[0])["reason"] == "no channel was pushed out lately"


def test_a_channel_that_is_pushed_out_after_an_hour_is_another_matter() -> None:
    it = follower("channel_evicted", after=timedelta(minutes=30), damping=timedelta())
    it.blind(0, cause="evicted by another client")
    it.hears(5)
    it.wait(HOUR)
    assert alerts(it) == ["alert.firing", "alert.resolved"]
    it.blind(HOUR, cause="evicted by another client")
    it.hears(HOUR + 5)
    assert it.wait(1.5 * HOUR - 1) == []
    assert alert(it.wait(1.5 * HOUR)).since == "2026-11-22T09:30:00.000Z"


def test_what_lags_fires_ten_seconds_after_it_came() -> None:
    it = follower("lagging")
    assert beats(it, 10, behind_since=at(7)) == []
    assert it.wait(16.9) == []
    assert alert(it.wait(17)).since == "2026-11-22T08:00:17.000Z"
    assert beats(it, 30) == ["alert.resolved"]
    assert told(it.told[-1])["reason"] == "it is stored in time"


def test_ten_bad_frames_in_an_hour_are_too_many_until_they_are_an_hour_old() -> None:
    it = follower("undecodable_frames")
    for number in range(9):
        assert undecodable(it, number * 60) == []
    assert undecodable(it, 540) == ["alert.firing"]
    # The first minute leaves the window, and nine are left.
    it.wait(60 + HOUR - 1)
    assert alerts(it) == ["alert.firing"]
    it.wait(60 + HOUR)
    assert alerts(it) == ["alert.firing", "alert.resolved"]


def test_bad_frames_are_counted_over_a_restart() -> None:
    it = follower("undecodable_frames")
    for second in range(9):
        undecodable(it, second)
    it.restart(100)
    assert undecodable(it, 101) == ["alert.firing"]


def test_bad_frames_that_come_slowly_are_not_too_many() -> None:
    it = follower("undecodable_frames")
    for number in range(30):
        assert undecodable(it, number * 600) == []


def test_clocks_that_differ_by_as_much_as_the_rule_says_fire_at_once() -> None:
    it = follower("clock_skew")
    assert beats(it, 5, skew=timedelta(seconds=29)) == []
    assert beats(it, 10, skew=timedelta(seconds=30)) == ["alert.firing"]
    assert beats(it, 15, skew=timedelta(seconds=31)) == []
    assert beats(it, 20, skew=timedelta(seconds=3)) == ["alert.resolved"]


def test_a_budget_that_is_spent_for_long_fires() -> None:
    it = follower("budget_spent")
    beats(it, 10, spent_since=at(5))
    assert it.wait(304) == []
    assert alert(it.wait(305)).rule == "budget_spent"
    assert beats(it, 400) == ["alert.resolved"]


def test_it_fires_once_over_restarts_and_ends_after_one() -> None:
    it = follower("source_blind")
    it.blind(10)
    it.wait(130)
    it.restart(200)
    it.wait(300)
    assert alerts(it) == ["alert.firing"]
    it.restart(400)
    it.hears(410)
    assert alerts(it) == ["alert.firing", "alert.resolved"]


def test_a_clock_that_runs_is_durable() -> None:
    it = follower("source_blind")
    it.blind(10)
    it.restart(60)
    assert it.wait(129) == []
    assert alert(it.wait(130)).late_seconds is UNSET


def test_when_it_was_last_heard_is_stored() -> None:
    it = follower("source_silent")
    it.follow(100, customer(connected_at=100))
    for change in it.tracker.sources.alive(SOURCE, at(101)):
        it._commit(change)
    it.restart(500)
    assert it.wait(999) == []
    assert alert(it.wait(1000)).rule == "source_silent"


def test_what_was_felt_last_is_stored_though_it_alarms_nobody() -> None:
    it = follower("lagging")
    beats(it, 100, behind_since=at(99))
    it.follow(101, customer(connected_at=101))
    for change in it.tracker.sources.alive(SOURCE, at(101)):
        it._commit(change)
    assert beats(it, 102) == []
    assert it.restart(300) == []
    beats(it, 301, behind_since=at(300))
    assert [kind(event) for event in it.restart(400)] == ["alert.firing"]


def test_one_that_flaps_is_damped() -> None:
    it = follower("source_blind")
    for begin in (0, 200):
        it.blind(begin + 1)
        it.hears(begin + 130)
    assert alerts(it) == ["alert.firing", "alert.resolved", "alert.firing"]
    it.wait(330 + 599)
    assert len(alerts(it)) == 3
    it.wait(330 + 600)
    assert alerts(it)[3:] == ["alert.resolved"]
    assert told(it.told[-1])["alertId"] == "source:main/source_blind/2"


def test_it_is_acknowledged_once() -> None:
    it = follower("source_blind")
    it.blind(10)
    it.wait(130)
    name = "source:main/source_blind/1"
    change = it.tracker.alerts.acknowledge(name, "ada", at(140))
    assert change is not None
    assert [kind(event) for event in change.events] == ["alert.acknowledged"]
    it._commit(change)
    assert it.tracker.alerts.acknowledge(name, "bob", at(150)) is None
    it.restart(160)
    assert it.tracker.alerts.firing(name).acknowledged_by == "ada"
    it.hears(170)
    with pytest.raises(AlertOver):
        it.tracker.alerts.acknowledge(name, "ada", at(180))
    for unknown in ("source:main/source_blind/2", "source:main/x/1", "source:other/source_blind/1"):
        with pytest.raises(AlertUnknown):
            it.tracker.alerts.acknowledge(unknown, "ada", at(180))


@pytest.mark.parametrize(
    ("rules", "reason"),
    [
        (RuleSet([]), "its rule is gone"),
        (
            RuleSet(
                [msgspec.structs.replace(feed_rule_of("source_blind"), after=timedelta(minutes=9))]
            ),
            "its rule has changed",
        ),
    ],
)
def test_other_rules_end_it(rules: RuleSet, reason: str) -> None:
    it = follower("source_blind")
    it.blind(10)
    it.wait(130)
    for turn in it.tracker.adopt(rules, at(140)):
        for change in turn:
            it._commit(change)
    assert told(it.told[-1])["reason"] == reason
    it.wait(10 + 9 * 60)
    assert alerts(it)[2:] == (["alert.firing"] if rules.feed else [])


def test_a_clock_that_is_set_back_ends_nothing() -> None:
    it = follower("source_blind")
    it.blind(HOUR)
    it.wait(HOUR + 120)
    it.now = at(0)
    it.fire()
    for change in it.tracker.sources.alive(SOURCE, at(0)):
        it._commit(change)
    assert alerts(it) == ["alert.firing"]


def test_a_source_in_order_has_no_alert() -> None:
    it = Follower(Policy(), rules=built_in(timedelta(minutes=2), timedelta(minutes=5)))
    it.hears(0)
    it.wait(12 * HOUR)
    assert alerts(it) == []
