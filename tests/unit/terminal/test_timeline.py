"""One callback's life as it is drawn: whole texts, and what each part of it says."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from ringback.core.events import rfc3339
from ringback.terminal.answers import Row, Source
from support.terminal import CONVERSATION, NOW, at, drawn, rich_life, spell

DATA = Path(__file__).parents[2] / "data" / "terminal"


@pytest.mark.parametrize(
    ("name", "width", "ascii_only"),
    [("show-80", 80, False), ("show-120", 120, False), ("show-80-ascii", 80, True)],
)
def test_a_life_is_drawn_as_it_was_looked_at(name: str, width: int, ascii_only: bool) -> None:
    expected = (DATA / f"{name}.txt").read_text(encoding="utf-8")
    assert drawn(rich_life(), width, ascii_only=ascii_only) == expected


@pytest.mark.parametrize("width", [60, 80, 97, 120, 200])
def test_no_line_but_the_link_is_wider_than_the_terminal(width: int) -> None:
    *lines, link = drawn(rich_life(), width).splitlines()
    assert max(map(len, lines)) <= width
    assert link == rich_life()["link"]


def test_the_bar_is_to_scale() -> None:
    spells = [spell("waiting", "14:00:00", "14:03:00"), spell("alerting", "14:03:00", "14:04:00")]
    ended = {"ended": at("14:04:00"), "outcome": "lost", "deadlines": [], "states": spells}
    lines = drawn(rich_life(**ended), 120).splitlines()
    waiting, alerting = (
        next(each for each in lines if f" {name} " in each and "█" in each)
        for name in ("Waiting", "Alerting")
    )
    assert waiting.count("█") == pytest.approx(3 * alerting.count("█"), abs=3)
    assert waiting.rindex("█") + 1 == alerting.index("█")


def test_an_end_says_how_and_that_the_conversation_goes_on() -> None:
    other = Row(
        callback_id=f"{CONVERSATION}.2", conversation_id=CONVERSATION, state="waiting", since=NOW
    )
    text = drawn(
        rich_life(
            ended=at("14:06:00"),
            outcome="not_reached",
            disconnectType="peer",
            rawDisconnectType="peer",
        ),
        others=[other],
    )
    assert text.startswith("Ended: Not reached  at 14:06:00, 30 s ago · Peer\n")
    assert f"! Goes on in: {CONVERSATION}.2, Waiting" in text
    assert "Next" not in text


def test_a_blind_source_is_said_at_the_top() -> None:
    source = Source(name="main", hears=False, blind_since=NOW - timedelta(seconds=250))
    lines = drawn(rich_life(), sources=[source]).splitlines()
    said = "! Blind: source main hears nothing since 14:02:20, 4 min; it may have moved on."
    assert said in lines[:6]


def test_what_is_long_ago_has_its_date() -> None:
    states = [spell("waiting", "13:00:00") | {"from": "2026-11-23T08:15:00.000Z"}]
    text = drawn(rich_life(states=states, callback=rich_life()["callback"]))
    assert "  Nov 23 08:15 Waiting  " in text


def test_of_very_many_states_the_first_and_the_last_are_shown() -> None:
    begin = NOW - timedelta(seconds=400)
    names = ["waiting", "alerting"] * 50
    times = [rfc3339(begin + timedelta(seconds=4 * number)) for number in range(101)]
    states: list[dict[str, Any]] = [
        {"state": name, "from": times[number], "until": times[number + 1]}
        for number, name in enumerate(names)
    ]
    text = drawn(rich_life(states=states))
    assert "  … 76 more: 38 Alerting, 38 Waiting (all of them with --json)" in text
    shown = [each for each in text.splitlines() if " Waiting  " in each or " Alerting  " in each]
    assert len(shown) == 24
    whole = drawn(rich_life(states=states), most_spells=1000)
    assert "more:" not in whole


def test_what_a_newer_daemon_tells_is_shown_in_its_own_words() -> None:
    row = rich_life()["callback"] | {"state": "being_counted"}
    told = rich_life(
        callback=row,
        states=[spell("being_counted", "14:00:00", cause="divination")],
        deadlines=[{"kind": "full_moon", "at": at("14:30:00"), "clock": "lunar"}],
        moon="full",
    )
    text = drawn(told)
    assert text.startswith("Being counted for 0:38")
    assert "alert: Full moon (lunar clock)" in text
    assert "divination" in text


def test_an_older_daemon_that_tells_only_the_least_is_shown() -> None:
    row = {"callbackId": "a", "conversationId": "a", "state": "waiting", "since": at("14:06:00")}
    least = {"position": 1, "now": rfc3339(NOW), "callback": row, "states": []}
    text = drawn(least)
    assert text.startswith("Waiting for 0:30  since 14:06:00\n")
    assert "nothing is timed" in text


def test_an_id_cannot_command_the_terminal() -> None:
    row = rich_life()["callback"] | {
        "conversationId": "a\x1b]0;owned\x07\nb",
        "contact": ["\x9b2J"],
    }
    text = drawn(rich_life(callback=row, link="https://a.example/\x1b[2J"))
    assert not any(sign in text for sign in "\x1b\x07\x9b")
    assert "a�]0;owned��b" in text
