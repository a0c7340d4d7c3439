"""Which rows are shown, and in which order."""

from datetime import timedelta

import pytest

from ringback.terminal.answers import ByWhom, Row
from ringback.terminal.choosing import ORDERS, Choice, choose, held, waited
from ringback.terminal.known import Known
from support.terminal import NOW, QUEUE
from support.top import alert_of, numbered

OTHER = "00000000-queue"
QUEUES = {QUEUE: "Support", OTHER: "Zebra"}
ROWS = [
    numbered(1, "talking", user_id="bea"),
    numbered(2, "waiting", queue_id=OTHER, offers=3, wait_seconds=500.0),
    numbered(3, "scheduled", queue_id="", scheduled_time=NOW),
    numbered(4, "connected", user_id="anna", auto_dial_at=NOW, unverified=True),
    numbered(5, "held", user_id="carl", hold_seconds=2.0),
]


def known() -> Known:
    made = Known()
    seen = ByWhom(by="anna", time=NOW)
    made.replace(ROWS, [alert_of(ROWS[3]), alert_of(ROWS[4], "late", acknowledged=seen)], [])
    return made


def chosen(words: str = "", order: str = "since", *, descending: bool = False) -> list[int]:
    choice = Choice(words=words, order=order, descending=descending)
    rows = choose(known(), QUEUES, choice, NOW)
    return [int(row.callback_id[:8], 16) for row in rows]


@pytest.mark.parametrize(
    ("order", "numbers"),
    [
        ("since", [5, 4, 3, 2, 1]),
        ("state", [3, 2, 4, 1, 5]),
        ("queue", [1, 4, 5, 2, 3]),
        ("agent", [4, 1, 5, 2, 3]),
        ("scheduled", [3, 1, 2, 4, 5]),
        ("auto_dial", [4, 1, 2, 3, 5]),
        ("offers", [1, 3, 4, 5, 2]),
        ("waited", [1, 3, 4, 5, 2]),
        ("held", [1, 2, 3, 4, 5]),
        ("conversation", [1, 2, 3, 4, 5]),
    ],
)
def test_each_order(order: str, numbers: list[int]) -> None:
    assert chosen(order=order) == numbers


def test_every_order_is_the_other_way_round_but_for_what_is_not_there() -> None:
    assert ORDERS.keys() >= {"agent", "since"}
    assert chosen(order="since", descending=True) == [1, 2, 3, 4, 5]
    assert chosen(order="agent", descending=True) == [5, 1, 4, 2, 3]


@pytest.mark.parametrize(
    ("words", "numbers"),
    [
        ("support", [5, 4, 1]),
        ("SUPPORT talking", [1]),
        ("zebra support", []),
        ("accepted", [4]),
        ("anna", [4]),
        ("unverified", [4]),
        ("alert", [5, 4]),
        ("alert unseen", [4]),
        ("alert seen held", [5]),
        ("00000003-", [3]),
        ("  ", [5, 4, 3, 2, 1]),
    ],
)
def test_every_word_has_to_be_found(words: str, numbers: list[int]) -> None:
    assert chosen(words) == numbers


def test_what_goes_on_is_counted_on() -> None:
    def old(state: str, **facts: float) -> Row:
        return numbered(1, state, age=60, **facts)

    assert waited(old("waiting", wait_seconds=5.0), NOW) == 60
    assert waited(old("waiting", wait_seconds=90.0), NOW) == 90
    assert waited(old("talking", wait_seconds=5.0), NOW) == 5
    assert held(old("held", hold_seconds=5.0), NOW + timedelta(seconds=1)) == 61
    assert held(old("talking", hold_seconds=5.0), NOW) == 5
