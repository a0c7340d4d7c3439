"""One callback's life, kept up to date while it is looked at."""

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import VerticalScroll
from textual.message import Message
from textual.widgets import Footer, Static

from ringback.errors import DaemonError
from ringback.terminal.answers import Alert, Row
from ringback.terminal.drawing import Around
from ringback.terminal.link import Link, Phase
from ringback.terminal.lives import Life
from ringback.terminal.timeline import timeline
from ringback.terminal.top.head import Head
from ringback.terminal.top.page import Acknowledge, Page
from ringback.terminal.words import line

__all__ = ["Detail", "Open"]

AGAIN_SECONDS = 1.0
"""A life is asked for again no sooner."""


class Open(Message):
    """Somebody wants to see a callback's life."""

    def __init__(self, callback_id: str) -> None:
        super().__init__()
        self.callback_id = callback_id


class Detail(Page):
    """One callback."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("x", "acknowledge", "Seen"),
        Binding("down,j", "scroll(1)", "Down", show=False),
        Binding("up,k", "scroll(-1)", "Up", show=False),
        Binding("escape,backspace,left", "app.pop_screen", "Back", key_display="esc"),
    ]
    DEFAULT_CSS = """
    Detail VerticalScroll { height: 1fr; scrollbar-size-vertical: 1; }
    Detail #life { height: auto; }
    """

    def __init__(self, link: Link, callback_id: str) -> None:
        super().__init__(link)
        self.callback_id = callback_id
        self._life: Life | None = None
        self._of: tuple[Row | None, tuple[Alert, ...], Phase] | None = None
        self._problem = ""
        self._asked_at = -AGAIN_SECONDS

    def compose(self) -> ComposeResult:
        """Lay it out."""
        yield Head(self.link)
        with VerticalScroll():
            yield Static(id="life", markup=False)
        yield Footer(show_command_palette=False)

    def paint(self, seconds: float) -> None:
        """Show what is known now, and ask when the feed has told of something new."""
        super().paint(seconds)
        known = self.link.known
        row, alerts = known.rows.get(self.callback_id), known.alerts_of(self.callback_id)
        present = (row, tuple(alerts), self.link.phase)
        due = seconds - self._asked_at >= AGAIN_SECONDS and self.link.phase is not Phase.LOST
        if due and (present != self._of or self._problem):
            self._of = present
            self._asked_at = seconds
            self.run_worker(self._ask(), exclusive=True, name=f"life {self.callback_id}")
        self.query_one("#life", Static).update(self._drawn())

    def action_scroll(self, lines: int) -> None:
        """Go some lines down."""
        self.query_one(VerticalScroll).scroll_relative(y=lines, animate=False)

    def action_acknowledge(self) -> None:
        """Note that one has seen its alerts."""
        alerts = self.link.known.alerts_of(self.callback_id)
        self.post_message(Acknowledge([alert.alert_id for alert in alerts]))

    async def _ask(self) -> None:
        client = self.link.client
        try:
            self._life = client.life(await client.life_text(self.callback_id))
            self._problem = ""
        except DaemonError as error:
            self._problem = error.problem

    def _drawn(self) -> Text:
        lines = [line(("! ", "bold red"), self._problem)] if self._problem else []
        if self._life is not None:
            session, known = self.link.session, self.link.known
            around = Around(queues=session.queues, sources=known.sources)
            width = self.query_one(VerticalScroll).scrollable_content_region.width
            now = max(self.link.shown(), self._life.now) if not self.old else self.link.shown()
            lines += timeline(self._life, now, width, around)
        elif not lines:
            lines = [line(("asking for it…", "dim"))]
        text = Text("\n").join(lines)
        if self.old:
            text.stylize("dim")
        return text
