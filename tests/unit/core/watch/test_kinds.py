"""What simulated callbacks do not show of the kinds: what is not known, comes late, or changes."""

import pytest

from ringback.core.snapshots import QueueSettings, Role, Sighting
from ringback.core.watch.defaults import rule_of
from ringback.core.watch.rules import Filter, RuleSet
from support.callbacks import QUEUE, Follower, agent, alert, call, customer, kind, queue

WAITS = (customer(connected_at=0), queue(connected_at=0))
OWNED = (customer(connected_at=0, owner_id="user-7"), queue(connected_at=0))
HAS = (customer(connected_at=0), queue(connected_at=0, ended_at=10), agent(connected_at=10))
HOUR = 3600
CALLED = Role.EXTERNAL
TWO_HOURS = QueueSettings(QUEUE, owned_hours=2)


def following(rule: str, **said: object) -> Follower:
    return Follower(rules=RuleSet([rule_of(rule, **said)]))


def test_ownership_is_armed_by_settings_that_become_known_late() -> None:
    follower = following("ownership_expiring")
    follower.follow(0, *OWNED)
    follower.settings(10, TWO_HOURS)
    assert follower.wait(1.5 * HOUR - 1) == []
    assert alert(follower.wait(1.5 * HOUR)).severity == "critical"


def test_it_is_armed_again_after_a_restart_though_a_frame_came_first() -> None:
    follower = following("ownership_expiring")
    follower.settings(0, TWO_HOURS)
    follower.follow(0, *OWNED)
    follower.restart(100)
    follower.follow(101, *OWNED, agent(state="alerting"))
    follower.follow(102, *OWNED, agent(ended_at=102))
    follower.settings(103, TWO_HOURS)
    assert alert(follower.wait(1.5 * HOUR)).rule == "ownership_expiring"


def test_settings_that_are_changed_arm_it_anew() -> None:
    follower = following("ownership_expiring")
    follower.settings(0, TWO_HOURS)
    follower.follow(0, *OWNED)
    follower.settings(10, QueueSettings(QUEUE, owned_hours=1))
    assert alert(follower.wait(0.5 * HOUR)).rule == "ownership_expiring"


@pytest.mark.parametrize("settings", [QueueSettings(QUEUE), QueueSettings("other", owned_hours=2)])
def test_where_nobody_owns_callbacks_nothing_expires(settings: QueueSettings) -> None:
    follower = following("ownership_expiring")
    follower.settings(0, settings)
    follower.follow(0, *OWNED)
    assert follower.wait(100 * HOUR) == []


@pytest.mark.parametrize(
    ("shown", "known", "timeout"),
    [(20_000, 50, 20), (None, 50, 50), (None, None, 120)],
)
def test_how_long_an_agent_is_alerted_comes_from_the_leg_the_queue_or_is_taken_to_be_long(
    shown: int | None, known: int | None, timeout: int
) -> None:
    follower = following("alerting_too_long")
    follower.settings(0, QueueSettings(QUEUE, alerting_timeout_seconds=known))
    follower.follow(10, *WAITS, agent(state="alerting", alerting_timeout_ms=shown))
    assert follower.wait(10 + timeout + 29) == []
    assert alert(follower.wait(10 + timeout + 30)).state == "alerting"


def test_an_offer_that_came_with_the_end_of_another_has_its_own_time() -> None:
    follower = following("alerting_too_long")
    follower.follow(10, *WAITS, agent(state="alerting", alerting_timeout_ms=30_000))
    follower.follow(60, agent(ended_at=60), agent(2, state="alerting"))
    assert follower.wait(60 + 59) == []
    assert alert(follower.wait(60 + 60)).user_id == "user-2"


def test_a_call_that_came_with_the_end_of_another_has_its_own_time() -> None:
    follower = following("dialing_too_long")
    follower.follow(20, *HAS, call(state="dialing"))
    follower.follow(150, call(ended_at=150), call(2, state="dialing"))
    assert follower.wait(150 + 179) == []
    assert alert(follower.wait(150 + 180)).rule == "dialing_too_long"


def test_who_accepted_and_gave_it_back_makes_the_count_begin_anew() -> None:
    follower = following("unanswered", times=2)
    follower.follow(0, *WAITS)
    for number in (1, 2, 3):
        begin = 100 * number
        accepted = {"connected_at": begin + 5} if number == 2 else {}
        follower.follow(begin, agent(number, state="alerting"))
        follower.follow(begin + 10, agent(number, ended_at=begin + 10, **accepted))
    assert follower.wait(350) == []
    follower.follow(400, agent(4, state="alerting"))
    follower.follow(410, agent(4, ended_at=410))
    assert alert(follower.wait(410)).since == "2026-11-22T08:06:50.000Z"


def test_holds_of_two_legs_that_overlap_are_one() -> None:
    follower = following("held_too_long")
    talking = (*HAS, call(connected_at=20))
    follower.follow(100, *talking, call(2, role=CALLED, connected_at=20, hold_started_at=100))
    held = agent(connected_at=10, hold_started_at=200)
    follower.follow(200, held, call(2, role=CALLED, connected_at=20, hold_started_at=100))
    follower.follow(300, held, call(2, role=CALLED, connected_at=20))
    assert follower.wait(699) == []
    assert alert(follower.wait(700)).since == "2026-11-22T08:11:40.000Z"


@pytest.mark.parametrize("status", ["failed", "timeout"])
def test_a_voicemail_that_is_broken_is_told_at_once(status: str) -> None:
    follower = following("voicemail_unplayable")
    follower.follow(0, customer(connected_at=0, voicemail="pending"), queue(connected_at=0))
    follower.follow(60, customer(connected_at=0, voicemail=status))
    assert alert(follower.wait(60)).since == "2026-11-22T08:01:00.000Z"


@pytest.mark.parametrize("status", ["complete", "none", "of another version"])
def test_a_voicemail_of_which_nothing_bad_is_known_is_no_matter(status: str) -> None:
    follower = following("voicemail_unplayable")
    follower.follow(0, customer(connected_at=0, voicemail=status), queue(connected_at=0))
    assert follower.wait(100 * HOUR) == []


def test_a_scheduled_one_grows_old_from_its_time_on() -> None:
    follower = following("too_old")
    follower.follow(0, customer(state="scheduled", scheduled_at=50 * HOUR))
    assert follower.wait(58 * HOUR - 1) == []
    assert alert(follower.wait(58 * HOUR)).state == "scheduled"


def test_what_ended_long_before_it_was_heard_of_is_not_told() -> None:
    follower = following("lost")
    gone = (customer(connected_at=0, ended_at=100), queue(connected_at=0, ended_at=100))
    follower.follow(2 * HOUR, *gone)
    assert [kind(event) for event in follower.told] == ["callback.disconnected"]
    assert follower.wait(3 * HOUR) == []


@pytest.mark.parametrize(
    ("where", "seen", "fires"),
    [
        (Filter(divisions=frozenset({"d"})), customer(connected_at=0), True),
        (Filter(divisions=frozenset({"e"})), customer(connected_at=0), False),
        (Filter(campaigns=frozenset({"m"})), customer(connected_at=0, campaign_id="m"), True),
        (Filter(campaigns=frozenset({"m"})), customer(connected_at=0), False),
        (Filter(voicemail=True), customer(connected_at=0, voicemail="complete"), True),
        (Filter(voicemail=True), customer(connected_at=0), False),
        (Filter(voicemail=False), customer(connected_at=0), True),
        (Filter(customer_first=True), customer(connected_at=0), False),
        (Filter(automated=True), customer(connected_at=0, automated=True), True),
    ],
)
def test_a_rule_is_for_those_that_its_filter_names(
    where: Filter, seen: Sighting, fires: bool
) -> None:
    follower = following("waiting_too_long", where=where)
    follower.settings(0, QueueSettings(QUEUE, division_id="d"))
    follower.follow(0, seen, queue(connected_at=0))
    assert bool(follower.wait(HOUR)) is fires
