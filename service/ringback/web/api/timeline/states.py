"""The states of a callback, one after the other, each with what it rests on."""

from collections.abc import Iterable

import msgspec
from msgspec import UNSET, UnsetType

from ringback.core.events import CallbackData, Event, Seconds, Time, rfc3339
from ringback.core.lifecycle import State
from ringback.core.records import Callback
from ringback.web.api.timeline.instants import seconds_between
from ringback.web.board.rows import ClockName

__all__ = ["Spell", "spells_of"]

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


def spells_of(events: Iterable[Event], callback: Callback) -> list[Spell]:
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
    seconds = seconds_between(spell.began, until)
    mixed = spell.clock is not UNSET and spell.clock != clock
    return msgspec.structs.replace(spell, until=until, seconds=seconds, mixed=mixed)
