"""What is firing, those first that nobody has seen."""

from collections.abc import Sequence
from typing import ClassVar

from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Footer, Static

from ringback.terminal.answers import Alert
from ringback.terminal.link import Link
from ringback.terminal.top.detail import Open
from ringback.terminal.top.head import Head
from ringback.terminal.top.listing import Cell, Listing, cell
from ringback.terminal.top.page import Acknowledge, Page
from ringback.terminal.words import (
    at_second,
    duration,
    line,
    rule_label,
    short,
    state_label,
)

__all__ = ["Alerts"]

HEADS = ("  Alert", "Firing", "Callback is", "Queue", "Conversation", "Seen")
WIDTHS = (24, 9, 13, 12, 12, 0)
RIGHT = (False, True, False, False, False, False)


class Alerts(Page):
    """All alerts."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("x", "acknowledge", "Seen"),
        Binding("enter", "nothing", "Open callback"),
        Binding("escape,a", "app.pop_screen", "Back", key_display="esc"),
    ]
    DEFAULT_CSS = "Alerts #summary { height: 1; }"

    def __init__(self, link: Link) -> None:
        super().__init__(link)
        self._alerts: dict[str, Alert] = {}

    def compose(self) -> ComposeResult:
        """Lay it out."""
        yield Head(self.link)
        yield Listing(self._cells, self._heads, id="alerts")
        yield Static(id="summary", markup=False)
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        """Begin at the list."""
        self.query_one(Listing).focus()

    def paint(self, seconds: float) -> None:
        """Show what is known now."""
        super().paint(seconds)
        alerts = self.link.known.alerts.values()
        ordered = sorted(alerts, key=lambda each: (each.acknowledged is not None, each.since))
        self._alerts = {alert.alert_id: alert for alert in ordered}
        listing = self.query_one(Listing)
        listing.dimmed = self.old
        listing.put(list(self._alerts))
        chosen = self._alerts.get(listing.chosen or "")
        said = chosen.summary if chosen else "nothing is stuck"
        self.query_one("#summary", Static).update(line((said, "bold")))

    def action_acknowledge(self) -> None:
        """Note that one has seen the alert under the cursor."""
        chosen = self.query_one(Listing).chosen
        self.post_message(Acknowledge([] if chosen is None else [chosen]))

    @on(Listing.Opened)
    def _open(self, event: Listing.Opened) -> None:
        event.stop()
        if callback_id := self._alerts[event.key].callback_id:  # else it is about a source
            self.post_message(Open(callback_id))

    def _heads(self, width: int) -> Sequence[Cell]:
        return self._line(HEADS, width)

    def _cells(self, key: str, width: int) -> Sequence[Cell]:
        alert, now = self._alerts[key], self.link.shown()
        seen = alert.acknowledged
        row = self.link.known.rows.get(alert.callback_id)
        name = self.link.session.queues.get(alert.queue_id) or short(alert.queue_id)
        mark, style = ("✓", "") if seen else ("!", "bold red")
        texts = (
            f"{mark} {rule_label(alert.rule)}",
            duration((now - alert.since).total_seconds()),
            state_label(row.state) if row else "-",
            name or "-",
            alert.source or short(alert.conversation_id),
            f"by {seen.by} at {at_second(seen.time, now, None)}" if seen else "by nobody",
        )
        first, *others = self._line(texts, width)
        return [(first[0], style), *others]

    def _line(self, texts: Sequence[str], width: int) -> list[Cell]:
        rest = max(0, width - sum(WIDTHS) - len(WIDTHS) + 1)
        return [
            cell(text, wide or rest, right=right)
            for text, wide, right in zip(texts, WIDTHS, RIGHT, strict=True)
        ]
