"""What is true of a callback, as known to those who made it happen.

This is the oracle that a tracker is compared with, so it shares nothing with `ringback.core`: the
states are entered by the simulator's own deeds, and by its own clock for the auto-dial deadline.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

__all__ = ["Ledger", "Outcome", "State", "Truth"]


class State(StrEnum):
    """Where a callback is."""

    SCHEDULED = "scheduled"
    WAITING = "waiting"
    ALERTING = "alerting"
    CONNECTED = "connected"
    AUTO_DIALING = "auto_dialing"
    DIALING = "dialing"
    TALKING = "talking"
    HELD = "held"
    AFTER_CALL_WORK = "after_call_work"
    DISCONNECTED = "disconnected"


class Outcome(StrEnum):
    """How a callback ended."""

    HANDED_OFF = "handed_off"
    CANCELLED = "cancelled"
    LOST = "lost"
    SKIPPED = "skipped"
    COMPLETED = "completed"
    NOT_REACHED = "not_reached"
    FAILED = "failed"
    UNKNOWN = "unknown"


FAILURES = {"error", "transport.failure"}


@dataclass(slots=True)
class Ledger:
    """What has happened to one callback so far."""

    visits: list[tuple[datetime, State]] = field(default_factory=list)
    """Every state entered, with its instant, oldest first."""
    offers: int = 0
    released: bool = False
    connected: bool = False
    dialled: bool = False
    answered: bool = False
    skipped: bool = False

    @property
    def state(self) -> State | None:
        """The present state; None before the callback exists."""
        return self.visits[-1][1] if self.visits else None

    def enter(self, state: State, now: datetime) -> None:
        """Note a state; staying in one is nothing new."""
        if self.state is not state:
            self.visits.append((now, state))

    def holds(self, now: datetime) -> list[float]:
        """Give the length of each hold in seconds, up to `now`."""
        ends = [instant for instant, _ in self.visits[1:]] + [now]
        return [
            (end - start).total_seconds()
            for (start, state), end in zip(self.visits, ends, strict=True)
            if state is State.HELD
        ]

    def outcome(self, ended_by: str | None, *, automated: bool) -> Outcome:
        """Say how it ended; `automated` when the platform was to call without an agent."""
        if not self.connected:
            if self.dialled or automated:
                return Outcome.HANDED_OFF
            return Outcome.LOST if self.released else Outcome.CANCELLED
        if self.skipped:
            return Outcome.SKIPPED
        if self.answered:
            return Outcome.COMPLETED
        if self.dialled:
            return Outcome.NOT_REACHED
        return Outcome.FAILED if ended_by in FAILURES else Outcome.UNKNOWN


@dataclass(frozen=True, slots=True)
class Truth:
    """One callback at one instant. Instants are true time: neither of the platform's clocks."""

    callback_id: str
    """The conversation id; `.2`, `.3`, ... follow for the further callbacks of a conversation."""
    conversation_id: str
    kind: str
    """The scenario being played, a `scenarios.Kind`."""
    state: State
    state_without_voice: State
    """The state for whoever cannot see voice legs, as on the `.callbacks` topics."""
    since: datetime
    """When `state` was entered."""
    path: tuple[State, ...]
    """Every state entered so far, oldest first; no two neighbours are equal."""
    offers: int
    """How many times an agent was offered it."""
    hold_seconds: float
    """Total time on hold, the present hold included."""
    longest_hold_seconds: float
    scheduled_at: datetime | None
    """The latest time it was scheduled for; None for immediate ones and previews."""
    auto_dial_at: datetime | None
    """When the platform should dial for the agent who has it now; None without such a timer."""
    auto_dial_due: bool
    """That time has come."""
    dialled: bool
    """A voice leg towards the customer has appeared since that agent accepted."""
    queue_id: str
    user_id: str | None
    """The agent who has it, or is being offered it, now."""
    outcome: Outcome | None
    """Set once disconnected."""
    disconnect_type: str | None
    """How the customer's callback leg ended, as the platform spells it."""
