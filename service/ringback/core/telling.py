"""Making events of callbacks and alerts from what is known."""

from datetime import datetime, timedelta
from typing import Literal

from msgspec import UNSET, UnsetType

from ringback.core.clocks import NO_SKEW
from ringback.core.derivation import Cast, disconnect_type_of, holds_of
from ringback.core.disconnects import normalise
from ringback.core.events import AlertData, AlertProof, CallbackData, ClockUsed, Event, rfc3339
from ringback.core.evidence import Instant
from ringback.core.lifecycle import Advance, State
from ringback.core.records import Alarm, Callback, Conversation

__all__ = ["SUBJECT", "Cause", "proof_of", "tell_alert", "tell_callback", "tell_feed_alert"]

Cause = Literal["notification", "timer", "reconcile", "operator"]

SUBJECT = "source:"
"""Begins the subject of an alert about a source."""
LATE = timedelta(seconds=1)
"""A timer found later than this is marked."""


def tell_callback(
    conversation: Conversation,
    cast: Cast,
    now: datetime,
    *,
    cause: Cause,
    effect: Instant,
    skew: timedelta,
    move: Advance | None = None,
    previous: State | None = None,
    reasons: list[str] | None = None,
    kind: str = "updated",
) -> Event:
    """Make the next event of a callback: of its new state with a `move`, else of `kind`."""
    callback = cast.callback
    callback.sequence += 1
    callback_id = callback.id_in(conversation.id)
    state = callback.state
    raw_type = None if callback.open else disconnect_type_of(cast)
    dial = callback.auto_dial
    waiting = 0.0
    if callback.waiting_since is not None:
        waiting = (effect.at - callback.waiting_since).total_seconds()
    data = CallbackData(
        callback_id=callback_id,
        conversation_id=conversation.id,
        state=state,
        previous_state=UNSET if previous is None else previous,
        trigger=UNSET if move is None else move.trigger,
        skipped=UNSET if move is None or previous is None else list(move.skipped),
        reasons=UNSET if reasons is None else reasons,
        cause=cause,
        queue_id=_known(callback.queue_id),
        user_id=_known(callback.user_id),
        scheduled_time=UNSET if callback.scheduled_at is None else rfc3339(callback.scheduled_at),
        auto_dial_at=UNSET if dial is None else rfc3339(dial.deadline),
        offers=callback.offers,
        hold_seconds=round(holds_of(callback, now).total, 3),
        wait_seconds=round(callback.waited_seconds + max(0.0, waiting), 3),
        disconnect_type=UNSET if raw_type is None else normalise(raw_type),
        raw_disconnect_type=_known(raw_type),
        outcome=_known(callback.outcome),
        contact=list(callback.contact) if callback.contact else UNSET,
        unverified=callback.unverified,
        clock=_clock(callback, effect, skew, waiting),
        late_seconds=_late(now + skew - effect.at) if cause == "timer" else UNSET,
        observed_time=rfc3339(now),
    )
    return Event(
        id=f"{callback_id}/{callback.sequence}",
        type=f"ringback.callback.{kind if move is None else state}.v1",
        subject=callback_id,
        time=rfc3339(effect.at),
        data=data,
        partition=conversation.id,
        sequence=callback.sequence,
    )


def tell_alert(
    conversation: Conversation,
    callback: Callback,
    now: datetime,
    *,
    kind: Literal["firing", "acknowledged", "resolved"],
    alarm: Alarm,
    skew: timedelta = NO_SKEW,
    reason: str | None = None,
) -> Event:
    """Make an event of an alert; the alarm must still know its `since`."""
    since = alarm.since or now
    callback_id = callback.id_in(conversation.id)
    alert_id = f"{callback_id}/{alarm.rule}/{alarm.episode}"
    firing = kind == "firing"
    data = AlertData(
        alert_id=alert_id,
        rule=alarm.rule,
        kind=alarm.kind or alarm.rule,
        severity=alarm.severity,
        callback_id=callback_id,
        conversation_id=conversation.id,
        state=callback.state,
        state_since=rfc3339(callback.since),
        since=rfc3339(since),
        queue_id=_known(callback.queue_id),
        user_id=_known(callback.user_id),
        summary=alarm.summary or alarm.rule,
        labels=alarm.labels or UNSET,
        proof=proof_of(alarm),
        reason=_known(reason),
        by=_known(alarm.acknowledged_by) if kind == "acknowledged" else UNSET,
        late_seconds=_late(now + skew - since) if firing else UNSET,
        observed_time=rfc3339(now),
    )
    return Event(
        id=f"{alert_id}/{kind}",
        type=f"ringback.alert.{kind}.v1",
        subject=callback_id,
        time=rfc3339(since if firing else now),
        data=data,
        partition=conversation.id,
    )


def tell_feed_alert(
    source: str,
    alarm: Alarm,
    now: datetime,
    *,
    kind: Literal["firing", "acknowledged", "resolved"],
    reason: str | None = None,
) -> Event:
    """Make an event of an alert about a source; the alarm must still know its `since`."""
    since = alarm.since or now
    subject = f"{SUBJECT}{source}"
    alert_id = f"{subject}/{alarm.rule}/{alarm.episode}"
    firing = kind == "firing"
    data = AlertData(
        alert_id=alert_id,
        rule=alarm.rule,
        kind=alarm.kind,
        severity=alarm.severity,
        source=source,
        since=rfc3339(since),
        summary=alarm.summary,
        labels=alarm.labels or UNSET,
        reason=_known(reason),
        by=_known(alarm.acknowledged_by) if kind == "acknowledged" else UNSET,
        late_seconds=_late(now - since) if firing else UNSET,
        observed_time=rfc3339(now),
    )
    return Event(
        id=f"{alert_id}/{kind}",
        type=f"ringback.alert.{kind}.v1",
        subject=subject,
        time=rfc3339(since if firing else now),
        data=data,
        partition=source,
    )


def proof_of(alarm: Alarm) -> AlertProof:
    """Say what an alert rests on."""
    if alarm.read_at is None:
        return AlertProof(confirmed=False, why=alarm.unproved or "told by an earlier version")
    return AlertProof(confirmed=True, by="read", time=rfc3339(alarm.read_at))


def _clock(callback: Callback, effect: Instant, skew: timedelta, waiting: float) -> ClockUsed:
    """Say which clock the time is from, and which durations were read from two.

    A hold that lasts is measured up to the daemon's clock, from a start on the platform's.
    """
    mixed, negative = [], []
    if spans := [span for leg in callback.legs for span in leg.holds]:
        if any(span.mixed or span.end is None for span in spans):
            mixed.append("holdSeconds")
        if any(span.negative for span in spans):
            negative.append("holdSeconds")
    waits = callback.waiting_since is not None
    if callback.wait_mixed or (waits and callback.waiting_clock is not effect.clock):
        mixed.append("waitSeconds")
    if callback.wait_negative or waiting < 0:
        negative.append("waitSeconds")
    return ClockUsed(effect.clock.value, skew.total_seconds(), mixed, negative)


def _known(value: str | None) -> str | UnsetType:
    return UNSET if value is None else value


def _late(late: timedelta) -> float | UnsetType:
    return UNSET if late < LATE else round(late.total_seconds(), 3)
