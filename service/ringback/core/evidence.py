"""When a state took effect, and on which clock: the instant in the legs that proves the move."""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from ringback.core.clocks import Clock
from ringback.core.derivation import CLOCKS_DIFFER, Cast
from ringback.core.lifecycle import State, Trigger
from ringback.core.snapshots import Role

_QUEUED = (Trigger.RELEASE, Trigger.REQUEUE)

__all__ = ["Instant", "effect_of", "wait_began"]


class Instant(NamedTuple):
    """When something took effect, and on which clock that was read."""

    at: datetime
    clock: Clock


def effect_of(cast: Cast, trigger: Trigger, now: datetime) -> Instant:
    """When the last move took effect as the platform tells it, else when it was observed."""
    found, since = _proof(cast, trigger), cast.callback.since
    if found is None:
        return Instant(now, Clock.OBSERVER)
    if trigger in _QUEUED and cast.callback.released and found.at < since - CLOCKS_DIFFER:
        # The connect of an ACD leg that went on, or of a release since undone.
        return _left_at(cast, since) or Instant(now, Clock.OBSERVER)
    return found


def _proof(cast: Cast, trigger: Trigger) -> Instant | None:
    match trigger:
        case Trigger.RELEASE | Trigger.REQUEUE:
            return _cloud(_queued_at(cast))
        case Trigger.ALERT:
            return _cloud(cast.agent.alerted_at if cast.agent is not None else None)
        case Trigger.CONNECT:
            return _cloud(cast.agent.connected_at if cast.agent is not None else None)
        case Trigger.NO_ANSWER | Trigger.DECLINE:
            return _provider(_latest(leg.ended_at for leg in cast.agents))
        case Trigger.FINISH:
            return _finished_at(cast)
        case Trigger.ANSWER:
            answered = (leg for leg in cast.calls if leg.live and leg.role is not Role.AGENT)
            return _cloud(_latest(leg.connected_at for leg in answered))
        case Trigger.HANG_UP:
            return _provider(_latest(leg.ended_at for leg in cast.calls))
        case Trigger.HOLD:
            held = (leg for leg in cast.callback.legs if leg.held)
            return _cloud(_latest(leg.holds[-1].start for leg in held))
        case Trigger.DISCONNECT:
            legs = cast.callback.legs if cast.customer is None else [cast.customer]
            return _provider(_latest(leg.ended_at for leg in legs))
        case _:
            return None


def wait_began(cast: Cast, previous: State | None, effect: Instant) -> Instant:
    """When the wait for an agent began that has led to the present state.

    A state first seen late, or reached by jumping over `waiting`, still waited since its release;
    a later release was waited for once only.
    """
    if previous is None or (previous is State.SCHEDULED and not cast.callback.waited_seconds):
        queued = _cloud(_queued_at(cast))
        if queued is not None and queued.at <= effect.at:
            return queued
    return effect


def _queued_at(cast: Cast) -> datetime | None:
    queued = _latest(leg.connected_at for leg in cast.queues)
    if queued is not None:
        return queued
    customer = cast.customer
    return None if customer is None or customer.role is Role.SOLE else customer.connected_at


def _left_at(cast: Cast, since: datetime) -> Instant | None:
    """When the last agent left, if that was after `since`."""
    found = _provider(_latest(leg.ended_at for leg in cast.agents))
    return found if found is not None and found.at >= since - CLOCKS_DIFFER else None


def _finished_at(cast: Cast) -> Instant | None:
    left = [leg for leg in cast.agents if leg.accepted and not leg.live][-1]
    return _cloud(left.work_started_at) or _provider(left.ended_at)


def _latest(instants: Iterable[datetime | None]) -> datetime | None:
    return max((instant for instant in instants if instant is not None), default=None)


def _cloud(at: datetime | None) -> Instant | None:
    return None if at is None else Instant(at, Clock.CLOUD)


def _provider(at: datetime | None) -> Instant | None:
    return None if at is None else Instant(at, Clock.PROVIDER)
