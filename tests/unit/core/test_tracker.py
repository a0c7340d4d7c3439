"""What holds for a conversation as a whole: staleness, retention, reads, restarts."""

from datetime import timedelta

import pytest

from ringback.core.policy import Policy
from ringback.core.records import stage_of
from ringback.core.snapshots import QueueSettings
from ringback.core.tracker import Tracker
from support.callbacks import (
    Follower,
    agent,
    at,
    bare,
    call,
    customer,
    data,
    kind,
    only,
    queue,
    snapshot,
    told,
)

DAY = 24.0 * 3600
WAITS = (customer(connected_at=0), queue(connected_at=0))
LEFT = (customer(connected_at=0), queue(connected_at=0, ended_at=10))
HAS = agent(connected_at=10)
OVER = customer(connected_at=0, ended_at=50)

# Stale and repeated


def test_what_is_repeated_emits_nothing_and_is_not_kept() -> None:
    follower = Follower()
    follower.follow(0, *LEFT, HAS)
    assert follower.tracker.observe(snapshot(*LEFT, HAS), at(1)) is None
    assert len(follower.told) == 1


def test_what_is_stale_is_dropped_and_counted_and_the_rest_of_the_snapshot_counts() -> None:
    follower = Follower()
    follower.follow(0, *LEFT, HAS)
    events = follower.follow(20, *WAITS, agent(state="alerting"), call(state="dialing"))
    assert told(only(events))["state"] == "dialing"
    assert dict(follower.tracker.dropped) == {"ended": 1, "rank": 1}


def test_legs_that_a_snapshot_leaves_out_stay_as_known() -> None:
    follower = Follower()
    follower.follow(0, *LEFT, HAS, call(state="dialing"))
    assert follower.follow(20, *LEFT) == []
    assert follower.state == "dialing"


def test_hold_and_retrieve_with_identical_content_are_no_repetitions() -> None:
    follower = Follower()
    held = agent(connected_at=10, hold_started_at=20)
    follower.follow(10, *LEFT, HAS)
    follower.follow(20, *LEFT, held)
    follower.follow(30, *LEFT, HAS)
    follower.follow(40, *LEFT, agent(connected_at=10, hold_started_at=40))
    follower.follow(55, *LEFT, HAS)
    assert [told(event)["state"] for event in follower.told] == [
        *("connected", "held", "connected", "held", "connected")
    ]
    assert told(follower.told[-1])["holdSeconds"] == 25.0


def test_an_older_frame_that_comes_late_changes_nothing() -> None:
    follower = Follower()
    follower.follow(10, *LEFT, HAS)
    follower.follow(
        50, OVER, queue(connected_at=0, ended_at=10), agent(connected_at=10, ended_at=45)
    )
    assert follower.follow(51, *LEFT, HAS) == []
    assert follower.state == "disconnected"


def test_total_hold_stays_right_over_restarts() -> None:
    follower = Follower()
    follower.follow(10, *LEFT, HAS)
    follower.follow(20, *LEFT, agent(connected_at=10, hold_started_at=20))
    follower.restart(35)
    assert data(follower.follow(50, *LEFT, HAS)).hold_seconds == 30.0


# After the end


def test_a_conversation_first_seen_ended_gives_one_event() -> None:
    follower = Follower()
    event = only(follower.follow(60, OVER))
    assert (kind(event), event.id) == ("callback.disconnected", "c-1/1")
    assert "previousState" not in told(event)


def test_one_that_ended_before_retention_began_is_only_counted() -> None:
    follower = Follower()
    assert follower.follow(2 * DAY, OVER) == []
    assert follower.tracker.dropped["ended_before_retention"] == 1
    assert follower.tracker.conversations.stages["tombstone"] == 1
    assert follower.follow(2 * DAY + 1, OVER) == []
    assert follower.follow(2 * DAY + 2, *LEFT, HAS) == []


def test_one_that_ended_without_a_time_is_told() -> None:
    follower = Follower()
    assert follower.follow(2 * DAY, customer(state="terminated"))


def test_an_ended_callback_never_reopens() -> None:
    follower = Follower()
    follower.follow(50, OVER)
    assert follower.follow(60, *LEFT, HAS) == []
    assert follower.state == "disconnected"


def test_activity_that_began_after_its_end_is_an_anomaly_and_told_once() -> None:
    follower = Follower()
    follower.follow(50, OVER)
    event = only(follower.follow(70, OVER, agent(connected_at=65)))
    assert (kind(event), event.id, event.time) == (
        "callback.anomaly",
        "c-1/2",
        "2026-11-22T08:01:05.000Z",
    )
    assert told(event)["reasons"] == ["active_after_end"]
    assert follower.follow(80, OVER, agent(2, connected_at=75)) == []
    assert follower.state == "disconnected"


def test_a_leg_without_a_peer_that_began_after_the_end_is_an_anomaly_too() -> None:
    follower = Follower()
    follower.follow(50, OVER)
    event = only(follower.follow(70, agent(connected_at=65, peer_id=None)))
    assert kind(event) == "callback.anomaly"


def test_a_call_that_begins_after_the_end_is_none_for_the_platform_may_have_handed_it_off() -> None:
    follower = Follower()
    follower.follow(50, OVER)
    assert follower.follow(70, OVER, call(connected_at=65)) == []


@pytest.mark.parametrize("since", [None, 20, 54])
def test_activity_that_may_be_from_before_the_end_is_none(since: float | None) -> None:
    follower = Follower()
    follower.follow(50, OVER)
    assert follower.follow(70, OVER, agent(state="connected", connected_at=since)) == []


def test_an_end_without_a_time_still_has_one() -> None:
    follower = Follower()
    follower.follow(50, customer(state="terminated"))
    assert follower.callback.ended_at == at(50)
    assert kind(only(follower.follow(70, agent(connected_at=65)))) == "callback.anomaly"


# Forgetting


def test_the_records_of_an_ended_conversation_become_a_tombstone_that_is_forgotten_at_last() -> (
    None
):
    follower = Follower()
    follower.follow(50, OVER)
    assert follower.tracker.next_deadline() == at(50) + timedelta(days=1)
    follower.wait(50 + DAY)
    assert follower.conversation.callbacks == []
    assert follower.tracker.next_deadline() == at(50) + timedelta(days=36)
    follower.wait(50 + 36 * DAY)
    assert (len(follower.tracker.conversations), follower.rows) == (0, {})
    assert follower.tracker.next_deadline() is None


def test_a_late_frame_never_starts_a_callback_anew() -> None:
    follower = Follower()
    follower.follow(50, OVER)
    follower.wait(30 * DAY)
    for late in ((OVER,), WAITS, (*LEFT, HAS), (*LEFT, call(state="dialing"))):
        assert follower.follow(30 * DAY, *late) == []
    follower.restart(31 * DAY)
    assert follower.follow(31 * DAY, *LEFT, HAS) == []
    assert follower.conversation.callbacks == []
    assert follower.wait(40 * DAY) == []
    assert len(follower.tracker.conversations) == 0


def test_a_new_customer_leg_continues_the_ordinals_after_a_tombstone() -> None:
    follower = Follower()
    follower.follow(50, OVER)
    follower.wait(2 * DAY)
    assert only(follower.follow(2 * DAY, customer(2, state="scheduled"))).id == "c-1.2/1"
    follower.follow(2 * DAY + 9, customer(2, ended_at=2 * DAY + 9))
    follower.wait(5 * DAY)
    tombstone = follower.conversation.tombstone
    assert tombstone is not None
    assert (tombstone.ordinal, tombstone.sequence) == (2, 2)
    assert only(follower.follow(5 * DAY, customer(3, state="scheduled"))).id == "c-1.3/1"
    assert follower.follow(5 * DAY + 1, customer(1, state="connected")) == []


def test_a_second_callback_keeps_the_first_ones_records() -> None:
    follower = Follower()
    follower.follow(50, OVER)
    follower.follow(60, customer(2, state="scheduled"))
    assert follower.conversation.forget_at is None
    follower.follow(90, customer(2, ended_at=90))
    assert follower.conversation.forget_at == at(90 + DAY)


def test_retention_is_a_matter_of_policy() -> None:
    follower = Follower(Policy(keep_ended=timedelta(0), keep_tombstone=timedelta(0)))
    follower.follow(50, OVER)
    follower.wait(51)
    assert len(follower.tracker.conversations) == 0


# REST reads


def test_a_read_older_than_the_latest_frame_changes_neither_hold_nor_schedule() -> None:
    follower = Follower()
    follower.follow(20, *LEFT, agent(connected_at=10, hold_started_at=20))
    assert follower.follow(25, *LEFT, HAS, read_at=15) == []
    assert follower.state == "held"
    follower = Follower()
    follower.follow(20, customer(state="scheduled", scheduled_at=900))
    assert follower.follow(25, customer(state="scheduled", scheduled_at=600), read_at=15) == []


def test_a_read_older_than_the_latest_frame_brings_no_leg_back() -> None:
    follower = Follower()
    follower.follow(20, *WAITS)
    assert follower.follow(25, *WAITS, agent(state="alerting"), read_at=15) == []
    assert follower.tracker.dropped["outdated"] == 1
    events = follower.follow(26, *WAITS, agent(ended_at=14), read_at=15)
    assert told(only(events))["offers"] == 1


def test_a_read_younger_than_the_latest_frame_counts_and_says_so() -> None:
    follower = Follower()
    follower.follow(20, *LEFT, agent(connected_at=10, hold_started_at=20))
    events = follower.follow(25, *LEFT, HAS, read_at=21)
    assert (told(only(events))["state"], told(events[0])["cause"]) == ("connected", "reconcile")
    events = follower.follow(30, *LEFT, agent(connected_at=10, hold_started_at=20), read_at=29)
    assert told(only(events))["state"] == "held"


def test_a_read_does_not_date_the_next_one() -> None:
    follower = Follower()
    follower.follow(20, *LEFT, HAS)
    follower.follow(40, *LEFT, HAS, read_at=21)
    events = follower.follow(41, *LEFT, agent(connected_at=10, hold_started_at=30), read_at=31)
    assert told(only(events))["state"] == "held"


def test_a_read_may_be_the_first_to_show_a_conversation() -> None:
    follower = Follower()
    event = only(follower.follow(20, *LEFT, HAS, read_at=18))
    assert (told(event)["state"], told(event)["cause"]) == ("connected", "reconcile")


# Facts of the callback as a whole


def test_an_automated_callback_that_ends_was_handed_off() -> None:
    follower = Follower()
    follower.follow(0, customer(connected_at=0, automated=True))
    assert data(follower.follow(50, OVER)).outcome == "handed_off"


def test_the_schedule_of_a_preview_is_not_told() -> None:
    follower = Follower()
    event = only(follower.follow(0, customer(connected_at=0, preview=True, scheduled_at=9999)))
    assert "scheduledTime" not in told(event)


def test_what_privacy_lets_through_is_told_and_else_nothing() -> None:
    follower = Follower()
    follower.follow(0, customer(connected_at=0))
    assert "contact" not in told(follower.told[0])
    follower.follow(1, customer(connected_at=0, contact=("hash",)))
    follower.follow(2, *WAITS, agent(state="alerting", contact=("hash",)))
    assert told(follower.told[-1])["contact"] == ["hash"]


# Time


def test_a_clock_that_runs_ahead_moves_wake_ups_and_no_reported_time() -> None:
    follower = Follower()
    follower.follow(8, *LEFT, agent(connected_at=10, timeout_seconds=30))
    assert follower.wait(37) == []
    assert follower.tracker.next_deadline() == at(38)
    event = only(follower.wait(38))
    assert event.time == "2026-11-22T08:00:40.000Z"
    assert told(event)["clock"] == {"name": "cloud", "skewSeconds": 2.0}
    assert "lateSeconds" not in told(event)


def test_a_timer_is_never_early() -> None:
    follower = Follower()
    follower.follow(11, *LEFT, agent(connected_at=10.0004, timeout_seconds=30))
    assert follower.wait(40) == []
    assert follower.wait(40.001)


def test_a_daemon_clock_that_is_set_back_delays_a_timer_and_breaks_nothing() -> None:
    follower = Follower()
    follower.follow(100, *LEFT, agent(connected_at=95, timeout_seconds=30))
    follower.follow(-3600, *LEFT, agent(2, state="alerting"))
    assert [event.sequence for event in follower.told] == [1, 2]
    assert kind(only(follower.wait(125))) == "callback.auto_dialing"


def test_a_daemon_clock_that_is_set_forward_fires_late_and_says_so() -> None:
    follower = Follower()
    follower.follow(10, *LEFT, agent(connected_at=10, timeout_seconds=30))
    follower.now = at(9000)
    assert told(follower.fire()[0])["lateSeconds"] == 8960.0


def test_firing_is_bounded_and_goes_on_where_it_stopped() -> None:
    follower = Follower()
    tracker = follower.tracker
    for number in range(7):
        late = customer(state="scheduled", scheduled_at=60 + number)
        tracker.observe(snapshot(late, conversation=f"c-{number}"), at(0))
    assert [len(tracker.fire_due(at(9000), limit=3)) for _ in range(4)] == [3, 3, 1, 0]


def test_each_callback_of_a_conversation_has_timers_of_its_own() -> None:
    follower = Follower()
    follower.follow(0, customer(state="scheduled", scheduled_at=60))
    follower.follow(1, customer(2, state="scheduled", scheduled_at=90))
    assert [event.subject for event in follower.wait(180)] == ["c-1"]
    assert [event.subject for event in follower.wait(210)] == ["c-1.2"]


def test_timers_of_many_fire_in_order() -> None:
    follower = Follower()
    for number in (3, 1, 2):
        late = customer(state="scheduled", scheduled_at=60 * number)
        follower.observe(0, snapshot(late, conversation=f"c-{number}"))
    follower.wait(400)
    assert [event.subject for event in follower.told[3:]] == ["c-1", "c-2", "c-3"]


# Restarts


def test_sequences_and_ids_go_on_after_a_restart() -> None:
    follower = Follower()
    follower.follow(0, *WAITS)
    follower.restart(5)
    follower.follow(10, *LEFT, HAS)
    follower.restart(20)
    follower.follow(50, OVER, agent(connected_at=10, ended_at=50))
    assert [event.id for event in follower.told] == ["c-1/1", "c-1/2", "c-1/3"]


def test_a_restart_alone_tells_nothing_and_a_repetition_after_it_neither() -> None:
    follower = Follower()
    follower.follow(10, *LEFT, HAS)
    assert follower.restart(20) == []
    assert follower.follow(21, *LEFT, HAS) == []


def test_a_read_sent_before_the_restart_is_outdated_after_it() -> None:
    follower = Follower()
    follower.follow(20, *LEFT, agent(connected_at=10, hold_started_at=20))
    follower.restart(30)
    assert follower.follow(31, *LEFT, HAS, read_at=29) == []


def test_settings_that_come_after_a_restart_arm_what_waits_for_them() -> None:
    follower = Follower()
    follower.follow(10, *LEFT, HAS)
    follower.restart(20)
    events = follower.settings(30, QueueSettings("queue-1", auto_dial_seconds=60))
    assert told(only(events))["autoDialAt"] == "2026-11-22T08:01:10.000Z"


def test_settings_are_known_after_a_restart_without_hearing_them_again() -> None:
    follower = Follower(settings=[QueueSettings("queue-1", auto_dial_seconds=60, name="Sales")])
    follower.restart(20)
    assert follower.tracker.queues["queue-1"].name == "Sales"
    events = follower.follow(30, *LEFT, HAS)
    assert told(events[-1])["autoDialAt"] == "2026-11-22T08:01:10.000Z"


def test_a_restart_does_not_take_back_settings_that_were_heard_before_it_had_restored() -> None:
    follower = Follower(settings=[QueueSettings("queue-1", auto_dial_seconds=60)])
    again, heard = Tracker(Policy()), QueueSettings("queue-1", auto_dial_seconds=90)
    again.observe_settings(heard, at(10))
    again.restore(follower.rows.values(), at(10))
    assert again.queues["queue-1"] == heard


def test_a_queue_that_is_called_otherwise_moves_no_deadline() -> None:
    follower = Follower(settings=[QueueSettings("queue-1", auto_dial_seconds=60, name="Sales")])
    follower.follow(10, *LEFT, HAS)
    renamed = QueueSettings("queue-1", auto_dial_seconds=60, name="Service")
    assert follower.settings(30, renamed) == []
    follower.restart(40)
    assert follower.tracker.queues["queue-1"].name == "Service"


def test_deadlines_are_restored_from_the_rows() -> None:
    follower = Follower()
    follower.follow(0, customer(state="scheduled", scheduled_at=600))
    before = follower.tracker.next_deadline()
    follower.restart(5)
    assert follower.tracker.next_deadline() == before == at(720)


# Looking in


def test_conversations_are_counted_by_the_state_of_their_latest_open_callback() -> None:
    follower = Follower()
    follower.follow(10, *LEFT, HAS)
    follower.observe(10, snapshot(*WAITS, conversation="c-2"))
    follower.observe(10, snapshot(OVER, conversation="c-3"))
    assert +follower.tracker.conversations.stages == {
        "connected": 1,
        "waiting": 1,
        "disconnected": 1,
    }
    follower.follow(20, *LEFT, HAS, customer(2, state="scheduled"))
    assert +follower.tracker.conversations.stages == {
        "scheduled": 1,
        "waiting": 1,
        "disconnected": 1,
    }
    assert {stage_of(follower.rows[key][1]) for key in ("c-1", "c-2", "c-3")} == {
        *("scheduled", "waiting", "disconnected")
    }
    follower.restart(21)
    assert +follower.tracker.conversations.stages == {
        "scheduled": 1,
        "waiting": 1,
        "disconnected": 1,
    }
    assert sorted(follower.tracker.conversations.ids()) == ["c-1", "c-2", "c-3"]


def test_what_is_given_out_is_a_copy() -> None:
    follower = Follower()
    follower.follow(0, *WAITS)
    follower.conversation.callbacks.clear()
    assert follower.state == "waiting"
    assert follower.tracker.conversations.get("nobody") is None


def test_one_input_gives_at_most_one_event_per_callback() -> None:
    follower = Follower()
    follower.follow(0, *LEFT, HAS, customer(2, connected_at=0))
    events = follower.follow(
        *(20, *LEFT, agent(connected_at=10, timeout_seconds=99, hold_started_at=15)),
        *(customer(2, ended_at=20), agent(9, state="alerting", queue_id="queue-9")),
    )
    assert sorted(event.subject for event in events) == ["c-1", "c-1.2"]


# Found by a review: each was wrong once


def test_taken_off_hold_without_a_call_is_a_retrieve() -> None:
    follower = Follower()
    follower.follow(0, bare(connected_at=0))
    follower.follow(10, bare(connected_at=0, held=True, hold_started_at=9))
    event = told(only(follower.follow(20, bare(connected_at=0))))
    assert (event["state"], event["trigger"]) == ("connected", "retrieve")


def test_a_call_that_ends_on_hold_was_hung_up() -> None:
    follower = Follower()
    legs = (customer(connected_at=0), queue(connected_at=0, ended_at=5), agent(connected_at=5))
    follower.follow(30, *legs, call(connected_at=20))
    follower.follow(40, *legs, call(connected_at=20, held=True, hold_started_at=39))
    event = told(only(follower.follow(50, *legs, call(connected_at=20, ended_at=49))))
    assert (event["state"], event["trigger"]) == ("connected", "hang_up")


def test_a_requeue_onto_a_leg_that_went_on_is_not_dated_by_its_connect() -> None:
    follower = Follower()
    waits = (customer(connected_at=0), queue(connected_at=0))
    follower.follow(1, *waits)
    follower.follow(20, *waits, agent(connected_at=20))
    left = only(follower.follow(60, *waits, agent(connected_at=20, ended_at=59)))
    assert (left.time, told(left)["waitSeconds"]) == ("2026-11-22T08:00:59.000Z", 20.0)
    again = (agent(connected_at=20, ended_at=59), agent(2, state="alerting"))
    assert told(only(follower.follow(70, *waits, *again)))["waitSeconds"] == 31.0


def test_another_agent_after_a_due_auto_dial_is_a_connect() -> None:
    follower = Follower()
    legs = (customer(connected_at=0), queue(connected_at=0, ended_at=5))
    follower.follow(6, *legs, agent(connected_at=5, timeout_seconds=30))
    follower.follow(45, *legs, agent(connected_at=5, timeout_seconds=30))
    assert follower.state == "auto_dialing"
    gone = agent(connected_at=5, ended_at=49, timeout_seconds=30)
    new = agent(2, connected_at=49, timeout_seconds=30)
    taken = only(follower.follow(49.5, *legs, gone, new))
    assert (told(taken)["trigger"], told(taken)["skipped"]) == ("connect", [])
    assert taken.time == "2026-11-22T08:00:49.000Z"


def test_an_offer_that_fails_after_work_leads_back_to_it() -> None:
    follower = Follower()
    legs = (customer(connected_at=0), queue(connected_at=0, ended_at=5))
    gone = agent(connected_at=5, ended_at=39)
    follower.follow(40, *legs, gone)
    follower.follow(50, *legs, gone, agent(2, state="alerting"))
    declined = agent(2, ended_at=55, disconnect_type="client")
    event = told(only(follower.follow(56, *legs, gone, declined)))
    assert (event["state"], event["trigger"]) == ("after_call_work", "decline")


def test_a_voice_leg_shown_before_the_agent_accepted_makes_nothing_visible() -> None:
    follower = Follower()
    legs = (customer(connected_at=0), queue(connected_at=0, ended_at=5))
    follower.follow(1, customer(connected_at=0), queue(connected_at=0), voice=True)
    follower.follow(6, *legs, agent(connected_at=5, timeout_seconds=30), voice=False)
    follower.wait(600)
    assert follower.state == "auto_dialing"
    assert [kind(event) for event in follower.told if "alert" in event.type] == []
    assert "auto_dial_missed" not in [
        reason for event in follower.told for reason in told(event).get("reasons", [])
    ]


def test_the_handing_on_of_the_queue_is_no_disconnect_type() -> None:
    follower = Follower()
    queued = queue(connected_at=0, ended_at=5, disconnect_type="transfer")
    gone = agent(connected_at=5, ended_at=9, disconnect_type="client")
    event = told(only(follower.follow(20, customer(connected_at=0, ended_at=19), queued, gone)))
    assert event["disconnectType"] == "client"


def test_a_bare_callback_that_was_cancelled_was_never_offered() -> None:
    follower = Follower()
    follower.follow(0, bare(state="scheduled", scheduled_at=60))
    event = told(only(follower.follow(5, bare(ended_at=4))))
    assert (event["offers"], event["outcome"]) == (0, "cancelled")
