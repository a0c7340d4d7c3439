"""The first alerts: a callback that is stuck in one of three ways.

A rule says when its condition becomes alarming, or that it does not apply. An alert is firing while
that instant has passed; nothing else is kept but when it began and how often it has fired.
"""

from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from ringback.core.clocks import Clock
from ringback.core.derivation import Cast, schedule_of, seen_dialled, voice_visible
from ringback.core.lifecycle import State
from ringback.core.policy import Policy
from ringback.core.records import Callback

__all__ = ["RULES", "Alarming", "Rule", "reason_resolved"]


class Alarming(NamedTuple):
    """When a condition becomes alarming, and on which clock."""

    at: datetime
    clock: Clock


class Rule(NamedTuple):
    """One way to be stuck."""

    name: str
    summary: str
    alarming: Callable[[Cast, Policy], Alarming | None]


def _due_not_released(cast: Cast, policy: Policy) -> Alarming | None:
    if cast.callback.state is not State.SCHEDULED:
        return None
    schedule = schedule_of(cast)
    return None if schedule is None else Alarming(schedule + policy.due_grace, Clock.PROVIDER)


def _connected_not_dialled(cast: Cast, policy: Policy) -> Alarming | None:
    callback, agent = cast.callback, cast.agent
    if not voice_visible(cast) or callback.auto_dial is not None:
        return None
    if callback.state not in (State.CONNECTED, State.HELD):
        return None
    if agent is None or seen_dialled(cast, agent):
        return None
    return Alarming((agent.connected_at or callback.since) + policy.not_dialled, Clock.CLOUD)


def _auto_dial_missed(cast: Cast, _policy: Policy) -> Alarming | None:
    dial, agent = cast.callback.auto_dial, cast.agent
    if not voice_visible(cast) or dial is None or dial.missed_at is None:
        return None
    if agent is None or seen_dialled(cast, agent):
        return None
    return Alarming(dial.missed_at, Clock.CLOUD)


RULES = (
    Rule("due_not_released", "due, and not released into the queue", _due_not_released),
    Rule(
        "connected_not_dialled",
        "an agent has accepted, nothing is dialled and nothing will dial by itself",
        _connected_not_dialled,
    ),
    Rule("auto_dial_missed", "the automatic call was due and is not seen", _auto_dial_missed),
)
"""All there are, so far."""


def reason_resolved(callback: Callback) -> str:
    """Say what ended an alarm, in a word or two."""
    if callback.state is State.DISCONNECTED:
        return f"ended: {callback.outcome}"
    if callback.state is State.SCHEDULED:
        return "rescheduled"
    return callback.state.value
