"""`ringback top` as it is used: by keys, and by what stands on the screen."""

import re
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from ringback.errors import DaemonError, DaemonFault
from ringback.terminal.answers import Alert, Proof, Row, Source
from support.terminal import AGENTS, CONVERSATION, NOW, rich_life
from support.top import Scripted, alert_of, gone, numbered, screen, topping, until

DATA = Path(__file__).parents[3] / "data" / "terminal"


def some() -> list[Row]:
    """Give callbacks in many states, one of them in doubt."""
    return [
        numbered(1, "talking", age=42, user_id=AGENTS[0], offers=1, wait_seconds=75.0),
        numbered(2, "waiting", age=640, wait_seconds=12.0),
        numbered(3, "scheduled", age=3600, scheduled_time=NOW - timedelta(seconds=61)),
        numbered(4, "connected", age=25, user_id=AGENTS[1], auto_dial_at=NOW + 20 * SECOND),
        numbered(5, "held", age=200, user_id=AGENTS[0], unverified=True, hold_seconds=31.0),
        numbered(6, "auto_dialing", age=30, user_id=AGENTS[1], auto_dial_at=NOW - 30 * SECOND),
        numbered(7, "waiting", age=3, queue_id="7b1e22d1-other"),
    ]


SECOND = timedelta(seconds=1)


def lines(text: str) -> list[str]:
    """Give the rows of the table, by the beginning of their id."""
    return re.findall(r" (0{5}\w{3})$", text, re.MULTILINE)


@pytest.mark.parametrize(("name", "width"), [("top-80", 80), ("top-120", 120)])
async def test_the_board_is_drawn_as_it_was_looked_at(name: str, width: int) -> None:
    rows = some()
    client = Scripted(rows, [alert_of(rows[5], "auto_dial_missed")])
    async with topping(client, width=width, height=16) as (top, _):
        seen = screen(top)
    expected = DATA / f"{name}.txt"
    assert seen == expected.read_text(encoding="utf-8")


async def test_what_the_feed_tells_is_shown() -> None:
    rows = some()
    client = Scripted(rows)
    async with topping(client) as (top, pilot):
        assert "Talking 1" in screen(top)
        client.enter(rows[1], "talking")
        await until(pilot, lambda: "Talking 2" in screen(top))
        client.enter(rows[0], "disconnected")
        await until(pilot, lambda: "00000001" not in screen(top))
        assert "6 open callbacks" in screen(top)


async def test_words_filter_and_escape_shows_all_again() -> None:
    async with topping(Scripted(some())) as (top, pilot):
        await pilot.press("slash", *"waiting support")
        assert "1 of 7 open callbacks with waiting support" in screen(top)
        await pilot.press("enter", "j")
        assert lines(screen(top)) == ["00000002"]
        await pilot.press("escape")
        assert "7 open callbacks" in screen(top)
        assert "00000007" in screen(top)


async def test_every_column_sorts_by_key_and_by_mouse() -> None:
    async with topping(Scripted(some())) as (top, pilot):
        assert [each[-1] for each in lines(screen(top))] == list("3251647")
        await pilot.press("S")
        assert "State▲" in screen(top)
        assert [each[-1] for each in lines(screen(top))] == list("3274615")
        await pilot.press("R")
        assert "State▼" in screen(top)
        assert [each[-1] for each in lines(screen(top))] == list("5164723")
        head = next(each for each in screen(top).splitlines() if "Agent" in each)
        await pilot.click("#rows", offset=(head.index("Agent"), 0))
        assert "Agent▲" in screen(top)
        await pilot.click("#rows", offset=(head.index("Agent"), 0))
        assert "Agent▼" in screen(top)


async def test_the_cursor_stays_on_its_callback_while_others_move() -> None:
    rows = [numbered(number) for number in range(1, 200)]
    client = Scripted(rows)
    async with topping(client) as (top, pilot):
        await pilot.press("end", "k", "k", "enter")
        await until(pilot, lambda: "Conversation 3f2a91c7" in screen(top) or "Next" in screen(top))
        await pilot.press("escape")
        chosen = top.screen.query_one("#rows").chosen  # type: ignore[attr-defined]
        assert chosen == rows[2].callback_id
        for row in rows[150:]:
            client.enter(row, "disconnected")
        await until(pilot, lambda: "150 open callbacks" in screen(top))
        assert top.screen.query_one("#rows").chosen == chosen  # type: ignore[attr-defined]
        assert "00000003" in screen(top)
        client.enter(rows[2], "disconnected")
        await until(pilot, lambda: "00000003" not in screen(top))
        assert top.screen.query_one("#rows").chosen == rows[1].callback_id  # type: ignore[attr-defined]


async def test_until_it_is_moved_the_cursor_stays_at_the_first() -> None:
    rows = some()
    client = Scripted(rows)
    async with topping(client) as (top, pilot):
        client.enter(rows[2], "waiting")
        await until(pilot, lambda: lines(screen(top))[-1] == "00000003")
        assert top.screen.query_one("#rows").chosen == rows[1].callback_id  # type: ignore[attr-defined]


async def test_one_callback_is_shown_and_kept_up_to_date() -> None:
    row = numbered(1, "auto_dialing")
    client = Scripted([row])
    client.lives[row.callback_id] = rich_life()
    async with topping(client, height=60) as (top, pilot):
        await pilot.press("enter")
        await until(pilot, lambda: f"Conversation {CONVERSATION}" in screen(top))
        assert "Auto-dial missed  14:06:07" in screen(top)
        talking = rich_life()["callback"] | {"state": "talking", "since": "2026-11-25T14:06:29Z"}
        client.lives[row.callback_id] = rich_life(callback=talking)
        client.enter(row, "talking")
        await until(pilot, lambda: "Talking for 0:01" in screen(top))
        await pilot.press("escape")
        assert "1 open callback\n" in screen(top)


async def test_alerts_are_listed_and_acknowledged() -> None:
    rows = some()
    alert = alert_of(rows[5])
    client = Scripted(rows, [alert])
    async with topping(client) as (top, pilot):
        assert "! 1 alert, 1 not seen yet" in screen(top)
        await pilot.press("a")
        assert re.search("! Warning +Accepted, not dialled", screen(top))
        assert "by nobody" in screen(top)
        assert alert.summary in screen(top)
        await pilot.press("x")
        await until(pilot, lambda: client.acknowledged == [alert.alert_id])
        client.tell(client.told(rows[5], "alert.acknowledged", alert_id=alert.alert_id, by="anna"))
        await until(pilot, lambda: "✓ Warning" in screen(top))
        assert "by anna at 14:06:30" in screen(top)
        await pilot.press("x")
        await until(pilot, lambda: "no alert here that nobody has seen" in screen(top))
        await pilot.press("enter")
        await until(
            pilot,
            lambda: f"Conversation {CONVERSATION[:8]}" in screen(top) or "Next" in screen(top),
        )
        await pilot.press("escape", "escape")
        assert "✓  Auto-dialling" in screen(top)
        assert client.acknowledged == [alert.alert_id]


async def test_the_worst_alert_comes_first_and_says_what_it_rests_on() -> None:
    rows = some()
    read = Proof(confirmed=True, time=NOW - 5 * SECOND)
    cannot = Proof(confirmed=False, why="the source is blind since 2026-11-25T14:02:20.000Z")
    alerts = [
        alert_of(rows[0], "talking_too_long", severity="info"),
        alert_of(rows[1], "never_offered", proof=cannot, since=NOW - 500 * SECOND),
        alert_of(rows[5], "auto_dial_missed", severity="critical", proof=read),
    ]
    of_source = Alert(
        alert_id="source:main/source_blind/1",
        rule="source_blind",
        source="main",
        since=NOW - 40 * SECOND,
        summary="the source hears nothing",
    )
    client = Scripted(rows, [*alerts, of_source])
    async with topping(client) as (top, pilot):
        text = screen(top)
        assert "X 4 alerts, 4 not seen yet, 1 critical" in text
        assert "X  Auto-dialling" in text
        assert "i  Talking" in text
        await pilot.press("a")
        listed = re.findall(r"^[X!i] \w+ +(\w+[-, ]\w+)", screen(top), re.MULTILINE)
        assert listed == ["Auto-dial", "Never offered", "Source blind", "Talking too"]
        assert "Auto-dialling · confirmed by a read at 14:06:25" in screen(top)
        await pilot.press("j")
        doubt = "Waiting · unconfirmed: the source is blind since 14:02:20"
        await until(pilot, lambda: doubt in screen(top))
        await pilot.press("j")
        assert re.search("Source blind +0:40 - +main +by nobody", screen(top))
        await pilot.press("enter")  # there is no callback to be opened
        assert "the source hears nothing" in screen(top)
        client.tell(client.told(rows[0], "alert.resolved", alert_id=of_source.alert_id))
        await until(pilot, lambda: "Source blind" not in screen(top))


async def test_an_alert_is_silenced() -> None:
    rows = some()
    client = Scripted(rows, [alert_of(rows[5])])
    async with topping(client) as (top, pilot):
        await pilot.press("a", "s")
        await until(pilot, lambda: "Accepted, not dialled, in Support" in screen(top))
        assert "1 hour, until 15:06:30" in screen(top)
        assert "until tomorrow, Nov 26 08:00" in screen(top)
        await pilot.press("down", "space", "tab", "down", "space", "tab", *"known", "enter")
        await until(pilot, lambda: client.silenced)
        ((matchers, until_, comment),) = client.silenced
        assert matchers == {"rule": "connected_not_dialled", "queue": rows[5].queue_id}
        assert until_ == NOW + timedelta(hours=4)
        assert comment == "known"
        await until(pilot, lambda: "silenced until 18:06:30" in screen(top))
        assert "silenced, by nobody" in screen(top)
        await pilot.press("s", "escape")
        await until(pilot, lambda: "In Support" not in screen(top))
        assert len(client.silenced) == 1


async def test_who_may_not_silence_is_told_so() -> None:
    row = numbered(1)
    client = Scripted([row], [alert_of(row)])
    async with topping(client) as (top, pilot):
        await pilot.press("a", "s")
        await until(pilot, lambda: "everywhere" in screen(top))
        client.failing = DaemonError(DaemonFault.FORBIDDEN, "Only operators may", "ask one")
        await pilot.press("tab", "tab", "enter")
        await until(pilot, lambda: "Only operators may; ask one" in screen(top))


async def test_who_may_not_acknowledge_is_told_so() -> None:
    row = numbered(1)
    client = Scripted([row], [alert_of(row)])
    async with topping(client) as (top, pilot):
        client.failing = DaemonError(DaemonFault.FORBIDDEN, "[b]Only operators may", "ask one")
        await pilot.press("x")
        await until(pilot, lambda: "[b]Only operators may; ask one" in screen(top))


async def test_a_daemon_that_is_gone_is_said_and_what_is_known_is_kept_and_dimmed() -> None:
    rows = some()
    client = Scripted(rows)
    async with topping(client) as (top, pilot):
        await pilot.press("slash", *"support", "enter", "j", "j")
        listing = top.screen.query_one("#rows")
        before = listing.chosen  # type: ignore[attr-defined]
        client.go_away()
        await until(pilot, lambda: "Stopped at 14:06:30" in screen(top))
        text = screen(top)
        assert "! Not connected: the connection broke; next try in 1 s (r: now)" in text
        assert "What is shown is of 14:06:30, 0 s ago" in text
        assert "6 of 7 open callbacks" in text
        assert listing.dimmed  # type: ignore[attr-defined]
        client.come_back()
        client.beat()
        await pilot.press("r")
        await until(pilot, lambda: "● Live" in screen(top))
        assert not listing.dimmed  # type: ignore[attr-defined]
        assert listing.chosen == before  # type: ignore[attr-defined]
        assert "6 of 7 open callbacks" in screen(top)


async def test_a_blind_source_and_a_feed_that_is_behind_are_said() -> None:
    client = Scripted(some())
    async with topping(client) as (top, pilot):
        blind = Source(name="main", hears=False, blind_since=NOW - timedelta(seconds=250))
        client.beat(None, blind)
        await until(pilot, lambda: "● Blind since 14:02:20" in screen(top))
        assert "! Blind: source main hears nothing since 14:02:20, 4 min" in screen(top)
        client.go_away()
        await until(pilot, lambda: "Stopped" in screen(top))
        client.come_back()
        client.beat(99)
        await pilot.press("r")
        await until(pilot, lambda: "! Catching up" in screen(top))


async def test_nothing_to_show_says_so() -> None:
    async with topping(Scripted()) as (top, pilot):
        assert "no open callbacks" in screen(top)
        await pilot.press("enter", "x", "j", "end")
        await pilot.press("a")
        assert "nothing is stuck" in screen(top)


async def test_a_daemon_that_is_loading_is_waited_for() -> None:
    client = Scripted(some())
    client.failing = DaemonError(DaemonFault.NOT_READY, "it is loading", "wait")
    async with topping(client) as (top, pilot):
        await until(pilot, lambda: "! Not connected: it is loading; next try" in screen(top))
        assert "● Connecting  --:--:--" in screen(top)
        client.come_back()
        await pilot.press("r")
        await until(pilot, lambda: "7 open callbacks" in screen(top))
        assert "● Live" in screen(top)


async def test_a_daemon_that_is_not_there_ends_it() -> None:
    client = Scripted()
    client.failing = gone()
    async with topping(client) as (top, pilot):
        await until(pilot, lambda: top.return_value)
    assert isinstance(top.return_value, DaemonError)


async def test_the_keys_are_listed() -> None:
    async with topping(Scripted(some()), height=30) as (top, pilot):
        await pilot.press("question_mark")
        text = screen(top)
        bound = {"/", "s", "R", "a", "x", "r", "q", "g", "Enter", "Esc"}
        assert all(f" {key} " in text for key in bound)
        await pilot.press("escape", "q")
    assert top.return_value is None


async def test_an_id_cannot_command_the_terminal() -> None:
    evil = msgspec.structs.replace(
        numbered(1, user_id="\x1b[2J\x07"), conversation_id="\x9b2J\nab", queue_id="[red]q\x1b"
    )
    alert = msgspec.structs.replace(alert_of(evil), summary="\x1b]0;owned\x07")
    async with topping(Scripted([evil], [alert])) as (top, pilot):
        text = screen(top)
        await pilot.press("a")
        text += screen(top)
    assert "[red]q�" in text
    assert "�]0;owned�" in text
    assert not any(sign in text for sign in "\x1b\x07\x9b")


async def test_ten_thousand_rows_are_shown_and_searched() -> None:
    rows = [numbered(number, offers=number % 3) for number in range(1, 10_001)]
    client = Scripted(rows)
    async with topping(client) as (top, pilot):
        assert "10,000 open callbacks" in screen(top)
        assert "00002710" in screen(top)
        await pilot.press("end")
        assert "00000001" in screen(top)
        for row in rows[:100]:
            client.enter(row, "talking")
        await until(pilot, lambda: "Talking 100" in screen(top))
        await pilot.press("slash", *"talking", "enter")
        assert "100 of 10,000 open callbacks" in screen(top)
