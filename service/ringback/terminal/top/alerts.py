"""What is firing: the worst first, then the oldest; below them what was seen or silenced."""

import asyncio
from collections.abc import Iterator, Sequence
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Footer, Static

from ringback.errors import DaemonError
from ringback.terminal.answers import Alert
from ringback.terminal.link import Link, Phase
from ringback.terminal.proofs import proof_words
from ringback.terminal.top.detail import Open
from ringback.terminal.top.head import Head
from ringback.terminal.top.listing import Cell, Listing, cell
from ringback.terminal.top.page import Acknowledge, Page
from ringback.terminal.top.silencing import Silence, Silencing
from ringback.terminal.words import (
    Part,
    at_second,
    duration,
    line,
    rule_label,
    severity,
    severity_rank,
    short,
    state_label,
)

__all__ = ["Alerts"]

HEADS = ("  Severity", "Alert", "Firing", "Queue", "About", "Seen")
WIDTHS = (10, 25, 8, 11, 9, 0)
RIGHT = (False, False, True, False, False, False)
SILENCES_SECONDS = 15.0
"""No event tells of silences: they are asked for that often."""


class Alerts(Page):
    """All alerts."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("x", "acknowledge", "Seen"),
        Binding("s", "silence", "Silence"),
        Binding("enter", "nothing", "Open callback"),
        Binding("escape,a", "app.pop_screen", "Back", key_display="esc"),
    ]
    DEFAULT_CSS = "Alerts #about { height: 2; }"

    def __init__(self, link: Link) -> None:
        super().__init__(link)
        self._alerts: dict[str, Alert] = {}

    def compose(self) -> ComposeResult:
        """Lay it out."""
        yield Head(self.link)
        yield Listing(self._cells, self._heads, id="alerts")
        yield Static(id="about", markup=False)
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        """Begin at the list."""
        self.query_one(Listing).focus()
        self.run_worker(self._follow_silences(), name="silences")

    def paint(self, seconds: float) -> None:
        """Show what is known now."""
        super().paint(seconds)
        ordered = sorted(self.link.known.alerts.values(), key=_urgency)
        self._alerts = {alert.alert_id: alert for alert in ordered}
        listing = self.query_one(Listing)
        listing.dimmed = self.old
        listing.put(list(self._alerts))
        chosen = self._alerts.get(listing.chosen or "")
        said = self._about(chosen) if chosen else [line(("nothing is stuck", "bold"))]
        self.query_one("#about", Static).update(Text("\n").join(said))

    def action_acknowledge(self) -> None:
        """Note that one has seen the alert under the cursor."""
        chosen = self.query_one(Listing).chosen
        self.post_message(Acknowledge([] if chosen is None else [chosen]))

    async def action_silence(self) -> None:
        """Ask for how long nobody is to be told of the alert under the cursor."""
        chosen = self._alerts.get(self.query_one(Listing).chosen or "")
        if chosen is not None:
            name = self.link.session.queues.get(chosen.queue_id) or short(chosen.queue_id)
            await self.app.push_screen(Silencing(self.link, chosen, name), self._silence)

    def _silence(self, silence: Silence | None) -> None:
        if silence is not None:
            self.run_worker(self._send(silence), group="silence")

    async def _send(self, silence: Silence) -> None:
        try:
            await self.link.client.silence(*silence)
        except DaemonError as error:
            self.notify(str(error), severity="error", markup=False)
            return
        await self._read_silences()

    @on(Listing.Moved)
    def _moved(self, _: Listing.Moved) -> None:
        self.paint_now()

    @on(Listing.Opened)
    def _open(self, event: Listing.Opened) -> None:
        event.stop()
        callback_id = self._alerts[event.key].callback_id
        if callback_id:
            self.post_message(Open(callback_id))

    async def _follow_silences(self) -> None:
        while True:
            await self._read_silences()
            await asyncio.sleep(SILENCES_SECONDS)

    async def _read_silences(self) -> None:
        if self.link.phase is Phase.LOST:
            return
        try:
            alerts = (await self.link.client.alerts()).alerts
        except DaemonError:
            return  # the feed says what is wrong
        self.link.known.silence({alert.alert_id: alert.silenced_until for alert in alerts})

    def _about(self, alert: Alert) -> Iterator[Text]:
        """Say of the alert under the cursor what its line has no room for."""
        now = self.link.shown()
        yield line((alert.summary, "bold"))
        row = self.link.known.rows.get(alert.callback_id)
        parts = [
            state_label(row.state) if row else state_label(alert.state) if alert.state else "",
            proof_words(alert.proof, now),
        ]
        if alert.silenced_until is not None:
            parts.append(f"silenced until {at_second(alert.silenced_until, now, None)}")
        yield line((" · ".join(part for part in parts if part), "dim"))

    def _heads(self, width: int) -> Sequence[Cell]:
        return self._line(HEADS, width)

    def _cells(self, key: str, width: int) -> Sequence[Cell]:
        alert, now = self._alerts[key], self.link.shown()
        seen = alert.acknowledged
        name = self.link.session.queues.get(alert.queue_id) or short(alert.queue_id)
        sign, word, style = severity(alert.severity)
        said = f"by {seen.by} at {at_second(seen.time, now, None)}" if seen else "by nobody"
        texts = (
            (f"{'✓' if seen else sign} {word}", "" if seen else style),
            rule_label(alert.rule),
            duration((now - alert.since).total_seconds()),
            name or "-",
            short(alert.conversation_id) or alert.source,
            f"silenced, {said}" if alert.silenced_until else said,
        )
        return self._line(texts, width)

    def _line(self, texts: Sequence[Part], width: int) -> list[Cell]:
        rest = max(0, width - sum(WIDTHS) - len(WIDTHS) + 1)
        return [
            cell(text, wide or rest, right=right)
            for text, wide, right in zip(texts, WIDTHS, RIGHT, strict=True)
        ]


def _urgency(alert: Alert) -> tuple[bool, int, object, str]:
    low = alert.acknowledged is not None or alert.silenced_until is not None
    return low, severity_rank(alert.severity), alert.since, alert.alert_id
