"""One callback's life as the API answers it, read with the same tolerance."""

from datetime import datetime

import msgspec

from ringback.terminal.answers import Answer, ByWhom, Proof, Read, Row

__all__ = [
    "Deadline",
    "Gap",
    "Hold",
    "Holds",
    "Leg",
    "Life",
    "LifeAlert",
    "LifeEvent",
    "Offer",
    "Spell",
]


class Spell(Read, frozen=True, kw_only=True):
    """A time in one state."""

    state: str
    began: datetime = msgspec.field(name="from")
    until: datetime | None = None
    seconds: float | None = None
    clock: str = ""
    mixed: bool = False
    trigger: str = ""
    skipped: tuple[str, ...] = ()
    cause: str = ""
    late_seconds: float = 0.0


class Hold(Read, frozen=True, kw_only=True):
    """A time on hold."""

    began: datetime = msgspec.field(name="from")
    until: datetime | None = None


class Leg(Read, frozen=True, kw_only=True):
    """One participant's communication."""

    participant_id: str
    communication_id: str = ""
    medium: str = ""
    role: str = ""
    phase: str = ""
    user_id: str = ""
    queue_id: str = ""
    connected_time: datetime | None = None
    ended_time: datetime | None = None
    holds: tuple[Hold, ...] = ()


class Offer(Read, frozen=True, kw_only=True):
    """An offer to one agent."""

    user_id: str = ""
    began: datetime | None = msgspec.field(name="from", default=None)
    until: datetime | None = None
    result: str = ""


class Holds(Read, frozen=True, kw_only=True):
    """Seconds on hold."""

    total: float = 0.0
    longest: float = 0.0
    current: float = 0.0
    mixed: bool = False


class Deadline(Read, frozen=True, kw_only=True):
    """When something falls due, or fell due."""

    kind: str
    at: datetime
    clock: str = ""
    severity: str = ""
    state: str = ""


class Gap(Read, frozen=True, kw_only=True):
    """A time in which a source was blind for a callback."""

    id: str
    source: str
    began: datetime = msgspec.field(name="from")
    until: datetime | None = None
    cause: str = ""


class LifeAlert(Read, frozen=True, kw_only=True):
    """An alert that is firing, or was."""

    alert_id: str
    rule: str
    since: datetime
    severity: str = "warning"
    summary: str = ""
    proof: Proof | None = None
    until: datetime | None = None
    acknowledged: ByWhom | None = None
    reason: str = ""


class LifeEvent(Read, frozen=True, kw_only=True):
    """What was told, in short."""

    id: str
    type: str
    time: datetime
    cause: str = ""
    reasons: tuple[str, ...] = ()


class Life(Answer, frozen=True, kw_only=True):
    """All that is known of one callback."""

    callback: Row
    states: list[Spell]
    first_seen: datetime | None = None
    ended: datetime | None = None
    outcome: str = ""
    disconnect_type: str = ""
    raw_disconnect_type: str = ""
    complete: bool = True
    legs: tuple[Leg, ...] = ()
    offers: tuple[Offer, ...] = ()
    holds: Holds = Holds()
    deadlines: tuple[Deadline, ...] = ()
    gaps: tuple[Gap, ...] = ()
    alerts: tuple[LifeAlert, ...] = ()
    events: tuple[LifeEvent, ...] = ()
    link: str = ""
