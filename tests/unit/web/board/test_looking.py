from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from ringback.core.events import rfc3339
from ringback.core.lifecycle import State
from ringback.web.board.alarms import RowAlert
from ringback.web.board.looking import Cursor, Looking, Page, Sort, fits, look
from ringback.web.board.rows import Row
from support.callbacks import at

NAMES = {"queue-1": "Billing", "queue-2": "Claims"}
NOW = at(1000)


def row(name: str, **said: Any) -> Row:
    told: dict[str, Any] = {
        "callback_id": name,
        "conversation_id": name,
        "state": State.WAITING,
        "since": rfc3339(at(0)),
        "offers": 0,
        "hold_seconds": 0.0,
        "wait_seconds": 0.0,
        "sequence": 1,
    }
    return Row(**(told | said))


def found(rows: list[Row], **asked: Any) -> list[str]:
    return [each.callback_id for each in look(rows, Looking(**asked), NAMES, NOW).rows]


def alarm(rule: str) -> RowAlert:
    return RowAlert(f"x/{rule}/1", rule, rfc3339(at(0)))


ROWS = [
    row("a", state=State.SCHEDULED, scheduled_time=rfc3339(at(50)), queue_id="queue-1"),
    row("b", since=rfc3339(at(500)), queue_id="queue-2", user_id="Ada", offers=2),
    row("c", state=State.HELD, unverified=True, hold_seconds=3.5, user_id="bob"),
    row("d", alerts=(alarm("late_one"),), auto_dial_at=rfc3339(at(9)), queue_id="queue-1"),
]


@pytest.mark.parametrize(
    ("asked", "names"),
    [
        ({}, "abcd"),
        ({"state": (State.SCHEDULED, State.HELD)}, "ac"),
        ({"queue": ("queue-1",)}, "ad"),
        ({"queue": ("queue-1", "queue-2")}, "abd"),
        ({"agent": ("Ada",)}, "b"),
        ({"agent": ("ada",)}, ""),
        ({"alert": ("any",)}, "d"),
        ({"alert": ("late_one",)}, "d"),
        ({"alert": ("another",)}, ""),
        ({"unverified": True}, "c"),
        ({"unverified": False}, "abd"),
        ({"older_than": 500.0}, "abcd"),
        ({"older_than": 500.1}, "acd"),
        ({"q": "billing"}, "ad"),
        ({"q": "ADA"}, "b"),
        ({"q": "late_"}, "d"),
        ({"q": "queue-2"}, "b"),
        ({"q": "C"}, "bc"),
        ({"state": (State.WAITING,), "queue": ("queue-1",)}, "d"),
    ],
)
def test_every_filter_finds_what_it_says(asked: dict[str, Any], names: str) -> None:
    assert found(ROWS, sort=Sort.CALLBACK_ID, **asked) == list(names)


@pytest.mark.parametrize(
    ("sort", "up", "down"),
    [
        (Sort.SINCE, "acdb", "bdca"),
        (Sort.SCHEDULED_TIME, "abcd", "adcb"),
        (Sort.AUTO_DIAL_AT, "dabc", "dcba"),
        (Sort.OFFERS, "acdb", "bdca"),
        (Sort.STATE, "abdc", "cdba"),
        (Sort.QUEUE_ID, "adbc", "bdac"),
        (Sort.USER_ID, "bcad", "cbda"),
        (Sort.HOLD_SECONDS, "abdc", "cdba"),
        (Sort.WAIT_SECONDS, "abcd", "dcba"),
        (Sort.CALLBACK_ID, "abcd", "dcba"),
    ],
)
def test_every_order_goes_both_ways_and_what_is_not_known_comes_last(
    sort: Sort, up: str, down: str
) -> None:
    assert found(ROWS, sort=sort) == list(up)
    assert found(ROWS, sort=sort, descending=True) == list(down)


def test_a_page_says_how_many_there_are_in_all_and_whether_more_follow() -> None:
    page = look(ROWS, Looking(limit=3), NAMES, NOW)
    assert (len(page.rows), page.total) == (3, 4)
    assert page.next == Cursor("since", rfc3339(at(0)), "d")
    last = look(ROWS, Looking(limit=3, after=page.next), NAMES, NOW)
    assert ([each.callback_id for each in last.rows], last.total, last.next) == (["b"], 4, None)


def test_a_cursor_is_of_one_order_only() -> None:
    cursor = Cursor("-since", "2026", "a")
    assert fits(Looking(descending=True), cursor)
    assert not fits(Looking(), cursor)
    assert not fits(Looking(sort=Sort.OFFERS, descending=True), cursor)


instants = st.integers(0, 5).map(lambda seconds: rfc3339(at(seconds)))


@st.composite
def rows(draw: st.DrawFn) -> dict[str, Row]:
    names = draw(st.sets(st.integers(0, 40).map(lambda n: f"c-{n:02}"), min_size=1, max_size=25))
    return {name: draw(moved(name)) for name in sorted(names)}


def moved(name: str) -> st.SearchStrategy[Row]:
    return st.builds(
        lambda since, state, offers, due: row(
            name, since=since, state=state, offers=offers, scheduled_time=due
        ),
        instants,
        st.sampled_from([State.WAITING, State.HELD]),
        st.integers(0, 3),
        st.one_of(st.just(UNSET), instants),
    )


@given(rows(), st.sampled_from(Sort), st.booleans(), st.integers(1, 6), st.data())
def test_what_does_not_move_is_neither_skipped_nor_repeated(
    board: dict[str, Row], sort: Sort, descending: bool, limit: int, data: st.DataObject
) -> None:
    """Between two pages callbacks appear, end and move."""
    resting = set(board)
    looking = Looking(sort=sort, descending=descending, limit=limit)
    seen: list[str] = []
    while True:
        page: Page = look(board.values(), looking, NAMES, NOW)
        seen += [each.callback_id for each in page.rows]
        if page.next is None:
            break
        looking = msgspec.structs.replace(looking, after=page.next)
        for name in data.draw(st.lists(st.integers(0, 40), max_size=3)):
            key = f"c-{name:02}"
            resting.discard(key)
            if data.draw(st.booleans()):
                board[key] = data.draw(moved(key))
            else:
                board.pop(key, None)
        if not board:
            break
    counts = {name: seen.count(name) for name in resting}
    assert counts == dict.fromkeys(resting, 1)
