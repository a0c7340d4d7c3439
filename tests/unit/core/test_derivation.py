from datetime import datetime
from itertools import permutations

import pytest

from ringback.core import derivation
from ringback.core.derivation import Cast
from ringback.core.legs import Leg, merge
from ringback.core.lifecycle import State
from ringback.core.records import AutoDial, Callback
from ringback.core.snapshots import Medium, QueueSettings, Role, Sighting, Span
from support.callbacks import agent, at, bare, call, customer, queue

GONE = agent(1, connected_at=5, ended_at=9)


def known(*sightings: Sighting, auto_dial: AutoDial | None = None) -> Cast:
    """Give the cast of a callback with those legs."""
    callback = Callback(1, State.WAITING, at(0), at(0), auto_dial=auto_dial)
    for sighting in sightings:
        leg = Leg(
            sighting.participant_id, sighting.communication_id, sighting.role, sighting.medium
        )
        merge(leg, sighting, at(0), outdated=False, fresh=False)
        callback.legs.append(leg)
    return Cast(callback)


def due(participant: str = "p-agent-1") -> AutoDial:
    return AutoDial(participant, at(35), due=True)


WAITS = (customer(connected_at=1), queue(connected_at=1))
LEFT = (customer(connected_at=1), queue(connected_at=1, ended_at=5))
OVER = customer(connected_at=1, ended_at=99)

# Rule 2, in its order


@pytest.mark.parametrize(
    ("legs", "state"),
    [
        # (a) the customer's leg has ended and no agent or ACD leg is active
        ([OVER], "disconnected"),
        ([OVER, queue(connected_at=1, ended_at=5), GONE], "disconnected"),
        ([OVER, agent(state="connected")], "connected"),
        ([OVER, agent(state="alerting")], "alerting"),
        ([OVER, queue(connected_at=1)], "waiting"),
        ([OVER, call(state="connected")], "disconnected"),
        # (a) none known: every leg has
        ([queue(connected_at=1, ended_at=5), GONE], "disconnected"),
        ([queue(connected_at=1), GONE], "waiting"),
        ([GONE, call(state="dialing", role=Role.EXTERNAL)], "after_call_work"),
        # (b) an agent leg is connected
        ([*LEFT, agent(connected_at=5)], "connected"),
        ([*LEFT, agent(connected_at=5, hold_started_at=7)], "held"),
        ([*LEFT, agent(connected_at=5), call(connected_at=6, hold_started_at=7)], "held"),
        ([*LEFT, agent(connected_at=5), call(state="dialing")], "dialing"),
        ([*LEFT, agent(connected_at=5), call(state="contacting")], "dialing"),
        ([*LEFT, agent(connected_at=5), call(connected_at=6)], "talking"),
        ([*LEFT, agent(connected_at=5), call(1, Role.EXTERNAL, connected_at=6)], "talking"),
        ([*LEFT, agent(connected_at=5), call(1, Role.AGENT, connected_at=6)], "dialing"),
        (
            [*LEFT, agent(connected_at=5), call(1, Role.AGENT, connected_at=6), call(state="none")],
            "dialing",
        ),
        ([*LEFT, agent(connected_at=5), call(connected_at=6, ended_at=8)], "connected"),
        ([*LEFT, agent(connected_at=5), queue(2, connected_at=6)], "connected"),
        # (c) an agent leg is offered
        ([*WAITS, agent(state="offering")], "alerting"),
        ([*WAITS, agent(state="alerting")], "alerting"),
        ([*WAITS, agent(state="contacting")], "alerting"),
        ([*WAITS, agent(state="dialing")], "alerting"),
        ([customer(state="scheduled"), agent(state="alerting")], "alerting"),
        # (d) the ACD leg is connected
        (list(WAITS), "waiting"),
        ([*WAITS, GONE], "waiting"),
        ([customer(state="scheduled"), queue(connected_at=1)], "waiting"),
        # (e) the customer's leg is scheduled
        ([customer(state="scheduled")], "scheduled"),
        ([customer(state="scheduled"), queue(state="scheduled")], "scheduled"),
        ([customer(state="scheduled"), GONE], "scheduled"),
        # (f) an accepted agent leg has ended
        ([*LEFT, GONE], "after_call_work"),
        # (g) otherwise
        ([customer(connected_at=1)], "waiting"),
        ([*LEFT, agent(state="disconnected")], "waiting"),
        ([customer(state="none")], "waiting"),
    ],
)
def test_the_first_rule_that_matches_gives_the_state(legs: list[Sighting], state: str) -> None:
    assert derivation.state_of(known(*legs)).value == state


def test_a_leg_with_an_end_time_counts_as_ended_though_it_says_connected() -> None:
    legs = [*LEFT, agent(state="connected", connected_at=5, ended_at=9)]
    assert derivation.state_of(known(*legs)) is State.AFTER_CALL_WORK


def test_a_call_that_waits_in_a_queue_is_not_the_callback_waiting() -> None:
    voice_queue = Sighting("p-q", "v-q", Role.ACD, Medium.VOICE, "connected", connected_at=at(9))
    assert derivation.state_of(known(OVER, voice_queue)) is State.DISCONNECTED
    assert derivation.state_of(known(*LEFT, GONE, voice_queue)) is State.AFTER_CALL_WORK


def test_of_several_agent_legs_the_active_one_counts_in_whatever_order_they_are() -> None:
    agents = [GONE, agent(2, state="disconnected"), agent(3, connected_at=20)]
    for order in permutations(agents):
        cast = known(*LEFT, *order)
        assert derivation.state_of(cast) is State.CONNECTED
        active = cast.agent
        assert active is not None
        assert active.participant_id == "p-agent-3"


def test_an_agent_who_has_it_goes_before_one_who_is_offered_it() -> None:
    for order in permutations([agent(1, connected_at=5), agent(2, state="alerting")]):
        assert derivation.state_of(known(*LEFT, *order)) is State.CONNECTED


# The automatic call, in the state


def test_due_and_not_seen_is_auto_dialing() -> None:
    legs = [*LEFT, agent(connected_at=5)]
    assert derivation.state_of(known(*legs, auto_dial=due())) is State.AUTO_DIALING


def test_due_and_seen_is_connected_once_the_call_has_ended() -> None:
    legs = [*LEFT, agent(connected_at=5), call(ended_at=50)]
    assert derivation.state_of(known(*legs, auto_dial=due())) is State.CONNECTED


def test_armed_and_not_due_is_connected() -> None:
    dial = AutoDial("p-agent-1", at(35))
    legs = [*LEFT, agent(connected_at=5)]
    assert derivation.state_of(known(*legs, auto_dial=dial)) is State.CONNECTED


def test_what_was_due_for_another_agent_says_nothing_of_this_one() -> None:
    legs = [*LEFT, GONE, agent(2, connected_at=40)]
    assert derivation.state_of(known(*legs, auto_dial=due())) is State.CONNECTED


def test_held_goes_before_auto_dialing() -> None:
    legs = [*LEFT, agent(connected_at=5, hold_started_at=20)]
    assert derivation.state_of(known(*legs, auto_dial=due())) is State.HELD


def test_a_call_before_this_agent_accepted_is_not_this_agents() -> None:
    cast = known(*LEFT, agent(connected_at=100), call(ended_at=50))
    assert not derivation.seen_dialled(cast, cast.callback.legs[2])
    cast = known(*LEFT, agent(connected_at=50.5), call(ended_at=50))
    assert derivation.seen_dialled(cast, cast.callback.legs[2])
    cast = known(*LEFT, agent(state="connected"), call(ended_at=50))
    assert derivation.seen_dialled(cast, cast.callback.legs[2])


SETTINGS = QueueSettings("queue-1", auto_dial_seconds=300)


@pytest.mark.parametrize(
    ("timeout", "on_customer", "settings", "deadline"),
    [
        (30, None, None, 35),
        (30, None, SETTINGS, 35),
        (30, 60, None, 35),
        (None, 60, None, 65),
        (0, None, SETTINGS, 305),
        (None, None, SETTINGS, 305),
        (-5, None, SETTINGS, 305),
        (0, None, None, None),
        (None, None, None, None),
        (0, None, QueueSettings("queue-1"), None),
        (None, None, QueueSettings("queue-1", auto_dial_seconds=0), 5),
    ],
)
def test_the_deadline_is_the_callbacks_own_timer_else_the_queues(
    timeout: int | None,
    on_customer: int | None,
    settings: QueueSettings | None,
    deadline: float | None,
) -> None:
    cast = known(
        customer(connected_at=1, timeout_seconds=on_customer),
        agent(connected_at=5, timeout_seconds=timeout),
    )
    found = derivation.auto_dial_deadline(cast, cast.callback.legs[1], settings)
    assert found == (None if deadline is None else at(deadline))


def test_without_a_connect_time_nothing_is_armed() -> None:
    cast = known(agent(state="connected", timeout_seconds=30))
    assert derivation.auto_dial_deadline(cast, cast.callback.legs[0], SETTINGS) is None


def test_an_agent_alone_has_its_own_timer_or_the_queues() -> None:
    cast = known(agent(connected_at=5))
    assert derivation.auto_dial_deadline(cast, cast.callback.legs[0], SETTINGS) == at(305)


# A bare Callback


@pytest.mark.parametrize(
    ("leg", "state"),
    [
        (bare(state="scheduled", scheduled_at=60), "scheduled"),
        (bare(state="alerting"), "alerting"),
        (bare(connected_at=5), "connected"),
        (bare(connected_at=5, hold_started_at=7), "held"),
        (bare(connected_at=5, ended_at=9), "disconnected"),
        (bare(state="none"), "waiting"),
    ],
)
def test_a_bare_callback_is_the_agents_and_the_customers_leg(leg: Sighting, state: str) -> None:
    assert derivation.state_of(known(leg)).value == state


# Offers, queue, schedule


def test_every_offer_counts_and_what_was_not_offered_does_not() -> None:
    legs = [GONE, agent(2, state="disconnected"), agent(3, state="alerting"), agent(4)]
    assert derivation.offers(known(*WAITS, *legs)) == 3


def test_the_queue_is_the_active_agents_else_the_latest_acd_legs_else_any() -> None:
    second = queue(2, connected_at=9, queue_id="queue-2")
    third = agent(state="alerting", queue_id="queue-3")
    assert derivation.current_queue(known(*WAITS, second, third)) == "queue-3"
    assert derivation.current_queue(known(*WAITS, second)) == "queue-2"
    assert derivation.current_queue(known(customer(queue_id="queue-4"))) == "queue-4"
    assert derivation.current_queue(known(customer())) is None
    ended = agent(ended_at=4, queue_id="queue-5")
    assert derivation.current_queue(known(customer(), ended)) == "queue-5"


def test_a_queue_of_the_voice_call_is_not_the_callbacks() -> None:
    voice_queue = Sighting("p-q", "v-q", Role.ACD, Medium.VOICE, "connected", queue_id="queue-9")
    assert derivation.current_queue(known(*WAITS, voice_queue)) == "queue-1"


def test_the_schedule_is_the_customers_else_any_legs_and_never_a_previews() -> None:
    legs = (queue(scheduled_at=70, state="scheduled"), customer(scheduled_at=60))
    assert derivation.schedule_of(known(*legs)) == at(60)
    assert derivation.schedule_of(known(legs[0], customer())) == at(70)
    assert derivation.schedule_of(known(customer())) is None
    preview = known(*legs)
    preview.callback.preview = True
    assert derivation.schedule_of(preview) is None


# Holds


def spans(*of_legs: list[tuple[float, float | None]]) -> Callback:
    callback = known(*(agent(number, connected_at=0) for number in range(len(of_legs)))).callback
    for leg, holds in zip(callback.legs, of_legs, strict=True):
        leg.holds = [Span(at(start), None if end is None else at(end)) for start, end in holds]
    return callback


@pytest.mark.parametrize(
    ("of_legs", "total", "longest", "current"),
    [
        ([[]], 0, 0, 0),
        ([[(10, 20)]], 10, 10, 0),
        ([[(10, 20), (30, 35)]], 15, 10, 0),
        ([[(10, 20), (70, None)]], 40, 30, 30),
        ([[(10, None)], [(20, 30)]], 90, 90, 90),
        ([[(10, 30)], [(20, 40)]], 30, 30, 0),
        ([[(10, 30)], [(20, None)]], 90, 90, 90),
        ([[(10, 30)], [(12, 20)]], 20, 20, 0),
        ([[(200, None)]], 0, 0, 0),
        ([[(10, 20), (200, None)]], 10, 10, 0),
        ([[(10, 900)]], 90, 90, 0),
        ([[(30, 30)]], 0, 0, 0),
    ],
)
def test_total_longest_and_current_hold(
    of_legs: list[list[tuple[float, float | None]]], total: float, longest: float, current: float
) -> None:
    until: datetime = at(100)
    assert derivation.holds_of(spans(*of_legs), until) == (total, longest, current)


# How it ended


def test_the_disconnect_type_is_the_customers_else_the_last_legs() -> None:
    ended = agent(ended_at=9, disconnect_type="client")
    told = customer(ended_at=10, disconnect_type="peer")
    assert derivation.disconnect_type_of(known(told, ended)) == "peer"
    assert derivation.disconnect_type_of(known(customer(ended_at=10), ended)) == "client"
    voice = call(ended_at=9, disconnect_type="endpoint")
    assert derivation.disconnect_type_of(known(customer(ended_at=10), voice)) is None


CALLED = call(connected_at=6, ended_at=8)
RANG = call(state="disconnected", ended_at=8)


@pytest.mark.parametrize(
    ("legs", "outcome"),
    [
        ([OVER, CALLED], "handed_off"),
        ([OVER], "cancelled"),
        ([OVER, agent(state="disconnected")], "cancelled"),
        ([OVER, GONE, CALLED], "completed"),
        ([OVER, GONE, call(1, Role.EXTERNAL, connected_at=6, ended_at=8)], "completed"),
        ([OVER, GONE, RANG], "not_reached"),
        ([OVER, GONE, call(1, Role.AGENT, connected_at=6, ended_at=8)], "not_reached"),
        ([OVER, GONE], "unknown"),
        ([customer(ended_at=9, disconnect_type="error"), GONE], "failed"),
        ([customer(ended_at=9, disconnect_type="TRANSPORT_FAILURE"), GONE], "failed"),
        ([OVER, agent(connected_at=5, ended_at=9, disconnect_type="error")], "failed"),
        ([customer(ended_at=9, disconnect_type="error"), GONE, RANG], "not_reached"),
        ([OVER, agent(connected_at=5, ended_at=9, wrapup_code=derivation.SKIPPED)], "skipped"),
        (
            [OVER, agent(connected_at=5, ended_at=9, wrapup_code=derivation.SKIPPED), CALLED],
            "skipped",
        ),
        ([OVER, agent(connected_at=5, ended_at=9, wrapup_code="else")], "unknown"),
    ],
)
def test_outcomes(legs: list[Sighting], outcome: str) -> None:
    assert derivation.outcome_of(known(*legs), customer_first=False) == outcome


def test_one_that_was_released_and_that_no_agent_ever_had_is_lost() -> None:
    cast = known(OVER)
    cast.callback.released = True
    assert derivation.outcome_of(cast, customer_first=False) == "lost"


def test_what_the_platform_places_itself_was_handed_off() -> None:
    assert derivation.outcome_of(known(OVER), customer_first=True) == "handed_off"
    automated = known(OVER)
    automated.callback.automated = True
    assert derivation.outcome_of(automated, customer_first=False) == "handed_off"


def test_an_agent_who_had_it_decides_even_on_a_customer_first_queue() -> None:
    assert derivation.outcome_of(known(OVER, GONE, CALLED), customer_first=True) == "completed"
