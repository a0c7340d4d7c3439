"""What stands above everything: whose callbacks these are, how many, and how fresh."""

from collections import Counter
from collections.abc import Iterator

from rich.text import Text
from textual.widgets import Static

from ringback.terminal.choosing import LIFE
from ringback.terminal.link import Link, Phase
from ringback.terminal.words import (
    at_second,
    clean,
    line,
    plural,
    severity,
    severity_rank,
    spoken,
    state_label,
    state_style,
)

__all__ = ["Head", "bar", "concerns", "counts", "warnings"]


class Head(Static):
    """A few lines that are written anew whenever something is known."""

    DEFAULT_CSS = "Head { height: auto; }"

    def __init__(self, link: Link) -> None:
        super().__init__(markup=False)
        self._link = link

    def paint(self, seconds: float) -> None:
        """Write it; `seconds` is the loop's time."""
        width = self.size.width or self.app.size.width
        link = self._link
        lines = [bar(link, width), *warnings(link, seconds), *counts(link, width), concerns(link)]
        self.update(Text("\n").join(lines))


def bar(link: Link, width: int) -> Text:
    """Say whose they are, and how fresh."""
    words, style = _freshness(link)
    org = f" {clean(link.session.org)}" if link.session.org else ""
    left = line(("Ringback", "bold"), org, (f" {link.client.url}", "dim"))
    clock = f"{link.shown().astimezone():%H:%M:%S}" if link.as_of else "--:--:--"
    right = line((f"● {words}", style), f"  {clock}")
    room = width - right.cell_len - 1
    if left.cell_len > room:
        left.truncate(max(0, room), overflow="ellipsis")
    return Text.assemble(left, " " * max(1, width - left.cell_len - right.cell_len), right)


def counts(link: Link, width: int) -> Iterator[Text]:
    """Say how many there are of each state, on as many lines as that takes."""
    counted = Counter(row.state for row in link.known.rows.values())
    states = [*LIFE, *sorted(counted.keys() - set(LIFE))]
    text = Text()
    for state in states:
        if not counted[state]:
            continue
        part = line((state_label(state), state_style(state)), " ", (f"{counted[state]:,}", "bold"))
        if text and text.cell_len + 2 + part.cell_len > width:
            yield text
            text = Text()
        text.append("  " if text else "").append_text(part)
    yield text or line(("no open callbacks", "dim"))


def concerns(link: Link) -> Text:
    """Say what somebody should look at."""
    known = link.known
    parts: list[str | tuple[str, str]] = []
    if firing := len(known.alerts):
        unseen = [alert for alert in known.alerts.values() if alert.acknowledged is None]
        worst = min(unseen, key=lambda alert: severity_rank(alert.severity), default=None)
        sign, _, style = severity(worst.severity) if worst else ("✓", "", "")
        critical = sum(alert.severity == "critical" for alert in unseen)
        said = f"{len(unseen)} not seen yet" if worst else "all seen"
        said += f", {critical} critical" if critical else ""
        parts += [(f"{sign} {plural(firing, 'alert')}", style), f", {said}   "]
    else:
        parts += [("no alerts   ", "dim")]
    if doubtful := sum(row.unverified for row in known.rows.values()):
        parts += [(f"? {doubtful:,} unverified", "bold yellow"), ": something may have been missed"]
    return line(*parts)


def warnings(link: Link, seconds: float) -> Iterator[Text]:
    """Say what has to be known before anything below is believed."""
    known, now = link.known, link.shown()
    if link.problem and link.phase in {Phase.LOST, Phase.LOADING}:
        left = int(link.retry_at - seconds) + 1
        again = f"next try in {left} s (r: now)" if link.retry_at > seconds else "trying now"
        yield line(("! Not connected: ", "bold red"), f"{clean(link.problem)}; {again}")
        if link.as_of is not None:
            ago = spoken((link.clock.now() - link.as_of).total_seconds())
            at = at_second(link.as_of, link.clock.now(), None)
            yield line(("  What is shown is of ", ""), (at, "bold"), f", {ago} ago")
    elif link.phase is Phase.BEHIND:
        yield line(("! Catching up: ", "bold yellow"), f"{spoken(link.behind_seconds)} behind")
    for source in known.sources:
        if not source.hears and link.phase is not Phase.LOST:
            since = source.blind_since
            long = (
                f" since {at_second(since, now, None)}, {spoken((now - since).total_seconds())}"
                if since
                else ""
            )
            what = f"source {source.name} hears nothing{long}; callbacks may have moved on"
            yield line(("! Blind: ", "bold red"), what)


def _freshness(link: Link) -> tuple[str, str]:
    if link.phase is Phase.LOADING:
        return "Connecting", "yellow"
    if link.phase is Phase.LOST and link.as_of is not None:
        return f"Stopped at {at_second(link.as_of, link.as_of, None)}", "bold red"
    if link.phase is Phase.BEHIND:
        return f"{spoken(link.behind_seconds)} behind", "bold yellow"
    blind = next((source for source in link.known.sources if not source.hears), None)
    if blind is not None:
        since = blind.blind_since
        return "Blind" + (f" since {at_second(since, link.shown(), None)}" if since else ""), (
            "bold red"
        )
    return "Live", "bold green"
