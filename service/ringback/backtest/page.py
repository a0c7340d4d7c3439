"""Findings as one page of HTML that stands on its own: no script, no other host."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from html import escape

from ringback.backtest.chart import chart
from ringback.backtest.findings import Comparison, Finding, Findings, Sums, sum_up
from ringback.backtest.tables import lasting, moved

__all__ = ["page"]

MOST_ALERTS = 1000
"""Single alerts in a table; all of them are in the JSON."""

STYLE = """
:root { color-scheme: light dark; --ink: #1a1a1a; --faint: #767676; --line: #d5d5d5;
  --bar: #0072b2; --paper: #fff }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8e8e8; --faint: #9a9a9a; --line: #3c3c3c; --bar: #56b4e9; --paper: #16181b }
}
body { font: 15px/1.45 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  margin: 2rem auto; max-width: 64rem; padding: 0 1rem }
h1 { font-size: 1.5rem } h2 { font-size: 1.15rem; margin-top: 2.5rem }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums }
th, td { text-align: left; padding: .25rem .6rem; border-bottom: 1px solid var(--line);
  vertical-align: top }
td.number, th.number { text-align: right }
tr.rule td { font-weight: 600 } tr.queue td:first-child { padding-left: 1.8rem }
.note, .few { color: var(--faint) } code { font-size: .85em; overflow-wrap: anywhere }
svg { width: 100%; height: auto; font: 12px system-ui, sans-serif }
svg text { fill: var(--ink) } svg .few { fill: var(--faint); font-size: 11px }
svg rect { fill: var(--bar) } svg line { stroke: var(--line) }
.wide { overflow-x: auto }
"""


def page(found: Sequence[Findings], comparison: Comparison | None, names: Mapping[str, str]) -> str:
    """Write the report; `names` are those of queues, by id."""
    if not found:
        return _whole(["<p>The recordings hold nothing to watch.</p>"])
    first = found[0]
    rules = sorted({alert.rule for each in found for alert in each.alerts})
    parts = [
        _when(first),
    ]
    for findings in found:
        parts += [
            f"<h2>{escape(findings.rules)}: {len(findings.alerts)} alerts</h2>",
            chart(findings, rules) if rules else "",
            _sums(sum_up(findings), names),
        ]
    if comparison is None:
        parts.append(_alerts("Alerts", first.alerts, first, names))
    else:
        second = found[1]
        parts += [
            _differences(comparison, first, second),
            _alerts(f"Only by {first.rules}", comparison.gone, first, names),
            _alerts(f"Only by {second.rules}", comparison.new, second, names),
        ]
    return _whole(parts)


def _whole(parts: Iterable[str]) -> str:
    return (
        '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta http-equiv="Content-Security-Policy"'
        " content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
        f"<title>Ringback: what would have alerted</title>\n<style>{STYLE}</style>\n"
        "<h1>Ringback: what would have alerted</h1>\n" + "\n".join(parts) + "\n</html>\n"
    )


def _when(found: Findings) -> str:
    length = lasting((found.ended - found.began) / timedelta(seconds=1))
    return (
        f"<p>{found.began:%Y-%m-%d %H:%M} to {found.ended:%Y-%m-%d %H:%M} UTC ({length}),"
        f" {found.callbacks} callbacks.</p>"
    )


def _differences(comparison: Comparison, first: Findings, second: Findings) -> str:
    heads = ("rule", first.rules, second.rules, "by both", f"{second.rules} fires")
    columns = "".join(f'<th scope="col">{escape(head)}</th>' for head in heads)
    rows = "".join(
        f"<tr><td>{escape(each.rule)}</td><td>{each.first}</td><td>{each.second}</td>"
        f"<td>{each.both}</td><td>{moved(each.moved_seconds) if each.both else ''}</td></tr>"
        for each in comparison.rules
    )
    return f"<h2>The difference</h2><div class=wide><table><tr>{columns}</tr>{rows}</table></div>"


def _sums(sums: Iterable[Sums], names: Mapping[str, str]) -> str:
    rows = []
    for each in sums:
        whole = each.queue_id is None
        name = each.rule if whole else _queue(each.queue_id or "", names)
        numbers = (
            *(str(n) for n in (each.alerts, each.callbacks, each.confirmed, each.still_firing)),
            lasting(each.median_seconds),
            lasting(each.longest_seconds),
        )
        cells = "".join(f"<td class=number>{number}</td>" for number in numbers)
        kind = "rule" if whole else "queue"
        rows.append(f"<tr class={kind}><td>{escape(name)}</td>{cells}</tr>")
    heads = ("alerts", "callbacks", "confirmed", "still firing", "median", "longest")
    columns = "".join(f'<th class=number scope="col">{head}</th>' for head in heads)
    return (
        f'<div class=wide><table><tr><th scope="col">rule, queue</th>{columns}</tr>'
        f"{''.join(rows)}</table></div>"
    )


def _alerts(
    title: str, alerts: Sequence[Finding], found: Findings, names: Mapping[str, str]
) -> str:
    shown = alerts[:MOST_ALERTS]
    rows = "".join(_alert(alert, found, names) for alert in shown)
    more = "" if len(shown) == len(alerts) else f" The first {len(shown)} are shown."
    heads = ("fired (UTC)", "for", "rule", "severity", "queue", "callback", "confirmed", "ended by")
    columns = "".join(f'<th scope="col">{head}</th>' for head in heads)
    return (
        f"<h2>{escape(title)}: {len(alerts) or 'none'}</h2>"
        + f"<p class=note>{more}</p><div class=wide><table><tr>{columns}</tr>{rows}</table></div>"
        * bool(alerts)
    )


def _alert(alert: Finding, found: Findings, names: Mapping[str, str]) -> str:
    cells = (
        f"{alert.fired:%Y-%m-%d %H:%M:%S}",
        lasting(alert.seconds(found.ended)),
        escape(alert.rule),
        escape(alert.severity),
        escape(_queue(alert.queue_id or "", names)),
        f"<code>{escape(alert.subject)}</code>",
        "yes" if alert.confirmed else "no",
        escape(alert.reason or "firing still"),
    )
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _queue(queue_id: str, names: Mapping[str, str]) -> str:
    return names.get(queue_id, queue_id) or "(no queue)"
