"""One who follows the feed."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

import msgspec

from ringback.web.feed.portions import Portion
from ringback.web.feed.wishes import Wish
from ringback.web.journal import Bell

__all__ = ["PACE_SECONDS", "Feeding", "Group", "Reader", "Turn"]

PACE_SECONDS = 0.05
NOTHING_YET = -1


class Group:
    """Readers that are woken together."""

    def __init__(self) -> None:
        self.size = 0
        self.told = 0
        """The position that it was last woken for."""
        self.beats = 0
        """Rises when it is time for heartbeats."""
        self.bell = Bell()

    def wake(self, position: int, beats: int) -> None:
        """Wake all that wait: there may be news."""
        self.told, self.beats = position, beats
        self.bell.ring()


class Feeding(Protocol):
    """What a reader needs of the feed."""

    position: int
    open: bool

    async def portion(self, after: int, wish: Wish) -> Portion:
        """Give what follows a position. Raises `PositionGone`."""

    def beat(self) -> bytes:
        """Give what a heartbeat says now."""


class Turn(msgspec.Struct, frozen=True):
    """What a reader writes at once."""

    portion: Portion
    beat: bytes | None
    """What the heartbeat after it says, if there is one."""


class Reader:
    """A position and a wish. What it is to write is made by the feed, for it and its likes."""

    def __init__(self, transport: str, wish: Wish, position: int, *, masked: bool) -> None:
        self.transport = transport
        self.position = position
        """Of the last entry that was handed on, or passed over."""
        self.masked = masked
        self.group = Group()
        """Chosen by the feed."""
        self._wish = wish
        self._beats = NOTHING_YET
        self._told_behind = False
        self._catching_up = False
        self._patience: asyncio.Timeout | None = None

    async def turn(self, feed: Feeding) -> Turn | None:
        """Wait for something to write; None when the feed ends. Raises `PositionGone`."""
        while True:
            await self._wait(feed)
            if not feed.open:
                return None
            portion = await feed.portion(self.position, self._wish)
            self.position = portion.upto
            self._catching_up = self.position < feed.position
            beat = feed.beat() if self._beat_due() else None
            if portion.told or beat is not None:
                return Turn(portion, beat)

    async def _wait(self, feed: Feeding) -> None:
        """Wait until there may be something; not for news that came while it was writing."""
        if self._catching_up:
            await asyncio.sleep(PACE_SECONDS)
            return
        group = self.group
        while feed.open and group.told <= self.position and self._beats == group.beats:
            await group.bell.wait()

    def _beat_due(self) -> bool:
        """Whether it is time, or the last heartbeat said that it is behind and it is no more."""
        beats = self.group.beats
        if self._beats == beats and (self._catching_up or not self._told_behind):
            return False
        self._beats = beats
        self._told_behind = self._catching_up
        return True

    @asynccontextmanager
    async def patience(self, seconds: float) -> AsyncIterator[None]:
        """Bound how long a write may take. Raises `TimeoutError`."""
        async with asyncio.timeout(seconds) as patience:
            self._patience = patience
            try:
                yield
            finally:
                self._patience = None

    def hurry(self, seconds: float) -> None:
        """Leave only little time for what is being written."""
        if self._patience is not None:
            self._patience.reschedule(asyncio.get_running_loop().time() + seconds)
