from datetime import timedelta
from itertools import product
from typing import Any

import pytest

from ringback.core.legs import LATEST, MOST_HOLDS, Leg, Phase, Verdict, merge, phase_shown
from ringback.core.snapshots import Medium, Role, Sighting, Span
from support.callbacks import agent, at, call, customer

RANKED = [
    ("none", "scheduled"),
    ("offering",),
    ("alerting",),
    ("contacting", "dialing"),
    ("connected",),
    ("disconnected", "terminated"),
]


def seen(*sightings: Sighting, now: float = 0, **how: Any) -> tuple[Leg, list[Verdict]]:
    """Show one leg several times, a second apart; give it, and what became of each sighting."""
    first = sightings[0]
    leg = Leg(first.participant_id, first.communication_id, first.role, first.medium)
    verdicts = []
    for second, sighting in enumerate(sightings):
        verdicts.append(show(leg, sighting, now + second, **how))
    return leg, verdicts


def show(leg: Leg, sighting: Sighting, now: float, **how: Any) -> Verdict:
    return merge(
        leg, sighting, at(now), outdated=how.get("outdated", False), fresh=how.get("fresh", False)
    )


def held(start: float | None, **said: Any) -> Sighting:
    return agent(connected_at=0, held=True, hold_started_at=start, **said)


TALKS = agent(connected_at=0)

# What a sighting shows


@pytest.mark.parametrize(
    ("state", "phase"),
    [
        ("none", Phase.NONE),
        ("scheduled", Phase.SCHEDULED),
        ("offering", Phase.OFFERING),
        ("alerting", Phase.ALERTING),
        ("contacting", Phase.CONTACTING),
        ("dialing", Phase.CONTACTING),
        ("connected", Phase.CONNECTED),
        ("parked", Phase.CONNECTED),
        ("disconnected", Phase.ENDED),
        ("terminated", Phase.ENDED),
    ],
)
def test_every_state_of_the_schema_has_its_phase(state: str, phase: Phase) -> None:
    assert phase_shown(agent(state=state), Phase.NONE) is phase


@pytest.mark.parametrize("state", [None, "uploading", "converting", "transmitting", "entangled"])
def test_a_state_that_says_nothing_leaves_the_known_phase(state: str | None) -> None:
    for known in Phase:
        assert phase_shown(agent(state=state), known) is known


def test_a_connect_time_shows_a_connected_leg_where_the_state_says_nothing() -> None:
    assert phase_shown(agent(state="entangled", connected_at=1), Phase.NONE) is Phase.CONNECTED


@pytest.mark.parametrize("state", [None, "scheduled", "alerting", "connected", "entangled"])
def test_a_leg_with_an_end_time_has_ended_whatever_its_state_says(state: str | None) -> None:
    assert phase_shown(agent(state=state, ended_at=9), Phase.CONNECTED) is Phase.ENDED


# Stale, leg by leg


@pytest.mark.parametrize(("lower", "higher"), list(product(range(6), range(6))))
def test_a_state_that_ranks_below_the_known_one_is_stale(lower: int, higher: int) -> None:
    for known, shown in product(RANKED[higher], RANKED[lower]):
        leg, (_, verdict) = seen(call(state=known), call(state=shown))
        after = phase_shown(call(state=shown), Phase.NONE)
        if lower < higher:
            wanted = Verdict.RANK
            if known in RANKED[5]:
                wanted = Verdict.ENDED
            elif shown == "scheduled" and known not in RANKED[0]:
                wanted = Verdict.SCHEDULE
            assert verdict is wanted
            assert leg.phase is phase_shown(call(state=known), Phase.NONE)
        else:
            assert verdict in (Verdict.CHANGED, Verdict.SAME)
            assert leg.phase is after


def test_an_ended_leg_stays_ended() -> None:
    leg, verdicts = seen(agent(connected_at=0), agent(connected_at=0, ended_at=5), TALKS)
    assert verdicts[-1] is Verdict.ENDED
    assert (leg.live, leg.ended_at) == (False, at(5))


def test_an_ended_leg_still_learns_what_its_end_left_open() -> None:
    leg, verdicts = seen(
        agent(state="terminated"), agent(ended_at=5, disconnect_type="client"), agent(ended_at=6)
    )
    assert verdicts[1:] == [Verdict.CHANGED, Verdict.SAME]
    assert (leg.ended_at, leg.disconnect_type) == (at(5), "client")


def test_one_that_lacks_the_known_connect_time_is_stale() -> None:
    leg, verdicts = seen(TALKS, agent(state="connected"))
    assert verdicts[-1] is Verdict.UNCONNECTED
    assert leg.connected_at == at(0)


def test_one_that_lacks_the_connect_time_but_has_ended_is_not() -> None:
    leg, verdicts = seen(TALKS, agent(ended_at=5))
    assert verdicts[-1] is Verdict.CHANGED
    assert (leg.phase, leg.connected_at) == (Phase.ENDED, at(0))


def test_a_repetition_changes_nothing() -> None:
    _, verdicts = seen(held(3), held(3))
    assert verdicts == [Verdict.CHANGED, Verdict.SAME]


def test_else_the_last_arrival_wins() -> None:
    leg, verdicts = seen(
        agent(connected_at=1, queue_id="q-a"),
        agent(connected_at=2, queue_id="q-b"),
        agent(connected_at=1, queue_id="q-a"),
    )
    assert verdicts == [Verdict.CHANGED] * 3
    assert (leg.connected_at, leg.queue_id) == (at(1), "q-a")


def test_what_a_sighting_leaves_out_stays_as_known() -> None:
    leg, verdicts = seen(
        agent(connected_at=0, timeout_seconds=30, wrapup_code="w"),
        agent(connected_at=0, user_id=None, queue_id=None),
    )
    assert verdicts[-1] is Verdict.SAME
    assert (leg.timeout_seconds, leg.wrapup_code, leg.user_id) == (30, "w", "user-1")


# Schedules


def scheduled(when: float | None, **said: Any) -> Sighting:
    return customer(state="scheduled", scheduled_at=when, **said)


def released(when: float | None) -> Sighting:
    return customer(connected_at=1, scheduled_at=when)


def test_while_scheduled_the_last_arrival_tells_the_time() -> None:
    leg, _ = seen(scheduled(60), scheduled(90), scheduled(30))
    assert (leg.scheduled_at, leg.latest_schedule) == (at(30), at(90))


def test_a_released_leg_returns_for_a_later_time() -> None:
    leg, verdicts = seen(scheduled(60), released(60), scheduled(600))
    assert verdicts[-1] is Verdict.CHANGED
    assert (leg.phase, leg.scheduled_at, leg.connected_at) == (Phase.SCHEDULED, at(600), None)


@pytest.mark.parametrize("when", [None, 30, 60])
def test_a_released_leg_does_not_return_for_the_same_or_an_earlier_time(when: float | None) -> None:
    leg, verdicts = seen(scheduled(60), released(60), scheduled(when))
    assert verdicts[-1] is Verdict.SCHEDULE
    assert leg.phase is Phase.CONNECTED


def test_a_return_must_lie_after_every_time_seen_when_the_release_was_in_order() -> None:
    _, verdicts = seen(scheduled(60), scheduled(600), scheduled(90), released(90), scheduled(600))
    assert verdicts[-1] is Verdict.SCHEDULE


def test_a_release_out_of_order_spends_only_its_own_time() -> None:
    leg, verdicts = seen(scheduled(60), scheduled(600), released(60), scheduled(600))
    assert verdicts[-1] is Verdict.CHANGED
    assert leg.phase is Phase.SCHEDULED


def test_late_frames_from_before_a_return_do_not_spend_the_time_it_returned_for() -> None:
    leg, verdicts = seen(
        *(scheduled(60), released(60), scheduled(600)),
        *(scheduled(60), released(60)),
        scheduled(600),
    )
    assert verdicts[-1] is Verdict.CHANGED
    assert (leg.phase, leg.scheduled_at) == (Phase.SCHEDULED, at(600))


def test_a_leg_that_was_never_scheduled_returns_for_any_time() -> None:
    leg, verdicts = seen(released(None), scheduled(600))
    assert verdicts[-1] is Verdict.CHANGED
    assert leg.phase is Phase.SCHEDULED


def test_the_schedule_of_a_preview_is_not_trusted() -> None:
    leg, verdicts = seen(
        customer(connected_at=1, preview=True, scheduled_at=900), scheduled(950, preview=True)
    )
    assert verdicts[-1] is Verdict.SCHEDULE
    assert leg.scheduled_at is None


def test_a_leg_may_be_rescheduled_and_released_again_and_again() -> None:
    leg, verdicts = seen(
        scheduled(60), released(60), scheduled(120), released(120), scheduled(60), scheduled(180)
    )
    assert verdicts[4:] == [Verdict.SCHEDULE, Verdict.CHANGED]
    assert leg.accepted


# Holds


def test_a_hold_is_opened_and_closed() -> None:
    leg, _ = seen(TALKS, held(5), TALKS, now=5)
    assert leg.holds == [Span(at(5), at(7), mixed=True)]
    assert not leg.held


def test_a_hold_without_a_start_begins_when_seen() -> None:
    leg, _ = seen(TALKS, held(None), now=5)
    assert leg.holds == [Span(at(6))]
    assert leg.held


def test_a_hold_that_was_closed_is_not_opened_by_a_late_duplicate() -> None:
    leg, verdicts = seen(TALKS, held(5), TALKS, held(5), now=5)
    assert verdicts[-1] is Verdict.HOLD
    assert leg.holds == [Span(at(5), at(7), mixed=True)]


def test_a_hold_that_was_never_seen_is_over_if_a_later_one_is() -> None:
    leg, verdicts = seen(TALKS, held(20), TALKS, held(5), now=20)
    assert verdicts[-1] is Verdict.HOLD
    assert leg.holds == [Span(at(20), at(22), mixed=True)]


def test_after_the_latest_a_frame_can_come_the_platform_is_believed_again() -> None:
    leg, _ = seen(TALKS, held(5), TALKS, now=5)
    late = 7 + LATEST.total_seconds()
    assert show(leg, held(5), late - 1) is Verdict.HOLD
    assert show(leg, held(5), late) is Verdict.CHANGED
    assert leg.holds == [Span(at(5))]


def test_a_fresh_read_may_reopen_a_hold() -> None:
    leg, _ = seen(TALKS, held(5), TALKS, now=5)
    assert show(leg, held(5), 8, fresh=True) is Verdict.CHANGED
    assert leg.holds == [Span(at(5))]


def test_hold_and_retrieve_return_to_identical_content() -> None:
    leg, verdicts = seen(TALKS, held(5), TALKS, held(8), TALKS, now=5)
    assert verdicts == [Verdict.CHANGED] * 5
    assert leg.holds == [Span(at(5), at(7), mixed=True), Span(at(8), at(9), mixed=True)]


def test_when_the_retrieve_was_lost_the_first_hold_ended_as_the_second_began() -> None:
    leg, _ = seen(TALKS, held(5), held(20), now=20)
    assert leg.holds == [Span(at(5), at(20)), Span(at(20))]


def test_a_late_frame_of_an_earlier_hold_leaves_the_present_one() -> None:
    leg, verdicts = seen(TALKS, held(20), held(5), held(20), now=20)
    assert verdicts[2:] == [Verdict.SAME, Verdict.SAME]
    assert leg.holds == [Span(at(20))]


def test_the_end_of_a_leg_ends_its_hold_at_its_own_time() -> None:
    leg, _ = seen(held(5), agent(connected_at=0, ended_at=30), now=40)
    assert leg.holds == [Span(at(5), at(30), mixed=True)]


def test_a_hold_never_ends_before_it_began() -> None:
    leg, _ = seen(held(5), agent(connected_at=0, ended_at=3), now=40)
    assert leg.holds == [Span(at(5), at(5), mixed=True, negative=True)]


def test_segments_of_a_read_correct_the_ledger() -> None:
    leg, _ = seen(TALKS, held(5), TALKS, now=100)
    told = (Span(at(5), at(50)), Span(at(60), at(70)))
    assert show(leg, agent(connected_at=0, holds=told), 110) is Verdict.CHANGED
    assert leg.holds == list(told)
    assert show(leg, agent(connected_at=0, holds=told), 111) is Verdict.SAME


def test_what_is_newer_than_the_segments_stays() -> None:
    leg, _ = seen(TALKS, held(80), now=80)
    read = held(80, holds=(Span(at(5), at(50)), Span(at(80))))
    assert show(leg, read, 90) is Verdict.CHANGED
    assert leg.holds == [Span(at(5), at(50)), Span(at(80))]
    assert leg.held


def test_the_present_hold_stays_the_last_one_whatever_the_segments_say() -> None:
    leg, _ = seen(TALKS, held(None, holds=(Span(at(500), at(510)),)), now=80)
    assert leg.held
    assert leg.holds == [Span(at(500), at(510)), Span(at(81))]


def test_segments_also_correct_a_leg_that_has_ended() -> None:
    leg, _ = seen(held(5), agent(connected_at=0, ended_at=90), now=90)
    ended = agent(connected_at=0, ended_at=90, holds=(Span(at(5), at(10)),))
    assert show(leg, ended, 100) is Verdict.CHANGED
    assert leg.holds == [Span(at(5), at(10))]


def test_holds_are_bounded_and_their_sum_is_kept() -> None:
    leg, _ = seen(TALKS)
    for turn in range(3 * MOST_HOLDS):
        start = 10.0 * turn
        show(leg, held(start), start)
        show(leg, TALKS, start + 4)
    assert len(leg.holds) == MOST_HOLDS
    total = sum(((span.end or span.start) - span.start for span in leg.holds), timedelta())
    assert total == timedelta(seconds=4 * 3 * MOST_HOLDS)


# Reads


def test_an_outdated_read_changes_neither_hold_nor_schedule_nor_brings_a_leg_back() -> None:
    leg, _ = seen(scheduled(60), released(60))
    assert show(leg, scheduled(600), 5, outdated=True) is Verdict.OUTDATED
    leg, _ = seen(scheduled(60))
    assert show(leg, scheduled(600), 5, outdated=True) is Verdict.SAME
    assert leg.scheduled_at == at(60)
    leg, _ = seen(TALKS)
    assert show(leg, held(3), 5, outdated=True) is Verdict.SAME
    assert not leg.held
    leg, _ = seen(held(3))
    assert show(leg, TALKS, 5, outdated=True) is Verdict.SAME
    assert leg.held


def test_an_outdated_read_may_still_move_a_leg_forward() -> None:
    leg, _ = seen(agent(state="alerting"))
    assert show(leg, TALKS, 5, outdated=True) is Verdict.CHANGED
    assert leg.phase is Phase.CONNECTED


def test_a_read_tells_when_it_alerted() -> None:
    leg, _ = seen(agent(state="alerting", alerted_at=3))
    assert leg.alerted_at == at(3)


def test_the_flat_shape_learns_its_communication_later() -> None:
    flat = Sighting("p-agent-1", None, Role.AGENT, Medium.CALLBACK, "alerting")
    leg, verdicts = seen(flat, agent(state="alerting"), flat)
    assert verdicts[1:] == [Verdict.CHANGED, Verdict.SAME]
    assert leg.communication_id == "k-agent-1"
