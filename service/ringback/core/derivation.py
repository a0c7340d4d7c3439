"""What follows from the legs: pure functions of one callback. Nothing here is kept.

The state is a function of the legs and of fired timers; the first rule that matches wins. A leg
with an end time has ended, whatever its state says; inbound voice legs never get here.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import NamedTuple

from ringback.core.disconnects import FAILURES, normalise
from ringback.core.legs import Leg, Phase
from ringback.core.lifecycle import State
from ringback.core.records import Callback
from ringback.core.snapshots import Medium, QueueSettings, Role

__all__ = [
    "Holds",
    "active_agent",
    "auto_dial_deadline",
    "current_queue",
    "current_user",
    "customer_leg",
    "disconnect_type_of",
    "ever_connected",
    "holds_of",
    "offers",
    "outcome_of",
    "schedule_of",
    "seen_dialled",
    "state_of",
]

SKIPPED = "ININ-OUTBOUND-PREVIEW-SKIPPED"
"""The system wrap-up code of a preview that the agent skipped."""
CLOCKS_DIFFER = timedelta(seconds=1)
"""Allowed when instants of the two platform clocks are compared."""

_AGENTS = (Role.AGENT, Role.SOLE)
_CUSTOMERS = (Role.CUSTOMER, Role.SOLE)
_OUTSIDE = (Role.CUSTOMER, Role.EXTERNAL)


class Holds(NamedTuple):
    """Seconds on hold. The platform tells starts only; the ends are when a hold went unseen."""

    total: float
    longest: float
    current: float
    """Of the hold that lasts; 0 while there is none."""


NO_HOLDS = Holds(0.0, 0.0, 0.0)


def customer_leg(callback: Callback) -> Leg | None:
    """The customer's callback leg; the sole leg of a bare callback; None when none is known."""
    for leg in callback.legs:
        if leg.medium is Medium.CALLBACK and leg.role in _CUSTOMERS:
            return leg
    return None


def active_agent(callback: Callback) -> Leg | None:
    """Of the agents' live callback legs the one that has come furthest; the later one of equals."""
    active = None
    for leg in callback.legs:
        if (
            leg.role in _AGENTS
            and leg.medium is Medium.CALLBACK
            and Phase.OFFERING <= leg.phase < Phase.ENDED
            and (active is None or leg.phase >= active.phase)
        ):
            active = leg
    return active


def state_of(callback: Callback) -> State:
    """Say where a callback is."""
    customer = customer_leg(callback)
    agent = active_agent(callback)
    # A call that waits in a queue, as after a customer-first dial or a transfer, is another matter.
    queued = any(
        leg.role is Role.ACD and leg.medium is Medium.CALLBACK and leg.phase is Phase.CONNECTED
        for leg in callback.legs
    )
    if customer is not None:
        over = customer.phase is Phase.ENDED
    else:
        over = all(leg.phase is Phase.ENDED for leg in callback.legs)
    if over and agent is None and not queued:
        return State.DISCONNECTED
    if agent is not None and agent.phase is Phase.CONNECTED:
        return _with_agent(callback, agent)
    if agent is not None:
        return State.ALERTING
    if queued:
        return State.WAITING
    if customer is not None and customer.phase is Phase.SCHEDULED:
        return State.SCHEDULED
    if any(not leg.live for leg in _accepted(callback)):
        return State.AFTER_CALL_WORK
    return State.WAITING


def _with_agent(callback: Callback, agent: Leg) -> State:
    calls = [leg for leg in callback.legs if leg.medium is Medium.VOICE and leg.live]
    if agent.held or any(call.held for call in calls):
        return State.HELD
    if any(call.phase is Phase.CONNECTED and call.role in _OUTSIDE for call in calls):
        return State.TALKING
    if calls:
        return State.DIALING
    dial = callback.auto_dial
    if (
        dial is not None
        and dial.due
        and dial.participant_id == agent.participant_id
        and not seen_dialled(callback, agent)
    ):
        return State.AUTO_DIALING
    return State.CONNECTED


def seen_dialled(callback: Callback, agent: Leg) -> bool:
    """Whether a voice leg has appeared since this agent accepted."""
    since = agent.connected_at
    for leg in callback.legs:
        if leg.medium is Medium.VOICE and (
            leg.live
            or since is None
            or leg.ended_at is None
            or leg.ended_at >= since - CLOCKS_DIFFER
        ):
            return True
    return False


def auto_dial_deadline(
    callback: Callback, agent: Leg, settings: QueueSettings | None
) -> datetime | None:
    """When the platform should place the call by itself, cloud clock; None when it will not.

    The callback's own `timeoutSeconds` counts when it is above 0, else the queue's auto-dial delay.
    Both run from the agent leg's connect (the campaign's and the queue's texts both point there).
    """
    if agent.connected_at is None:
        return None
    seconds = agent.timeout_seconds
    if seconds is None:
        customer = customer_leg(callback)
        seconds = customer.timeout_seconds if customer is not None else None
    if not seconds or seconds < 0:
        seconds = settings.auto_dial_seconds if settings is not None else None
    return None if seconds is None else agent.connected_at + timedelta(seconds=seconds)


def schedule_of(callback: Callback) -> datetime | None:
    """When it is meant to be released, provider clock; None means at once, or not to be trusted."""
    if callback.preview:
        return None
    customer = customer_leg(callback)
    if customer is not None and customer.scheduled_at is not None:
        return customer.scheduled_at
    for leg in callback.legs:
        if leg.scheduled_at is not None:
            return leg.scheduled_at
    return None


def current_queue(callback: Callback) -> str | None:
    """The queue it is in: the active agent's, else the latest ACD leg's, else any leg's."""
    agent = active_agent(callback)
    if agent is not None and agent.queue_id is not None:
        return agent.queue_id
    for role in (Role.ACD, Role.CUSTOMER, Role.SOLE, Role.AGENT):
        for leg in reversed(callback.legs):
            if leg.role is role and leg.medium is Medium.CALLBACK and leg.queue_id is not None:
                return leg.queue_id
    return None


def current_user(callback: Callback) -> str | None:
    """The agent who has it or is offered it; once that is over, the last one who had accepted."""
    agent = active_agent(callback)
    if agent is None and callback.state in (State.AFTER_CALL_WORK, State.DISCONNECTED):
        for leg in callback.legs:
            if leg.role in _AGENTS and leg.medium is Medium.CALLBACK and leg.accepted:
                agent = leg
    return None if agent is None else agent.user_id


def offers(callback: Callback) -> int:
    """How many agent legs there were: every offer is a new participant."""
    return sum(
        leg.role in _AGENTS and leg.medium is Medium.CALLBACK and leg.phase >= Phase.OFFERING
        for leg in callback.legs
    )


def ever_connected(callback: Callback) -> bool:
    """Whether any agent has ever accepted."""
    return any(True for _ in _accepted(callback))


def _accepted(callback: Callback) -> Iterator[Leg]:
    for leg in callback.legs:
        if leg.role in _AGENTS and leg.medium is Medium.CALLBACK and leg.accepted:
            yield leg


def holds_of(callback: Callback, until: datetime) -> Holds:
    """Add up the holds until an instant; those of two legs that overlap are one."""
    if not any(leg.holds for leg in callback.legs):
        return NO_HOLDS
    spans = sorted(
        (span.start, min(span.end or until, until)) for leg in callback.legs for span in leg.holds
    )
    total = longest = current = 0.0
    reached: datetime | None = None
    for start, end in spans:
        if reached is None or start > reached:
            current = 0.0
        begin = start if reached is None else max(start, reached)
        if end > begin:
            current += (end - begin).total_seconds()
            total += (end - begin).total_seconds()
            longest = max(longest, current)
            reached = end
    held = any(leg.held for leg in callback.legs)
    return Holds(total, longest, current if held else 0.0)


def disconnect_type_of(callback: Callback) -> str | None:
    """The raw disconnect type of the customer's leg, else of the last leg that has one."""
    customer = customer_leg(callback)
    if customer is not None and customer.disconnect_type is not None:
        return customer.disconnect_type
    for leg in reversed(callback.legs):
        if leg.medium is Medium.CALLBACK and leg.disconnect_type is not None:
            return leg.disconnect_type
    return None


def outcome_of(callback: Callback, *, customer_first: bool) -> str:
    """Say how an ended callback ended."""
    calls = [leg for leg in callback.legs if leg.medium is Medium.VOICE]
    if not ever_connected(callback):
        if calls or customer_first or callback.automated:
            return "handed_off"
        return "lost" if callback.released else "cancelled"
    if any(leg.wrapup_code == SKIPPED for leg in callback.legs):
        return "skipped"
    if any(call.accepted and call.role in _OUTSIDE for call in calls):
        return "completed"
    if calls:
        return "not_reached"
    if any(
        leg.disconnect_type is not None and normalise(leg.disconnect_type) in FAILURES
        for leg in callback.legs
    ):
        return "failed"
    return "unknown"
