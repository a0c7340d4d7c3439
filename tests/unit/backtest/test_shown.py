"""What findings look like: tables, and a page that stands on its own."""

import io
from datetime import timedelta
from html.parser import HTMLParser

import pytest
from rich.console import Console

from ringback.backtest.findings import Finding, Findings, compare, sum_up
from ringback.backtest.page import page
from ringback.backtest.tables import MOST_QUEUES, lasting, show
from support.callbacks import at

EVIL = "<script>alert(1)</script>"


def finding(number: int, rule: str = "late", queue: str = "q-1", fired: float = 60) -> Finding:
    return Finding(
        alert_id=f"c-{number}/{rule}/1",
        rule=rule,
        severity="warning",
        subject=f"c-{number}",
        queue_id=queue,
        since=at(fired),
        fired=at(fired),
        resolved=at(fired + 60 * number) if number else None,
        reason="waiting" if number else None,
        confirmed=number % 2 == 0,
    )


def findings(*alerts: Finding, rules: str = "a.toml", hours: float = 12) -> Findings:
    return Findings(
        rules=rules, began=at(0), ended=at(hours * 3600), callbacks=100, alerts=list(alerts)
    )


class Words(HTMLParser):
    """What a page says, and of what it is made."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.said: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.said.append(data)


def shown(*found: Findings, names: dict[str, str] | None = None) -> str:
    console = Console(file=io.StringIO(), width=140, color_system=None)
    show(console, found, compare(*found) if len(found) == 2 else None, names or {})
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_alerts_are_summed_up_by_rule_and_by_queue() -> None:
    found = findings(finding(1), finding(2), finding(3, queue="q-2"), finding(0, "held"))
    assert [(each.rule, each.queue_id, each.alerts) for each in sum_up(found)] == [
        ("late", None, 3),
        ("late", "q-1", 2),
        ("late", "q-2", 1),
        ("held", None, 1),
        ("held", "q-1", 1),
    ]
    late, *_, held, _ = sum_up(found)
    assert (late.median_seconds, late.longest_seconds, late.confirmed) == (120, 180, 1)
    assert (held.still_firing, held.longest_seconds) == (1, 12 * 3600 - 60)


def test_a_table_names_queues_and_leaves_out_the_long_tail() -> None:
    found = findings(*(finding(number, queue=f"q-{number}") for number in range(1, 9)))
    text = shown(found, names={"q-1": "Sales"})
    assert "Sales" in text
    summed = text.split("Alerts: 8")[0]
    assert sum(f"q-{number}" in summed for number in range(2, 9)) == MOST_QUEUES - 1


def test_a_table_tells_how_two_sets_differ() -> None:
    first = findings(finding(1), finding(2))
    second = findings(finding(1, fired=180), finding(3), rules="b.toml")
    text = shown(first, second)
    assert "2 min later" in text
    assert "Only by a.toml: 1" in text
    assert "Only by b.toml: 1" in text
    assert "none" in shown(first, first)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0 s"),
        (59.4, "59 s"),
        (60, "1 min"),
        (3599, "59 min"),
        (3900, "1 h 05 min"),
        (86_400 * 2 + 3600 * 4, "2 d 04 h"),
    ],
)
def test_lengths_are_written_in_two_units_at_most(seconds: float, text: str) -> None:
    assert lasting(seconds) == text


def test_the_page_loads_nothing_and_runs_nothing() -> None:
    found = findings(finding(1, rule=EVIL, queue=EVIL), rules=EVIL)
    for text in (
        page([found], None, {EVIL: EVIL}),
        page([found, found], compare(found, found), {}),
    ):
        words = Words(text)
        assert not {"script", "link", "img", "iframe", "object", "base"} & set(words.tags)
        assert not [name for name, _ in words.attributes if name.startswith("on")]
        assert not [name for name, _ in words.attributes if name in ("src", "href")]
        assert EVIL in "".join(words.said)


@pytest.mark.parametrize(
    ("hours", "bar"), [(0.5, "1 minute"), (12, "5 minutes"), (7 * 24, "1 hour"), (24 * 60, "1 day")]
)
def test_the_chart_has_a_bar_for_each_span_in_which_something_fired(hours: float, bar: str) -> None:
    found = findings(finding(1, fired=60), finding(2, fired=70), finding(3, "held"), hours=hours)
    text = page([found], None, {})
    words = Words(text)
    assert words.tags.count("rect") == 2
    assert f"A bar stands for {bar}; the highest is 2 alerts." in "".join(words.said)


def test_nothing_found_is_a_page_as_well() -> None:
    text = page([findings()], None, {})
    assert "a.toml: 0 alerts" in text
    assert "Alerts: none" in text


def test_what_lasts_is_told_up_to_the_end() -> None:
    assert finding(0).seconds(at(3660)) == timedelta(hours=1).total_seconds()
