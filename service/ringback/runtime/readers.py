"""Readers of the journal: each pulls from its own position, at its own pace.

A reader that is slow is behind, never wrong, and holds up nobody. Its cursor is committed with the
next batch, so after a crash it is told the last few entries again: at least once.
"""

import asyncio

import structlog

from ringback.errors import PositionGone, SinkError
from ringback.ports import Past, Sink
from ringback.runtime.desk import Books

__all__ = ["read_forever", "read_while_taken"]

CHUNK = 500

log = structlog.get_logger(__name__)


async def read_forever(name: str, sink: Sink, past: Past, books: Books) -> None:
    """Hand a sink every entry of the journal that it has not dealt with, until cancelled."""
    cursor = await books.cursor(name) or 0
    await books.note_told(name, cursor)
    while True:
        if cursor >= books.position:
            await books.advanced(cursor)
        upto = books.position
        try:
            entries = await past.read(cursor, CHUNK)
        except PositionGone as gone:
            log.warning("reader_fell_behind", reader=name, after=cursor, oldest=gone.oldest)
            cursor = gone.oldest - 1
            continue
        if entries:
            await sink.tell(entries)
        # Positions may leave some out: where no entry is, there is nothing to wait for.
        cursor = entries[-1].position if entries else upto
        await books.note_told(name, cursor)


async def read_while_taken(name: str, sink: Sink, past: Past, books: Books) -> None:
    """Do the same until the sink cannot go on; then wait, for others have more to do than it."""
    try:
        await read_forever(name, sink, past, books)
    except SinkError as error:
        log.error("sink_failed", sink=name, problem=str(error))  # noqa: TRY400  # it says it all
        await asyncio.Event().wait()
