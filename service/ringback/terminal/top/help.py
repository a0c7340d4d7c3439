"""The keys."""

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.screen import ModalScreen
from textual.widgets import Static

from ringback.terminal.words import line

__all__ = ["Help"]

KEYS = (
    ("j k ↓ ↑", "next and previous callback"),
    ("PgDn PgUp", "a page on and back; Space too"),
    ("g G", "first and last; at the first it stays there"),
    ("Enter", "one callback: its timeline, kept up to date"),
    ("/", "filter by words: states, queues, agents, ids,"),
    ("", "  alert, critical, unseen, unverified; each has to match"),
    ("s S", "sort by the next or the previous column"),
    ("R", "the other way round; or click on a column"),
    ("a", "the alerts"),
    ("s", "on an alert: let no receiver be told for a while"),
    ("x", "note that you have seen what is under the cursor"),
    ("r", "connect again now, while not connected"),
    ("Esc", "back, or all again"),
    ("q", "end"),
)
SIGNS = (
    ("X ! i", "an alert that nobody has seen: critical, warning, info"),
    ("✓", "alerts that somebody has seen"),
    ("?", "unverified: something may have been missed"),
    ("dim", "old: the daemon is away, or it is catching up"),
)


class Help(ModalScreen[None]):
    """Says what can be done."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark,enter", "app.pop_screen", "Back")
    ]
    DEFAULT_CSS = """
    Help { align: center middle; }
    Help VerticalScroll { width: 64; height: auto; max-height: 100%; border: round $foreground;
        padding: 0 1; }
    Help Static { height: auto; }
    """

    def compose(self) -> ComposeResult:
        """Lay it out."""
        with VerticalScroll():
            yield Static(_text(), markup=False)


def _text() -> Text:
    lines = [line((f"{keys:>9}", "bold"), f"  {words}") for keys, words in KEYS]
    signs = [line((f"{sign:>9}", "bold"), f"  {words}") for sign, words in SIGNS]
    return Text("\n").join([*lines, line(), *signs])
