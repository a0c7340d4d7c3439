"""What follows from the legs: pure functions of one callback. Nothing here is kept.

The state is a function of the legs and of fired timers; the first rule that matches wins. A leg
with an end time has ended, whatever its state says; inbound voice legs never get here.
"""

from datetime import datetime, timedelta
from typing import NamedTuple

from ringback.core.disconnects import FAILURES, normalise
from ringback.core.legs import Leg, Phase
from ringback.core.lifecycle import State
from ringback.core.records import Callback
from ringback.core.snapshots import Medium, QueueSettings, Role

__all__ = [
    "OUTCOMES",
    "Cast",
    "Holds",
    "auto_dial_deadline",
    "current_queue",
    "current_user",
    "disconnect_type_of",
    "hold_of",
    "holds_of",
    "offers",
    "on_the_phone",
    "outcome_of",
    "own_timeout",
    "schedule_of",
    "seen_dialled",
    "state_of",
    "voice_visible",
]

SKIPPED = "ININ-OUTBOUND-PREVIEW-SKIPPED"
"""The system wrap-up code of a preview that the agent skipped."""
CLOCKS_DIFFER = timedelta(seconds=1)
"""Allowed when instants of the two platform clocks are compared."""

_OUTSIDE = (Role.CUSTOMER, Role.EXTERNAL)


class Holds(NamedTuple):
    """Seconds on hold. The platform tells starts only; the ends are when a hold went unseen."""

    total: float
    longest: float
    current: float
    """Of the hold that lasts; 0 while there is none."""


NO_HOLDS = Holds(0.0, 0.0, 0.0)


class Cast:
    """The legs of a callback by the part they play, sorted out in one pass.

    Whoever settles a callback asks for them many times. Made anew whenever legs have changed.
    """

    __slots__ = ("agent", "agents", "callback", "calls", "customer", "queues")

    def __init__(self, callback: Callback) -> None:
        self.callback = callback
        self.customer: Leg | None = None
        """The customer's callback leg; the sole leg of a bare callback."""
        self.agent: Leg | None = None
        """Of the agents' live legs the one that has come furthest; the later one of equals."""
        self.agents: list[Leg] = []
        """The agents' callback legs, one an offer."""
        self.queues: list[Leg] = []
        """The ACD's callback legs. A call that waits in a queue is another matter."""
        self.calls: list[Leg] = []
        """The voice legs."""
        for leg in callback.legs:
            if leg.medium is Medium.VOICE:
                self.calls.append(leg)
                continue
            role = leg.role
            if role is Role.ACD:
                self.queues.append(leg)
                continue
            if (role is Role.CUSTOMER or role is Role.SOLE) and self.customer is None:
                self.customer = leg
            if role is Role.AGENT or role is Role.SOLE:
                self.agents.append(leg)
                if Phase.OFFERING <= leg.phase < Phase.ENDED and (
                    self.agent is None or leg.phase >= self.agent.phase
                ):
                    self.agent = leg


def state_of(cast: Cast) -> State:
    """Say where a callback is."""
    customer, agent = cast.customer, cast.agent
    queued = any(leg.phase is Phase.CONNECTED for leg in cast.queues)
    if agent is None and not queued:
        legs = cast.callback.legs if customer is None else (customer,)
        if all(leg.phase is Phase.ENDED for leg in legs):
            return State.DISCONNECTED
    if agent is not None:
        return _with_agent(cast, agent) if agent.phase is Phase.CONNECTED else State.ALERTING
    if queued:
        return State.WAITING
    if customer is not None and customer.phase is Phase.SCHEDULED:
        return State.SCHEDULED
    if any(leg.accepted and leg.phase is Phase.ENDED for leg in cast.agents):
        return State.AFTER_CALL_WORK
    return State.WAITING


def _with_agent(cast: Cast, agent: Leg) -> State:
    calls = [leg for leg in cast.calls if leg.phase is not Phase.ENDED]
    if agent.held or (calls and any(call.held for call in calls)):
        return State.HELD
    if calls:
        reached = any(call.phase is Phase.CONNECTED and call.role in _OUTSIDE for call in calls)
        return State.TALKING if reached else State.DIALING
    dial = cast.callback.auto_dial
    if (
        dial is not None
        and dial.due
        and dial.participant_id == agent.participant_id
        and not seen_dialled(cast, agent)
    ):
        return State.AUTO_DIALING
    return State.CONNECTED


def seen_dialled(cast: Cast, agent: Leg) -> bool:
    """Whether a voice leg has appeared since this agent accepted."""
    since = agent.connected_at
    return any(
        leg.phase is not Phase.ENDED
        or since is None
        or leg.ended_at is None
        or leg.ended_at >= since - CLOCKS_DIFFER
        for leg in cast.calls
    )


def voice_visible(cast: Cast) -> bool:
    """Whether a voice leg would be seen: the agent's connect was, in a snapshot that shows them."""
    agent = cast.agent
    return agent is not None and cast.callback.visible_with == agent.participant_id


def auto_dial_deadline(cast: Cast, agent: Leg, settings: QueueSettings | None) -> datetime | None:
    """When the platform should place the call by itself, cloud clock; None when it will not.

    The callback's own `timeoutSeconds` counts when it is above 0, else the queue's auto-dial delay.
    Both run from the agent leg's connect (the campaign's and the queue's texts both point there).
    """
    if agent.connected_at is None:
        return None
    seconds = own_timeout(cast, agent)
    if seconds is None and settings is not None:
        seconds = settings.auto_dial_seconds
    return None if seconds is None else agent.connected_at + timedelta(seconds=seconds)


def own_timeout(cast: Cast, agent: Leg) -> int | None:
    """The callback's own `timeoutSeconds`; None when it is disabled or not known."""
    seconds = agent.timeout_seconds
    if seconds is None and cast.customer is not None:
        seconds = cast.customer.timeout_seconds
    return seconds if seconds is not None and seconds > 0 else None


def schedule_of(cast: Cast) -> datetime | None:
    """When it is meant to be released, provider clock; None means at once, or not to be trusted."""
    if cast.callback.preview:
        return None
    if cast.customer is not None and cast.customer.scheduled_at is not None:
        return cast.customer.scheduled_at
    for leg in cast.callback.legs:
        if leg.scheduled_at is not None:
            return leg.scheduled_at
    return None


def current_queue(cast: Cast) -> str | None:
    """The queue it is in: the active agent's, else the latest ACD leg's, else any leg's."""
    agent, customer = cast.agent, cast.customer
    if agent is not None and agent.queue_id is not None:
        return agent.queue_id
    for leg in reversed(cast.queues):
        if leg.queue_id is not None:
            return leg.queue_id
    if customer is not None and customer.queue_id is not None:
        return customer.queue_id
    for leg in reversed(cast.agents):
        if leg.queue_id is not None:
            return leg.queue_id
    return None


def current_user(cast: Cast) -> str | None:
    """The agent who has it or is offered it; once that is over, the last one who had accepted."""
    agent = cast.agent
    if agent is None and cast.callback.state in (State.AFTER_CALL_WORK, State.DISCONNECTED):
        for leg in cast.agents:
            if leg.accepted:
                agent = leg
    return None if agent is None else agent.user_id


def offers(cast: Cast) -> int:
    """How many agent legs there were: every offer is a new participant."""
    shown = sum(
        leg.phase >= Phase.OFFERING
        for leg in cast.agents
        # The end of a bare callback does not tell whether it was ever offered.
        if leg.role is Role.AGENT or leg.live or leg.accepted
    )
    return max(shown, cast.callback.offers)


def holds_of(callback: Callback, until: datetime) -> Holds:
    """Add up the holds until an instant; those of two legs that overlap are one."""
    found = [span for leg in callback.legs for span in leg.holds]
    if not found:
        return NO_HOLDS
    spans = sorted((span.start, min(span.end or until, until)) for span in found)
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


def hold_of(callback: Callback) -> datetime | None:
    """When the hold that lasts began, cloud clock; holds of two legs that overlap are one."""
    held = [leg.holds[-1].start for leg in callback.legs if leg.held]
    if not held:
        return None
    began = min(held)
    closed = [span for leg in callback.legs for span in leg.holds if span.end is not None]
    for span in sorted(closed, key=lambda span: span.start, reverse=True):
        if span.start < began < (span.end or began):
            began = span.start
    return began


def on_the_phone(cast: Cast) -> datetime | None:
    """Since when the customer is on the phone, cloud clock; None when not, or not known."""
    return min(
        (
            call.connected_at
            for call in cast.calls
            if call.phase is Phase.CONNECTED
            and call.role in _OUTSIDE
            and call.connected_at is not None
        ),
        default=None,
    )


def disconnect_type_of(cast: Cast) -> str | None:
    """The raw disconnect type of the customer's leg, else of an agent's, best one who accepted.

    An ACD leg ends with `transfer` whenever an agent accepts: that says nothing of the callback.
    """
    accepted = [leg for leg in cast.agents if leg.accepted]
    customers = [] if cast.customer is None else [cast.customer]
    for leg in (*customers, *reversed(accepted), *reversed(cast.agents), *reversed(cast.queues)):
        if leg.disconnect_type is not None and (
            leg.role is not Role.ACD or normalise(leg.disconnect_type) != "transfer"
        ):
            return leg.disconnect_type
    return None


OUTCOMES = (
    "handed_off",
    "cancelled",
    "lost",
    "skipped",
    "completed",
    "not_reached",
    "failed",
    "unknown",
)
"""All that `outcome_of` may say."""


def outcome_of(cast: Cast, *, customer_first: bool) -> str:
    """Say how an ended callback ended."""
    callback, calls = cast.callback, cast.calls
    if not any(leg.accepted for leg in cast.agents):
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
