"""One callback through its states: what is told, when it took effect, and the automatic call."""

from typing import Any

import pytest

from ringback.core.snapshots import QueueSettings, Role, Sighting
from support.callbacks import (
    Follower,
    agent,
    alert,
    bare,
    call,
    customer,
    data,
    kind,
    only,
    queue,
    reasons,
    told,
)

WAITS = (customer(connected_at=100), queue(connected_at=100))
LEFT = (customer(connected_at=100), queue(connected_at=100, ended_at=120))
OFFERED = agent(state="alerting")
HAS = agent(connected_at=120)
GONE = agent(connected_at=120, ended_at=300)
AUTO = agent(connected_at=120, timeout_seconds=30)


def moved(events: list[Any]) -> tuple[str | None, str, str, list[str]]:
    found = told(only(events))
    return found.get("previousState"), found["state"], found["trigger"], found.get("skipped", [])


def test_an_ordinary_callback_from_its_schedule_to_its_end() -> None:
    follower = Follower()
    planned = (customer(state="scheduled", scheduled_at=60), queue(state="scheduled"))
    assert moved(follower.follow(0, *planned)) == (None, "scheduled", "schedule", [])
    assert moved(follower.follow(100, *WAITS)) == ("scheduled", "waiting", "release", [])
    assert moved(follower.follow(110, *WAITS, OFFERED)) == ("waiting", "alerting", "alert", [])
    assert moved(follower.follow(120, *LEFT, HAS)) == ("alerting", "connected", "connect", [])
    rings = call(state="dialing")
    assert moved(follower.follow(130, *LEFT, HAS, rings)) == ("connected", "dialing", "dial", [])
    talks = call(connected_at=140)
    assert moved(follower.follow(140, *LEFT, HAS, talks)) == ("dialing", "talking", "answer", [])
    held = call(connected_at=140, hold_started_at=150)
    assert moved(follower.follow(150, *LEFT, HAS, held)) == ("talking", "held", "hold", [])
    assert moved(follower.follow(170, *LEFT, HAS, talks)) == ("held", "talking", "retrieve", [])
    hung = call(connected_at=140, ended_at=200)
    assert moved(follower.follow(200, *LEFT, HAS, hung)) == ("talking", "connected", "hang_up", [])
    assert moved(follower.follow(300, *LEFT, GONE, hung)) == (
        "connected",
        "after_call_work",
        "finish",
        [],
    )
    over = customer(connected_at=100, ended_at=320, disconnect_type="peer")
    assert moved(follower.follow(320, over)) == (
        "after_call_work",
        "disconnected",
        "disconnect",
        [],
    )
    end = data(follower.told[-1:])
    assert (end.outcome, end.disconnect_type, end.offers) == ("completed", "peer", 1)
    assert (end.wait_seconds, end.hold_seconds) == (20.0, 20.0)
    assert [event.sequence for event in follower.told] == list(range(1, 12))
    assert follower.kinds == [
        f"callback.{state}"
        for state in (
            *("scheduled", "waiting", "alerting", "connected", "dialing", "talking", "held"),
            *("talking", "connected", "after_call_work", "disconnected"),
        )
    ]


# Several moves in one snapshot


def test_states_jumped_over_are_told_in_one_event() -> None:
    follower = Follower()
    follower.follow(0, customer(state="scheduled", scheduled_at=100))
    events = follower.follow(200, *LEFT, HAS, call(connected_at=140))
    assert moved(events) == (
        "scheduled",
        "talking",
        "answer",
        ["waiting", "alerting", "connected", "dialing"],
    )


def test_first_sight_is_one_event_without_a_previous_state() -> None:
    follower = Follower()
    events = follower.follow(200, *LEFT, HAS, call(connected_at=140))
    assert "previousState" not in told(only(events))
    assert told(only(events))["state"] == "talking"


def test_an_agent_replaced_by_another_leads_to_where_the_legs_are() -> None:
    follower = Follower()
    follower.follow(120, *LEFT, HAS, call(connected_at=140))
    events = follower.follow(300, *LEFT, GONE, call(connected_at=140, ended_at=290))
    assert moved(events)[1] == "after_call_work"
    events = follower.follow(310, *LEFT, GONE, agent(2, connected_at=305))
    assert moved(events) == (
        "after_call_work",
        "connected",
        "connect",
        ["waiting", "alerting"],
    )
    assert told(events[0])["userId"] == "user-2"


def test_an_agent_replaced_without_a_pause_is_an_update() -> None:
    follower = Follower()
    follower.follow(120, *LEFT, HAS)
    events = follower.follow(300, *LEFT, GONE, agent(2, connected_at=300, user_id="user-2"))
    assert reasons(events) == ["agent_changed", "offered"]


# Offers


def test_nobody_answered() -> None:
    follower = Follower()
    follower.follow(110, *WAITS, OFFERED)
    refused = agent(state="disconnected", ended_at=140, disconnect_type="system")
    events = follower.follow(140, *WAITS, refused)
    assert moved(events) == ("alerting", "waiting", "no_answer", [])
    assert (events[0].time, told(events[0])["clock"]["name"]) == (
        "2026-11-22T08:02:20.000Z",
        "provider",
    )


@pytest.mark.parametrize("spelling", ["client", "CLIENT"])
def test_an_agent_declined(spelling: str) -> None:
    follower = Follower()
    follower.follow(110, *WAITS, OFFERED)
    refused = agent(state="disconnected", ended_at=115, disconnect_type=spelling)
    assert moved(follower.follow(115, *WAITS, refused))[2] == "decline"


def test_a_second_offer_behind_the_first_is_an_update_not_a_state() -> None:
    follower = Follower()
    follower.follow(110, *WAITS, OFFERED)
    refused = agent(state="disconnected", ended_at=140, disconnect_type="system")
    events = follower.follow(141, *WAITS, refused, agent(2, state="alerting"))
    assert (kind(only(events)), reasons(events)) == (
        "callback.updated",
        ["agent_changed", "offered"],
    )
    assert "trigger" not in told(events[0])
    assert (told(events[0])["offers"], told(events[0])["userId"]) == (2, "user-2")


# Queues


def test_a_transfer_to_another_queue_while_waiting_is_an_update() -> None:
    follower = Follower()
    follower.follow(100, *WAITS)
    other = queue(2, connected_at=150, queue_id="queue-2")
    events = follower.follow(150, queue(connected_at=100, ended_at=150), other)
    assert reasons(events) == ["queue_changed"]
    assert told(events[0])["queueId"] == "queue-2"


@pytest.mark.parametrize("held", [False, True])
def test_a_transfer_to_another_queue_by_an_agent_requeues_it_held_or_not(held: bool) -> None:
    follower = Follower()
    start = 130 if held else None
    follower.follow(120, *LEFT, agent(connected_at=120, hold_started_at=start))
    assert follower.state == ("held" if held else "connected")
    other = queue(2, connected_at=200, queue_id="queue-2")
    given = agent(connected_at=120, ended_at=200, disconnect_type="transfer")
    events = follower.follow(200, *LEFT, given, other)
    assert moved(events)[1:] == ("waiting", "requeue", [])
    assert (told(events[0])["queueId"], told(events[0])["clock"]["name"]) == ("queue-2", "cloud")
    assert told(events[0])["holdSeconds"] == (70.0 if held else 0.0)
    assert not follower.callback.legs[2].held


# Calls


def test_redialling() -> None:
    follower = Follower()
    first = call(1, ended_at=150)
    follower.follow(120, *LEFT, HAS)
    follower.follow(130, call(1, state="dialing"))
    assert moved(follower.follow(150, first)) == ("dialing", "connected", "hang_up", [])
    assert moved(follower.follow(160, first, call(2, state="dialing")))[2] == "dial"
    assert moved(follower.follow(170, first, call(2, connected_at=169)))[2] == "answer"


def test_an_inbound_call_never_counts() -> None:
    follower = Follower()
    follower.follow(120, *LEFT, HAS, call(connected_at=90, inbound=True))
    assert follower.state == "connected"
    assert all(leg.medium.value == "callback" for leg in follower.callback.legs)


# Rescheduling


def test_an_agent_puts_it_off_and_it_comes_back() -> None:
    follower = Follower()
    follower.follow(120, *LEFT, HAS)
    later = customer(state="scheduled", scheduled_at=900)
    events = follower.follow(200, later, GONE)
    assert moved(events)[1:] == ("scheduled", "reschedule", [])
    assert told(events[0])["scheduledTime"] == "2026-11-22T08:15:00.000Z"
    again = (
        customer(connected_at=901, scheduled_at=900),
        queue(2, connected_at=901),
    )
    assert moved(follower.follow(901, *again, GONE))[1:] == ("waiting", "release", [])


def test_put_off_while_still_scheduled_is_an_update() -> None:
    follower = Follower()
    follower.follow(0, customer(state="scheduled", scheduled_at=60))
    assert reasons(follower.follow(5, customer(state="scheduled", scheduled_at=90))) == [
        "rescheduled"
    ]


def test_time_alone_never_releases_it() -> None:
    follower = Follower()
    follower.follow(0, customer(state="scheduled", scheduled_at=60))
    follower.wait(7200)
    assert follower.state == "scheduled"


# The automatic call


def test_armed_due_missed() -> None:
    follower = Follower()
    connected = follower.follow(120, *LEFT, AUTO)
    assert told(only(connected))["autoDialAt"] == "2026-11-22T08:02:30.000Z"
    assert follower.wait(149) == []
    due = follower.wait(150)
    assert moved(due) == ("connected", "auto_dialing", "auto_dial", [])
    assert (told(due[0])["cause"], due[0].time) == ("timer", "2026-11-22T08:02:30.000Z")
    assert "lateSeconds" not in told(due[0])
    assert follower.wait(164) == []
    missed = follower.wait(165)
    assert reasons(missed) == ["auto_dial_missed"]
    assert alert(missed).rule == "auto_dial_missed"
    assert missed[0].time == "2026-11-22T08:02:45.000Z"


def test_seen_in_time_it_is_never_due() -> None:
    follower = Follower()
    follower.follow(120, *LEFT, AUTO)
    follower.follow(140, call(state="dialing"))
    follower.follow(145, call(state="disconnected", ended_at=145))
    assert follower.wait(4000) == []
    assert follower.state == "connected"


def test_due_and_then_seen_is_not_missed() -> None:
    follower = Follower()
    follower.follow(120, *LEFT, AUTO)
    follower.wait(150)
    assert moved(follower.follow(152, call(state="dialing"))) == (
        "auto_dialing",
        "dialing",
        "dial",
        [],
    )
    follower.follow(160, call(state="disconnected", ended_at=160))
    assert follower.state == "connected"
    assert follower.wait(4000) == []


def test_due_while_held_is_noted_and_retrieve_then_leads_to_auto_dialing() -> None:
    follower = Follower()
    held = agent(connected_at=120, timeout_seconds=30, hold_started_at=130)
    follower.follow(120, *LEFT, AUTO)
    follower.follow(130, held)
    due = follower.wait(150)
    assert (kind(only(due)), reasons(due)) == ("callback.updated", ["due_while_held"])
    assert follower.wait(190) == []
    assert moved(follower.follow(200, AUTO)) == ("held", "auto_dialing", "retrieve", [])
    assert follower.wait(214) == []
    assert reasons(follower.wait(215)) == ["auto_dial_missed"]


def test_where_voice_legs_are_invisible_it_is_entered_and_never_missed() -> None:
    follower = Follower()
    follower.follow(120, *LEFT, AUTO, voice=False)
    assert moved(follower.wait(150))[1] == "auto_dialing"
    assert follower.wait(4000) == []


def test_a_late_queue_setting_arms_from_the_same_connect() -> None:
    follower = Follower()
    follower.follow(120, *LEFT, HAS)
    events = follower.settings(140, QueueSettings("queue-1", auto_dial_seconds=60))
    assert (reasons(events), told(events[0])["cause"]) == (["auto_dial_armed"], "reconcile")
    assert told(events[0])["autoDialAt"] == "2026-11-22T08:03:00.000Z"
    assert follower.settings(141, QueueSettings("queue-1", auto_dial_seconds=60)) == []
    assert moved(follower.wait(180))[1] == "auto_dialing"


def test_a_queue_setting_that_arrives_after_its_own_deadline_fires_late() -> None:
    follower = Follower()
    follower.follow(120, *LEFT, HAS)
    follower.settings(250, QueueSettings("queue-1", auto_dial_seconds=60))
    due = [event for event in follower.fire() if kind(event) == "callback.auto_dialing"]
    assert (due[0].time, told(due[0])["lateSeconds"]) == ("2026-11-22T08:03:00.000Z", 70.0)


def test_the_settings_of_other_queues_and_of_callbacks_without_an_agent_change_nothing() -> None:
    follower = Follower()
    follower.follow(120, *LEFT, HAS)
    assert follower.settings(140, QueueSettings("queue-9", auto_dial_seconds=60)) == []
    follower = Follower()
    follower.follow(110, *WAITS, OFFERED)
    assert follower.settings(140, QueueSettings("queue-1", auto_dial_seconds=60)) == []


def test_a_late_connect_time_arms() -> None:
    follower = Follower()
    follower.follow(120, *LEFT, agent(state="connected", timeout_seconds=30))
    assert follower.callback.auto_dial is None
    assert reasons(follower.follow(130, AUTO)) == ["auto_dial_armed"]
    assert moved(follower.wait(150))[1] == "auto_dialing"


def test_another_agents_connect_arms_anew() -> None:
    follower = Follower()
    follower.follow(120, *LEFT, AUTO)
    follower.wait(160)
    second = agent(2, connected_at=300, timeout_seconds=30)
    follower.follow(300, GONE, second)
    assert follower.state == "connected"
    assert moved(follower.wait(330))[1] == "auto_dialing"
    assert follower.callback.auto_dial is not None
    assert follower.callback.auto_dial.participant_id == "p-agent-2"


def test_another_agent_without_a_timer_is_not_armed() -> None:
    follower = Follower()
    follower.follow(120, *LEFT, AUTO)
    follower.follow(130, GONE, agent(2, connected_at=130))
    assert follower.callback.auto_dial is None


def test_a_timer_that_changes_arms_anew_until_it_is_due() -> None:
    follower = Follower()
    follower.follow(120, *LEFT, AUTO)
    longer = agent(connected_at=120, timeout_seconds=60)
    assert reasons(follower.follow(125, longer)) == ["auto_dial_armed"]
    assert follower.wait(179) == []
    assert moved(follower.wait(180))[1] == "auto_dialing"
    assert follower.follow(181, agent(connected_at=120, timeout_seconds=90)) == []
    assert follower.state == "auto_dialing"


def test_switching_the_queues_automatic_call_off_disarms_it() -> None:
    follower = Follower(settings=[QueueSettings("queue-1", auto_dial_seconds=60)])
    follower.follow(120, *LEFT, HAS)
    events = follower.settings(130, QueueSettings("queue-1"))
    assert reasons(events) == ["auto_dial_disarmed"]
    assert "autoDialAt" not in told(events[0])
    assert follower.wait(300) == []


def test_timeout_0_disables_the_callbacks_own_timer_only() -> None:
    follower = Follower(settings=[QueueSettings("queue-1", auto_dial_seconds=60)])
    follower.follow(120, *LEFT, agent(connected_at=120, timeout_seconds=0))
    assert told(follower.told[0])["autoDialAt"] == "2026-11-22T08:03:00.000Z"


def test_armed_stays_armed_over_a_restart_though_the_settings_are_not_known_yet() -> None:
    follower = Follower(settings=[QueueSettings("queue-1", auto_dial_seconds=60)])
    follower.follow(120, *LEFT, HAS)
    follower.restart(130)
    follower.follow(131, *LEFT, HAS, agent(2, state="alerting"))
    assert moved(follower.wait(180))[1] == "auto_dialing"


def test_what_fell_due_while_the_daemon_was_down_is_done_and_marked() -> None:
    follower = Follower()
    follower.follow(120, *LEFT, AUTO)
    events = follower.restart(750)
    assert [kind(event) for event in events] == [
        "callback.auto_dialing",
        "callback.updated",
        "alert.firing",
    ]
    assert [event.time for event in events[:2]] == [
        "2026-11-22T08:02:30.000Z",
        "2026-11-22T08:02:45.000Z",
    ]
    assert [told(event)["lateSeconds"] for event in events] == [600.0, 585.0, 585.0]


def test_a_bare_callback_dials_by_itself_too() -> None:
    follower = Follower()
    follower.follow(10, bare(connected_at=10, timeout_seconds=30), voice=False)
    assert moved(follower.wait(40))[1] == "auto_dialing"


# The instant of it, and its clock


@pytest.mark.parametrize(
    ("before", "after", "time", "clock"),
    [
        ([customer(state="scheduled")], WAITS, "08:01:40.000", "cloud"),
        ([customer(state="scheduled")], [customer(connected_at=90)], "08:01:30.000", "cloud"),
        ([*WAITS], [OFFERED], "08:05:00.000", "observer"),
        ([*WAITS], [agent(state="alerting", alerted_at=111)], "08:01:51.000", "cloud"),
        ([*WAITS, OFFERED], [*LEFT, HAS], "08:02:00.000", "cloud"),
        ([*WAITS, OFFERED], [agent(ended_at=140)], "08:02:20.000", "provider"),
        ([*WAITS, OFFERED], [agent(state="disconnected")], "08:05:00.000", "observer"),
        ([*LEFT, HAS], [call(state="dialing")], "08:05:00.000", "observer"),
        ([*LEFT, HAS], [call(connected_at=140)], "08:02:20.000", "cloud"),
        (
            [*LEFT, HAS],
            [call(connected_at=140), call(2, Role.AGENT, connected_at=120)],
            "08:02:20.000",
            "cloud",
        ),
        ([*LEFT, HAS, call(state="dialing")], [call(ended_at=150)], "08:02:30.000", "provider"),
        (
            [*LEFT, HAS],
            [agent(connected_at=120, hold_started_at=160)],
            "08:02:40.000",
            "cloud",
        ),
        (
            [*LEFT, agent(connected_at=120, hold_started_at=160)],
            [HAS],
            "08:05:00.000",
            "observer",
        ),
        ([*LEFT, HAS], [agent(connected_at=120, ended_at=200)], "08:03:20.000", "provider"),
        (
            [*LEFT, HAS],
            [agent(connected_at=120, ended_at=200, work_started_at=199)],
            "08:03:19.000",
            "cloud",
        ),
        (
            [*LEFT, HAS],
            [customer(state="scheduled", scheduled_at=900), GONE],
            "08:05:00.000",
            "observer",
        ),
        (
            [*WAITS],
            [customer(connected_at=100, ended_at=210), queue(ended_at=205)],
            "08:03:30.000",
            "provider",
        ),
        ([queue(connected_at=100)], [queue(ended_at=205)], "08:03:25.000", "provider"),
        ([*WAITS], [customer(state="terminated"), queue(ended_at=205)], "08:05:00.000", "observer"),
    ],
)
def test_a_move_took_effect_when_the_platform_says(
    before: list[Sighting], after: list[Sighting], time: str, clock: str
) -> None:
    follower = Follower()
    follower.follow(200, *before)
    event = only(follower.follow(300, *after))
    assert (event.time, told(event)["clock"]["name"]) == (f"2026-11-22T{time}Z", clock)
    assert told(event)["observedTime"] == "2026-11-22T08:05:00.000Z"


def test_a_bare_callback_was_released_when_it_was_seen() -> None:
    follower = Follower()
    follower.follow(0, bare(state="scheduled"))
    event = only(follower.follow(9, bare(state="none", connected_at=5)))
    assert told(event)["state"] == "waiting"
    assert told(event)["clock"]["name"] == "observer"


# Waiting


def test_the_wait_counts_from_the_release_until_an_agent_accepts() -> None:
    follower = Follower()
    follower.follow(102, *WAITS)
    follower.follow(110, *WAITS, OFFERED)
    follower.follow(140, *WAITS, agent(ended_at=140))
    assert data(follower.follow(160, *LEFT, agent(2, connected_at=160))).wait_seconds == 60.0


def test_a_wait_jumped_over_counts_too() -> None:
    follower = Follower()
    assert data(follower.follow(500, *LEFT, HAS)).wait_seconds == 20.0


def test_waiting_again_after_a_transfer_adds_up() -> None:
    follower = Follower()
    follower.follow(120, *LEFT, HAS)
    follower.follow(300, GONE, queue(2, connected_at=300))
    assert data(follower.follow(330, agent(2, connected_at=330))).wait_seconds == 50.0


def test_a_wait_that_would_be_negative_is_0() -> None:
    follower = Follower()
    follower.follow(100, *WAITS)
    assert data(follower.follow(101, *LEFT, agent(connected_at=90))).wait_seconds == 0.0


def test_what_was_cancelled_before_its_time_never_waited() -> None:
    follower = Follower()
    follower.follow(0, customer(state="scheduled", scheduled_at=600))
    end = data(follower.follow(300, customer(ended_at=300)))
    assert (end.wait_seconds, end.outcome) == (0.0, "cancelled")


# Outcomes, end to end


def end_of(*legs: Sighting, customer_first: bool = False, **said: Any) -> str:
    follower = Follower(settings=[QueueSettings("queue-1", customer_first=customer_first)])
    follower.follow(150, *LEFT, *legs)
    over = customer(connected_at=100, ended_at=400, **said)
    done = [agent(connected_at=120, ended_at=399), call(connected_at=140, ended_at=399)]
    shown = [leg for leg in done if leg.communication_id in {one.communication_id for one in legs}]
    outcome = data(follower.follow(400, over, *shown)).outcome
    assert isinstance(outcome, str)
    return outcome


def test_all_eight_outcomes() -> None:
    assert end_of() == "lost"
    assert end_of(automated=True) == "handed_off"
    assert end_of(customer_first=True) == "handed_off"
    assert end_of(call(state="dialing")) == "handed_off"
    assert end_of(HAS, call(connected_at=140)) == "completed"
    assert end_of(HAS, call(1, state="disconnected", ended_at=150), HAS) == "completed"
    assert end_of(HAS, call(9, state="disconnected", ended_at=150)) == "not_reached"
    assert end_of(HAS, disconnect_type="transport.failure") == "failed"
    assert end_of(HAS) == "unknown"
    skipped = agent(connected_at=120, wrapup_code="ININ-OUTBOUND-PREVIEW-SKIPPED")
    assert end_of(skipped) == "skipped"


def test_both_disconnect_types_go_with_the_outcome() -> None:
    follower = Follower()
    follower.follow(0, customer(connected_at=0))
    end = data(follower.follow(9, customer(ended_at=9, disconnect_type="TRANSPORT_FAILURE")))
    assert (end.disconnect_type, end.raw_disconnect_type) == (
        "transport.failure",
        "TRANSPORT_FAILURE",
    )
    before = told(follower.told[0])
    assert not {"disconnectType", "rawDisconnectType", "outcome"} & set(before)
