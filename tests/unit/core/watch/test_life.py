import pytest

from ringback.core.snapshots import QueueSettings, Sighting
from support.callbacks import Follower, agent, alert, call, customer, kind, queue, told

LATE = customer(state="scheduled", scheduled_at=60)
RELEASED = customer(connected_at=200, scheduled_at=60)
HAS = (customer(connected_at=0), queue(connected_at=0, ended_at=10))


def alerts(follower: Follower) -> list[tuple[str, str]]:
    return [
        (kind(event), event.id)
        for event in follower.told
        if event.type.startswith("ringback.alert")
    ]


def test_due_and_not_released_fires_two_minutes_after_the_time_and_not_before() -> None:
    follower = Follower()
    follower.follow(0, LATE)
    assert follower.wait(179) == []
    fired = alert(follower.wait(180))
    assert (fired.rule, fired.alert_id, fired.state) == (
        "due_not_released",
        "c-1/due_not_released/1",
        "scheduled",
    )
    assert fired.since == "2026-11-22T08:03:00.000Z"
    assert follower.state == "scheduled"


def test_it_is_resolved_once_by_the_release() -> None:
    follower = Follower()
    follower.follow(0, LATE)
    follower.wait(180)
    resolved = follower.follow(200, RELEASED)
    assert [kind(event) for event in resolved] == ["callback.waiting", "alert.resolved"]
    assert told(resolved[1])["reason"] == "waiting"
    follower.follow(300, RELEASED, queue(connected_at=200))
    assert [name for name, _ in alerts(follower)] == ["alert.firing", "alert.resolved"]


def test_rescheduling_resolves_it_and_the_next_time_is_another_episode() -> None:
    follower = Follower()
    follower.follow(0, LATE)
    follower.wait(180)
    resolved = alert(follower.follow(200, customer(state="scheduled", scheduled_at=600)))
    assert resolved.reason == "rescheduled"
    fired = alert(follower.wait(720))
    assert fired.alert_id == "c-1/due_not_released/2"


def test_moved_to_another_time_that_has_passed_it_goes_on() -> None:
    follower = Follower()
    follower.follow(0, LATE)
    follower.wait(400)
    follower.follow(400, customer(state="scheduled", scheduled_at=120))
    assert [name for name, _ in alerts(follower)] == ["alert.firing"]


def test_the_end_resolves_it_and_says_how_it_ended() -> None:
    follower = Follower()
    follower.follow(0, LATE)
    follower.wait(180)
    resolved = alert(follower.follow(200, customer(ended_at=200)))
    assert resolved.reason == "ended: cancelled"


def test_a_preview_is_never_late() -> None:
    follower = Follower()
    follower.follow(0, customer(state="scheduled", scheduled_at=60, preview=True))
    assert follower.wait(4000) == []


@pytest.mark.parametrize("held", [False, True])
def test_connected_and_nothing_will_dial_fires_after_five_minutes(held: bool) -> None:
    follower = Follower()
    follower.follow(10, *HAS, agent(connected_at=10, held=held))
    assert follower.wait(309) == []
    assert alert(follower.wait(310)).rule == "connected_not_dialled"
    assert told(follower.told[-1])["userId"] == "user-1"


def test_a_call_resolves_it() -> None:
    follower = Follower()
    follower.follow(10, *HAS, agent(connected_at=10))
    follower.wait(400)
    assert alert(follower.follow(401, call(state="dialing"))).reason == "dialing"
    follower.follow(420, call(state="disconnected", ended_at=420))
    assert follower.wait(4000) == []


def test_late_queue_settings_that_arm_the_call_resolve_it() -> None:
    follower = Follower()
    follower.follow(10, *HAS, agent(connected_at=10))
    follower.wait(400)
    events = follower.settings(401, QueueSettings("queue-1", auto_dial_seconds=1200))
    assert [kind(event) for event in events] == ["callback.updated", "alert.resolved"]


@pytest.mark.parametrize(
    ("sightings", "voice"),
    [
        ([*HAS, agent(connected_at=10)], False),
        ([*HAS, agent(connected_at=10, timeout_seconds=3600)], True),
        ([*HAS, agent(connected_at=10), call(state="dialing")], True),
        ([*HAS, agent(connected_at=10), call(connected_at=20, ended_at=30)], True),
    ],
)
def test_it_does_not_fire_where_it_cannot_be_known_or_is_not_so(
    sightings: list[Sighting], voice: bool
) -> None:
    follower = Follower()
    follower.follow(30, *sightings, voice=voice)
    assert follower.wait(3000) == []


def test_the_connect_is_when_it_was_seen_if_the_platform_does_not_tell() -> None:
    follower = Follower()
    follower.follow(10, *HAS, agent(state="connected"))
    follower.follow(11, *HAS, agent(state="connected", timeout_seconds=0))
    assert follower.wait(309) == []
    assert alert(follower.wait(310)).since == "2026-11-22T08:05:10.000Z"


def test_a_missed_automatic_call_fires_with_its_update_and_is_resolved_by_a_late_call() -> None:
    follower = Follower()
    follower.follow(10, *HAS, agent(connected_at=10, timeout_seconds=30))
    follower.wait(40)
    events = follower.wait(55)
    assert [kind(event) for event in events] == ["callback.updated", "alert.firing"]
    events = follower.follow(60, call(state="dialing"))
    assert [kind(event) for event in events] == ["callback.dialing", "alert.resolved"]


def test_a_missed_automatic_call_is_resolved_when_the_agent_leaves() -> None:
    follower = Follower()
    follower.follow(10, *HAS, agent(connected_at=10, timeout_seconds=30))
    follower.wait(60)
    assert (
        alert(follower.follow(70, agent(connected_at=10, ended_at=70))).rule == "auto_dial_missed"
    )


def test_an_alert_goes_on_over_a_restart_and_is_told_once() -> None:
    follower = Follower()
    follower.follow(0, LATE)
    follower.wait(180)
    assert follower.restart(500) == []
    assert follower.follow(501, customer(state="scheduled", scheduled_at=60, queue_id="queue-2"))
    follower.restart(600)
    follower.follow(700, RELEASED)
    assert [name for name, _ in alerts(follower)] == ["alert.firing", "alert.resolved"]


def test_an_alert_that_fell_due_while_the_daemon_was_down_fires_late() -> None:
    follower = Follower()
    follower.follow(0, LATE)
    fired = alert(follower.restart(500))
    assert (fired.since, fired.late_seconds) == ("2026-11-22T08:03:00.000Z", 320.0)
    assert follower.restart(600) == []


def test_a_skew_that_is_forgotten_does_not_resolve_an_alert() -> None:
    follower = Follower()
    follower.follow(0, customer(state="scheduled", scheduled_at=60), agent(7, ended_at=30))
    assert follower.tracker.next_deadline() is not None
    fired = alert(follower.wait(170))
    assert fired.rule == "due_not_released"
    follower.restart(171)
    follower.follow(172, customer(state="scheduled", scheduled_at=60, queue_id="queue-2"))
    follower.wait(1000)
    assert [name for name, _ in alerts(follower)] == ["alert.firing"]


def test_a_clock_that_is_set_back_does_not_resolve_an_alert() -> None:
    follower = Follower()
    follower.follow(0, LATE)
    follower.wait(200)
    follower.follow(50, customer(state="scheduled", scheduled_at=60, queue_id="queue-2"))
    follower.wait(1000)
    assert [name for name, _ in alerts(follower)] == ["alert.firing"]


def test_alert_ids_are_their_own_and_take_no_place_in_the_sequence() -> None:
    follower = Follower()
    follower.follow(0, LATE)
    follower.wait(180)
    follower.follow(200, RELEASED)
    sequences = [event.sequence for event in follower.told]
    assert sequences == [1, None, 2, None]
    assert [name for _, name in alerts(follower)] == [
        "c-1/due_not_released/1/firing",
        "c-1/due_not_released/1/resolved",
    ]
