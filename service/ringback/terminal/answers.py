"""What the API answers and the feed tells, read with tolerance.

The daemon may be older or newer than this: what is not known is passed over, states and rules are
plain texts, and only what nothing could be shown without has to be there.
"""

from datetime import datetime

import msgspec

__all__ = [
    "Alert",
    "Alerts",
    "Answer",
    "Beat",
    "ByWhom",
    "Callbacks",
    "EventData",
    "Problem",
    "Proof",
    "Read",
    "Row",
    "Session",
    "Source",
    "Sources",
    "ToldEvent",
]


class Read(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """What is read from a daemon."""


class Row(Read, frozen=True, gc=False, kw_only=True):
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


class ByWhom(Read, frozen=True, gc=False, kw_only=True):
    """Who has seen an alert, and when."""

    by: str
    time: datetime


class Proof(Read, frozen=True, gc=False, kw_only=True):
    """What an alert rests on."""

    confirmed: bool
    by: str = "read"
    time: datetime | None = None
    why: str = ""


class Alert(Read, frozen=True, gc=False, kw_only=True):
    """An alert that is firing, about a callback or a source."""

    alert_id: str
    rule: str
    since: datetime
    severity: str = "warning"
    callback_id: str = ""
    conversation_id: str = ""
    source: str = ""
    state: str = ""
    summary: str = ""
    proof: Proof | None = None
    queue_id: str = ""
    user_id: str = ""
    acknowledged: ByWhom | None = None
    silenced_until: datetime | None = None


class Answer(Read, frozen=True, kw_only=True):
    """What every answer holds."""

    position: int
    now: datetime


class Callbacks(Answer, frozen=True, kw_only=True):
    """A page of rows."""

    callbacks: list[Row]
    total: int = 0
    next: str | None = None


class Alerts(Answer, frozen=True, kw_only=True):
    """All that are firing."""

    alerts: list[Alert]


class Session(Answer, frozen=True, kw_only=True):
    """Who asks, and the names of queues."""

    name: str = ""
    role: str = "viewer"
    version: str = ""
    org: str = ""
    queues: dict[str, str] = {}


class Source(Read, frozen=True, kw_only=True):
    """Something that the daemon listens to."""

    name: str
    kind: str = ""
    hears: bool
    blind_since: datetime | None = None
    last_frame: datetime | None = None
    problems: list[str] = []


class Sources(Answer, frozen=True, kw_only=True):
    """All sources."""

    sources: list[Source]


class ClockUsed(Read, frozen=True, gc=False, kw_only=True):
    """Which clock an event's time was read from."""

    name: str = ""


class EventData(Read, frozen=True, gc=False, kw_only=True):
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
    severity: str = "warning"
    source: str = ""
    proof: Proof | None = None
    since: datetime | None = None
    summary: str = ""
    by: str = ""
    observed_time: datetime | None = None


class ToldEvent(Read, frozen=True, gc=False, kw_only=True):
    """One CloudEvent of the feed."""

    type: str
    time: datetime
    data: EventData
    sequence: int | str = 0
    """CloudEvents allow either form."""


class Beat(Read, frozen=True, kw_only=True):
    """A heartbeat of the feed."""

    position: int
    """Of the journal's last entry."""
    now: datetime
    sources: list[Source] = []


class Problem(Read, frozen=True, kw_only=True):
    """Why something was not answered (RFC 9457)."""

    title: str = ""
    detail: str = ""
