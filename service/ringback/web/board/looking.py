"""Looking through the board: which rows, in which order, and from where on.

A page is found by one pass over all rows, so nothing has to be kept sorted while events come in.
Where one has ended, the next begins with what sorts behind its last row: a row that did not move is
neither skipped nor repeated, whatever happens to others.
"""

import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum

import msgspec
from msgspec import UNSET, UnsetType

from ringback.core.events import rfc3339
from ringback.core.lifecycle import State
from ringback.web.board.rows import Row

__all__ = ["Cursor", "Looking", "Page", "Sort", "fits", "look"]

Value = str | float | None
Key = tuple[bool, str | float, str]

ANY = "any"
STATES = {state: number for number, state in enumerate(State)}


class Sort(StrEnum):
    """What rows can be sorted by."""

    SINCE = "since"
    SCHEDULED_TIME = "scheduledTime"
    AUTO_DIAL_AT = "autoDialAt"
    OFFERS = "offers"
    STATE = "state"
    QUEUE_ID = "queueId"
    USER_ID = "userId"
    WAIT_SECONDS = "waitSeconds"
    HOLD_SECONDS = "holdSeconds"
    CALLBACK_ID = "callbackId"


VALUES: dict[Sort, Callable[[Row], str | float | UnsetType]] = {
    Sort.SINCE: lambda row: row.since,
    Sort.SCHEDULED_TIME: lambda row: row.scheduled_time,
    Sort.AUTO_DIAL_AT: lambda row: row.auto_dial_at,
    Sort.OFFERS: lambda row: row.offers,
    Sort.STATE: lambda row: STATES[row.state],
    Sort.QUEUE_ID: lambda row: row.queue_id,
    Sort.USER_ID: lambda row: row.user_id,
    Sort.WAIT_SECONDS: lambda row: row.wait_seconds,
    Sort.HOLD_SECONDS: lambda row: row.hold_seconds,
    Sort.CALLBACK_ID: lambda row: row.callback_id,
}


NUMBERS = (Sort.OFFERS, Sort.STATE, Sort.WAIT_SECONDS, Sort.HOLD_SECONDS)


class Cursor(msgspec.Struct, array_like=True, frozen=True):
    """Behind which row a page begins."""

    sort: str
    value: Value
    callback_id: str


class Looking(msgspec.Struct, frozen=True, kw_only=True):
    """What is looked for. Nothing said means everything; several of one kind mean any of them."""

    state: tuple[State, ...] = ()
    queue: tuple[str, ...] = ()
    agent: tuple[str, ...] = ()
    alert: tuple[str, ...] = ()
    """Names of rules, or `any`."""
    unverified: bool | None = None
    older_than: float | None = None
    """Seconds in the present state, at least."""
    q: str = ""
    """Found anywhere in ids, the queue's name and the rules of alerts."""
    sort: Sort = Sort.SINCE
    descending: bool = False
    limit: int = 100
    after: Cursor | None = None


class Page(msgspec.Struct, frozen=True):
    """Some of the rows that were looked for."""

    rows: Sequence[Row]
    total: int
    """How many there are in all."""
    next: Cursor | None


def look(rows: Iterable[Row], looking: Looking, names: Mapping[str, str], now: datetime) -> Page:
    """Find one page; `names` are those of queues."""
    key = _key(looking)
    total = 0

    def behind() -> Iterator[tuple[Key, Row]]:
        nonlocal total
        after = None if looking.after is None else _key_after(looking, looking.after)
        for row in _matching(rows, looking, names, now):
            total += 1
            found = key(row)
            if after is None or (found < after if looking.descending else found > after):
                yield found, row

    select = heapq.nlargest if looking.descending else heapq.nsmallest
    chosen = select(looking.limit + 1, behind(), key=lambda each: each[0])
    shown = [row for _, row in chosen[: looking.limit]]
    following = None
    if len(chosen) > looking.limit:
        value = VALUES[looking.sort](shown[-1])
        last = shown[-1].callback_id
        following = Cursor(_sort_text(looking), None if value is UNSET else value, last)
    return Page(shown, total, following)


def fits(looking: Looking, cursor: Cursor) -> bool:
    """Whether a cursor is of the order that is asked for."""
    value = cursor.value
    kind = float | int if looking.sort in NUMBERS else str
    return cursor.sort == _sort_text(looking) and (value is None or isinstance(value, kind))


def _sort_text(looking: Looking) -> str:
    return f"-{looking.sort}" if looking.descending else looking.sort.value


def _key(looking: Looking) -> Callable[[Row], Key]:
    """Rows that lack what is sorted by come last, whichever way."""
    value_of, known_first = VALUES[looking.sort], looking.descending

    def key(row: Row) -> Key:
        value = value_of(row)
        if value is UNSET:
            return not known_first, "", row.callback_id
        return known_first, value, row.callback_id

    return key


def _key_after(looking: Looking, cursor: Cursor) -> Key:
    if cursor.value is None:
        return not looking.descending, "", cursor.callback_id
    return looking.descending, cursor.value, cursor.callback_id


def _matching(
    rows: Iterable[Row], looking: Looking, names: Mapping[str, str], now: datetime
) -> Iterator[Row]:
    tests = list(_tests(looking, names, now))
    for row in rows:
        for test in tests:
            if not test(row):
                break
        else:
            yield row


def _tests(
    looking: Looking, names: Mapping[str, str], now: datetime
) -> Iterator[Callable[[Row], bool]]:
    """Give what a row must pass, the cheapest first."""
    if looking.state:
        states = frozenset(looking.state)
        yield lambda row: row.state in states
    if looking.queue:
        queues = frozenset(looking.queue)
        yield lambda row: row.queue_id in queues
    if looking.agent:
        agents = frozenset(looking.agent)
        yield lambda row: row.user_id in agents
    if looking.unverified is not None:
        wanted = looking.unverified
        yield lambda row: row.unverified is wanted
    if looking.older_than is not None:
        latest = rfc3339(now - timedelta(seconds=looking.older_than))
        yield lambda row: row.since <= latest
    if looking.alert:
        rules = frozenset(looking.alert)
        yield lambda row: any(ANY in rules or one.rule in rules for one in row.alerts)
    if looking.q:
        yield _text_test(looking.q.casefold(), names)


def _text_test(wanted: str, names: Mapping[str, str]) -> Callable[[Row], bool]:
    queues = {id_ for id_, name in names.items() if wanted in name.casefold()}

    def test(row: Row) -> bool:
        return (
            row.queue_id in queues
            or wanted in row.callback_id.casefold()
            or wanted in row.conversation_id.casefold()
            or (row.queue_id is not UNSET and wanted in row.queue_id.casefold())
            or (row.user_id is not UNSET and wanted in row.user_id.casefold())
            or any(wanted in one.rule for one in row.alerts)
        )

    return test
