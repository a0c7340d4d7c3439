"""The checker finds nothing in sound logs, and each thing that can be wrong in tampered ones."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from functools import cache
from typing import Any

import msgspec
import pytest

from ringback.core.policy import Policy
from ringback.core.snapshots import Snapshot
from ringback.ports import Step
from ringback.simulator.options import Options
from ringback.stores.jetstream.subjects import partition_of
from ringback.wire.log import Seen
from support.book import Book
from support.callbacks import START
from support.checker import Fault, Logs, Put, faults_of, heard_in_vain, over_one_socket

PARTITIONS = 3
NAME = "c"
SECONDS = 60
SLACK = timedelta(milliseconds=1)
POLICY = Policy(due_grace=timedelta(seconds=1), not_dialled=timedelta(seconds=2))
"""Alerts soon fire, and so some of them end."""
BUSY = Options(arrivals_per_minute=30, speed=10, warm_up=timedelta(0))


@cache
def played() -> Book:
    book = Book(PARTITIONS, 7, BUSY, POLICY)
    book.play(SECONDS)
    return book


def found(logs: Logs, heard: dict[str, list[Snapshot]] | None = None) -> list[Fault]:
    """Check logs that were tampered with."""
    book = played()
    heard = book.heard if heard is None else heard
    return faults_of(logs, over_one_socket(heard), book.centre, book.centre.now)


def tampered() -> Logs:
    return played().logs


def events_in(step: Step) -> list[dict[str, Any]]:
    return [msgspec.json.decode(body) for body in step.events]


def telling(logs: Logs, kind: str) -> int:
    """Give where in the log of steps the first event of a kind is told."""
    return next(
        number
        for number, step in enumerate(logs.steps)
        if any(kind in event["type"] for event in events_in(step))
    )


def without(items: Sequence[Any], number: int) -> list[Any]:
    return [*items[:number], *items[number + 1 :]]


def kinds(faults: Sequence[Fault]) -> set[str]:
    return {fault.kind for fault in faults}


def test_sound_logs_have_no_faults_and_much_is_in_them() -> None:
    logs, heard, centre = played().logs, played().heard, played().centre
    assert found(logs) == []
    assert len(heard) > 100
    events = [event for step in logs.steps for event in events_in(step)]
    told = {event["type"] for event in events}
    assert {"ringback.alert.firing.v1", "ringback.alert.resolved.v1"} <= told
    assert any(event["data"].get("cause") == "timer" for event in events)
    assert {step.partition for step in logs.steps} == set(range(PARTITIONS))
    assert centre.live > 10


def test_a_snapshot_that_was_heard_and_is_not_in_the_log() -> None:
    logs = tampered()
    number = next(number for number, put in enumerate(logs.inputs) if isinstance(put.message, Seen))
    logs.inputs = without(logs.inputs, number)
    assert kinds(found(logs)) == {"lost"}


def test_a_snapshot_that_returned_to_what_it_was_and_is_there_once() -> None:
    logs, heard = tampered(), dict(played().heard)
    name = next(name for name, all_of_it in heard.items() if len(all_of_it) > 3)
    first, second, *others = heard[name]
    assert first != second
    heard[name] = [first, second, first, *others]
    assert kinds(found(logs, heard)) == {"lost"}


def test_snapshots_in_another_order_than_heard() -> None:
    logs, heard = tampered(), dict(played().heard)
    name = next(name for name, all_of_it in heard.items() if len(all_of_it) > 3)
    first, second, *others = heard[name]
    assert first != second
    heard[name] = [second, first, *others]
    assert kinds(found(logs, heard)) == {"lost"}


def test_what_another_listener_heard_besides_is_no_fault() -> None:
    logs, heard = tampered(), dict(played().heard)
    name = next(name for name, all_of_it in heard.items() if len(all_of_it) > 3)
    heard[name] = [heard[name][0], heard[name][0], heard[name][2]]
    assert found(logs, heard) == []


def test_what_two_listeners_heard_parts_of_may_be_in_any_order() -> None:
    logs, heard = tampered(), played().heard
    told = dict(over_one_socket(heard))
    name = next(name for name, all_of_it in heard.items() if len(all_of_it) > 3)
    first, second, *others = heard[name]
    told[name] = [[second, *others], [first, *others]]
    assert list(heard_in_vain(logs, told)) == []
    told[name] = [[first, *others], [second, first]]
    assert [fault.kind for fault in heard_in_vain(logs, told)] == ["lost"]


@pytest.mark.parametrize(
    ("stored", "lost"),
    [
        ("abcd", False),
        ("cdabcd", False),  # the other heard only the last two, and was quicker
        ("bcdabd", True),
        ("cdabc", True),
        ("cdab", True),
        ("dabc", True),
        ("abdc", True),
        ("abc", True),
        ("dcbabcd", False),
    ],
)
def test_what_another_listener_has_told_already_is_told_again_where_it_would_be_too_soon(
    stored: str, *, lost: bool
) -> None:
    four = dict(zip("abcd", _four(), strict=True))
    faults = list(heard_in_vain(_log(four[one] for one in stored), {NAME: [list(four.values())]}))
    assert [fault.kind for fault in faults] == ["lost"] * lost


def test_each_return_to_what_it_was_is_there_by_itself() -> None:
    usual, held, again, _ = _four()
    heard = {NAME: [[usual, held, usual, again, usual]]}
    assert list(heard_in_vain(_log([usual, held, usual, again, usual]), heard)) == []
    assert len(list(heard_in_vain(_log([usual, held, again, usual]), heard))) == 1


def _four() -> list[Snapshot]:
    """Give four snapshots that are not the same."""
    heard = next(all_of_it for all_of_it in played().heard.values() if len(all_of_it) > 3)
    return [msgspec.structs.replace(one, conversation_id=NAME) for one in heard[:4]]


def _log(snapshots: Iterable[Snapshot]) -> Logs:
    now = played().centre.now
    puts = [Put(number, 0, now, Seen(one)) for number, one in enumerate(snapshots, 1)]
    return Logs(1, puts, [])


def test_a_step_of_a_zombie() -> None:
    logs = tampered()
    number = telling(logs, ".callback.connected")
    logs.steps = [*logs.steps, msgspec.structs.replace(logs.steps[number], sequence=10**6)]
    assert {"twice", "hole", "chain"} <= kinds(found(logs))


def test_a_step_that_is_not_there() -> None:
    logs = tampered()
    logs.steps = without(logs.steps, telling(logs, ".callback.connected"))
    assert "hole" in kinds(found(logs))


def test_an_alert_that_fires_twice() -> None:
    logs = tampered()
    number = telling(logs, ".alert.firing")
    step = logs.steps[number]
    again = msgspec.structs.replace(step, events=[step.events[-1].replace(b"/1/f", b"/2/f")])
    logs.steps = [*logs.steps[: number + 1], again, *logs.steps[number + 1 :]]
    assert "timer" in kinds(found(logs))


def test_an_automatic_call_that_was_due_twice() -> None:
    logs = tampered()
    number = next(
        number
        for number, step in enumerate(logs.steps)
        if any(
            event["type"].endswith(".auto_dialing.v1") and event["data"]["cause"] == "timer"
            for event in events_in(step)
        )
    )
    logs.steps = [*logs.steps[: number + 1], *logs.steps[number:]]
    assert "timer" in kinds(found(logs))


def test_a_timer_that_never_fired() -> None:
    logs = tampered()
    wakes = [step for step in logs.steps if step.row.wake_at is not None]
    last = wakes[-1]
    past = int(START.timestamp() * 1000)
    row = msgspec.structs.replace(last.row, wake_at=past)
    logs.steps = [*logs.steps, msgspec.structs.replace(last, row=row, events=[])]
    assert kinds(found(logs)) == {"unfired"}


def test_a_watermark_beyond_the_log() -> None:
    logs = tampered()
    logs.steps = [*logs.steps[:-1], msgspec.structs.replace(logs.steps[-1], reached=10**9)]
    assert kinds(found(logs)) == {"beyond"}


@pytest.mark.parametrize("which", ["inputs", "steps"])
def test_a_partition_that_is_not_the_conversations_own(which: str) -> None:
    logs = tampered()
    if which == "inputs":
        put = next(put for put in logs.inputs if isinstance(put.message, Seen))
        moved: Any = msgspec.structs.replace(put, partition=(put.partition + 1) % PARTITIONS)
        logs.inputs = [moved if one is put else one for one in logs.inputs]
    else:
        number = telling(logs, ".callback.")
        step = logs.steps[number]
        moved = msgspec.structs.replace(step, partition=(step.partition + 1) % PARTITIONS)
        logs.steps = [*logs.steps[:number], moved, *logs.steps[number + 1 :]]
    assert "astray" in kinds(found(logs))


def test_a_state_that_is_not_the_truth_and_a_callback_that_is_not_known() -> None:
    logs, centre = tampered(), played().centre
    name = next(name for name, truth in centre.truth().items() if len(truth.path) > 3)
    of_it = [step for step in logs.steps if step.row.conversation_id == name]
    stale = Logs(
        PARTITIONS,
        logs.inputs,
        [
            msgspec.structs.replace(step, row=of_it[0].row) if step in of_it else step
            for step in logs.steps
        ],
    )
    assert any(name in fault.what for fault in found(stale) if fault.kind == "untrue")
    gone = Logs(PARTITIONS, logs.inputs, [step for step in logs.steps if step not in of_it])
    assert any(name in fault.what for fault in found(gone) if fault.kind == "untrue")


def test_a_callback_that_never_was() -> None:
    logs = tampered()
    callback = next(step for step in logs.steps if step.row.state and step.row.wake_at)
    known = msgspec.msgpack.decode(callback.row.state or b"")
    known[1] = "nobody"
    row = msgspec.structs.replace(
        callback.row, conversation_id="nobody", state=msgspec.msgpack.encode(known), wake_at=None
    )
    logs.steps = [
        *logs.steps,
        msgspec.structs.replace(
            callback, row=row, partition=partition_of("nobody", PARTITIONS), events=[]
        ),
    ]
    assert {fault.what for fault in found(logs)} == {"nobody is known, and never was"}
