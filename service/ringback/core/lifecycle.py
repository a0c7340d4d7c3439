"""The life of a callback, as one table. Nothing else decides what may follow what.

Rules of this file:

1. `MOVES` is the only truth. A move that is absent is illegal: it changes nothing.
2. `disconnect` is legal from every state, and `disconnected` is left by no move.
3. From every state there is a way to every other (but out of `disconnected`), because a snapshot
   may show a state several moves ahead, or one that should not follow. The state must end where
   the legs are, whatever happened unseen.

Theory of operation: the platform sends snapshots, not moves. `derivation.state_of` says where a
callback must be now; `advance` takes the shortest way there through the table and tells the last
move and the states jumped over. The table is that of one `transitions` machine with which no record
is ever registered: registered models cost 10 KB each and quadratic time, unregistered ones nothing.
Its triggers pass callbacks by: a failing `on_enter` would leave a half-done move.
"""

from collections import deque
from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple, Protocol

from transitions import Event, Machine

__all__ = [
    "ENTRIES",
    "MEANINGS",
    "MOVES",
    "Advance",
    "Move",
    "State",
    "Trigger",
    "advance",
    "fire",
    "route",
]


class State(StrEnum):
    """Where a callback is; `MEANINGS` says what each state means."""

    SCHEDULED = "scheduled"
    WAITING = "waiting"
    ALERTING = "alerting"
    CONNECTED = "connected"
    AUTO_DIALING = "auto_dialing"
    DIALING = "dialing"
    TALKING = "talking"
    HELD = "held"
    AFTER_CALL_WORK = "after_call_work"
    DISCONNECTED = "disconnected"


MEANINGS = {
    State.SCHEDULED: "the customer's leg waits for its time; time alone never releases it",
    State.WAITING: "released into the queue; no agent leg is active",
    State.ALERTING: "offered to an agent; every offer is a new participant",
    State.CONNECTED: "an agent has accepted, nothing is dialled; the auto-dial deadline runs",
    State.AUTO_DIALING: "the deadline has passed: the platform should place the call, none is seen",
    State.DIALING: "a voice leg towards the customer is dialing or contacting",
    State.TALKING: "a voice leg towards the customer is connected",
    State.HELD: "the agent's callback leg, or an outbound voice leg, is on hold",
    State.AFTER_CALL_WORK: "the agent's leg has ended, the callback has not",
    State.DISCONNECTED: "ended, for good, with an outcome",
}


class Trigger(StrEnum):
    """What moves a callback from one state to the next."""

    SCHEDULE = "schedule"
    RELEASE = "release"
    ALERT = "alert"
    NO_ANSWER = "no_answer"
    DECLINE = "decline"
    CONNECT = "connect"
    AUTO_DIAL = "auto_dial"
    DIAL = "dial"
    ANSWER = "answer"
    HOLD = "hold"
    RETRIEVE = "retrieve"
    HANG_UP = "hang_up"
    FINISH = "finish"
    REQUEUE = "requeue"
    RESCHEDULE = "reschedule"
    DISCONNECT = "disconnect"


class Move(NamedTuple):
    """One row of the table."""

    trigger: Trigger
    source: State
    target: State
    meaning: str


ENTRIES = {Trigger.SCHEDULE: State.SCHEDULED, Trigger.RELEASE: State.WAITING}
"""How a callback begins: created for later, or put into the queue at once."""

WITH_AGENT = (State.CONNECTED, State.AUTO_DIALING, State.DIALING, State.TALKING, State.HELD)
RELEASED = (State.WAITING, State.ALERTING, *WITH_AGENT, State.AFTER_CALL_WORK)


def _moves() -> Iterator[Move]:
    """Yield the rows, commonest first: of two equally short ways the earlier row is taken."""
    yield Move(Trigger.RELEASE, State.SCHEDULED, State.WAITING, "its time has come")
    yield Move(Trigger.ALERT, State.WAITING, State.ALERTING, "offered to an agent")
    for target in (State.WAITING, State.AFTER_CALL_WORK):
        yield Move(Trigger.NO_ANSWER, State.ALERTING, target, "the alert timed out")
        yield Move(Trigger.DECLINE, State.ALERTING, target, "the agent declined")
    yield Move(Trigger.CONNECT, State.ALERTING, State.CONNECTED, "the agent accepted")
    yield Move(Trigger.AUTO_DIAL, State.CONNECTED, State.AUTO_DIALING, "the deadline has passed")
    for source in (State.CONNECTED, State.AUTO_DIALING):
        yield Move(Trigger.DIAL, source, State.DIALING, "a call to the customer is placed")
    yield Move(Trigger.ANSWER, State.DIALING, State.TALKING, "the customer answered")
    for source in (State.TALKING, State.CONNECTED, State.DIALING, State.AUTO_DIALING):
        yield Move(Trigger.HOLD, source, State.HELD, "put on hold")
    for target in (State.TALKING, State.CONNECTED, State.DIALING, State.AUTO_DIALING):
        yield Move(Trigger.RETRIEVE, State.HELD, target, "taken off hold")
    for source in (State.DIALING, State.TALKING, State.HELD, State.AUTO_DIALING):
        yield Move(Trigger.HANG_UP, source, State.CONNECTED, "the call ended, the agent is there")
        yield Move(Trigger.CONNECT, source, State.CONNECTED, "another agent took over")
    for source in WITH_AGENT:
        yield Move(Trigger.FINISH, source, State.AFTER_CALL_WORK, "the agent's leg ended")
    for source in (*WITH_AGENT, State.AFTER_CALL_WORK):
        yield Move(Trigger.REQUEUE, source, State.WAITING, "back into a queue")
    for source in RELEASED:
        yield Move(Trigger.RESCHEDULE, source, State.SCHEDULED, "put off to a later time")
    for source in State:
        yield Move(Trigger.DISCONNECT, source, State.DISCONNECTED, "ended")


MOVES = tuple(_moves())
"""The table."""


class HasState(Protocol):
    """What the machine moves: anything with a mutable `state`."""

    state: State


class _Event(Event):
    """A trigger without the queue and the hooks of the library, which nobody uses.

    With them a move takes 5 µs, without them 0.8. The library itself never calls it, so that it may
    take what a move needs and no more.
    """

    def trigger(self, model: HasState, target: State) -> bool:  # type: ignore[override]
        """Make the move to `target`, one of several that there may be; False without one."""
        for transition in self.transitions.get(model.state, ()):
            if transition.dest == target:
                model.state = target
                return True
        return False


class _Machine(Machine):
    event_cls = _Event


def _machine() -> Machine:
    """Build the one machine. Its states go by what they are called in all that is stored."""
    rows = [
        {"trigger": move.trigger.value, "source": move.source.value, "dest": move.target.value}
        for move in MOVES
    ]
    states = [state.value for state in State]
    return _Machine(
        model=None, states=states, transitions=rows, initial=None, auto_transitions=False
    )


machine = _machine()
_events = {move.trigger: machine.events[move.trigger.value] for move in MOVES}


def fire(record: HasState, trigger: Trigger, target: State) -> bool:
    """Make one move to `target`; False, and no change, where the table has no such row."""
    event = _events.get(trigger)
    return event is not None and event.trigger(record, target)


def _routes() -> dict[tuple[State, State], tuple[Move, ...]]:
    """Find the shortest way between every two states, breadth first, earlier rows first."""
    leaving: dict[State, list[Move]] = {state: [] for state in State}
    for move in MOVES:
        leaving[move.source].append(move)
    routes: dict[tuple[State, State], tuple[Move, ...]] = {}
    for start in State:
        queue: deque[tuple[State, tuple[Move, ...]]] = deque([(start, ())])
        while queue:
            here, way = queue.popleft()
            for move in leaving[here]:
                if move.target is not start and (start, move.target) not in routes:
                    routes[start, move.target] = (*way, move)
                    queue.append((move.target, (*way, move)))
    return routes


_ROUTES = _routes()
_ROWS = {(move.source, move.target, move.trigger): move for move in MOVES}


def route(source: State, target: State) -> tuple[Move, ...]:
    """Give the shortest way from one state to another; empty where there is none to make."""
    return _ROUTES.get((source, target), ())


class Advance(NamedTuple):
    """What `advance` did: the last move made, and the states jumped over, oldest first."""

    trigger: Trigger
    skipped: tuple[State, ...]


def advance(record: HasState, target: State, proved: Trigger | None = None) -> Advance | None:
    """Bring a record to `target` by the shortest way; None, and no change, where there is none.

    `proved` is a trigger that the legs give evidence of: of two rows between the same states it
    chooses this one.
    """
    way = route(record.state, target)
    if not way:
        return None
    if proved is not None:
        direct = _ROWS.get((record.state, target, proved))
        way = way if direct is None else (direct,)
    for move in way:
        if not fire(record, move.trigger, move.target):
            return None
    return Advance(way[-1].trigger, tuple(move.target for move in way[:-1]))
