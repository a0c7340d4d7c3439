"""How one reader follows, whatever the transport: write by write, until one side has enough."""

import asyncio
from collections.abc import Awaitable, Callable
from enum import StrEnum

from ringback.errors import PositionGone
from ringback.web.feed.feed import Feed
from ringback.web.feed.reader import Reader, Turn

__all__ = ["CUT_OFF", "Ending", "follow"]


class Ending(StrEnum):
    """Why somebody follows no longer."""

    GONE = "gone"
    """It went by itself."""
    CLOSED = "closed"
    """The daemon stops."""
    STALLED = "stalled"
    """It did not take what was written to it."""
    RETENTION = "retention"
    """What follows its position is not kept any more."""
    AHEAD = "ahead"
    """The journal is not as far as its position: it is another journal."""

    @property
    def reason(self) -> str:
        """Say it to the reader."""
        if self is Ending.AHEAD:
            return "the journal is not as far as this position"
        return "what follows this position is no longer kept"


CUT_OFF = (Ending.STALLED, Ending.RETENTION, Ending.AHEAD)


async def follow(
    feed: Feed,
    reader: Reader,
    form: Callable[[Turn], bytes],
    write: Callable[[bytes], Awaitable[None]],
    gone: Callable[[], Awaitable[None]],
) -> Ending:
    """Write to a reader until it or the feed ends; `gone` returns when it has gone."""
    writing = asyncio.create_task(_write(feed, reader, form, write), name="feed writer")
    going = asyncio.ensure_future(gone())
    try:
        await asyncio.wait({writing, going}, return_when=asyncio.FIRST_COMPLETED)
        ending = writing.result() if writing.done() else Ending.GONE
    finally:
        writing.cancel()
        going.cancel()
        await asyncio.gather(writing, going, return_exceptions=True)
    if ending in CUT_OFF:
        feed.cut_off[ending] += 1
    return ending


async def _write(
    feed: Feed,
    reader: Reader,
    form: Callable[[Turn], bytes],
    write: Callable[[bytes], Awaitable[None]],
) -> Ending:
    if not await feed.journal.reaches(reader.position):
        return Ending.AHEAD
    try:
        while (turn := await reader.turn(feed)) is not None:
            told, formed = len(turn.portion.told), form(turn)
            # Or a slow reader would hold entries as they were decoded for as long as it takes.
            del turn
            async with reader.patience(feed.limits.stall_seconds):
                await write(formed)
            feed.sent[reader.transport] += told
    except PositionGone:
        return Ending.RETENTION
    except TimeoutError:
        return Ending.STALLED
    except OSError:
        return Ending.GONE
    return Ending.CLOSED
