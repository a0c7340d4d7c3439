"""The life of one callback: its record, and what the journal still tells of it, put together."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from ringback.core.clocks import Clock, Skews
from ringback.core.derivation import (
    CLOCKS_DIFFER,
    Cast,
    disconnect_type_of,
    holds_of,
    seen_dialled,
    voice_visible,
)
from ringback.core.disconnects import NO_WORD, normalise
from ringback.core.events import AlertData, CallbackData, Event, Seconds, Time, rfc3339
from ringback.core.gaps import Gap
from ringback.core.legs import Leg, Phase
from ringback.core.lifecycle import State, Trigger
from ringback.core.policy import Policy
from ringback.core.records import Callback, Conversation
from ringback.core.snapshots import Medium, Span
from ringback.core.snapshots import Role as LegRole
from ringback.core.watch import RULES
from ringback.web.api.answers import Answer
from ringback.web.board.rows import Acknowledged, ClockName, Row, alarms_of, row_of

__all__ = ["Life", "life_of"]

SUMMARIES = {rule.name: rule.summary for rule in RULES}
NO_NEW_STATE = ("updated", "unverified", "verified", "anomaly")


class Spell(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True, kw_only=True):
    """A time in one state."""

    state: State
    began: Time = msgspec.field(name="from")
    until: Time | UnsetType = UNSET
    seconds: Seconds | UnsetType = UNSET
    clock: ClockName | UnsetType = UNSET
    """Which clock `from` was read from."""
    mixed: bool = False
    """`until` was read from another clock, and so the length from two."""
    trigger: str | UnsetType = UNSET
    """What led here; absent at first sight."""
    skipped: list[State] = []
    """States that were passed through unseen, oldest first."""
    cause: str | UnsetType = UNSET
    """What it rests on: `notification` (a frame), `reconcile` (a REST read), `timer`."""
    late_seconds: Seconds | UnsetType = UNSET
    """How long after its due time a timer was found."""


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
    role: LegRole
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
    result: Literal["open", "accepted", "no_answer", "declined", "ended"]


class LifeHolds(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True, kw_only=True):
    """Seconds on hold; what several legs were held at once counts once."""

    total: Seconds
    longest: Seconds
    current: Seconds | UnsetType = UNSET
    mixed: bool = False


class Deadline(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True, kw_only=True):
    """When something falls due, or fell due."""

    kind: str
    """`scheduled`, `late`, `auto_dial`, `auto_dial_missed`, or the rule of an alert."""
    at: Time
    clock: Clock
    state: Literal["armed", "passed"]


class LifeGap(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True, kw_only=True):
    """A time in which the source was blind for this callback."""

    id: str
    source: str
    began: Time = msgspec.field(name="from")
    until: Time | UnsetType = UNSET
    cause: str


class LifeAlert(msgspec.Struct, rename="camel", omit_defaults=True, kw_only=True):
    """An alert that is firing, or was."""

    alert_id: str
    rule: str
    summary: str
    since: Time
    until: Time | UnsetType = UNSET
    acknowledged: Acknowledged | UnsetType = UNSET
    reason: str | UnsetType = UNSET
    """What ended it."""


class LifeEvent(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True, kw_only=True):
    """What was told, in short."""

    position: int
    id: str
    type: str
    time: Time
    cause: str | UnsetType = UNSET
    reasons: list[str] = []


class Life(Answer, kw_only=True):
    """All that is known of one callback."""

    callback: Row
    first_seen: Time
    ended: Time | UnsetType = UNSET
    """Provider clock, as far as told."""
    outcome: str | UnsetType = UNSET
    disconnect_type: str | UnsetType = UNSET
    raw_disconnect_type: str | UnsetType = UNSET
    states: list[Spell]
    complete: bool
    """False when the journal no longer has the beginning."""
    legs: list[LifeLeg]
    offers: list[Offer]
    holds: LifeHolds
    deadlines: list[Deadline]
    gaps: list[LifeGap]
    alerts: list[LifeAlert]
    events: list[LifeEvent]
    link: str | UnsetType = UNSET
    """Where the platform shows its conversation."""


def life_of(
    conversation: Conversation,
    callback: Callback,
    told: Sequence[tuple[int, Event]],
    *,
    gaps: Iterable[Gap],
    policy: Policy,
    skews: Skews,
    now: datetime,
) -> dict[str, Any]:
    """Put together what `Life` holds beside an answer's head; `told` is the journal's part."""
    # What came since the record was looked at is left out.
    known = [
        (position, event)
        for position, event in told
        if event.sequence is None or event.sequence <= callback.sequence
    ]
    events = [event for _, event in known]
    cast = Cast(callback)
    raw_type = None if callback.open else disconnect_type_of(cast)
    return {
        "callback": row_of(conversation, callback),
        "first_seen": rfc3339(callback.first_seen_at),
        "ended": _time(callback.ended_at),
        "outcome": UNSET if callback.outcome is None else callback.outcome,
        "disconnect_type": UNSET if raw_type is None else normalise(raw_type),
        "raw_disconnect_type": UNSET if raw_type is None else raw_type,
        "states": _spells(events, callback),
        "complete": any(event.sequence == 1 for event in events),
        "legs": [_leg(leg) for leg in callback.legs],
        "offers": _offers(cast, events),
        "holds": _holds(callback, now),
        "deadlines": _deadlines(cast, policy, skews, now),
        "gaps": [_gap(gap) for gap in gaps if _touches(gap, callback, now)],
        "alerts": _alerts(conversation, callback, events),
        "events": [_event(position, event) for position, event in known],
    }


def _spells(events: Iterable[Event], callback: Callback) -> list[Spell]:
    """Tell the states one after the other, as far back as the journal goes."""
    found: list[Spell] = []
    for event in events:
        data = event.data
        if not isinstance(data, CallbackData) or event.type.split(".")[2] in NO_NEW_STATE:
            continue
        if found:
            found[-1] = _closed(found[-1], event.time, data.clock.name)
        found.append(
            Spell(
                state=State(data.state),
                began=event.time,
                clock=data.clock.name,
                trigger=data.trigger,
                skipped=[] if data.skipped is UNSET else [State(one) for one in data.skipped],
                cause=data.cause,
                late_seconds=data.late_seconds,
            )
        )
    if not found:
        clock = callback.since_clock
        present = Spell(
            state=callback.state,
            began=rfc3339(callback.since),
            clock=UNSET if clock is None else clock.value,
        )
        found.append(present)
    return found


def _closed(spell: Spell, until: str, clock: ClockName) -> Spell:
    seconds = _between(spell.began, until)
    mixed = spell.clock is not UNSET and spell.clock != clock
    return msgspec.structs.replace(spell, until=until, seconds=seconds, mixed=mixed)


def _leg(leg: Leg) -> LifeLeg:
    return LifeLeg(
        participant_id=leg.participant_id,
        communication_id=UNSET if leg.communication_id is None else leg.communication_id,
        medium=leg.medium,
        role=leg.role,
        phase=leg.phase.name.lower(),
        user_id=UNSET if leg.user_id is None else leg.user_id,
        queue_id=UNSET if leg.queue_id is None else leg.queue_id,
        connected_time=_time(leg.connected_at),
        ended_time=_time(leg.ended_at),
        holds=[_hold(span) for span in leg.holds],
    )


def _hold(span: Span) -> HoldSpell:
    if span.end is None:
        return HoldSpell(began=rfc3339(span.start))
    seconds = max(0.0, round((span.end - span.start).total_seconds(), 3))
    return HoldSpell(began=rfc3339(span.start), until=rfc3339(span.end), seconds=seconds)


def _holds(callback: Callback, now: datetime) -> LifeHolds:
    holds = holds_of(callback, now)
    spans = [span for leg in callback.legs for span in leg.holds]
    return LifeHolds(
        total=round(holds.total, 3),
        longest=round(holds.longest, 3),
        current=round(holds.current, 3) if holds.current else UNSET,
        mixed=any(span.mixed for span in spans),
    )


def _offers(cast: Cast, events: Sequence[Event]) -> list[Offer]:
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
            began=_time(leg.alerted_at) or began.get(number, UNSET),
            until=_time(leg.connected_at or leg.ended_at),
            result=_result(leg, cast.callback),
        )
        for number, leg in enumerate(offered, 1)
    ]


def _offers_one(data: CallbackData) -> bool:
    reasons = () if data.reasons is UNSET else data.reasons
    return data.offers > 0 and (data.trigger == Trigger.ALERT or "offered" in reasons)


def _result(
    leg: Leg, callback: Callback
) -> Literal["open", "accepted", "no_answer", "declined", "ended"]:
    if leg.accepted:
        return "accepted"
    if leg.live:
        return "open"
    if normalise(leg.disconnect_type or NO_WORD) == "client":
        return "declined"
    ended_at = callback.ended_at
    with_it = ended_at is not None and (leg.ended_at or ended_at) >= ended_at - CLOCKS_DIFFER
    return "ended" if with_it else "no_answer"


def _deadlines(cast: Cast, policy: Policy, skews: Skews, now: datetime) -> list[Deadline]:
    """Say what falls due or fell due; what can no longer be late is left out."""
    callback, agent = cast.callback, cast.agent
    found: list[tuple[str, datetime, Clock]] = []
    scheduled = callback.scheduled_at
    if scheduled is not None:
        found.append(("scheduled", scheduled, Clock.PROVIDER))
        if callback.state is State.SCHEDULED:
            found.append(("late", scheduled + policy.due_grace, Clock.PROVIDER))
    dial = callback.auto_dial
    if dial is not None:
        found.append(("auto_dial", dial.deadline, Clock.CLOUD))
        missed = dial.missed_at or dial.deadline + policy.dial_grace
        if voice_visible(cast) and agent is not None and not seen_dialled(cast, agent):
            found.append(("auto_dial_missed", missed, Clock.CLOUD))
    for rule in RULES:
        alarming = rule.alarming(cast, policy)
        if alarming is not None and all(alarming.at != at for _, at, _ in found):
            found.append((rule.name, alarming.at, alarming.clock))
    return [
        Deadline(
            kind=kind,
            at=rfc3339(at),
            clock=clock,
            state="passed" if at <= now + skews.ahead(clock, now) else "armed",
        )
        for kind, at, clock in sorted(found, key=lambda each: each[1])
    ]


def _touches(gap: Gap, callback: Callback, now: datetime) -> bool:
    """Whether a source may have missed something of a callback in a gap."""
    if gap.since > (callback.ended_at or now):
        return False
    if gap.until is not None and gap.until < callback.first_seen_at:
        return False
    queues = gap.queues
    own = {leg.queue_id for leg in callback.legs if leg.queue_id is not None}
    return not queues or not own or not own.isdisjoint(queues)


def _gap(gap: Gap) -> LifeGap:
    began, until = rfc3339(gap.since), _time(gap.until)
    return LifeGap(id=gap.id, source=gap.source, began=began, until=until, cause=gap.cause)


def _alerts(
    conversation: Conversation, callback: Callback, events: Iterable[Event]
) -> list[LifeAlert]:
    found: dict[str, LifeAlert] = {}
    for alarm in alarms_of(conversation, callback):
        alert = alarm.alert
        found[alert.alert_id] = LifeAlert(
            alert_id=alert.alert_id,
            rule=alert.rule,
            summary=SUMMARIES.get(alert.rule, alert.rule),
            since=alert.since,
            acknowledged=alarm.acknowledged or UNSET,
        )
    for event in events:
        data = event.data
        if not isinstance(data, AlertData):
            continue
        known = found.get(data.alert_id)
        if known is None:
            known = found[data.alert_id] = LifeAlert(
                alert_id=data.alert_id, rule=data.rule, summary=data.summary, since=data.since
            )
        if event.type.endswith(".acknowledged.v1"):
            known.acknowledged = Acknowledged(data.by or "", event.time)
        elif event.type.endswith(".resolved.v1"):
            known.until, known.reason = event.time, data.reason
    return sorted(found.values(), key=lambda one: (one.since, one.alert_id))


def _event(position: int, event: Event) -> LifeEvent:
    data = event.data
    cause: str | UnsetType = UNSET
    reasons: list[str] = []
    if isinstance(data, CallbackData):
        cause = data.cause
        reasons = [] if data.reasons is UNSET else data.reasons
    return LifeEvent(
        position=position,
        id=event.id,
        type=event.type,
        time=event.time,
        cause=cause,
        reasons=reasons,
    )


def _time(instant: datetime | None) -> str | UnsetType:
    return UNSET if instant is None else rfc3339(instant)


def _between(began: str, until: str) -> float:
    length = datetime.fromisoformat(until) - datetime.fromisoformat(began)
    return max(0.0, round(length.total_seconds(), 3))
