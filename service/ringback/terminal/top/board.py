"""The first screen: all open callbacks, filtered and in order."""

from collections.abc import Sequence
from typing import ClassVar

import msgspec
from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.widgets import Footer, Input, Static

from ringback.terminal.answers import Row
from ringback.terminal.choosing import Choice, choose
from ringback.terminal.link import Link
from ringback.terminal.top.columns import COLUMNS, Column, Facts, fitting
from ringback.terminal.top.head import Head
from ringback.terminal.top.listing import Cell, Listing, cell
from ringback.terminal.top.page import Acknowledge, Page
from ringback.terminal.words import line, plural

__all__ = ["Board"]


class Board(Page):
    """All open callbacks."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "nothing", "Open"),
        # Before all others: else what is typed right behind it would still go to the list.
        Binding("slash", "filter", "Filter", key_display="/", priority=True),
        Binding("s", "sort(1)", "Sort"),
        Binding("S", "sort(-1)", "Sort by the column before", show=False),
        Binding("R", "reverse", "Reverse", show=False),
        Binding("escape", "unfilter", "All again", show=False),
        Binding("x", "acknowledge", "Seen"),
    ]
    DEFAULT_CSS = """
    Board #filter { display: none; border: none; height: 1; padding: 0; }
    Board #shown { height: 1; }
    """

    def __init__(self, link: Link) -> None:
        super().__init__(link)
        self.choice = Choice()
        self._rows: dict[str, Row] = {}
        self._painted: tuple[int, Choice] | None = None

    def compose(self) -> ComposeResult:
        """Lay it out."""
        yield Head(self.link)
        yield Static(id="shown", markup=False)
        yield Input(placeholder="words: a state, a queue, an agent, an id, alert…", id="filter")
        yield Listing(self._cells, self._heads, id="rows")
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        """Begin at the list."""
        self.query_one(Listing).focus()

    def paint(self, seconds: float) -> None:
        """Show what is known now."""
        super().paint(seconds)
        listing = self.query_one(Listing)
        listing.dimmed = self.old
        present = (self.link.known.version, self.choice)
        if present == self._painted:
            listing.refresh()  # ages grow all the same
            return
        self._painted = present
        known, queues = self.link.known, self.link.session.queues
        rows = choose(known, queues, self.choice, self.link.shown())
        self._rows = {row.callback_id: row for row in rows}
        listing.put(list(self._rows))
        self.query_one("#shown", Static).update(self._shown())

    def action_filter(self) -> None:
        """Let somebody write what they want to see."""
        field = self.query_one("#filter", Input)
        field.display = True
        self.set_focus(field)

    def action_unfilter(self) -> None:
        """Show all again."""
        field = self.query_one("#filter", Input)
        field.value = ""
        field.display = False
        self.set_focus(self.query_one(Listing))

    def action_sort(self, step: int) -> None:
        """Sort by the next column in sight."""
        names = [column.name for column, _ in self._columns()]
        at = names.index(self.choice.order) if self.choice.order in names else 0
        self._order(names[(at + step) % len(names)], descending=False)

    def action_reverse(self) -> None:
        """Sort the other way round."""
        self._order(self.choice.order, descending=not self.choice.descending)

    def action_acknowledge(self) -> None:
        """Note that one has seen the alerts of the callback under the cursor."""
        chosen = self.query_one(Listing).chosen
        alerts = self.link.known.alerts_of(chosen) if chosen is not None else ()
        self.post_message(Acknowledge([alert.alert_id for alert in alerts]))

    @on(Input.Changed, "#filter")
    def _wanted(self, event: Input.Changed) -> None:
        self.choice = msgspec.structs.replace(self.choice, words=event.value)
        self.paint_now()

    @on(Input.Submitted, "#filter")
    def _done(self, _: Input.Submitted) -> None:
        self.set_focus(self.query_one(Listing))

    @on(Listing.HeadClicked)
    def _sort_here(self, event: Listing.HeadClicked) -> None:
        right = 0
        for column, width in self._columns():
            right += width + 1
            if event.column < right:
                again = column.name == self.choice.order
                self._order(column.name, descending=again and not self.choice.descending)
                return

    def _order(self, name: str, *, descending: bool) -> None:
        self.choice = msgspec.structs.replace(self.choice, order=name, descending=descending)
        self.paint_now()

    def _columns(self) -> Sequence[tuple[Column, int]]:
        return fitting(COLUMNS, self.query_one(Listing).scrollable_content_region.width)

    def _heads(self, width: int) -> Sequence[Cell]:
        heads = []
        for column, wide in fitting(COLUMNS, width):
            arrow = "▼" if self.choice.descending else "▲"
            sorted_ = column.name == self.choice.order
            heads.append(
                cell(f"{column.label}{arrow if sorted_ else ''}", wide, right=column.right)
            )
        return heads

    def _cells(self, key: str, width: int) -> Sequence[Cell]:
        row = self._rows[key]
        alerts = self.link.known.alerts_of(key)
        facts = Facts(row, alerts, self.link.session.queues, self.link.shown())
        return [
            cell(column.draw(facts), wide, right=column.right)
            for column, wide in fitting(COLUMNS, width)
        ]

    def _shown(self) -> Text:
        total, shown = len(self.link.known.rows), len(self._rows)
        if not self.choice.words.strip():
            return line((plural(total, "open callback"), "dim"))
        said = f"{shown:,} of {plural(total, 'open callback')} with "
        return line((said, "bold"), (self.choice.words.strip(), "bold"), ("  (Esc: all)", "dim"))
