"""What can be wrong before an agent has accepted: the release, the wait, the offers."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from ringback.core.clocks import Clock
from ringback.core.derivation import schedule_of
from ringback.core.legs import Leg
from ringback.core.lifecycle import State
from ringback.core.snapshots import Role
from ringback.core.watch.sight import NOT_AT_ALL, Begun, Kind, Limits, Sight, state_began

__all__ = ["WAITING"]

ALERTING_TIMEOUT = timedelta(minutes=2)
"""Of a queue whose own is not known: longer than any that makes sense (the platform's is 30 s)."""

LONGEST = 10**9
"""Seconds that can be added to any instant."""

_IN_QUEUE = frozenset({State.WAITING, State.ALERTING})


def _due_not_released(sight: Sight, _limits: Limits) -> Begun | None:
    schedule = schedule_of(sight.cast)
    return None if schedule is None else Begun(schedule, Clock.PROVIDER)


def _waiting(sight: Sight, _limits: Limits) -> Begun | None:
    callback = sight.callback
    since = callback.waiting_since
    return None if since is None else Begun(since, callback.waiting_clock)


def _unusually_long(sight: Sight, limits: Limits) -> Begun | None:
    """Count from the same instant; but the threshold is so many times what is usual, at least."""
    usual, waiting = sight.callback.usual_wait, _waiting(sight, limits)
    if usual is None or waiting is None:
        return None
    least = timedelta(seconds=min(usual * limits.times, LONGEST))
    return waiting._replace(least=least)


def _never_offered(sight: Sight, limits: Limits) -> Begun | None:
    return None if sight.callback.offers else _waiting(sight, limits)


def _unanswered(sight: Sight, limits: Limits) -> Begun | None:
    missed = _missed(sight)
    number = int(limits.times)
    if len(missed) < number:
        return None
    ended_at = missed[number - 1].ended_at
    return state_began(sight.callback) if ended_at is None else Begun(ended_at, Clock.PROVIDER)


def _not_offered_again(sight: Sight, limits: Limits) -> Begun | None:
    missed = _missed(sight)
    if not missed:
        return None
    ended_at = missed[-1].ended_at
    waiting = _waiting(sight, limits)
    if ended_at is None or (waiting is not None and waiting.at > ended_at):
        return waiting
    return Begun(ended_at, Clock.PROVIDER)


def _alerting(sight: Sight, _limits: Limits) -> Begun | None:
    agent = sight.cast.agent
    if agent is None:
        return None
    began = state_began(sight.callback)
    if agent.alerted_at is not None:
        began = Begun(agent.alerted_at, Clock.CLOUD)
    # An offer that came with the end of another: the state has not changed since that one began.
    ended_at = _last_end(_missed(sight))
    if ended_at is not None and ended_at > began.at:
        began = Begun(ended_at, Clock.PROVIDER)
    return Begun(began.at + _alerting_timeout(sight), began.clock)


def _alerting_timeout(sight: Sight) -> timedelta:
    """Take the agent's own, else the queue's, else one that is surely long enough."""
    milliseconds, queue = sight.callback.alerting_timeout_ms, sight.queue
    if milliseconds is not None:
        return timedelta(milliseconds=milliseconds)
    seconds = None if queue is None else queue.alerting_timeout_seconds
    return ALERTING_TIMEOUT if seconds is None else timedelta(seconds=seconds)


def _owned(sight: Sight, limits: Limits) -> Begun | None:
    """Once the owner's time is up, the platform takes it out of the queue and calls nobody."""
    queue, waiting = sight.queue, _waiting(sight, limits)
    if sight.callback.owner_id is None or queue is None or waiting is None:
        return None
    hours = queue.owned_hours
    return None if hours is None else Begun(waiting.at + timedelta(hours=hours), waiting.clock)


def _same_number(sight: Sight, limits: Limits) -> Begun | None:
    """Of those that wait with one number, all but the first are one too many."""
    callback, waiting = sight.callback, _waiting(sight, limits)
    if waiting is None or not callback.numbers:
        return None
    numbers = callback.contact[: callback.numbers]
    earlier = sight.contacts.earlier(sight.conversation.id, numbers, waiting.at)
    return waiting if earlier + 1 >= limits.times else None


def _missed(sight: Sight) -> list[Leg]:
    """Give the offers that came to nothing since an agent last accepted, oldest first."""
    missed: list[Leg] = []
    for leg in reversed(sight.cast.agents):
        if leg.accepted:
            break
        if not leg.live and leg.role is Role.AGENT:
            missed.append(leg)
    missed.reverse()
    return missed


def _last_end(legs: list[Leg]) -> datetime | None:
    return max((leg.ended_at for leg in legs if leg.ended_at is not None), default=None)


WAITING: Mapping[str, Kind] = {
    "due_not_released": Kind(
        "due, and not released into the queue",
        frozenset({State.SCHEDULED}),
        timedelta(minutes=2),
        _due_not_released,
    ),
    "waiting_too_long": Kind(
        "waiting in the queue for too long", _IN_QUEUE, timedelta(hours=1), _waiting
    ),
    "waiting_unusually_long": Kind(
        "waiting for far longer than is usual in its queue",
        _IN_QUEUE,
        timedelta(minutes=15),
        _unusually_long,
        times=4,
    ),
    "never_offered": Kind(
        "released, and no agent was ever offered it",
        frozenset({State.WAITING}),
        timedelta(minutes=30),
        _never_offered,
    ),
    "unanswered": Kind(
        "offered again and again, and nobody has accepted",
        _IN_QUEUE,
        NOT_AT_ALL,
        _unanswered,
        times=5,
    ),
    "not_offered_again": Kind(
        "an offer came to nothing, and there was no other since",
        frozenset({State.WAITING}),
        timedelta(minutes=15),
        _not_offered_again,
    ),
    "alerting_too_long": Kind(
        "still alerting, though its time to be answered is over",
        frozenset({State.ALERTING}),
        timedelta(seconds=30),
        _alerting,
    ),
    "ownership_expiring": Kind(
        "waits for one agent, and will soon be taken out of the queue",
        _IN_QUEUE,
        timedelta(minutes=30),
        _owned,
        ahead=True,
    ),
    "same_number_twice": Kind(
        "the same number waits in another callback as well, and has for longer",
        _IN_QUEUE,
        timedelta(minutes=5),
        _same_number,
        times=2,
        over="no other waits",
    ),
}
"""By name."""
