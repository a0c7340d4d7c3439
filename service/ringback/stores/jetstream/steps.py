"""The log of steps for its readers."""

from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from itertools import islice

from ringback.errors import EngineForeign, FrameError, PositionGone
from ringback.ports import Row, Step
from ringback.stores.jetstream.connection import Connection
from ringback.stores.jetstream.following import Log
from ringback.stores.jetstream.pulling import Found
from ringback.stores.jetstream.subjects import Subjects
from ringback.wire.steps import StepBody, decode_step

__all__ = ["CURSOR", "JOURNAL", "REMEMBERED", "Firsts", "JetStreamSteps", "unpacked"]

CURSOR = "~cursor/"
"""Begins the keys of what partitions note for themselves; no reader of the log is shown it."""
REMEMBERED = 10_000
"""Ids of steps that a reader has had lately."""
JOURNAL = "~journal"
"""The key of events that came with no row."""


class JetStreamSteps:
    """The `StepLog` of an organisation: the steps of all partitions, in one order."""

    def __init__(self, connection: Connection, subjects: Subjects) -> None:
        self._connection = connection
        self._subjects = subjects
        self._all = Log(connection, subjects.steps, f"{subjects.root}.st.>")

    async def load(self) -> AsyncIterator[Sequence[Step]]:
        """Give the last step of every row of every partition.

        All of them are as of one moment, unless the engine was away meanwhile: then some come
        again, later ones.
        """
        async with aclosing(self._all.last_in_chunks()) as chunks:
            async for chunk in chunks:
                yield _shown(chunk)

    async def follow(self, after: int) -> AsyncIterator[Sequence[Step]]:
        """Give the steps that follow `after`, for ever; an empty chunk: no news.

        Raises `PositionGone`, and `EngineForeign` when the stream was emptied.
        """
        firsts = Firsts()
        async with aclosing(self._all.follow(after)) as chunks:
            async for chunk in chunks:
                yield _shown(firsts.of(chunk))

    async def position(self) -> int:
        """Give the sequence of the log's last step; 0 when it never had one."""
        return (await self._all.state()).last_seq

    async def begin(self) -> int:
        """Give the sequence of the last step that retention has removed; 0 if there is none."""
        return max(0, (await self._all.state()).first_seq - 1)

    async def read(self, after: int, limit: int) -> Sequence[Step]:
        """Give at most `limit` steps that follow `after`, oldest first; none at the log's end.

        Raises `PositionGone`.
        """
        state = await self._all.state()
        if state.first_seq > after + 1:
            raise PositionGone(self._all.stream, after, state.first_seq)
        found: list[Step] = []
        firsts = Firsts()
        async with aclosing(self._all.read(after)) as chunks:
            async for chunk in chunks:
                found += _shown(firsts.of(chunk))
                if len(found) >= limit:
                    break
        return found[:limit]

    async def history(self, partition: int, key: str, limit: int) -> Sequence[Step]:
        """Give the last `limit` steps of one row that are kept, oldest first."""
        if limit == 1:
            return await self._last(self._subjects.step(partition, key))
        log = Log(self._connection, self._all.stream, self._subjects.step(partition, key))
        found: deque[Step] = deque(maxlen=limit)
        async for chunk in log.read(0):
            found.extend(_shown(chunk))
        return list(found)

    async def _last(self, subject: str) -> list[Step]:
        """Give a row's last step, for which a user needs no right to read the others."""
        connection, stream = self._connection, self._all.stream
        message = await connection.persist(lambda: connection.last(stream, subject), stream)
        if message is None or message.headers is None:
            return []
        return [_step(int(message.headers["Nats-Sequence"]), subject, message.data)]


class Firsts:
    """Passes over a step that was stored twice.

    Each is sent under an id of its own. Servers that were torn from one another and find together
    again have been seen to store what they had taken already once more (nats-server 2.9.10).
    """

    def __init__(self) -> None:
        self._ids: dict[str, None] = {}

    def of(self, chunk: Sequence[Found]) -> list[Found]:
        """Give those that are not there already."""
        firsts = []
        for found in chunk:
            if found.id in self._ids:
                continue
            if found.id:
                self._ids[found.id] = None
            firsts.append(found)
        for name in list(islice(self._ids, max(0, len(self._ids) - REMEMBERED))):
            del self._ids[name]
        return firsts


def _shown(chunk: Sequence[Found]) -> list[Step]:
    steps = [_step(found.sequence, found.subject, found.body) for found in chunk]
    return [step for step in steps if not step.row.conversation_id.startswith(CURSOR)]


def _step(sequence: int, subject: str, packed: bytes) -> Step:
    body = unpacked(sequence, subject, packed)
    return Step(
        sequence,
        int(subject.split(".")[-2]),
        Row(body.key, body.state, body.wake_at),
        body.reached,
        body.events,
        body.subjects,
    )


def unpacked(sequence: int, subject: str, packed: bytes) -> StepBody:
    """Read a step. Raises `EngineForeign` for what none of this version's has written."""
    try:
        return decode_step(packed)
    except FrameError as error:
        raise EngineForeign(
            subject,
            f"message {sequence} is no step that this Ringback knows ({error.detail})",
            "run the newest Ringback that writes there, and see that nobody else does",
        ) from None
