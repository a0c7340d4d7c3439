"""Which callbacks are shown, and in which order."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec

from ringback.terminal.answers import Row
from ringback.terminal.known import Known
from ringback.terminal.words import rule_label, state_label

__all__ = ["LIFE", "ORDERS", "Choice", "choose", "held", "waited"]

LIFE = (
    "scheduled",
    "waiting",
    "alerting",
    "connected",
    "auto_dialing",
    "dialing",
    "talking",
    "held",
    "after_call_work",
)
_place = {state: f"{number:02}" for number, state in enumerate(LIFE)}


def waited(row: Row, now: datetime) -> float:
    """Give how long it has waited; what its row says is of the last event."""
    if row.state == "waiting":
        return max(row.wait_seconds, (now - row.since).total_seconds())
    return row.wait_seconds


def held(row: Row, now: datetime) -> float:
    """Give how long it has been on hold."""
    if row.state == "held":
        return max(row.hold_seconds, (now - row.since).total_seconds())
    return row.hold_seconds


Order = Callable[[Row, datetime], Any]

ORDERS: Mapping[str, Order] = {
    "state": lambda row, _: _place.get(row.state, row.state),
    "since": lambda row, _: row.since,
    "queue": lambda row, _: row.queue_id or None,
    "agent": lambda row, _: row.user_id or None,
    "scheduled": lambda row, _: row.scheduled_time,
    "auto_dial": lambda row, _: row.auto_dial_at,
    "offers": lambda row, _: row.offers,
    "waited": waited,
    "held": held,
    "conversation": lambda row, _: row.conversation_id,
}
"""By what rows can be sorted; what is None comes last either way."""


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody wants to see."""

    words: str = ""
    """Each has to be found in a row."""
    order: str = "since"
    descending: bool = False


def choose(known: Known, queues: Mapping[str, str], choice: Choice, now: datetime) -> Sequence[Row]:
    """Give the rows that are wanted, in the order that is wanted."""
    rows: Iterable[Row] = known.rows.values()
    if wanted := choice.words.casefold().split():
        rows = (row for row in rows if _holds(_text(row, known, queues), wanted))
    order = ORDERS[choice.order]
    having, lacking = list[tuple[Any, str, Row]](), list[tuple[str, Row]]()
    for row in rows:
        by = order(row, now)
        if choice.order == "queue" and by is not None:
            by = queues.get(by, by).casefold()
        if by is None:
            lacking.append((row.callback_id, row))
        else:
            having.append((by, row.callback_id, row))
    # An id is there once, so rows themselves are never compared.
    having.sort(reverse=choice.descending)
    lacking.sort()
    return [each[-1] for each in having] + [each[-1] for each in lacking]


def _holds(text: str, wanted: Iterable[str]) -> bool:
    return all(word in text for word in wanted)


def _text(row: Row, known: Known, queues: Mapping[str, str]) -> str:
    parts = [
        state_label(row.state),
        row.state,
        queues.get(row.queue_id, ""),
        row.queue_id,
        row.user_id,
        row.callback_id,
        row.conversation_id,
        "unverified" if row.unverified else "",
    ]
    for alert in known.alerts_of(row.callback_id):
        seen = "seen" if alert.acknowledged else "unseen"
        parts.append(f"alert {alert.severity} {rule_label(alert.rule)} {alert.rule} {seen}")
    return "\n".join(parts).casefold()
