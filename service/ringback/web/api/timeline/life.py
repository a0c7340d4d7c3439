"""The life of one callback: its record, and what the journal still tells of it, put together."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from msgspec import UNSET, UnsetType

from ringback.core.clocks import Skews
from ringback.core.derivation import Cast, disconnect_type_of
from ringback.core.disconnects import normalise
from ringback.core.events import Event, Time, rfc3339
from ringback.core.gaps import Gap
from ringback.core.policy import Policy
from ringback.core.records import Callback, Conversation
from ringback.core.watch.rules import Rule
from ringback.core.watch.sight import Begun
from ringback.web.api.answers import Answer
from ringback.web.api.timeline.around import (
    LifeAlert,
    LifeEvent,
    LifeGap,
    alerts_of,
    event_told,
    gap_told,
    touches,
)
from ringback.web.api.timeline.deadlines import Deadline, deadlines_of
from ringback.web.api.timeline.instants import time_or_unset
from ringback.web.api.timeline.legs import (
    LifeHolds,
    LifeLeg,
    Offer,
    holds_told,
    leg_told,
    offers_of,
)
from ringback.web.api.timeline.states import Spell, spells_of
from ringback.web.board.rows import Row, row_of

__all__ = ["Life", "life_of"]


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
    alarming: Iterable[tuple[Rule, Begun]],
    policy: Policy,
    skews: Skews,
    now: datetime,
) -> dict[str, Any]:
    """Put together what `Life` holds beside an answer's head; `told` is the journal's part.

    `alarming` are the rules that apply, and when each becomes alarming.
    """
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
        "ended": time_or_unset(callback.ended_at),
        "outcome": UNSET if callback.outcome is None else callback.outcome,
        "disconnect_type": UNSET if raw_type is None else normalise(raw_type),
        "raw_disconnect_type": UNSET if raw_type is None else raw_type,
        "states": spells_of(events, callback),
        "complete": any(event.sequence == 1 for event in events),
        "legs": [leg_told(leg) for leg in callback.legs],
        "offers": offers_of(cast, events),
        "holds": holds_told(callback, now),
        "deadlines": deadlines_of(cast, alarming, policy, skews, now),
        "gaps": [gap_told(gap) for gap in gaps if touches(gap, callback, now)],
        "alerts": alerts_of(conversation, callback, events),
        "events": [event_told(position, event) for position, event in known],
    }
