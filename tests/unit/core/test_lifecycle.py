from itertools import product
from types import SimpleNamespace

import pytest

from ringback.core.lifecycle import ENTRIES, MOVES, Move, State, Trigger, advance, fire, route

DECLARED = {
    "schedule": {},
    "release": {"scheduled": "waiting"},
    "alert": {"waiting": "alerting"},
    "no_answer": {"alerting": "waiting"},
    "decline": {"alerting": "waiting"},
    "connect": {"alerting": "connected"},
    "auto_dial": {"connected": "auto_dialing"},
    "dial": {"connected": "dialing", "auto_dialing": "dialing"},
    "answer": {"dialing": "talking"},
    "hang_up": dict.fromkeys(("dialing", "talking", "held", "auto_dialing"), "connected"),
    "hold": dict.fromkeys(("connected", "auto_dialing", "dialing", "talking"), "held"),
    "finish": dict.fromkeys(
        ("connected", "auto_dialing", "dialing", "talking", "held"), "after_call_work"
    ),
    "requeue": dict.fromkeys(
        ("connected", "auto_dialing", "dialing", "talking", "held", "after_call_work"), "waiting"
    ),
    "reschedule": {
        state.value: "scheduled"
        for state in State
        if state not in (State.SCHEDULED, State.DISCONNECTED)
    },
    "disconnect": {state.value: "disconnected" for state in State},
}
"""The table once more, by hand. `retrieve`, which has several targets, is apart."""
RETRIEVED = ("talking", "connected", "dialing", "auto_dialing")

TRIPLES = list(product(State, Trigger, State))


MORE = {
    ("alerting", "no_answer", "after_call_work"),
    ("alerting", "decline", "after_call_work"),
    *(
        (source, "connect", "connected")
        for source in ("auto_dialing", "dialing", "talking", "held")
    ),
    *(("held", "retrieve", target) for target in RETRIEVED),
}
"""The rows of triggers that have several targets or sources of another kind."""


def legal(source: State, trigger: Trigger, target: State) -> bool:
    if (source.value, trigger.value, target.value) in MORE:
        return True
    return DECLARED.get(trigger.value, {}).get(source.value) == target.value


@pytest.mark.parametrize(("source", "trigger"), list(product(State, Trigger)))
def test_a_move_is_made_where_the_table_has_it_and_changes_nothing_where_not(
    source: State, trigger: Trigger
) -> None:
    for target in State:
        record = SimpleNamespace(state=source)
        declared = legal(source, trigger, target)
        assert fire(record, trigger, target) is declared
        assert record.state is (target if declared else source)


def test_the_table_holds_each_legal_move_once() -> None:
    moves = [(move.source, move.trigger, move.target) for move in MOVES]
    assert len(set(moves)) == len(moves)
    assert set(moves) == {
        (source, trigger, target)
        for source, trigger, target in TRIPLES
        if legal(source, trigger, target)
    }


def test_names_are_those_of_the_contract() -> None:
    assert [state.value for state in State] == [
        "scheduled",
        "waiting",
        "alerting",
        "connected",
        "auto_dialing",
        "dialing",
        "talking",
        "held",
        "after_call_work",
        "disconnected",
    ]
    assert [trigger.value for trigger in Trigger] == [
        "schedule",
        "release",
        "alert",
        "no_answer",
        "decline",
        "connect",
        "auto_dial",
        "dial",
        "answer",
        "hold",
        "retrieve",
        "hang_up",
        "finish",
        "requeue",
        "reschedule",
        "disconnect",
    ]
    assert set(ENTRIES) == {Trigger.SCHEDULE, Trigger.RELEASE}


@pytest.mark.parametrize("source", State)
def test_disconnect_is_legal_from_every_state(source: State) -> None:
    record = SimpleNamespace(state=source)
    assert fire(record, Trigger.DISCONNECT, State.DISCONNECTED)
    assert record.state is State.DISCONNECTED


@pytest.mark.parametrize("target", [state for state in State if state is not State.DISCONNECTED])
def test_nothing_leads_out_of_disconnected(target: State) -> None:
    record = SimpleNamespace(state=State.DISCONNECTED)
    assert advance(record, target) is None
    assert record.state is State.DISCONNECTED


@pytest.mark.parametrize("source", [state for state in State if state is not State.DISCONNECTED])
def test_every_state_is_reached_from_every_other_by_the_shortest_way(source: State) -> None:
    distance = _distances(source)
    for target in set(State) - {source}:
        record = SimpleNamespace(state=source)
        way = route(source, target)
        done = advance(record, target)
        assert done is not None
        assert record.state is target
        assert len(way) == distance[target]
        assert done.trigger is way[-1].trigger
        assert done.skipped == tuple(move.target for move in way[:-1])
        assert _is_connected(source, way, target)


def test_there_is_no_way_from_a_state_to_itself() -> None:
    record = SimpleNamespace(state=State.WAITING)
    assert route(State.WAITING, State.WAITING) == ()
    assert advance(record, State.WAITING) is None


@pytest.mark.parametrize(
    ("source", "target", "usual", "proved"),
    [
        (State.ALERTING, State.WAITING, Trigger.NO_ANSWER, Trigger.DECLINE),
        (State.ALERTING, State.AFTER_CALL_WORK, Trigger.NO_ANSWER, Trigger.DECLINE),
        (State.HELD, State.CONNECTED, Trigger.RETRIEVE, Trigger.HANG_UP),
        (State.HELD, State.CONNECTED, Trigger.RETRIEVE, Trigger.CONNECT),
        (State.TALKING, State.CONNECTED, Trigger.HANG_UP, Trigger.CONNECT),
        (State.AUTO_DIALING, State.CONNECTED, Trigger.HANG_UP, Trigger.CONNECT),
    ],
)
def test_of_two_rows_between_the_same_states_the_proved_one_is_taken(
    source: State, target: State, usual: Trigger, proved: Trigger
) -> None:
    for evidence, trigger in ((None, usual), (proved, proved)):
        record = SimpleNamespace(state=source)
        done = advance(record, target, evidence)
        assert done is not None
        assert (done.trigger, done.skipped) == (trigger, ())


def test_what_is_proved_matters_only_where_it_leads_the_same_way() -> None:
    record = SimpleNamespace(state=State.SCHEDULED)
    done = advance(record, State.CONNECTED, Trigger.DECLINE)
    assert done is not None
    assert (done.trigger, done.skipped) == (Trigger.CONNECT, (State.WAITING, State.ALERTING))


def _distances(source: State) -> dict[State, int]:
    """Count moves from `source`, by repeated relaxation rather than by a search."""
    distance = {source: 0}
    for _ in State:
        for move in MOVES:
            if move.source in distance:
                here = distance[move.source] + 1
                distance[move.target] = min(distance.get(move.target, here), here)
    return distance


def _is_connected(source: State, way: tuple[Move, ...], target: State) -> bool:
    stops = [source, *(move.target for move in way)]
    return stops[-1] is target and all(
        move.source is here for move, here in zip(way, stops, strict=False)
    )
