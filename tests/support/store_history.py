"""A history of batches that any process can recompute, and the check of a store against it.

Batch `number` also moves the cursor `history` to `number`: what a store holds says how far it got.
"""

from datetime import UTC, datetime, timedelta
from random import Random

from ringback.errors import PositionGone
from ringback.ports import Batch, Row, Store

__all__ = ["KEEP", "all_rows", "at", "batch", "difference", "proceed"]

KEEP = timedelta(seconds=20)
CONVERSATIONS = [f"conversation-{number}" for number in range(40)]
EVERY = 1_000_000


def at(number: int) -> datetime:
    """When a batch is committed: one each second."""
    return datetime(2026, 11, 22, tzinfo=UTC) + timedelta(seconds=number)


def batch(number: int) -> Batch:
    """The batch of this number, from 1."""
    random = Random(number)
    rows = {
        conversation: Row(conversation, None)
        if random.random() < 0.2
        else Row(conversation, b"%d " % number * random.randrange(1, 300), number)
        for conversation in random.sample(CONVERSATIONS, random.randrange(12))
    }
    events = [b'{"id":"%d/%d"}' % (number, index) for index in range(random.randrange(4))]
    return Batch(rows, events, {"history": number})


async def proceed(store: Store, number: int) -> None:
    """Commit one batch, and now and then prune."""
    await store.commit(batch(number), at(number))
    if number % 7 == 0:
        await store.prune(at(number))


async def all_rows(store: Store) -> dict[str, Row]:
    """Load a store to the end."""
    rows = [row async for chunk in store.load() for row in chunk]
    found = {row.conversation_id: row for row in rows}
    assert len(found) == len(rows), "a conversation came twice"
    return found


async def difference(store: Store, acknowledged: int, *, gapless: bool = True) -> str | None:
    """Say how a store differs from the history, of which `acknowledged` batches were confirmed.

    Without `gapless`, positions may leave some out, and nothing is pruned.
    """
    reached = await store.cursor("history") or 0
    if reached < acknowledged:
        return f"lost: batch {acknowledged} was acknowledged, the store is at {reached}"
    rows: dict[str, Row] = {}
    events: list[bytes] = []
    for number in range(1, reached + 1):
        done = batch(number)
        rows |= done.rows
        events += done.events
    expected = {key: row for key, row in rows.items() if row.state is not None}
    if await all_rows(store) != expected:
        return f"rows are not those after batch {reached}"
    if not gapless:
        told = [entry.body for entry in await store.read(0, EVERY)]
        return None if told == events else "the journal is not what was told"
    last = await store.position()
    if last != len(events):
        return f"position {last} instead of {len(events)} after batch {reached}"
    kept = await _kept(store, last)
    if [body for _, body in kept] != [events[position - 1] for position, _ in kept]:
        return "an event changed its position"
    if [position for position, _ in kept] != list(range(last - len(kept) + 1, last + 1)):
        return "the journal has a hole"
    return None


async def _kept(store: Store, last: int) -> list[tuple[int, bytes]]:
    try:
        found = await store.read(0, EVERY)
    except PositionGone as gone:
        if gone.oldest > last:
            return []
        found = await store.read(gone.oldest - 1, EVERY)
    return [(entry.position, entry.body) for entry in found]
