"""How far a partition is, as its store knows it: taken over at first, and noted from then on.

A note is stored before the rows about no conversation that it holds. Who finds it without them
stores them first: see `checkpoint`.
"""

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from ringback.core.asides import is_aside
from ringback.ports import Batch, Clock, PartitionStore, Row
from ringback.runtime.cluster.checkpoint import (
    CHECKPOINT,
    Aside,
    Checkpoint,
    decode_checkpoint,
    encode_checkpoint,
)

__all__ = ["Noting", "Stored"]

CURSOR = "inputs"
"""What a store calls how far the input log is dealt with, where nothing has noted more."""
MOST_NOTED = 900 * 1024
"""Bytes of a note. An engine takes 1 MiB."""


class Stored(NamedTuple):
    """What is taken over."""

    checkpoint: Checkpoint
    apart: dict[str, bytes]
    """Rows about no conversation."""
    conversations: dict[str, Row]


class Noting:
    """The notes of one partition."""

    def __init__(self, store: PartitionStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def take_over(self) -> Stored:
        """Give what is stored, and shut out whoever had it. Raises `StoreError`."""
        apart: dict[str, bytes] = {}
        conversations: dict[str, Row] = {}
        async for chunk in self._store.load():
            for row in chunk:
                if not is_aside(row.conversation_id):
                    conversations[row.conversation_id] = row
                elif row.state is not None:
                    apart[row.conversation_id] = row.state
        noted = apart.pop(CHECKPOINT, None)
        if noted is None:
            checkpoint = Checkpoint(reached=await self._store.cursor(CURSOR) or 0)
        else:
            checkpoint = decode_checkpoint(noted)
        await self._make_good(checkpoint, apart)
        return Stored(checkpoint, apart, conversations)

    async def note(self, checkpoint: Checkpoint) -> int:
        """Store a note and the rows in it; give the journal's last position.

        Raises `StoreError`.
        """
        noted, apart = _noted(checkpoint), _apart(checkpoint.asides, checkpoint.reached)
        state = noted.rows[CHECKPOINT].state or b""
        if len(state) > MOST_NOTED:
            # Too much for one message: not as a whole, then. Seldom, and what is told may be
            # told again should this be cut short.
            await self._commit(apart)
            return await self._commit(_noted(msgspec.structs.replace(checkpoint, asides=[])))
        position = await self._commit(noted)
        return await self._commit(apart) if apart.rows else position

    async def _make_good(self, checkpoint: Checkpoint, apart: dict[str, bytes]) -> None:
        """Store what was noted and not stored yet; it is as if that were a moment ago."""
        marks = self._store.marks
        missing = [
            aside
            for aside in checkpoint.asides
            if aside.key not in marks or marks[aside.key].reached < checkpoint.reached
        ]
        # Whoever goes on elsewhere is refused with this.
        await self._commit(_noted(msgspec.structs.replace(checkpoint, asides=missing)))
        if missing:
            await self._commit(_apart(missing, checkpoint.reached))
        for aside in missing:
            apart.pop(aside.key, None)
            if aside.state is not None:
                apart[aside.key] = aside.state

    async def _commit(self, batch: Batch) -> int:
        return await self._store.commit(batch, self._clock.now())


def _noted(checkpoint: Checkpoint) -> Batch:
    row = Row(CHECKPOINT, encode_checkpoint(checkpoint))
    return Batch({CHECKPOINT: row}, [], {}, reached=checkpoint.reached)


def _apart(asides: Iterable[Aside], reached: int) -> Batch:
    """Give the rows of their own of what was noted together."""
    batch = Batch({}, [], {}, [], [], reached)
    for aside in asides:
        batch.rows[aside.key] = Row(aside.key, aside.state)
        batch.events += aside.events
        batch.subjects += aside.subjects
        batch.keys += [aside.key] * len(aside.events)
    return batch
