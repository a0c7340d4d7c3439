"""A chart of alerts over time, as SVG: for each rule a row, in it a bar for each span of time.

No script and no other host: the picture is part of the page. Bars have titles, which browsers show
on hover and screen readers say.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from html import escape
from typing import NamedTuple

from ringback.backtest.findings import Finding, Findings

__all__ = ["chart"]

SPANS = tuple(
    timedelta(minutes=minutes) for minutes in (1, 5, 15, 60, 180, 360, 1440, 10_080, 43_200)
)
MOST_BARS = 200
LEFT, WIDTH, ROW, TOP, BOTTOM = 190, 780, 44, 8, 26
MOST_TICKS = 8


class _Scale(NamedTuple):
    """What a picture's axes stand for."""

    first: datetime
    span: timedelta
    bars: int
    most: int
    """Alerts of the highest bar."""


def chart(found: Findings, rules: Sequence[str]) -> str:
    """Draw when the alerts of each rule fired; the rules in that order from top to bottom."""
    span = _span(found)
    first = _floor(found.began, span)
    bars = max(1, -(-(found.ended - first) // span))
    counts = {rule: _counted(found.alerts, rule, first, span) for rule in rules}
    most = max((count for each in counts.values() for count in each.values()), default=1)
    height = TOP + ROW * len(rules) + BOTTOM
    scale = _Scale(first, span, bars, most)
    rows = "".join(
        _row(rule, counts[rule], TOP + ROW * place, scale) for place, rule in enumerate(rules)
    )
    label = escape(f"Alerts that fired by {found.rules}, in spans of {_length(span)}")
    return (
        f'<svg viewBox="0 0 {LEFT + WIDTH + 10} {height}" role="img" aria-label="{label}">'
        f"{rows}{_axis(scale, height)}</svg>"
        f"<p class=note>A bar stands for {_length(span)}; the highest is {most}"
        f" {'alert' if most == 1 else 'alerts'}.</p>"
    )


def _row(rule: str, counts: Counter[int], top: int, scale: _Scale) -> str:
    base = top + ROW - 6
    width = WIDTH / scale.bars
    drawn = []
    for bar, count in sorted(counts.items()):
        tall = max(2.0, (ROW - 12) * count / scale.most)
        at = scale.first + bar * scale.span
        drawn.append(
            f'<rect x="{LEFT + bar * width:.1f}" y="{base - tall:.1f}"'
            f' width="{max(1.0, width - 0.5):.1f}" height="{tall:.1f}">'
            f"<title>{count} from {at:%Y-%m-%d %H:%M} UTC on</title></rect>"
        )
    total = sum(counts.values())
    return (
        f'<text x="0" y="{base - 12}">{escape(rule)}</text>'
        f'<text x="0" y="{base + 1}" class="few">{total}</text>'
        f'<line x1="{LEFT}" y1="{base}" x2="{LEFT + WIDTH}" y2="{base}"/>{"".join(drawn)}'
    )


def _axis(scale: _Scale, height: int) -> str:
    first, span, bars, _ = scale
    step = max(1, -(-bars // MOST_TICKS))
    whole_days = span * step >= timedelta(days=1)
    ticks = []
    for bar in range(0, bars, step):
        at = first + bar * span
        text = f"{at:%a %d %b}" if whole_days else f"{at:%d %b %H:%M}"
        ticks.append(
            f'<text x="{LEFT + bar * WIDTH / bars:.1f}" y="{height - 6}" class="few">{text}</text>'
        )
    return "".join(ticks)


def _counted(
    alerts: Sequence[Finding], rule: str, first: datetime, span: timedelta
) -> Counter[int]:
    return Counter((alert.fired - first) // span for alert in alerts if alert.rule == rule)


def _span(found: Findings) -> timedelta:
    length = found.ended - found.began
    return next((span for span in SPANS if length <= MOST_BARS * span), SPANS[-1])


def _floor(instant: datetime, span: timedelta) -> datetime:
    midnight = instant.replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight + (instant - midnight) // span * span


def _length(span: timedelta) -> str:
    minutes = span // timedelta(minutes=1)
    for size, name in ((1440, "day"), (60, "hour"), (1, "minute")):
        if minutes % size == 0:
            count = minutes // size
            return f"{count} {name}{'' if count == 1 else 's'}"
    raise AssertionError  # minutes are whole
