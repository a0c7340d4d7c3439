"""Puts it together: what is known of a daemon, and the screens that show it."""

import asyncio
from contextlib import suppress
from typing import ClassVar

from rich.segment import Segments
from rich.traceback import Traceback
from textual import on
from textual.app import App
from textual.binding import Binding, BindingType
from textual.css.query import NoMatches

from ringback.errors import DaemonError
from ringback.terminal.client import Client
from ringback.terminal.clock import DaemonClock
from ringback.terminal.known import Known
from ringback.terminal.link import Link
from ringback.terminal.top.alerts import Alerts
from ringback.terminal.top.board import Board
from ringback.terminal.top.detail import Detail, Open
from ringback.terminal.top.help import Help
from ringback.terminal.top.listing import Listing
from ringback.terminal.top.page import Acknowledge, Page

__all__ = ["Top"]

PAINT_SECONDS = 0.25


class Top(App[DaemonError]):
    """The open callbacks of a daemon. Its result is why nothing could be shown, if that is so."""

    TITLE = "Ringback"
    ENABLE_COMMAND_PALETTE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "alerts", "Alerts"),
        Binding("r", "retry", "Connect now", show=False),
        Binding("question_mark", "help", "Keys", key_display="?"),
        Binding("q", "quit", "Quit"),
    ]

    def __init__(self, client: Client) -> None:
        super().__init__(ansi_color=True)
        self._client = client
        self._painted: tuple[Page, int, int] | None = None
        self.link: Link

    async def on_mount(self) -> None:
        """Begin to follow."""
        self.theme = "ansi-dark"  # the terminal's own colours
        clock = DaemonClock(asyncio.get_running_loop().time)
        self.link = Link(self._client, Known(), clock)
        await self.push_screen(Board(self.link))
        self.run_worker(self._follow(), name="link")
        self.set_interval(PAINT_SECONDS, self.paint)

    def paint(self) -> None:
        """Show what is known now, if that or the second is another one."""
        front, seconds = self.screen, asyncio.get_running_loop().time()
        if not isinstance(front, Page):
            return
        present = (front, self.link.known.version, int(seconds))
        if present != self._painted:
            with suppress(NoMatches):  # it is not laid out yet, or being taken apart already
                front.paint(seconds)
                self._painted = present

    async def action_alerts(self) -> None:
        """Show the alerts."""
        if isinstance(self.screen, Page):
            await self.push_screen(Alerts(self.link))

    async def action_help(self) -> None:
        """Show the keys."""
        await self.push_screen(Help())

    def _fatal_error(self) -> None:
        """Leave with the traceback alone: Textual's own shows variables, and one may be a token."""
        error = Traceback(show_locals=False, width=None)
        self._exit_renderables.append(Segments(self.console.render(error, self.console.options)))
        self._close_messages_no_wait()

    def action_retry(self) -> None:
        """Connect now."""
        self.link.retry_now()

    @on(Listing.Opened)
    async def _opened(self, event: Listing.Opened) -> None:
        await self.push_screen(Detail(self.link, event.key))

    @on(Open)
    async def _open(self, event: Open) -> None:
        await self.push_screen(Detail(self.link, event.callback_id))

    @on(Acknowledge)
    def _acknowledge(self, event: Acknowledge) -> None:
        alerts = [self.link.known.alerts.get(each) for each in event.alert_ids]
        unseen = [each for each in alerts if each is not None and each.acknowledged is None]
        if not unseen:
            self.notify("there is no alert here that nobody has seen")
            return
        self.run_worker(self._note([each.alert_id for each in unseen]), group="acknowledge")

    async def _note(self, alert_ids: list[str]) -> None:
        try:
            for each in alert_ids:
                await self._client.acknowledge(each)
        except DaemonError as error:
            self.notify(str(error), severity="error", markup=False)

    async def _follow(self) -> None:
        try:
            async with self._client:
                await self.link.run()
        except DaemonError as error:
            self.exit(error)
