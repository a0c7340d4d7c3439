"""Doubt: what a gap has touched is unverified until a frame, a read or a survey confirms it."""

import pytest

from support.callbacks import (
    SOURCE,
    Follower,
    agent,
    at,
    call,
    customer,
    kind,
    only,
    queue,
    snapshot,
    told,
)

A, B = "v2.routing.queues.queue-1.conversations", "v2.routing.queues.b.conversations"
WAITS = (customer(connected_at=0), queue(connected_at=0))
LEFT = (customer(connected_at=0), queue(connected_at=0, ended_at=10))
HAS = agent(connected_at=10)
OVER = (customer(connected_at=0, ended_at=40), queue(connected_at=0, ended_at=10))
IN_QUEUE = snapshot(*WAITS)


def touched() -> Follower:
    """Let a callback that waits be touched by a gap from 100 to 110 s."""
    follower = Follower()
    follower.hears(0)
    follower.follow(1, *WAITS)
    follower.blind(100)
    follower.hears(110)
    return follower


def kinds(follower: Follower) -> list[str]:
    return [one.removeprefix("callback.") for one in follower.kinds if "source" not in one]


# When it is told


def test_a_blip_makes_no_storm() -> None:
    follower = touched()
    assert follower.unverified == {"c-1"}
    follower.follow(120, *WAITS)
    assert follower.unverified == set()
    assert follower.wait(1000) == []
    assert kinds(follower) == ["waiting"]


def test_what_stays_in_doubt_for_a_minute_is_told_once() -> None:
    follower = touched()
    assert follower.wait(159.999) == []
    event = only(follower.wait(160))
    assert (kind(event), event.id, event.time) == (
        "callback.unverified",
        "c-1/2",
        "2026-11-22T08:02:40.000Z",
    )
    assert (told(event)["state"], told(event)["cause"]) == ("waiting", "timer")
    assert follower.wait(3600) == []


def test_what_confirms_afterwards_is_told() -> None:
    follower = touched()
    follower.wait(200)
    event = only(follower.follow(201, *WAITS))
    assert (kind(event), event.id) == ("callback.verified", "c-1/3")
    assert told(event)["cause"] == "notification"
    assert follower.follow(202, *WAITS) == []


def test_a_change_says_it_instead() -> None:
    follower = touched()
    follower.wait(200)
    assert kind(only(follower.follow(201, *LEFT, HAS))) == "callback.connected"
    assert follower.follow(202, *LEFT, HAS) == []
    follower.blind(300)
    follower.hears(301)
    follower.wait(400)
    assert kind(only(follower.follow(401, *LEFT, HAS))) == "callback.verified"


def test_while_a_gap_lasts_a_minute_of_it_is_enough() -> None:
    follower = Follower()
    follower.hears(0)
    follower.follow(1, *WAITS)
    follower.blind(100, since=70)
    # As of the last moment at which it heard; but a minute to be repaired in there must be.
    assert kind(only(follower.wait(160))) == "callback.unverified"
    back = [kind(event) for event in follower.hears(500)]
    assert back == ["source.connected", "source.gap_closed"]
    assert follower.wait(1000) == []
    assert kind(only(follower.follow(1001, *WAITS))) == "callback.verified"


def test_an_alert_of_a_callback_in_doubt_fires_once_the_source_hears_again() -> None:
    follower = Follower()
    follower.hears(0)
    follower.follow(0, customer(state="scheduled", scheduled_at=90))
    follower.blind(100)
    assert [kind(event) for event in follower.wait(300)] == ["callback.unverified"]
    follower.hears(301)
    assert [kind(event) for event in follower.wait(301)] == ["alert.firing"]


# What confirms


def test_a_read_sent_in_the_gap_confirms_only_until_it_ends() -> None:
    follower = Follower()
    follower.hears(0)
    follower.follow(1, *WAITS)
    follower.blind(100)
    follower.follow(105, *WAITS, read_at=104)
    assert follower.unverified == set()
    follower.hears(110)
    assert follower.unverified == {"c-1"}
    assert only(follower.wait(170)).time == "2026-11-22T08:02:50.000Z"


def test_a_read_sent_before_the_gap_ended_does_not_confirm_after_it() -> None:
    follower = touched()
    follower.follow(112, *WAITS, read_at=109)
    assert follower.unverified == {"c-1"}
    follower.follow(113, *WAITS, read_at=110)
    assert follower.unverified == set()
    assert follower.gaps[0].repaired_by == {"read": 1}


def test_a_frame_of_another_channel_confirms_only_until_the_gap_ends() -> None:
    follower = Follower()
    follower.hears(0)
    follower.follow(1, *WAITS)
    follower.blind(100, A)
    follower.follow(105, *WAITS)
    (gap,) = follower.gaps
    assert (follower.unverified, gap.unverified, gap.repaired_by) == (set(), 0, {})
    follower.hears(110, A)
    assert (follower.unverified, gap.unverified, gap.touched) == ({"c-1"}, 1, 1)


def test_a_frame_that_shows_the_past_confirms_nothing() -> None:
    follower = Follower()
    follower.hears(0)
    follower.follow(20, *LEFT, HAS)
    follower.blind(100)
    follower.hears(110)
    follower.follow(111, *WAITS)  # from before the agent accepted
    follower.follow(112, *LEFT, agent(state="alerting"))
    follower.follow(113, call(inbound=True))
    follower.follow(114)
    assert follower.unverified == {"c-1"}
    follower.follow(115, *LEFT, HAS)
    assert follower.unverified == set()


def test_a_read_is_dated_whatever_it_shows() -> None:
    follower = Follower()
    follower.hears(0)
    follower.follow(20, *LEFT, HAS)
    follower.blind(100)
    follower.hears(110)
    follower.follow(116, *LEFT, agent(state="alerting"), read_at=115)
    assert follower.unverified == set()
    assert follower.state == "connected"


def test_a_survey_that_agrees_confirms() -> None:
    follower = touched()
    follower.wait(200)
    event = only(follower.survey(201, IN_QUEUE))
    assert (kind(event), told(event)["cause"]) == ("callback.verified", "reconcile")
    assert follower.gaps[0].repaired_by == {"survey": 1}
    assert follower.survey(202, IN_QUEUE) == []


@pytest.mark.parametrize("as_of", [50, 105, 109.999])
def test_a_survey_that_lags_behind_the_gap_confirms_nothing(as_of: float) -> None:
    follower = touched()
    assert follower.survey(150, IN_QUEUE, as_of=as_of) == []
    assert follower.unverified == {"c-1"}


# What a gap touches


def test_a_gap_of_topics_touches_what_is_in_their_queues() -> None:
    follower = Follower()
    follower.hears(0)
    follower.follow(1, *WAITS)
    in_b = queue(connected_at=0, queue_id="b")
    follower.observe(1, snapshot(customer(connected_at=0), in_b, conversation="c-2"))
    follower.observe(1, snapshot(customer(connected_at=0), conversation="c-3"))
    follower.blind(100, B)
    # Nobody knows in which queue the third is.
    assert follower.unverified == {"c-2", "c-3"}
    follower.blind(101, "v2.users.u-1.conversations")
    assert follower.unverified == {"c-1", "c-2", "c-3"}


def test_a_callback_that_comes_into_a_blind_queue_is_touched() -> None:
    follower = Follower()
    follower.hears(0)
    follower.follow(1, *WAITS)
    follower.blind(100, B)
    follower.follow(105, *WAITS[:1], queue(2, connected_at=104, queue_id="b"))
    assert follower.unverified == set()
    follower.hears(110, B)
    assert follower.unverified == {"c-1"}


def test_of_two_callbacks_the_open_one_says_where_a_conversation_is() -> None:
    follower = Follower()
    follower.hears(0)
    follower.follow(1, *WAITS, customer(2, connected_at=0), queue(2, queue_id="b", peer_id="k-x"))
    follower.follow(2, customer(2, connected_at=0, ended_at=2))
    follower.blind(100, A)
    assert follower.unverified == {"c-1"}


def test_what_has_ended_is_not_in_doubt() -> None:
    follower = Follower()
    follower.hears(0)
    follower.follow(1, *WAITS)
    follower.follow(50, *OVER)
    follower.blind(100)
    follower.hears(110)
    assert (follower.unverified, follower.gaps[0].touched) == (set(), 0)
    assert follower.gaps[0].repaired_at == at(110)


def test_what_was_confirmed_as_late_as_the_gap_ended_is_not_touched() -> None:
    follower = Follower()
    follower.hears(0)
    follower.follow(1, *WAITS)
    follower.blind(100)
    follower.follow(110, *WAITS)
    follower.hears(110)
    assert (follower.unverified, follower.gaps[0].touched) == (set(), 0)


# What ends it otherwise


def test_an_end_that_an_older_read_shows_ends_the_doubt() -> None:
    follower = touched()
    follower.wait(170)
    assert follower.callback.unverified
    ended = customer(connected_at=0, ended_at=104), queue(connected_at=0, ended_at=104)
    assert kind(only(follower.follow(171, *ended, read_at=105))) == "callback.disconnected"
    assert (follower.unverified, follower.callback.unverified) == (set(), False)
    (gap,) = follower.gaps
    assert (gap.unverified, gap.repaired_by, gap.repaired_at) == (0, {"read": 1}, at(171))
    assert follower.follow(172, *ended) == []
    assert follower.wanted(180) == []


def test_nothing_is_told_of_what_ended_within_the_minute() -> None:
    follower = touched()
    follower.follow(120, customer(connected_at=0, ended_at=119), queue(ended_at=119))
    assert follower.wait(1000) == []


def test_a_buried_conversation_leaves_nothing_behind() -> None:
    follower = touched()
    ended = customer(connected_at=0, ended_at=104), queue(connected_at=0, ended_at=104)
    follower.follow(111, *ended, read_at=105)
    follower.wait(40 * 86_400)
    assert (len(follower.tracker.conversations), len(follower.tracker.repair.wants)) == (0, 0)
    assert follower.gaps[0].repaired_at is not None


def test_each_callback_of_a_conversation_is_told() -> None:
    follower = Follower()
    follower.hears(0)
    follower.follow(1, *WAITS, customer(2, state="scheduled"))
    follower.blind(100)
    follower.hears(101)
    assert sorted(event.subject for event in follower.wait(200)) == ["c-1", "c-1.2"]
    both = follower.follow(201, *WAITS, customer(2, state="scheduled"))
    assert [kind(event) for event in both] == ["callback.verified"] * 2


# Several gaps


def test_two_gaps_that_overlap_are_each_repaired_by_what_confirms() -> None:
    follower = Follower()
    follower.hears(0)
    follower.follow(1, *WAITS)
    follower.blind(100, A)
    follower.blind(105)
    first, second = follower.gaps
    assert (first.unverified, second.unverified) == (1, 1)
    follower.hears(110)
    assert (first.until, second.until) == (at(110), at(110))
    assert (first.repaired_at, second.repaired_at) == (None, None)
    follower.follow(120, *WAITS)
    for gap in (first, second):
        assert (gap.touched, gap.unverified, gap.repaired_by) == (1, 0, {"notification": 1})
        assert gap.repaired_at == at(120)


def test_the_gap_that_ends_last_says_what_is_young_enough() -> None:
    follower = Follower()
    follower.hears(0)
    follower.follow(1, *WAITS)
    follower.blind(100, A)
    follower.hears(110, A)
    follower.blind(120, A)
    follower.hears(130, A)
    first, second = follower.gaps
    follower.follow(131, *WAITS, read_at=115)
    assert (first.unverified, second.unverified, first.repaired_at) == (1, 1, None)
    follower.follow(140, *WAITS, read_at=130)
    assert (first.unverified, second.unverified) == (0, 0)
    assert first.repaired_at == second.repaired_at == at(140)


def test_a_second_gap_does_not_put_off_what_is_told() -> None:
    follower = touched()
    follower.blind(150)
    follower.hears(155)
    assert kind(only(follower.wait(160))) == "callback.unverified"
    assert follower.wait(1000) == []


def test_a_gap_without_anybody_is_repaired_as_it_ends() -> None:
    follower = Follower()
    follower.hears(0)
    follower.blind(10)
    assert follower.gaps[0].repaired_at is None
    follower.hears(12)
    assert follower.gaps[0].repaired_at == at(12)


def test_the_repair_is_stored() -> None:
    follower = touched()
    follower.follow(120, *WAITS)
    follower.wait(121)
    (gap,) = follower.gaps
    follower.restart(130)
    assert follower.gaps == [gap]
    assert follower.gaps[0].repaired_at == at(120)


# Restarts


def test_a_restart_is_a_gap_and_puts_all_in_doubt() -> None:
    follower = Follower()
    follower.hears(0)
    follower.follow(1, *WAITS)
    assert [kind(event) for event in follower.resume(100)] == ["source.gap_opened"]
    assert follower.unverified == {"c-1"}
    assert follower.gaps[0].since == at(0)
    follower.hears(105)
    assert kind(only(follower.wait(160))) == "callback.unverified"


def test_a_restart_within_a_gap_is_part_of_it_and_puts_all_in_doubt() -> None:
    follower = Follower()
    follower.hears(0)
    follower.follow(1, *WAITS)
    follower.blind(100)
    assert follower.resume(130) == []
    assert follower.unverified == {"c-1"}
    (gap,) = follower.gaps
    assert (gap.cause, gap.unverified, gap.until) == ("cut", 1, None)
    assert follower.blind(135) == []
    assert kind(only(follower.wait(190))) == "callback.unverified"
    follower.hears(200)
    follower.follow(201, *WAITS)
    assert (gap.repaired_by, gap.repaired_at) == ({"notification": 1}, at(201))


def test_a_restart_within_a_gap_of_topics_is_one_of_its_own() -> None:
    follower = Follower()
    follower.hears(0)
    follower.follow(1, *WAITS)
    follower.blind(100, B)
    follower.resume(130)
    assert {gap.cause: gap.topics for gap in follower.gaps} == {"cut": [B], "restart": []}
    follower.hears(140)
    assert all(gap.until == at(140) for gap in follower.gaps)
    follower.follow(141, *WAITS)
    assert all(gap.repaired_at == at(141) for gap in follower.gaps)


def test_what_was_told_before_a_restart_is_not_told_again_and_is_verified_after() -> None:
    follower = touched()
    follower.wait(200)
    follower.resume(300)
    follower.hears(310)
    assert follower.wait(1000) == []
    event = only(follower.follow(1001, *WAITS))
    assert (kind(event), event.id) == ("callback.verified", "c-1/3")


def test_what_ends_right_after_a_restart_says_so() -> None:
    follower = touched()
    follower.wait(200)
    follower.resume(300)
    follower.hears(310)
    assert kind(only(follower.follow(311, *OVER))) == "callback.disconnected"
    assert not follower.callback.unverified


# Bounds


def test_thousands_are_told_in_parts_and_the_deadline_moves_on() -> None:
    follower = Follower()
    follower.hears(0)
    tracker = follower.tracker
    for number in range(1200):
        tracker.observe(snapshot(*WAITS, conversation=f"n-{number}"), at(1))
    follower.blind(100)
    follower.hears(101)
    sizes = []
    while (deadline := tracker.next_deadline()) is not None and deadline <= at(161):
        sizes.append(len(tracker.fire_due(at(161))))
        assert len(sizes) < 10
    assert sum(sizes) == 1200
    assert max(sizes) == 500


def test_of_thousands_that_were_confirmed_nothing_is_left_to_fire() -> None:
    follower = Follower()
    follower.hears(0)
    tracker = follower.tracker
    for number in range(1200):
        tracker.observe(snapshot(*WAITS, conversation=f"n-{number}"), at(1))
    follower.blind(100)
    follower.hears(101)
    for number in range(1200):
        tracker.observe(snapshot(*WAITS, conversation=f"n-{number}"), at(102))
    follower.fire()
    assert tracker.next_deadline() == at(160)
    assert tracker.fire_due(at(160)) == []
    assert tracker.next_deadline() is None


# The clock


def test_a_clock_that_is_set_back_leaves_nothing_in_doubt_for_long() -> None:
    follower = touched()
    back = at(-3600)
    for change in follower.tracker.sources.alive(SOURCE, back):
        assert change.events == []
    follower.tracker.observe(snapshot(*WAITS), at(-3599))
    assert follower.unverified == set()


def test_a_gap_after_the_clock_was_set_back_touches_what_was_known_before() -> None:
    follower = Follower()
    follower.hears(0)
    follower.follow(7000, *WAITS)
    follower.tracker.sources.alive(SOURCE, at(7000))
    follower.tracker.sources.disconnected(SOURCE, "cut", at(100), (), at(101))
    assert follower.unverified == {"c-1"}
    follower.tracker.sources.connected(SOURCE, (), at(110))
    assert follower.tracker.observe(snapshot(*WAITS, read_at=111), at(112)) is None
    assert follower.unverified == set()


def test_what_was_in_doubt_when_the_clock_was_set_back_is_told_a_minute_later() -> None:
    follower = touched()
    follower.tracker.sources.alive(SOURCE, at(-3600))
    assert follower.tracker.next_deadline() == at(-3540)
    (change,) = follower.tracker.fire_due(at(-3540))
    assert kind(only(change.events)) == "callback.unverified"


def test_a_gap_that_lies_ahead_after_a_restart_can_be_repaired_all_the_same() -> None:
    follower = Follower()
    follower.hears(0)
    follower.follow(1, *WAITS)
    follower.blind(7000)
    follower.resume(100)  # the clock was set back meanwhile
    assert follower.unverified == {"c-1"}
    follower.hears(110)
    assert kind(only(follower.wait(160))) == "callback.unverified"
    assert kind(only(follower.follow(170, *WAITS, read_at=165))) == "callback.verified"
