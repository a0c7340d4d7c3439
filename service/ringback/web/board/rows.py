"""One open callback as it is shown, and how events change it.

The same fold works for everybody who follows the feed: a snapshot at a position, and every later
event of a callback whose `sequence` is higher than the row's.
"""

import sys
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from ringback.core.derivation import holds_of
from ringback.core.events import CallbackData, Event, Seconds, Time, rfc3339
from ringback.core.lifecycle import State
from ringback.core.records import Callback, Conversation
from ringback.web.board.alarms import RowAlert, alarms_of
from ringback.web.masking import masked

__all__ = ["ClockName", "Row", "row_of", "row_told"]

ClockName = Literal["cloud", "provider", "observer"]

NONE = 0.0
"""One number for all rows that never waited or were never on hold."""

_CALLBACK = "ringback.callback."
_SAME_STATE = tuple(f"{_CALLBACK}{kind}.v1" for kind in ("updated", "unverified", "verified"))
"""Events of a callback without a new state."""


class Row(msgspec.Struct, frozen=True, gc=False, rename="camel", omit_defaults=True, kw_only=True):
    """One open callback. Absent is what is not known."""

    callback_id: str
    conversation_id: str
    state: State
    since: Time
    """When the state took effect."""
    clock: ClockName | UnsetType = UNSET
    """Which clock that was read from."""
    queue_id: str | UnsetType = UNSET
    user_id: str | UnsetType = UNSET
    scheduled_time: Time | UnsetType = UNSET
    """Provider clock."""
    auto_dial_at: Time | UnsetType = UNSET
    """Cloud clock."""
    offers: Annotated[int, Meta(ge=0)]
    hold_seconds: Seconds
    """Up to the last event."""
    wait_seconds: Seconds
    """Up to the last event."""
    sequence: Annotated[int, Meta(ge=0)]
    """Of the last event."""
    unverified: bool = False
    """A gap has touched it, and nothing has confirmed it for a minute."""
    alerts: tuple[RowAlert, ...] = ()
    contact: tuple[str, ...] = ()
    """Masked; only kept if `[privacy]` says so."""


def row_told(event: Event, data: CallbackData, known: Row | None) -> Row | None:
    """Give a callback's row after an event of it; None once it has ended."""
    if data.state == State.DISCONNECTED:
        return None
    if event.type in _SAME_STATE and known is not None:
        since, clock = known.since, known.clock
    else:
        since, clock = event.time, data.clock.name
    return Row(
        callback_id=data.callback_id if known is None else known.callback_id,
        conversation_id=(
            data.callback_id
            if data.conversation_id == data.callback_id
            else sys.intern(data.conversation_id)
        )
        if known is None
        else known.conversation_id,
        state=State(data.state),
        since=since,
        clock=clock,
        queue_id=_shared(data.queue_id),
        user_id=_shared(data.user_id),
        scheduled_time=data.scheduled_time,
        auto_dial_at=data.auto_dial_at,
        offers=data.offers,
        hold_seconds=data.hold_seconds or NONE,
        wait_seconds=data.wait_seconds or NONE,
        sequence=event.sequence or 0,
        unverified=data.unverified,
        alerts=() if known is None else known.alerts,
        contact=() if data.contact is UNSET else masked(data.contact),
    )


def row_of(conversation: Conversation, callback: Callback, known_id: str | None = None) -> Row:
    """Give the row of a callback as it is known, without having seen its events.

    `known_id` is the conversation's id where somebody keeps it already: one text less for each row.
    """
    conversation_id = known_id or conversation.id
    since, waiting = callback.since, callback.waiting_since
    waited = 0.0 if waiting is None else max(0.0, (since - waiting).total_seconds())
    dial = callback.auto_dial
    return Row(
        callback_id=callback.id_in(conversation_id),
        conversation_id=conversation_id,
        state=callback.state,
        since=rfc3339(since),
        clock=UNSET if callback.since_clock is None else callback.since_clock.value,
        queue_id=_shared(callback.queue_id),
        user_id=_shared(callback.user_id),
        scheduled_time=UNSET if callback.scheduled_at is None else rfc3339(callback.scheduled_at),
        auto_dial_at=UNSET if dial is None else rfc3339(dial.deadline),
        offers=callback.offers,
        hold_seconds=round(holds_of(callback, since).total, 3) or NONE,
        wait_seconds=round(callback.waited_seconds + waited, 3) or NONE,
        sequence=callback.sequence,
        unverified=callback.unverified,
        alerts=tuple(alarm.alert for alarm in alarms_of(conversation, callback)),
        contact=masked(callback.contact),
    )


def _shared(text: str | UnsetType | None) -> str | UnsetType:
    """Let equal ids, which thousands of rows have, be one text."""
    return sys.intern(text) if text else UNSET
