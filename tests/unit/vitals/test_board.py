from collections.abc import Iterable
from typing import Any

from msgspec import UNSET

from ringback.core.events import rfc3339
from ringback.core.lifecycle import State
from ringback.vitals.board import (
    MOST_QUEUES,
    OTHERS,
    measures_of_board,
    measures_of_queues,
)
from ringback.web.board.alarms import Acknowledged, Alarm, Place, RowAlert, Wording
from ringback.web.board.board import Board
from ringback.web.board.rows import Row
from ringback.web.metrics import Measure
from support.callbacks import at

NOW = at(10_000)
RULES = ("due_not_released", "auto_dial_missed")
PLACE = Place(callback_id="c", conversation_id="c", state="scheduled", state_since=rfc3339(NOW))
WORDING = Wording("due_not_released", "warning", "It is late.", UNSET, UNSET)


def row(name: str, **said: Any) -> Row:
    return Row(
        callback_id=name,
        conversation_id=name,
        state=State.WAITING,
        since=rfc3339(at(0)),
        offers=0,
        hold_seconds=0,
        wait_seconds=0,
        sequence=1,
        **said,
    )


def values(measures: Iterable[Measure], name: str, label: str) -> dict[str, Any]:
    found = [each for each in measures if each.name == f"ringback_{name}"]
    assert len({each.labels[label] for each in found}) == len(found)
    return {each.labels[label]: each.value for each in found}


def queues(waiting: dict[str, tuple[str | None, float]], names: dict[str, str]) -> list[Measure]:
    """Give the measures of callbacks that wait, each in a queue and since so many seconds."""
    board = Board()
    for name, (queue, _) in waiting.items():
        board.rows[name] = row(name) if queue is None else row(name, queue_id=queue)
    since = {name: rfc3339(at(seconds)) for name, (_, seconds) in waiting.items()}
    return list(measures_of_queues(board, since, names, NOW))


def test_each_queue_says_how_many_wait_and_how_long() -> None:
    measures = queues(
        {"a": ("q-1", 9_000), "b": ("q-1", 9_900), "c": ("q-2", 8_000), "d": (None, 9_999)},
        {"q-1": "Sales"},
    )
    assert values(measures, "queue_waiting", "queue") == {"Sales": 2, "q-2": 1, "(unknown)": 1}
    oldest = values(measures, "queue_waiting_oldest_seconds", "queue")
    assert oldest == {"Sales": 1_000, "q-2": 2_000, "(unknown)": 1}
    (longest,) = [each for each in measures if each.name == "ringback_waiting_oldest_seconds"]
    assert longest.value == 2_000


def test_of_two_thousand_queues_the_longest_waits_have_series_and_none_is_left_out() -> None:
    measures = queues({f"c-{n}": (f"q-{n}", 10_000 - n) for n in range(2_000)}, {})
    counts = values(measures, "queue_waiting", "queue")
    assert len(counts) == MOST_QUEUES + 1
    assert counts["q-1999"] == 1
    assert counts[OTHERS] == 2_000 - MOST_QUEUES
    oldest = values(measures, "queue_waiting_oldest_seconds", "queue")
    assert oldest["q-1999"] == 1_999
    assert oldest[OTHERS] == 1_999 - MOST_QUEUES


def test_queues_of_one_name_are_one_series() -> None:
    names = {"q-1": "Sales", "q-2": "Sales"}
    measures = queues({"a": ("q-1", 9_000), "b": ("q-2", 8_000)}, names)
    assert values(measures, "queue_waiting", "queue") == {"Sales": 2}
    assert values(measures, "queue_waiting_oldest_seconds", "queue") == {"Sales": 2_000}


def test_where_nobody_waits_that_is_a_number_too() -> None:
    (longest,) = queues({}, {})
    assert (longest.name, longest.value) == ("ringback_waiting_oldest_seconds", 0)


def test_alerts_are_counted_once_all_is_loaded() -> None:
    board = Board()
    for number in range(3):
        alert = RowAlert(f"c/due_not_released/{number}", "due_not_released", rfc3339(NOW))
        board.alarms[alert.alert_id] = Alarm(PLACE, alert, WORDING)
    board.alarms["c/mine/1"] = Alarm(
        PLACE,
        RowAlert("c/mine/1", "mine", rfc3339(NOW)),
        WORDING,
        Acknowledged("eve", rfc3339(NOW)),
    )
    assert list(measures_of_board(board, RULES)) == []
    board.complete(0)
    firing = values(measures_of_board(board, RULES), "alerts_firing", "rule")
    assert (firing["due_not_released"], firing["auto_dial_missed"], firing["mine"]) == (3, 0, 1)
    seen = values(measures_of_board(board, RULES), "alerts_acknowledged", "rule")
    assert (seen["due_not_released"], seen["mine"]) == (0, 1)
