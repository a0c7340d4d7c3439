"""What the callbacks are like as a whole, as metrics: from the board and from the journal."""

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from msgspec import UNSET

from ringback.core.derivation import OUTCOMES
from ringback.vitals.measuring import counter, counters, gauge
from ringback.web.board.board import Board
from ringback.web.board.tally import WAITS, Tally
from ringback.web.metrics import Buckets, Measure, MeasureKind

__all__ = ["MOST_QUEUES", "OTHERS", "measures_of_board", "measures_of_queues", "measures_of_tally"]

MOST_QUEUES = 100
"""Queues that have series of their own: those in which somebody waits longest."""
OTHERS = "(others)"
"""Stands for all other queues in which somebody waits, so that none is left out."""
UNKNOWN = "(unknown)"
PROOFS = ("confirmed", "unconfirmed")
TOLD = ("firing", "acknowledged", "resolved")


class _Waiting(NamedTuple):
    """Those who wait in a queue, or in several."""

    seconds: float
    """How long the one has waited that has waited longest."""
    callbacks: int
    queue: str


def measures_of_board(board: Board, rules: Sequence[str]) -> Iterator[Measure]:
    """Give what is firing, with 0 for the other rules that are in force.

    Nothing while not all is loaded: it would be taken for few.
    """
    if not board.loaded:
        return
    firing: Counter[str] = Counter()
    seen: Counter[str] = Counter()
    for alarm in board.alarms.values():
        firing[alarm.alert.rule] += 1
        seen[alarm.alert.rule] += alarm.acknowledged is not None
    for rule in dict.fromkeys((*rules, *firing)):
        yield gauge("alerts_firing", "Alerts that are firing, by rule.", firing[rule], rule=rule)
        yield gauge(
            "alerts_acknowledged",
            "Alerts that are firing and that somebody has acknowledged, by rule.",
            seen[rule],
            rule=rule,
        )


def measures_of_queues(
    board: Board, waiting: Mapping[str, str], names: Mapping[str, str], now: datetime
) -> Iterator[Measure]:
    """Give who waits; `waiting` says since when, by callback, `names` are those of queues by id."""
    queues = _queues(board, waiting, now)
    worst = heapq.nlargest(MOST_QUEUES, queues)
    shown = [each._replace(queue=names.get(each.queue, each.queue)) for each in worst]
    named = {each.queue for each in worst}
    others = [each for each in queues if each.queue not in named]
    if others:
        shown.append(_together(others, OTHERS))
    longest = max((each.seconds for each in shown), default=0.0)
    yield gauge("waiting_oldest_seconds", "How long somebody has waited at the most.", longest)
    for each in _merged(shown):
        yield gauge(
            "queue_waiting",
            "Callbacks that wait for an agent, in the queues where somebody waits longest.",
            each.callbacks,
            queue=each.queue,
        )
        yield gauge(
            "queue_waiting_oldest_seconds",
            "How long somebody has waited at the most, in those queues.",
            each.seconds,
            queue=each.queue,
        )


def measures_of_tally(tally: Tally, rules: Sequence[str]) -> Iterator[Measure]:
    """Give every number there is of what has happened since the process began.

    `rules` are those in force.
    """
    yield counter("callbacks_seen", "Callbacks seen for the first time.", tally.seen)
    yield counter("offers", "Times that a callback was offered to an agent.", tally.offers)
    yield counter("callbacks_released", "Scheduled callbacks that were released.", tally.released)
    yield counter(
        "callbacks_released_late",
        "Scheduled callbacks that were released later than the grace allows.",
        tally.released_late,
    )
    yield counter("auto_dials", "Automatic calls that were due.", tally.automatic)
    yield counter("auto_dials_missed", "Automatic calls that were due and not seen.", tally.missed)
    yield from counters(
        "callbacks_ended", "Callbacks that have ended.", "outcome", OUTCOMES, tally.ended
    )
    for rule in dict.fromkeys((*rules, *(name for name, _ in tally.alerts))):
        for told in TOLD:
            yield counter(
                "alerts_told",
                "Alerts by rule and by what was told of them.",
                tally.alerts[rule, told],
                rule=rule,
                told=told,
            )
    yield from counters(
        "alerts_by_proof",
        "Alerts that have begun, by whether a read had confirmed them.",
        "proof",
        PROOFS,
        tally.proofs,
    )
    yield Measure(
        "ringback_wait_seconds",
        "How long callbacks had waited when an agent took them.",
        MeasureKind.HISTOGRAM,
        Buckets(WAITS, tuple(tally.waits), tally.waited_seconds),
    )


def _queues(board: Board, waiting: Mapping[str, str], now: datetime) -> list[_Waiting]:
    oldest: dict[str, str] = {}
    counts: Counter[str] = Counter()
    for callback_id, since in waiting.items():
        row = board.rows.get(callback_id)
        queue = UNKNOWN if row is None or row.queue_id is UNSET else row.queue_id
        counts[queue] += 1
        if since < oldest.get(queue, "~"):
            oldest[queue] = since
    return [_Waiting(_passed(since, now), counts[each], each) for each, since in oldest.items()]


def _merged(queues: Iterable[_Waiting]) -> Iterator[_Waiting]:
    """Put together queues of one name: a series may be there once only."""
    named: dict[str, list[_Waiting]] = {}
    for each in queues:
        named.setdefault(each.queue, []).append(each)
    for name, same in named.items():
        yield _together(same, name)


def _together(queues: Iterable[_Waiting], name: str) -> _Waiting:
    each = list(queues)
    return _Waiting(max(one.seconds for one in each), sum(one.callbacks for one in each), name)


def _passed(since: str, now: datetime) -> float:
    return max(0.0, round((now - datetime.fromisoformat(since)).total_seconds(), 1))
