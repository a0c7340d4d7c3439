"""The board in numbers: how many are where, since when, and how scheduled callbacks are served."""

from collections import Counter
from collections.abc import Iterable, Mapping

import msgspec
from msgspec import UNSET, UnsetType

from ringback.core.events import Time
from ringback.core.lifecycle import State
from ringback.web.board.rows import Row

__all__ = ["Counts", "QueueCount", "StateCount", "count"]


class StateCount(msgspec.Struct, rename="camel", omit_defaults=True):
    """How many are in one state."""

    count: int
    oldest: Time
    """Since when the one is in it that is in it longest."""


class QueueCount(msgspec.Struct, rename="camel", omit_defaults=True, kw_only=True):
    """How many are in one queue."""

    queue_id: str
    name: str | UnsetType = UNSET
    states: dict[State, int]
    oldest: dict[State, Time]
    """Since when the one is in each state that is in it longest."""
    alerts: int


class Counts(msgspec.Struct, frozen=True):
    """The numbers of all rows."""

    total: int
    states: dict[State, StateCount]
    queues: list[QueueCount]
    unverified: int
    overdue: list[str]
    """Times for which callbacks were scheduled that are not released yet; sorted."""


def count(rows: Iterable[Row], names: Mapping[str, str], now: str) -> Counts:
    """Count; `names` are those of queues, `now` is RFC 3339."""
    states: dict[State, StateCount] = {}
    queues: dict[str, QueueCount] = {}
    total = unverified = 0
    overdue = []
    for row in rows:
        total += 1
        unverified += row.unverified
        state, since = row.state, row.since
        in_state = states.get(state)
        if in_state is None:
            in_state = states[state] = StateCount(0, since)
        in_state.count += 1
        in_state.oldest = min(in_state.oldest, since)
        if state is State.SCHEDULED and row.scheduled_time and row.scheduled_time <= now:
            overdue.append(row.scheduled_time)
        if not row.queue_id:
            continue
        queue = queues.get(row.queue_id)
        if queue is None:
            queue = queues[row.queue_id] = QueueCount(
                queue_id=row.queue_id,
                name=names.get(row.queue_id, UNSET),
                states=Counter(),
                oldest={},
                alerts=0,
            )
        queue.states[state] += 1
        queue.alerts += len(row.alerts)
        queue.oldest[state] = min(queue.oldest.get(state, since), since)
    ordered = sorted(queues.values(), key=lambda one: (one.name or "", one.queue_id))
    return Counts(total, states, ordered, unverified, sorted(overdue))
