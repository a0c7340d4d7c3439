"""What an alert rests on: a read where there can be one, else it says why there was none."""

from datetime import timedelta

import msgspec
import pytest

from ringback.core.events import AlertData
from ringback.core.watch.defaults import rule_of
from ringback.core.watch.rules import Rule, RuleSet, Severity
from support.callbacks import SOURCE, Follower, agent, alert, at, customer, kind, queue, told

LATE = customer(state="scheduled", scheduled_at=60)
RELEASED = (customer(connected_at=61, scheduled_at=60), queue(connected_at=61))
GONE = customer(ended_at=150, scheduled_at=60)
THRESHOLD = 180
"""Two minutes after its time."""


def rules(**said: object) -> RuleSet:
    base = Rule(
        name="late", kind="due_not_released", after=timedelta(minutes=2), summary="It is late."
    )
    return RuleSet([Rule(**{name: getattr(base, name) for name in base.__struct_fields__} | said)])


def reading(**said: object) -> Follower:
    """Follow a callback by a source that can read; its time passes and nothing happens."""
    follower = Follower(rules=rules(**said))
    follower.tracker.proofs.reads(SOURCE, can=True)
    follower.hears(0)
    follower.follow(0, LATE)
    return follower


def proof(data: AlertData) -> dict[str, object]:
    found: dict[str, object] = told_data(data)["proof"]
    return found


def told_data(data: AlertData) -> dict[str, dict[str, object]]:

    found: dict[str, dict[str, object]] = msgspec.to_builtins(data)
    return found


def test_a_source_that_cannot_read_says_so_and_fires_in_time() -> None:
    follower = Follower()
    follower.follow(0, LATE)
    assert follower.wait(THRESHOLD - 0.001) == []
    fired = alert(follower.wait(THRESHOLD))
    assert proof(fired) == {"confirmed": False, "why": "the source cannot read"}
    assert (fired.severity, fired.kind) == ("warning", "due_not_released")


def test_it_is_read_before_the_threshold_and_fires_at_it() -> None:
    follower = reading()
    assert follower.wanted(THRESHOLD - 15.001) == []
    assert follower.wanted(THRESHOLD - 15) == ["c-1"]
    assert follower.follow(THRESHOLD - 14, LATE, read_at=THRESHOLD - 14.5) == []
    assert follower.wait(THRESHOLD - 0.001) == []
    fired = alert(follower.wait(THRESHOLD))
    assert proof(fired) == {"confirmed": True, "by": "read", "time": "2026-11-22T08:02:45.500Z"}
    assert follower.wanted(THRESHOLD + 1) == []


def test_a_read_that_shows_it_gone_wakes_nobody() -> None:
    follower = reading()
    follower.wait(THRESHOLD - 15)
    ended = follower.follow(THRESHOLD - 10, GONE, read_at=THRESHOLD - 11)
    assert [kind(event) for event in ended] == ["callback.disconnected"]
    assert follower.wait(10_000) == []


def test_it_waits_for_an_answer_and_then_fires_without() -> None:
    follower = reading()
    assert follower.wait(THRESHOLD + 19.999) == []
    fired = alert(follower.wait(THRESHOLD + 20))
    assert proof(fired) == {"confirmed": False, "why": "not read in time"}
    assert fired.since == "2026-11-22T08:03:00.000Z"
    assert told(follower.told[-1])["lateSeconds"] == 20.0


def test_an_answer_that_comes_late_lets_it_fire_at_once() -> None:
    follower = reading()
    follower.wait(THRESHOLD)
    assert follower.follow(THRESHOLD + 7, LATE, read_at=THRESHOLD + 6) == []
    assert proof(alert(follower.wait(THRESHOLD + 7)))["confirmed"] is True


def test_a_read_from_before_proves_nothing() -> None:
    follower = reading()
    follower.follow(100, LATE, read_at=99)
    assert follower.wanted(THRESHOLD - 15) == ["c-1"]
    assert follower.wait(THRESHOLD) == []


def test_a_read_that_fails_proves_nothing() -> None:
    follower = reading()
    assert follower.wanted(THRESHOLD - 15) == ["c-1"]
    follower.tracker.repair.wants.failed("c-1", follower.now)
    assert follower.wait(THRESHOLD + 19) == []
    assert follower.wanted(THRESHOLD + 20) == ["c-1"]
    assert proof(alert(follower.told[-1:]))["confirmed"] is False


def test_after_a_restart_it_is_read_before_it_fires() -> None:
    follower = reading()
    follower.wait(THRESHOLD - 20)
    assert follower.restart(THRESHOLD + 100, reads=True) == []
    assert follower.wanted(THRESHOLD + 100) == ["c-1"]
    follower.follow(THRESHOLD + 101, LATE, read_at=THRESHOLD + 100)
    assert proof(alert(follower.wait(THRESHOLD + 101)))["confirmed"] is True


@pytest.mark.parametrize("restarted", [False, True])
def test_a_clock_that_is_set_back_does_not_prolong_the_wait_for_an_answer(restarted: bool) -> None:
    follower = reading()
    follower.restart(5000, reads=True)
    assert follower.wanted(5000) == ["c-1"]
    if restarted:
        assert follower.restart(5005, reads=True) == []
    follower.now = at(1000)
    assert follower.fire() == []
    assert follower.wanted(1000) == ["c-1"]
    assert follower.wait(1019.999) == []
    assert proof(alert(follower.wait(1020)))["why"] == "not read in time"


def test_while_the_source_is_blind_it_is_held_back_and_then_asked_for() -> None:
    follower = reading()
    follower.blind(100)
    follower.wait(1000)
    assert [kind(event) for event in follower.told if "alert" in event.type] == []
    follower.hears(1001)
    assert follower.wanted(1001) == ["c-1"]
    follower.follow(1003, LATE, read_at=1002)
    assert proof(alert(follower.wait(1003)))["confirmed"] is True


def test_a_read_proves_it_though_the_source_is_blind() -> None:
    follower = reading()
    follower.blind(100)
    follower.follow(THRESHOLD - 5, LATE, read_at=THRESHOLD - 6)
    assert proof(alert(follower.wait(THRESHOLD)))["confirmed"] is True


def test_a_rule_may_fire_though_the_source_is_blind_and_says_so() -> None:
    follower = reading(while_blind="mark", severity=Severity.CRITICAL)
    follower.blind(100, since=90)
    fired = alert(
        [event for event in follower.wait(THRESHOLD + 20) if event.type.startswith("ringback.al")]
    )
    assert proof(fired) == {
        "confirmed": False,
        "why": "the source is blind since 2026-11-22T08:01:30.000Z",
    }
    assert fired.severity == "critical"


def test_another_queue_that_is_blind_holds_nothing_back() -> None:
    follower = Follower()
    follower.hears(0, "v2.routing.queues.q-1.conversations", "v2.routing.queues.q-2.conversations")
    follower.follow(0, customer(state="scheduled", scheduled_at=60, queue_id="q-1"))
    follower.blind(100, "v2.routing.queues.q-2.conversations")
    assert proof(alert(follower.wait(THRESHOLD)))["why"] == "the source cannot read"


@pytest.mark.parametrize(("severity", "first"), [("critical", "c-2"), ("info", "c-1")])
def test_the_most_severe_is_read_first(severity: str, first: str) -> None:
    follower = Follower(
        rules=RuleSet(
            [
                *rules(name="a").rules,
                *rules(
                    name="b",
                    kind="connected_not_dialled",
                    after=timedelta(seconds=THRESHOLD),
                    severity=Severity(severity),
                ).rules,
            ]
        )
    )
    follower.tracker.proofs.reads(SOURCE, can=True)
    follower.hears(0)
    follower.follow(0, LATE)
    follower.follow(0, customer(connected_at=0), agent(connected_at=0), conversation="c-2")
    assert follower.wanted(THRESHOLD - 15)[0] == first


def test_an_alert_that_comes_again_soon_is_damped() -> None:
    follower = Follower()
    follower.follow(0, LATE)
    alert(follower.wait(THRESHOLD))
    alert(follower.follow(200, customer(state="scheduled", scheduled_at=300)))
    assert alert(follower.wait(420)).alert_id == "c-1/due_not_released/2"
    again = follower.follow(430, customer(state="scheduled", scheduled_at=500))
    assert [kind(event) for event in again] == ["callback.updated"]
    assert follower.wait(1029) == [], "late again meanwhile, and firing still"
    over = follower.follow(1030, *RELEASED)
    assert [kind(event) for event in over] == ["callback.waiting"]
    assert follower.wait(1629.9) == []
    resolved = alert(follower.wait(1630))
    assert (resolved.alert_id, resolved.reason) == ("c-1/due_not_released/2", "waiting")


def test_what_has_ended_is_read_once_before_it_is_told() -> None:
    follower = Follower(rules=RuleSet([rule_of("lost")]))
    follower.tracker.proofs.reads(SOURCE, can=True)
    follower.hears(0)
    gone = (customer(connected_at=0, ended_at=100), queue(connected_at=0, ended_at=100))
    follower.follow(100, *gone)
    assert follower.wanted(101) == ["c-1"]
    assert follower.wait(105) == []
    follower.follow(106, *gone, read_at=105)
    assert proof(alert(follower.wait(106)))["confirmed"] is True
    assert follower.wanted(200) == []
