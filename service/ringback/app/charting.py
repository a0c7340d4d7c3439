"""Fills the trends: the present as it is told, the hours before from the journal, beside it."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta

import structlog

from ringback.core.events import Event
from ringback.core.lifecycle import State
from ringback.errors import PositionGone
from ringback.ports import Clock, Past
from ringback.web.board.board import Board
from ringback.web.board.trends import MOST_HOURS, Trends, minute_of
from ringback.web.journal import Told
from ringback.wire.cloudevents import decode_known

__all__ = ["Charting"]

CHUNK = 500

log = structlog.get_logger(__name__)


class Charting:
    """The trends of one board."""

    def __init__(self, board: Board, past: Past, clock: Clock, grace: timedelta) -> None:
        """`grace` is how long after its time a scheduled callback is still released in time."""
        self.trends = Trends(minute_of(clock.now()), (), grace)
        self.complete = False
        """Whether the journal was read for all that it still has of the last hours."""
        self._board = board
        self._past = past
        self._clock = clock
        self._grace = grace
        self.begun = False
        """Whether the trends are those of the board."""

    def apply(self, told: Sequence[Told]) -> None:
        """Take in what the board takes in."""
        if self.begun:
            for each in told:
                if each.event is not None:
                    self.trends.tell(each.event)

    async def fill(self) -> None:
        """Begin where the board is, which must be loaded; then read what was before."""
        until, now = self._board.position, self._clock.now()
        rows = self._board.rows.values()
        waiting = [(row.callback_id, row.since) for row in rows if row.state is State.WAITING]
        self.trends = Trends(minute_of(now), waiting, self._grace)
        self.begun = True
        past: Trends | None = None
        entries = 0
        async for event in self._told(now - timedelta(hours=MOST_HOURS), until):
            if past is None:
                long = [(one, since) for one, since in waiting if since < event.time]
                past = Trends(minute_of(_observed(event)), long, self._grace)
            past.tell(event)
            entries += 1
        if past is not None:
            self.trends.join(past)
        self.complete = True
        log.info("trends_filled", entries=entries)

    async def _told(self, since: datetime, until: int) -> AsyncIterator[Event]:
        """Give what was told since an instant, up to a position."""
        position = await self._before(since, until)
        while position < until:
            try:
                entries = await self._past.read(position, min(CHUNK, until - position))
            except PositionGone as gone:
                position = gone.oldest - 1
                continue
            if not entries:
                return
            for event in map(decode_known, [entry.body for entry in entries]):
                if event is not None:
                    yield event
            position = entries[-1].position

    async def _before(self, since: datetime, until: int) -> int:
        """Find the last position that was told before an instant, or the journal's beginning."""
        least, most = 0, until
        while least < most:
            middle = (least + most) // 2
            try:
                entries = await self._past.read(middle, 1)
            except PositionGone as gone:
                least = gone.oldest - 1
                continue
            event = decode_known(entries[0].body) if entries else None
            if entries and (event is None or _observed(event) < since):
                # The first that follows: positions may leave some out.
                least = entries[0].position
            else:
                most = middle
        return least


def _observed(event: Event) -> datetime:
    return datetime.fromisoformat(event.data.observed_time)
