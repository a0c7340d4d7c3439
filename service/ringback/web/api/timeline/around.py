"""What happened around a callback: gaps in which something was missed, alerts, events."""

from collections.abc import Iterable
from datetime import datetime

import msgspec
from msgspec import UNSET, UnsetType

from ringback.core.events import AlertData, AlertProof, CallbackData, Event, Time, rfc3339
from ringback.core.gaps import Gap
from ringback.core.records import Callback, Conversation
from ringback.web.api.timeline.instants import time_or_unset
from ringback.web.board.alarms import Acknowledged, alarms_of

__all__ = [
    "LifeAlert",
    "LifeEvent",
    "LifeGap",
    "alerts_of",
    "event_told",
    "gap_told",
    "touches",
]


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
    severity: str | UnsetType = UNSET
    summary: str
    proof: AlertProof | UnsetType = UNSET
    """What it rests on."""
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


def touches(gap: Gap, callback: Callback, now: datetime) -> bool:
    """Whether a source may have missed something of a callback in a gap."""
    if gap.since > (callback.ended_at or now):
        return False
    if gap.until is not None and gap.until < callback.first_seen_at:
        return False
    queues = gap.queues
    own = {leg.queue_id for leg in callback.legs if leg.queue_id is not None}
    return not queues or not own or not own.isdisjoint(queues)


def gap_told(gap: Gap) -> LifeGap:
    """Tell one gap."""
    began, until = rfc3339(gap.since), time_or_unset(gap.until)
    return LifeGap(id=gap.id, source=gap.source, began=began, until=until, cause=gap.cause)


def alerts_of(
    conversation: Conversation, callback: Callback, events: Iterable[Event]
) -> list[LifeAlert]:
    """Tell the alerts that are firing, from the record, and those that were, from the journal."""
    found: dict[str, LifeAlert] = {}
    for alarm in alarms_of(conversation, callback):
        alert = alarm.alert
        found[alert.alert_id] = LifeAlert(
            alert_id=alert.alert_id,
            rule=alert.rule,
            severity=alarm.told.severity,
            summary=alarm.told.summary,
            proof=alarm.told.proof,
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
                alert_id=data.alert_id,
                rule=data.rule,
                severity=data.severity,
                summary=data.summary,
                proof=data.proof,
                since=data.since,
            )
        if event.type.endswith(".acknowledged.v1"):
            known.acknowledged = Acknowledged(data.by or "", event.time)
        elif event.type.endswith(".resolved.v1"):
            known.until, known.reason = event.time, data.reason
    return sorted(found.values(), key=lambda one: (one.since, one.alert_id))


def event_told(position: int, event: Event) -> LifeEvent:
    """Tell one event in short."""
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
