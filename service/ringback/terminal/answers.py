"""What the API answers and the feed tells, read with tolerance.

The daemon may be older or newer than this: what is not known is passed over, states and rules are
plain texts, and only what nothing could be shown without has to be there.
"""

from datetime import datetime

import msgspec

__all__ = [
    "Alert",
    "Alerts",
    "Beat",
    "ByWhom",
    "Callbacks",
    "Deadline",
    "EventData",
    "Gap",
    "Hold",
    "Holds",
    "Leg",
    "Life",
    "LifeAlert",
    "LifeEvent",
    "Offer",
    "Problem",
    "Row",
    "Session",
    "Source",
    "Sources",
    "Spell",
    "ToldEvent",
]


class _Read(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """What is read from a daemon."""


class Row(_Read, frozen=True, gc=False, kw_only=True):
    """One open callback."""

    callback_id: str
    conversation_id: str
    state: str
    since: datetime
    clock: str = ""
    queue_id: str = ""
    user_id: str = ""
    scheduled_time: datetime | None = None
    auto_dial_at: datetime | None = None
    offers: int = 0
    hold_seconds: float = 0.0
    wait_seconds: float = 0.0
    sequence: int = 0
    unverified: bool = False
    contact: tuple[str, ...] = ()


class ByWhom(_Read, frozen=True, gc=False, kw_only=True):
    """Who has seen an alert, and when."""

    by: str
    time: datetime


class Alert(_Read, frozen=True, gc=False, kw_only=True):
    """An alert that is firing."""

    alert_id: str
    rule: str
    callback_id: str = ""
    conversation_id: str = ""
    source: str = ""
    """The source that it is about, if it is about one."""
    since: datetime
    summary: str = ""
    queue_id: str = ""
    user_id: str = ""
    acknowledged: ByWhom | None = None


class _Answer(_Read, frozen=True, kw_only=True):
    """What every answer holds."""

    position: int
    now: datetime


class Callbacks(_Answer, frozen=True, kw_only=True):
    """A page of rows."""

    callbacks: list[Row]
    total: int = 0
    next: str | None = None


class Alerts(_Answer, frozen=True, kw_only=True):
    """All that are firing."""

    alerts: list[Alert]


class Session(_Answer, frozen=True, kw_only=True):
    """Who asks, and the names of queues."""

    name: str = ""
    role: str = "viewer"
    version: str = ""
    org: str = ""
    queues: dict[str, str] = {}


class Source(_Read, frozen=True, kw_only=True):
    """Something that the daemon listens to."""

    name: str
    kind: str = ""
    hears: bool
    blind_since: datetime | None = None
    last_frame: datetime | None = None
    problems: list[str] = []


class Sources(_Answer, frozen=True, kw_only=True):
    """All sources."""

    sources: list[Source]


class Spell(_Read, frozen=True, kw_only=True):
    """A time in one state."""

    state: str
    began: datetime = msgspec.field(name="from")
    until: datetime | None = None
    seconds: float | None = None
    clock: str = ""
    mixed: bool = False
    trigger: str = ""
    skipped: list[str] = []
    cause: str = ""
    late_seconds: float = 0.0


class Hold(_Read, frozen=True, kw_only=True):
    """A time on hold."""

    began: datetime = msgspec.field(name="from")
    until: datetime | None = None


class Leg(_Read, frozen=True, kw_only=True):
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
    holds: list[Hold] = []


class Offer(_Read, frozen=True, kw_only=True):
    """An offer to one agent."""

    user_id: str = ""
    began: datetime | None = msgspec.field(name="from", default=None)
    until: datetime | None = None
    result: str = ""


class Holds(_Read, frozen=True, kw_only=True):
    """Seconds on hold."""

    total: float = 0.0
    longest: float = 0.0
    current: float = 0.0
    mixed: bool = False


class Deadline(_Read, frozen=True, kw_only=True):
    """When something falls due, or fell due."""

    kind: str
    at: datetime
    clock: str = ""
    state: str = ""


class Gap(_Read, frozen=True, kw_only=True):
    """A time in which a source was blind for a callback."""

    id: str
    source: str
    began: datetime = msgspec.field(name="from")
    until: datetime | None = None
    cause: str = ""


class LifeAlert(_Read, frozen=True, kw_only=True):
    """An alert that is firing, or was."""

    alert_id: str
    rule: str
    since: datetime
    summary: str = ""
    until: datetime | None = None
    acknowledged: ByWhom | None = None
    reason: str = ""


class LifeEvent(_Read, frozen=True, kw_only=True):
    """What was told, in short."""

    id: str
    type: str
    time: datetime
    cause: str = ""
    reasons: list[str] = []


class Life(_Answer, frozen=True, kw_only=True):
    """All that is known of one callback."""

    callback: Row
    states: list[Spell]
    first_seen: datetime | None = None
    ended: datetime | None = None
    outcome: str = ""
    disconnect_type: str = ""
    raw_disconnect_type: str = ""
    complete: bool = True
    legs: list[Leg] = []
    offers: list[Offer] = []
    holds: Holds = Holds()
    deadlines: list[Deadline] = []
    gaps: list[Gap] = []
    alerts: list[LifeAlert] = []
    events: list[LifeEvent] = []
    link: str = ""


class ClockUsed(_Read, frozen=True, gc=False, kw_only=True):
    """Which clock an event's time was read from."""

    name: str = ""


class EventData(_Read, frozen=True, gc=False, kw_only=True):
    """What rows and alerts are made from, of the `data` of any event."""

    callback_id: str = ""
    conversation_id: str = ""
    state: str = ""
    queue_id: str = ""
    user_id: str = ""
    scheduled_time: datetime | None = None
    auto_dial_at: datetime | None = None
    offers: int = 0
    hold_seconds: float = 0.0
    wait_seconds: float = 0.0
    unverified: bool = False
    contact: tuple[str, ...] = ()
    clock: ClockUsed = ClockUsed()
    alert_id: str = ""
    rule: str = ""
    since: datetime | None = None
    summary: str = ""
    source: str = ""
    by: str = ""
    observed_time: datetime | None = None


class ToldEvent(_Read, frozen=True, gc=False, kw_only=True):
    """One CloudEvent of the feed."""

    type: str
    time: datetime
    data: EventData
    sequence: int | str = 0
    """CloudEvents allow either form."""


class Beat(_Read, frozen=True, kw_only=True):
    """A heartbeat of the feed."""

    position: int
    """Of the journal's last entry."""
    now: datetime
    sources: list[Source] = []


class Problem(_Read, frozen=True, kw_only=True):
    """Why something was not answered (RFC 9457)."""

    title: str = ""
    detail: str = ""
