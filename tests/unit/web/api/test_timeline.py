"""One callback's life: from the record of it, and from what was told of it."""

from typing import Any

import msgspec

from ringback.core.derivation import Cast
from ringback.core.events import rfc3339
from ringback.core.snapshots import QueueSettings
from ringback.web.api.timeline.life import Life, life_of
from support.callbacks import QUEUE, Follower, agent, at, call, customer, queue

DIALS = QueueSettings(QUEUE, auto_dial_seconds=30)


def life(follower: Follower, begin: int = 0) -> dict[str, Any]:
    """Give what is answered of the ordinary callback; the journal has lost all before `begin`."""
    told = [
        (position, event)
        for position, event in enumerate(follower.told, 1)
        if event.partition == "c-1" and position > begin
    ]
    parts = life_of(
        follower.conversation,
        follower.callback,
        told,
        gaps=follower.gaps,
        alarming=follower.tracker.alarming(follower.conversation, Cast(follower.callback)),
        policy=follower.policy,
        skews=follower.tracker.skews,
        now=follower.now,
    )
    found: dict[str, Any] = msgspec.to_builtins(Life(position=1, now=time(0), **parts))
    return found


def time(seconds: float) -> str:
    return rfc3339(at(seconds))


def released(follower: Follower, seconds: float = 0) -> None:
    follower.follow(seconds, customer(connected_at=seconds), queue(connected_at=seconds))


def test_each_state_says_from_when_to_when_and_what_it_rests_on() -> None:
    follower = Follower()
    follower.follow(0, customer(state="scheduled", scheduled_at=60))
    released(follower, 60)
    follower.follow(90, agent(state="alerting"))
    follower.follow(95, agent(connected_at=94.5))
    states = life(follower)["states"]
    assert [(one["state"], one["from"], one.get("seconds")) for one in states] == [
        ("scheduled", time(0), 60.0),
        ("waiting", time(60), 30.0),
        ("alerting", time(90), 4.5),
        ("connected", time(94.5), None),
    ]
    assert [one.get("trigger") for one in states] == ["schedule", "release", "alert", "connect"]
    assert {one["cause"] for one in states} == {"notification"}
    # It was released by the cloud's clock, and nobody but us says when an offer began.
    assert [one.get("mixed", False) for one in states] == [True, True, True, False]


def test_what_was_jumped_over_is_said_and_what_a_read_or_a_timer_showed() -> None:
    follower = Follower()
    released(follower)
    follower.follow(20, agent(connected_at=10), call(connected_at=15), read_at=20)
    talking = life(follower)["states"][-1]
    assert (talking["state"], talking["cause"]) == ("talking", "reconcile")
    assert talking["skipped"] == ["alerting", "connected", "dialing"]
    follower = Follower(settings=[DIALS])
    released(follower)
    follower.follow(20, agent(connected_at=10))
    follower.wait(60)
    dialling = life(follower)["states"][-1]
    assert (dialling["state"], dialling["cause"]) == ("auto_dialing", "timer")
    assert dialling["from"] == time(40)


def test_a_journal_without_the_beginning_tells_what_it_has() -> None:
    follower = Follower()
    released(follower)
    follower.follow(30, agent(state="alerting"))
    assert life(follower)["complete"]
    later = life(follower, begin=1)
    assert not later["complete"]
    assert [one["state"] for one in later["states"]] == ["alerting"]
    nothing = life(follower, begin=2)
    assert nothing["states"] == [{"state": "alerting", "from": time(30), "clock": "observer"}]
    assert nothing["events"] == []


def test_what_came_after_the_record_was_looked_at_is_left_out() -> None:
    follower = Follower()
    released(follower)
    conversation, callback = follower.conversation, follower.callback
    follower.follow(30, agent(state="alerting"))
    parts = life_of(
        conversation,
        callback,
        list(enumerate(follower.told, 1)),
        gaps=(),
        alarming=(),
        policy=follower.policy,
        skews=follower.tracker.skews,
        now=follower.now,
    )
    assert [one.position for one in parts["events"]] == [1]
    assert [one.state for one in parts["states"]] == ["waiting"]


def test_offers_say_how_they_ended() -> None:
    follower = Follower()
    released(follower)
    follower.follow(10, agent(1, state="alerting"))
    follower.follow(30, agent(1, ended_at=30))
    follower.follow(40, agent(2, state="alerting"))
    follower.follow(45, agent(2, ended_at=45, disconnect_type="client"))
    follower.follow(50, agent(3, state="alerting"))
    offers = life(follower)["offers"]
    assert [(one["userId"], one["result"]) for one in offers] == [
        ("user-1", "no_answer"),
        ("user-2", "declined"),
        ("user-3", "open"),
    ]
    assert [one["from"] for one in offers] == [time(10), time(40), time(50)]
    assert [one.get("until") for one in offers] == [time(30), time(45), None]
    follower.follow(60, agent(3, connected_at=60))
    follower.follow(70, agent(4, state="alerting"))
    follower.follow(
        80,
        customer(ended_at=80),
        queue(ended_at=80),
        agent(3, ended_at=80),
        agent(4, ended_at=80),
    )
    assert [one["result"] for one in life(follower)["offers"][2:]] == ["accepted", "ended"]


def test_holds_are_told_one_by_one_and_together() -> None:
    follower = Follower()
    released(follower)
    follower.follow(10, agent(connected_at=10))
    follower.follow(20, agent(connected_at=10, hold_started_at=20))
    follower.follow(30, agent(connected_at=10, held=False))
    follower.follow(50, agent(connected_at=10, hold_started_at=50))
    follower.wait(65)
    found = life(follower)
    assert found["holds"] == {"total": 25.0, "longest": 15.0, "current": 15.0, "mixed": True}
    (held,) = [leg["holds"] for leg in found["legs"] if leg["role"] == "agent"]
    assert held == [
        {"from": time(20), "until": time(30), "seconds": 10.0},
        {"from": time(50)},
    ]


def test_deadlines_are_armed_until_they_have_passed() -> None:
    follower = Follower()
    follower.follow(0, customer(state="scheduled", scheduled_at=60))
    assert deadlines(follower) == [("scheduled", 60, "armed"), ("late", 180, "armed")]
    follower.wait(100)
    assert deadlines(follower) == [("scheduled", 60, "passed"), ("late", 180, "armed")]
    follower = Follower(settings=[DIALS])
    released(follower)
    follower.follow(10, agent(connected_at=10))
    assert deadlines(follower) == [("auto_dial", 40, "armed"), ("auto_dial_missed", 55, "armed")]
    follower.wait(60)
    assert [state for *_, state in deadlines(follower)] == ["passed", "passed"]
    follower.follow(61, call(state="dialing"))
    assert deadlines(follower) == [("auto_dial", 40, "passed")]


def deadlines(follower: Follower) -> list[tuple[str, float, str]]:
    since = {time(seconds): seconds for seconds in range(1000)}
    return [(one["kind"], since[one["at"]], one["state"]) for one in life(follower)["deadlines"]]


def test_gaps_and_alerts_around_it_are_told_and_those_of_others_are_not() -> None:
    follower = Follower()
    follower.hears(0)
    follower.blind(1)
    follower.hears(2)
    released(follower, 10)
    follower.blind(20, "v2.routing.queues.queue-9.conversations")
    follower.hears(25)
    follower.blind(30)
    follower.hears(35)
    follower.follow(40, agent(connected_at=40))
    follower.wait(400)
    found = life(follower)
    assert [(gap["from"], gap["until"]) for gap in found["gaps"]] == [(time(30), time(35))]
    (alert,) = found["alerts"]
    assert (alert["rule"], alert["since"]) == ("connected_not_dialled", time(340))
    assert "until" not in alert
    follower.follow(410, agent(connected_at=40), call(state="dialing"))
    (over,) = life(follower)["alerts"]
    assert over == alert | {"until": time(410), "reason": over["reason"]}


def test_an_end_has_its_outcome_and_both_disconnect_types() -> None:
    follower = Follower()
    released(follower)
    assert "outcome" not in life(follower)
    follower.follow(30, customer(ended_at=30, disconnect_type="endpoint"), queue(ended_at=30))
    found = life(follower)
    assert (found["ended"], found["outcome"]) == (time(30), "lost")
    assert (found["disconnectType"], found["rawDisconnectType"]) == ("endpoint", "endpoint")
    assert found["states"][-1]["state"] == "disconnected"
