"""The columns of the table: what each is called, how wide it is, and what stands in it."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

import msgspec

from ringback.terminal.answers import Alert, Row
from ringback.terminal.choosing import held, waited
from ringback.terminal.words import (
    Part,
    at_second,
    duration,
    severity,
    severity_rank,
    short,
    state_label,
    state_style,
)

__all__ = ["COLUMNS", "Column", "Facts", "fitting"]

NOTHING = ("-", "dim")
WIDEST_QUEUE = 24


class Facts(msgspec.Struct, frozen=True):
    """A row, and what it is shown with."""

    row: Row
    alerts: Sequence[Alert]
    queues: Mapping[str, str]
    now: datetime


class Column(msgspec.Struct, frozen=True):
    """One column."""

    name: str
    """As in `choosing.ORDERS`."""
    label: str
    width: int
    draw: Callable[[Facts], Part]
    right: bool = False
    spare: int = 0
    """Where there is no room, the column with the highest goes first; 0 never does."""
    most: int = 0
    """How wide it may become where there is room; 0: as it is."""


def _state(facts: Facts) -> Part:
    row = facts.row
    return f"{_marks(facts)} {state_label(row.state)}", _style(facts)


def _marks(facts: Facts) -> str:
    """Give two signs: of alerts, and of doubt."""
    worst = _worst(facts)
    alarm = severity(worst.severity)[0] if worst else "✓" if facts.alerts else " "
    return f"{alarm}{'?' if facts.row.unverified else ' '}"


def _style(facts: Facts) -> str:
    worst = _worst(facts)
    return severity(worst.severity)[2] if worst else state_style(facts.row.state)


def _worst(facts: Facts) -> Alert | None:
    """Give the worst alert that nobody has seen."""
    unseen = (alert for alert in facts.alerts if alert.acknowledged is None)
    return min(unseen, key=lambda alert: severity_rank(alert.severity), default=None)


def _since(facts: Facts) -> Part:
    return duration((facts.now - facts.row.since).total_seconds())


def _queue(facts: Facts) -> Part:
    id_ = facts.row.queue_id
    return facts.queues.get(id_) or short(id_) or NOTHING


def _agent(facts: Facts) -> Part:
    return short(facts.row.user_id) or NOTHING


def _scheduled(facts: Facts) -> Part:
    at = facts.row.scheduled_time
    if at is None:
        return NOTHING
    if facts.row.state != "scheduled":
        return at_second(at, facts.now, None), "dim"
    return _countdown((at - facts.now).total_seconds(), "late")


def _auto_dial(facts: Facts) -> Part:
    at = facts.row.auto_dial_at
    return NOTHING if at is None else _countdown((at - facts.now).total_seconds(), "ago")


def _countdown(seconds: float, after: str) -> Part:
    if seconds > 0:
        return f"in {duration(seconds + 1)}"
    return f"{duration(-seconds)} {after}", "bold"


def _offers(facts: Facts) -> Part:
    return str(facts.row.offers) if facts.row.offers else NOTHING


def _waited(facts: Facts) -> Part:
    return duration(seconds) if (seconds := waited(facts.row, facts.now)) else NOTHING


def _held(facts: Facts) -> Part:
    return duration(seconds) if (seconds := held(facts.row, facts.now)) else NOTHING


def _conversation(facts: Facts) -> Part:
    return short(facts.row.conversation_id)


COLUMNS = (
    Column("state", "   State", 16, _state),
    Column("since", "In state", 9, _since, right=True),
    Column("queue", "Queue", 9, _queue, most=WIDEST_QUEUE),
    Column("agent", "Agent", 8, _agent),
    Column("scheduled", "Scheduled", 12, _scheduled, right=True, spare=2),
    Column("auto_dial", "Auto-dial", 11, _auto_dial, right=True, spare=1),
    Column("offers", "Offers", 7, _offers, right=True, spare=4),
    Column("waited", "Waited", 8, _waited, right=True, spare=3),
    Column("held", "Held", 8, _held, right=True, spare=5),
    Column("conversation", "Id", 8, _conversation),
)


def fitting(columns: Sequence[Column], width: int) -> Sequence[tuple[Column, int]]:
    """Give the columns that fit, each with its width."""
    chosen = list(columns)
    while _taken(chosen) > width and any(each.spare for each in chosen):
        chosen.remove(max(chosen, key=lambda each: each.spare))
    room = max(0, width - _taken(chosen))
    fitted = []
    for each in chosen:
        more = min(room, max(0, each.most - each.width))
        room -= more
        fitted.append((each, each.width + more))
    return fitted


def _taken(columns: Sequence[Column]) -> int:
    return sum(each.width + 1 for each in columns) - 1
