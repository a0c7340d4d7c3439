"""When a state took effect, and on which clock: the instant in the legs that proves the move."""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from ringback.core import derivation
from ringback.core.clocks import Clock
from ringback.core.legs import Leg
from ringback.core.lifecycle import State, Trigger
from ringback.core.records import Callback
from ringback.core.snapshots import Medium, Role

__all__ = ["Instant", "effect_of", "wait_began"]


class Instant(NamedTuple):
    """When something took effect, and on which clock that was read."""

    at: datetime
    clock: Clock


def effect_of(callback: Callback, trigger: Trigger, now: datetime) -> Instant:
    """When the last move took effect as the platform tells it, else when it was observed."""
    match trigger:
        case Trigger.RELEASE | Trigger.REQUEUE:
            found = _cloud(_queued_at(callback))
        case Trigger.ALERT:
            agent = derivation.active_agent(callback)
            found = _cloud(agent.alerted_at if agent is not None else None)
        case Trigger.CONNECT:
            agent = derivation.active_agent(callback)
            found = _cloud(agent.connected_at if agent is not None else None)
        case Trigger.NO_ANSWER | Trigger.DECLINE:
            found = _provider(_latest(leg.ended_at for leg in _agents(callback)))
        case Trigger.FINISH:
            found = _finished_at(callback)
        case Trigger.ANSWER:
            found = _cloud(
                _latest(
                    leg.connected_at
                    for leg in _calls(callback)
                    if leg.live and leg.role is not Role.AGENT
                )
            )
        case Trigger.HANG_UP:
            found = _provider(_latest(leg.ended_at for leg in _calls(callback)))
        case Trigger.HOLD:
            found = _cloud(_latest(leg.holds[-1].start for leg in callback.legs if leg.held))
        case Trigger.DISCONNECT:
            customer = derivation.customer_leg(callback)
            legs = callback.legs if customer is None else [customer]
            found = _provider(_latest(leg.ended_at for leg in legs))
        case _:
            found = None
    return found or Instant(now, Clock.OBSERVER)


def wait_began(callback: Callback, previous: State | None, effect: Instant) -> Instant:
    """When the wait for an agent began that has led to the present state.

    A state first seen late, or reached by jumping over `waiting`, still waited since its release.
    """
    if previous in (None, State.SCHEDULED):
        queued = _cloud(_queued_at(callback))
        if queued is not None and queued.at <= effect.at:
            return queued
    return effect


def _queued_at(callback: Callback) -> datetime | None:
    queued = _latest(
        leg.connected_at
        for leg in callback.legs
        if leg.role is Role.ACD and leg.medium is Medium.CALLBACK
    )
    if queued is not None:
        return queued
    customer = derivation.customer_leg(callback)
    return None if customer is None or customer.role is Role.SOLE else customer.connected_at


def _finished_at(callback: Callback) -> Instant | None:
    left = [leg for leg in _agents(callback) if leg.accepted][-1]
    return _cloud(left.work_started_at) or _provider(left.ended_at)


def _agents(callback: Callback) -> list[Leg]:
    return [
        leg
        for leg in callback.legs
        if leg.role in (Role.AGENT, Role.SOLE) and leg.medium is Medium.CALLBACK and not leg.live
    ]


def _calls(callback: Callback) -> list[Leg]:
    return [leg for leg in callback.legs if leg.medium is Medium.VOICE]


def _latest(instants: Iterable[datetime | None]) -> datetime | None:
    return max((instant for instant in instants if instant is not None), default=None)


def _cloud(at: datetime | None) -> Instant | None:
    return None if at is None else Instant(at, Clock.CLOUD)


def _provider(at: datetime | None) -> Instant | None:
    return None if at is None else Instant(at, Clock.PROVIDER)
