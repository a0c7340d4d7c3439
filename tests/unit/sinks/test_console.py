from datetime import UTC, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from msgspec import UNSET

from ringback.core.events import AlertData, CallbackData, ClockUsed, Event, SourceData
from ringback.ports import Entry
from ringback.sinks.console import MOST_LINES, Console, Throttle, render
from ringback.wire.cloudevents import Encoder

CONVERSATION = "3f2a91c7-0000-4000-8000-000000000000"
TIME = "2026-11-22T08:15:02.120Z"


def callback(kind: str = "alerting", /, ordinal: str = "", **data: Any) -> Event:
    defaults: dict[str, Any] = {
        "state": kind,
        "previous_state": "waiting",
        "trigger": "alert",
        "queue_id": "7b1e22d0-1",
        "contact": ["tel:+13175550100", "Canary"],
    }
    return Event(
        f"{CONVERSATION}{ordinal}/1",
        f"ringback.callback.{kind}.v1",
        CONVERSATION + ordinal,
        TIME,
        CallbackData(
            callback_id=CONVERSATION + ordinal,
            conversation_id=CONVERSATION,
            cause="notification",
            offers=1,
            hold_seconds=0,
            wait_seconds=0,
            clock=ClockUsed("cloud"),
            observed_time=TIME,
            **(defaults | data),
        ),
        CONVERSATION,
        1,
    )


def alert(kind: str = "firing", **data: Any) -> Event:
    return Event(
        "a",
        f"ringback.alert.{kind}.v1",
        CONVERSATION,
        TIME,
        AlertData(
            alert_id="a",
            rule="due_not_released",
            callback_id=CONVERSATION,
            conversation_id=CONVERSATION,
            state="scheduled",
            state_since=TIME,
            since=TIME,
            summary="due, and not released",
            observed_time=TIME,
            **data,
        ),
        CONVERSATION,
    )


def source(kind: str, **data: Any) -> Event:
    return Event(
        "s", f"ringback.source.{kind}.v1", "main", TIME,
        SourceData(source_name="main", observed_time=TIME, **data), "main",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("width", "line"),
    [
        (120, "08:15:02.120  3f2a91c7     q 7b1e22d0          waiting → alerting         alert"),
        (100, "08:15:02.120  3f2a91c7             waiting → alerting         alert"),
        (80, "08:15:02.120  3f2a91c7             waiting → alerting"),
        (50, "08:15:02.120  3f2a91c7     alerting"),
        (20, "08:15:02.120  3f2a9…"),
        (1, "…"),
    ],
)
def test_columns_give_way_to_narrow_terminals(width: int, line: str) -> None:
    assert render(callback(), width, UTC) == line


@pytest.mark.parametrize(
    ("event", "end"),
    [
        (callback(ordinal=".2"), "3f2a91c7.2           waiting → alerting"),
        (callback("scheduled", previous_state=UNSET), "3f2a91c7                       scheduled"),
        (callback("disconnected", outcome="lost"), "disconnected     lost"),
        (callback("alerting", late_seconds=90.5), "alerting         90.5 s late"),
        (callback("talking", skipped=["connected", "dialing"]), "past connected, dialing"),
        (
            callback("updated", state="held", previous_state=UNSET, reasons=["queue", "agent"]),
            "held             updated; queue; agent",
        ),
        (alert(late_seconds=3.0), "ALERT due_not_released: due, and not released (3 s late)"),
        (
            alert("resolved", reason="released"),
            "resolved due_not_released: due, and not released; released",
        ),
        (source("disconnected", cause="silent"), "source main: disconnected  silent"),
        (source("connected"), "source main: connected"),
    ],
)
def test_what_is_told(event: Event, end: str) -> None:
    assert render(event, 89, UTC).endswith(end)


def test_times_are_local() -> None:
    assert render(callback(), 80, timezone(timedelta(hours=-5))).startswith("03:15:02.120")


@pytest.mark.parametrize("width", [30, 60, 200])
def test_people_are_not_shown_and_a_terminal_is_not_steered(width: int) -> None:
    line = render(callback(outcome="\x1b[2Jx\n", queue_id="\x07\x9b"), width, UTC)
    assert "Canary" not in line
    assert "555" not in line
    assert line.isprintable()
    assert len(line) <= width


def test_a_second_has_room_for_so_much_and_counts_the_rest() -> None:
    throttle = Throttle()
    assert throttle.turn(10) == {}
    admitted = [throttle.admits(callback()) for _ in range(MOST_LINES + 3)]
    assert admitted == [True] * MOST_LINES + [False] * 3
    assert throttle.admits(alert())
    assert throttle.turn(10.9) == {}
    assert throttle.turn(11) == {"alerting": 3}
    assert throttle.admits(callback())


def entries(*events: Event) -> list[Entry]:
    encode = Encoder("local").encode
    return [Entry(position, encode(event)) for position, event in enumerate(events, 1)]


async def shown(path: Path, batches: list[list[Entry]], *, color: bool = False) -> list[str]:
    with path.open("wb") as stream:  # a file, at once
        console = Console(stream, color=color, zone=UTC, width=lambda: 80)
        for batch in batches:
            await console.tell(batch)
        await console.close()
    return path.read_text().splitlines()  # noqa: ASYNC240  # a file, at once


async def test_alerts_are_red_and_callbacks_are_not(tmp_path: Path) -> None:
    batch = entries(callback(), alert(), source("connected"))
    plain, red, bold = await shown(tmp_path / "out", [batch], color=True)
    assert "\x1b" not in plain
    assert red.startswith("\x1b[1;31m08:15")
    assert red.endswith("\x1b[0m")
    assert bold.startswith("\x1b[1m08:15")
    assert "\x1b" not in "".join(await shown(tmp_path / "out", [batch]))


async def test_a_storm_leaves_room_for_alerts_and_is_summed_up(tmp_path: Path) -> None:
    storm = entries(*[callback()] * 300, *[callback("waiting")] * 200)
    lines = await shown(tmp_path / "out", [storm, entries(alert()), storm])
    assert len([line for line in lines if "3f2a91c7" in line]) == MOST_LINES + 1
    assert len([line for line in lines if "ALERT" in line]) == 1
    assert lines[-1] == f"{'':14}{1000 - MOST_LINES} more: {600 - MOST_LINES} alerting, 400 waiting"


async def test_an_event_of_another_version_is_only_counted(tmp_path: Path) -> None:
    lines = await shown(tmp_path / "out", [[Entry(1, b'{"type":"ringback.new.v9"}')]])
    assert lines == [f"{'':14}1 more: 1 unknown"]
