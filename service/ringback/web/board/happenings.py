"""What one event of a callback means to whoever counts: offers, misses, ends, releases."""

from datetime import datetime, timedelta
from typing import NamedTuple

from msgspec import UNSET

from ringback.core.events import CallbackData, Event
from ringback.core.lifecycle import State

__all__ = ["Happening", "happening", "passed_through"]

NOT_RELEASED = (State.SCHEDULED, State.DISCONNECTED)


class Happening(NamedTuple):
    """What there is to be counted of one event."""

    offered: bool
    missed: bool
    """An automatic call was."""
    ended: bool
    released: bool
    """A callback that was scheduled went into its queue."""
    in_time: bool
    """It was released, and no later than the grace allows."""


def happening(event: Event, data: CallbackData, grace: timedelta) -> Happening:
    """Say what to count; `grace` is how long after its time a release is still in time."""
    reasons = () if data.reasons is UNSET else data.reasons
    released = data.previous_state == State.SCHEDULED and data.state not in NOT_RELEASED
    return Happening(
        offered=passed_through(State.ALERTING, event, data) or "offered" in reasons,
        missed="auto_dial_missed" in reasons,
        ended=event.type.endswith(".disconnected.v1"),
        released=released,
        in_time=released
        and (
            data.scheduled_time is UNSET
            or datetime.fromisoformat(event.time) - datetime.fromisoformat(data.scheduled_time)
            <= grace
        ),
    )


def passed_through(state: State, event: Event, data: CallbackData) -> bool:
    """Whether an event says that its callback came into a state, or through it unseen."""
    skipped = () if data.skipped is UNSET else data.skipped
    return event.type.endswith(f".{state}.v1") or state in skipped
