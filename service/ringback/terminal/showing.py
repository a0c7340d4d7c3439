"""`ringback show`: one callback's life, once."""

import asyncio
from collections.abc import Sequence
from datetime import tzinfo

from rich.console import Console

from ringback.errors import DaemonError, DaemonFault
from ringback.terminal.answers import Row
from ringback.terminal.client import Client
from ringback.terminal.drawing import Around
from ringback.terminal.lives import Life
from ringback.terminal.scale import Signs
from ringback.terminal.timeline import timeline

__all__ = ["fetch", "show", "signs_for"]

MOST_FOUND = 10


async def fetch(client: Client, asked: str) -> bytes:
    """Give the life of the callback that is meant: by its id, or by a part that only it has.

    Raises `DaemonError`.
    """
    try:
        return await client.life_text(asked)
    except DaemonError as error:
        if error.fault is not DaemonFault.NOT_FOUND:
            raise
        rows = [row for row in await client.find(asked, MOST_FOUND + 1) if _has(row, asked)]
        if not rows:
            raise DaemonError(
                error.fault,
                f"no callback has {asked} for an id that is kept, or in one that is open",
                "`ringback top` lists those that are open; one that has ended needs its whole id",
            ) from None
    beginning = [row for row in rows if row.callback_id.startswith(asked)]
    if len(rows) > 1 and len(beginning) != 1:
        raise _ambiguous(asked, rows)
    return await client.life_text((beginning or rows)[0].callback_id)


async def show(
    client: Client, asked: str, console: Console, *, raw: bool, zone: tzinfo | None = None
) -> None:
    """Print one callback's life; `raw` as the API gives it. Raises `DaemonError`."""
    text = await fetch(client, asked)
    life = client.life(text)
    if raw:
        console.out(text.decode(), highlight=False)
        return
    session, sources, others = await asyncio.gather(
        client.session(), client.sources(), _others(client, life)
    )
    around = Around(
        queues=session.queues,
        sources=sources.sources,
        others=others,
        zone=zone,
        signs=signs_for(console),
    )
    for text_line in timeline(life, life.now, console.width, around):
        # A link is longer than a line: broken by the terminal, it is still one to copy.
        console.print(text_line, soft_wrap=True, highlight=False)


def signs_for(console: Console) -> Signs:
    """Give what can be drawn with; what is no terminal, or a poor one, gets plain ASCII."""
    rich = console.is_terminal and not console.is_dumb_terminal
    return Signs() if rich and console.encoding.startswith("utf") else Signs.ascii()


async def _others(client: Client, life: Life) -> Sequence[Row]:
    """Give the open callbacks of the same conversation, if this one has ended."""
    own = life.callback
    if life.ended is None:
        return ()
    rows = await client.find(own.conversation_id)
    return [
        row
        for row in rows
        if row.conversation_id == own.conversation_id and row.callback_id != own.callback_id
    ]


def _has(row: Row, asked: str) -> bool:
    """Whether it is the ids of a callback that were asked for, and not a queue's or an agent's."""
    wanted = asked.casefold()
    return wanted in row.callback_id.casefold() or wanted in row.conversation_id.casefold()


def _ambiguous(asked: str, rows: Sequence[Row]) -> DaemonError:
    found = ", ".join(row.callback_id for row in rows[:MOST_FOUND])
    more = ", and more" if len(rows) > MOST_FOUND else ""
    return DaemonError(
        DaemonFault.NOT_FOUND,
        f"several callbacks have {asked} in their id",
        f"give the whole of one: {found}{more}",
    )
