"""What every screen has: the head that says how fresh it is, and what can be asked of the whole."""

import asyncio
from collections.abc import Sequence

from textual.message import Message
from textual.screen import Screen

from ringback.terminal.link import Link, Phase
from ringback.terminal.top.head import Head

__all__ = ["Acknowledge", "Page"]


class Acknowledge(Message):
    """Somebody has seen some alerts."""

    def __init__(self, alert_ids: Sequence[str]) -> None:
        super().__init__()
        self.alert_ids = alert_ids


class Page(Screen[None]):
    """A screen that shows what `link` knows, and is painted again and again."""

    def __init__(self, link: Link) -> None:
        super().__init__()
        self.link = link

    @property
    def old(self) -> bool:
        """Whether what is shown is not the present."""
        return self.link.phase in {Phase.LOST, Phase.BEHIND}

    def on_mount(self) -> None:
        """Show what is known at once."""
        self.paint_now()

    def on_screen_resume(self) -> None:
        """Show what has become known while another screen was in front."""
        if self.is_mounted:
            self.paint_now()

    def paint(self, seconds: float) -> None:
        """Show what is known now; `seconds` is the loop's time."""
        self.query_one(Head).paint(seconds)

    def paint_now(self) -> None:
        """Show what somebody has just chosen."""
        self.paint(asyncio.get_running_loop().time())
