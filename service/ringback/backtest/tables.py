"""Findings as tables for a terminal."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta

from rich.console import Console
from rich.table import Table
from rich.text import Text

from ringback.backtest.findings import Comparison, Finding, Findings, Sums, sum_up

__all__ = ["lasting", "moved", "show"]

MOST_QUEUES = 5
"""Of each rule those with the most alerts."""
MOST_ALERTS = 20
"""Single alerts shown; all of them are in the JSON and in the report."""


def show(
    console: Console,
    found: Sequence[Findings],
    comparison: Comparison | None,
    names: Mapping[str, str],
) -> None:
    """Show what was found; `names` are those of queues, by id."""
    for findings in found:
        console.print(_sums(findings, names))
    if comparison is None:
        console.print(_alerts("Alerts", found[0].alerts, found[0], names))
        return
    first, second = found
    console.print(_differences(comparison, first, second))
    console.print(_alerts(f"Only by {first.rules}", comparison.gone, first, names))
    console.print(_alerts(f"Only by {second.rules}", comparison.new, second, names))


def moved(seconds: float) -> str:
    """Write by how much an alert comes later or earlier."""
    if not seconds:
        return "at the same time"
    return f"{lasting(abs(seconds))} {'later' if seconds > 0 else 'earlier'}"


def lasting(seconds: float) -> str:
    """Write a length: `45 s`, `12 min`, `3 h 05 min`, `2 d 04 h`."""
    minutes, rest = divmod(round(seconds), 60)
    if minutes == 0:
        return f"{rest} s"
    hours, minutes = divmod(minutes, 60)
    if hours == 0:
        return f"{minutes} min"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours:02} h" if days else f"{hours} h {minutes:02} min"


def _shortened(sums: Sequence[Sums]) -> Iterator[Sums]:
    """Give of each rule only the queues with the most alerts."""
    queues = 0
    for each in sums:
        queues = 0 if each.queue_id is None else queues + 1
        if queues <= MOST_QUEUES:
            yield each


def _sums(found: Findings, names: Mapping[str, str]) -> Table:
    length = lasting((found.ended - found.began) / timedelta(seconds=1))
    title = (
        f"{found.rules}: {len(found.alerts)} alerts in {length}, {found.callbacks} callbacks seen"
    )
    table = Table(title=title, title_justify="left", expand=False)
    table.add_column("Rule, queue")
    for column in ("alerts", "callbacks", "confirmed", "still firing", "median", "longest"):
        table.add_column(column, justify="right")
    for sums in _shortened(sum_up(found)):
        whole = sums.queue_id is None
        name = sums.rule if whole else f"  {_queue(sums.queue_id or '', names)}"
        table.add_row(
            Text(name, style="bold" if whole else ""),
            str(sums.alerts),
            str(sums.callbacks),
            str(sums.confirmed),
            str(sums.still_firing),
            lasting(sums.median_seconds),
            lasting(sums.longest_seconds),
        )
    return table


def _differences(comparison: Comparison, first: Findings, second: Findings) -> Table:
    table = Table(title="The difference", title_justify="left")
    table.add_column("rule")
    for column in (first.rules, second.rules, "by both"):
        table.add_column(column, justify="right")
    table.add_column(f"{second.rules} fires")
    for each in comparison.rules:
        told = moved(each.moved_seconds) if each.both else ""
        table.add_row(Text(each.rule), str(each.first), str(each.second), str(each.both), told)
    return table


def _alerts(
    title: str, alerts: Sequence[Finding], found: Findings, names: Mapping[str, str]
) -> Table | Text:
    if not alerts:
        return Text(f"{title}: none")
    shown = alerts[:MOST_ALERTS]
    more = "" if len(shown) == len(alerts) else f", the first {len(shown)}"
    table = Table(title=f"{title}: {len(alerts)}{more}", title_justify="left")
    table.add_column("fired (UTC)")
    table.add_column("for", justify="right")
    table.add_column("rule")
    table.add_column("queue")
    table.add_column("callback", overflow="fold")
    table.add_column("ended by")
    for alert in shown:
        table.add_row(
            f"{alert.fired:%Y-%m-%d %H:%M:%S}",
            lasting(alert.seconds(found.ended)),
            Text(alert.rule),
            Text(_queue(alert.queue_id or "", names)),
            Text(alert.subject),
            Text(alert.reason or "firing still"),
        )
    return table


def _queue(queue_id: str, names: Mapping[str, str]) -> str:
    return names.get(queue_id, queue_id) or "(no queue)"
