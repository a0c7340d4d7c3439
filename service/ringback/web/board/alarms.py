"""One alert that is firing, as it is shown, and how events change it."""

import msgspec
from msgspec import UNSET, UnsetType

from ringback.core.entries import NEVER
from ringback.core.events import AlertData, AlertProof, CallbackData, Event, Time, rfc3339
from ringback.core.records import Alarm as KnownAlarm
from ringback.core.records import Callback, Conversation
from ringback.core.telling import SUBJECT, proof_of
from ringback.core.watch.feed_kinds import Feed

__all__ = [
    "Acknowledged",
    "Alarm",
    "Place",
    "RowAlert",
    "Wording",
    "alarm_of_feed",
    "alarm_told",
    "alarms_of",
    "place_told",
    "seen_by",
]


class RowAlert(msgspec.Struct, frozen=True, gc=False, rename="camel", omit_defaults=True):
    """One alert that is firing."""

    alert_id: str
    rule: str
    since: Time
    acknowledged: bool = False


class Acknowledged(msgspec.Struct, frozen=True, gc=False):
    """Who has seen an alert, and when."""

    by: str
    time: Time


class Wording(msgspec.Struct, frozen=True, gc=False):
    """What an alert says, in its event's own words."""

    kind: str | UnsetType
    severity: str | UnsetType
    summary: str
    labels: dict[str, str] | UnsetType
    proof: AlertProof | UnsetType


class Place(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """What an alert is about, and where that is now: it may have ended, and have no row."""

    callback_id: str = ""
    """Empty, like the next three, where it is about a source."""
    conversation_id: str = ""
    state: str = ""
    state_since: Time = ""
    source: str = ""
    """The source that it is about, if it is about one."""
    queue_id: str | UnsetType = UNSET
    user_id: str | UnsetType = UNSET


class Alarm(msgspec.Struct, frozen=True, gc=False):
    """An alert that is firing, as the board keeps it."""

    place: Place
    alert: RowAlert
    told: Wording
    acknowledged: Acknowledged | None = None


def alarms_of(conversation: Conversation, callback: Callback) -> list[Alarm]:
    """Give the alerts of a callback that are firing as it is known."""
    callback_id = callback.id_in(conversation.id)
    found = []
    for alarm in callback.alarms:
        if alarm.since is None:
            continue
        seen = seen_by(alarm)
        place = Place(
            callback_id=callback_id,
            conversation_id=conversation.id,
            state=callback.state.value,
            state_since=rfc3339(callback.since),
            queue_id=callback.queue_id or UNSET,
            user_id=callback.user_id or UNSET,
        )
        alert = RowAlert(
            f"{callback_id}/{alarm.rule}/{alarm.episode}",
            alarm.rule,
            rfc3339(alarm.since),
            acknowledged=seen is not None,
        )
        told = Wording(
            alarm.kind or alarm.rule,
            alarm.severity,
            alarm.summary or alarm.rule,
            alarm.labels or UNSET,
            proof_of(alarm),
        )
        found.append(Alarm(place, alert, told, seen))
    return found


def alarm_of_feed(feed: Feed, alarm: KnownAlarm) -> Alarm:
    """Give an alert about a source that is firing as it is known."""
    seen, since = seen_by(alarm), rfc3339(alarm.since or NEVER)
    alert_id = f"{SUBJECT}{feed.name}/{alarm.rule}/{alarm.episode}"
    alert = RowAlert(alert_id, alarm.rule, since, acknowledged=seen is not None)
    told = Wording(alarm.kind, alarm.severity, alarm.summary, alarm.labels or UNSET, UNSET)
    return Alarm(Place(source=feed.name), alert, told, seen)


def seen_by(alarm: KnownAlarm) -> Acknowledged | None:
    """Say who has seen an alert, and when; None: nobody has."""
    if alarm.acknowledged_by is None or alarm.acknowledged_at is None:
        return None
    return Acknowledged(alarm.acknowledged_by, rfc3339(alarm.acknowledged_at))


def alarm_told(event: Event, data: AlertData, known: Alarm | None) -> Alarm | None:
    """Give an alert after an event of it; None once it is resolved."""
    if event.type.endswith(".resolved.v1"):
        return None
    seen = None if known is None else known.acknowledged
    if event.type.endswith(".acknowledged.v1"):
        seen = Acknowledged(data.by or "", event.time)
    alert = RowAlert(data.alert_id, data.rule, data.since, acknowledged=seen is not None)
    told = Wording(data.kind, data.severity, data.summary, data.labels, data.proof)
    # What is known already follows the callback's own events, and is never older.
    return Alarm(_place(data) if known is None else known.place, alert, told, seen)


def place_told(event: Event, data: CallbackData, known: Place) -> Place:
    """Give where a callback is after an event of it."""
    return Place(
        callback_id=data.callback_id,
        conversation_id=data.conversation_id,
        state=data.state,
        state_since=known.state_since if known.state == data.state else event.time,
        queue_id=data.queue_id,
        user_id=data.user_id,
    )


def _place(data: AlertData) -> Place:
    return Place(
        callback_id=data.callback_id or "",
        conversation_id=data.conversation_id or "",
        state=data.state or "",
        state_since=data.state_since or "",
        source=data.source or "",
        queue_id=data.queue_id,
        user_id=data.user_id,
    )
