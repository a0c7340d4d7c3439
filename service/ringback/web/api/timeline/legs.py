"""The legs of a callback: who took part, the offers to agents, the times on hold."""

from collections.abc import Iterable
from datetime import datetime
from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from ringback.core.derivation import CLOCKS_DIFFER, Cast, holds_of
from ringback.core.disconnects import NO_WORD, normalise
from ringback.core.events import CallbackData, Event, Seconds, Time, rfc3339
from ringback.core.legs import Leg, Phase
from ringback.core.lifecycle import Trigger
from ringback.core.records import Callback
from ringback.core.snapshots import Medium, Role, Span
from ringback.web.api.timeline.instants import time_or_unset

__all__ = ["LifeHolds", "LifeLeg", "Offer", "holds_told", "leg_told", "offers_of"]

Result = Literal["open", "accepted", "no_answer", "declined", "ended"]


class HoldSpell(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True, kw_only=True):
    """A time on hold."""

    began: Time = msgspec.field(name="from")
    until: Time | UnsetType = UNSET
    seconds: Seconds | UnsetType = UNSET


class LifeLeg(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True, kw_only=True):
    """One participant's communication."""

    participant_id: str
    communication_id: str | UnsetType = UNSET
    medium: Medium
    role: Role
    phase: str
    user_id: str | UnsetType = UNSET
    queue_id: str | UnsetType = UNSET
    connected_time: Time | UnsetType = UNSET
    """Cloud clock."""
    ended_time: Time | UnsetType = UNSET
    """Provider clock."""
    holds: list[HoldSpell]


class Offer(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True, kw_only=True):
    """An offer to one agent."""

    user_id: str | UnsetType = UNSET
    queue_id: str | UnsetType = UNSET
    began: Time | UnsetType = msgspec.field(name="from", default=UNSET)
    until: Time | UnsetType = UNSET
    result: Result


class LifeHolds(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True, kw_only=True):
    """Seconds on hold; what several legs were held at once counts once."""

    total: Seconds
    longest: Seconds
    current: Seconds | UnsetType = UNSET
    mixed: bool = False


def leg_told(leg: Leg) -> LifeLeg:
    """Tell one leg."""
    return LifeLeg(
        participant_id=leg.participant_id,
        communication_id=UNSET if leg.communication_id is None else leg.communication_id,
        medium=leg.medium,
        role=leg.role,
        phase=leg.phase.name.lower(),
        user_id=UNSET if leg.user_id is None else leg.user_id,
        queue_id=UNSET if leg.queue_id is None else leg.queue_id,
        connected_time=time_or_unset(leg.connected_at),
        ended_time=time_or_unset(leg.ended_at),
        holds=[_hold(span) for span in leg.holds],
    )


def holds_told(callback: Callback, now: datetime) -> LifeHolds:
    """Tell all holds together."""
    holds = holds_of(callback, now)
    spans = [span for leg in callback.legs for span in leg.holds]
    return LifeHolds(
        total=round(holds.total, 3),
        longest=round(holds.longest, 3),
        current=round(holds.current, 3) if holds.current else UNSET,
        mixed=any(span.mixed for span in spans),
    )


def offers_of(cast: Cast, events: Iterable[Event]) -> list[Offer]:
    """Give one offer for each agent leg; frames do not tell when one began, but events do."""
    began: dict[int, str] = {}
    for event in events:
        data = event.data
        if isinstance(data, CallbackData) and _offers_one(data):
            began.setdefault(data.offers, event.time)
    offered = [leg for leg in cast.agents if leg.phase >= Phase.OFFERING]
    return [
        Offer(
            user_id=UNSET if leg.user_id is None else leg.user_id,
            queue_id=UNSET if leg.queue_id is None else leg.queue_id,
            began=time_or_unset(leg.alerted_at) or began.get(number, UNSET),
            until=time_or_unset(leg.connected_at or leg.ended_at),
            result=_result(leg, cast.callback),
        )
        for number, leg in enumerate(offered, 1)
    ]


def _hold(span: Span) -> HoldSpell:
    if span.end is None:
        return HoldSpell(began=rfc3339(span.start))
    seconds = max(0.0, round((span.end - span.start).total_seconds(), 3))
    return HoldSpell(began=rfc3339(span.start), until=rfc3339(span.end), seconds=seconds)


def _offers_one(data: CallbackData) -> bool:
    reasons = () if data.reasons is UNSET else data.reasons
    return data.offers > 0 and (data.trigger == Trigger.ALERT or "offered" in reasons)


def _result(leg: Leg, callback: Callback) -> Result:
    if leg.accepted:
        return "accepted"
    if leg.live:
        return "open"
    if normalise(leg.disconnect_type or NO_WORD) == "client":
        return "declined"
    ended_at = callback.ended_at
    with_it = ended_at is not None and (leg.ended_at or ended_at) >= ended_at - CLOCKS_DIFFER
    return "ended" if with_it else "no_answer"
