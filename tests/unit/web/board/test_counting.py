from typing import Any

from ringback.core.events import rfc3339
from ringback.core.lifecycle import State
from ringback.web.board.alarms import RowAlert
from ringback.web.board.counting import QueueCount, StateCount, count
from ringback.web.board.rows import Row
from support.callbacks import at

NOW = rfc3339(at(1000))


def row(name: str, state: State, seconds: float, **said: Any) -> Row:
    return Row(
        callback_id=name,
        conversation_id=name,
        state=state,
        since=rfc3339(at(seconds)),
        offers=0,
        hold_seconds=0,
        wait_seconds=0,
        sequence=1,
        **said,
    )


def test_an_empty_board_counts_nothing() -> None:
    counts = count([], {}, NOW)
    assert (counts.total, counts.states, counts.queues, counts.unverified) == (0, {}, [], 0)


def test_states_and_queues_are_counted_with_the_oldest_of_each() -> None:
    alert = RowAlert("a/late/1", "late", NOW)
    rows = [
        row("a", State.WAITING, 20, queue_id="q-1", alerts=(alert, alert)),
        row("b", State.WAITING, 10, queue_id="q-1", unverified=True),
        row("c", State.HELD, 5, queue_id="q-1"),
        row("d", State.HELD, 7, queue_id="q-2"),
        row("e", State.HELD, 9),
    ]
    counts = count(rows, {"q-2": "Billing"}, NOW)
    assert (counts.total, counts.unverified) == (5, 1)
    assert counts.states == {
        State.WAITING: StateCount(2, rfc3339(at(10))),
        State.HELD: StateCount(3, rfc3339(at(5))),
    }
    assert counts.queues == [
        QueueCount(
            queue_id="q-1",
            states={State.WAITING: 2, State.HELD: 1},
            oldest={State.WAITING: rfc3339(at(10)), State.HELD: rfc3339(at(5))},
            alerts=2,
        ),
        QueueCount(
            queue_id="q-2",
            name="Billing",
            states={State.HELD: 1},
            oldest={State.HELD: rfc3339(at(7))},
            alerts=0,
        ),
    ]


def test_what_is_overdue_is_scheduled_for_the_past() -> None:
    rows = [
        row("a", State.SCHEDULED, 0, scheduled_time=rfc3339(at(1000))),
        row("b", State.SCHEDULED, 0, scheduled_time=rfc3339(at(900))),
        row("c", State.SCHEDULED, 0, scheduled_time=rfc3339(at(1001))),
        row("d", State.WAITING, 0, scheduled_time=rfc3339(at(800))),
        row("e", State.SCHEDULED, 0),
    ]
    assert count(rows, {}, NOW).overdue == [rfc3339(at(900)), rfc3339(at(1000))]
