"""One partition's rows and journal as steps of the log.

A step is one message on its row's own subject: what the row has become, what is told of it, and
how far the input log is dealt with. It is taken only if the last message of that subject is the one
that this process knows. That, and not a lease, is what keeps two processes apart.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from datetime import datetime

from nats.aio.msg import Msg

from ringback.errors import Fenced, PositionGone, StoreError
from ringback.ports import Batch, Entry, Mark, Row, Step
from ringback.stores.jetstream.connection import Connection
from ringback.stores.jetstream.faults import CONFLICTS, DeniedError, RefusalError, UnsureError
from ringback.stores.jetstream.following import Log
from ringback.stores.jetstream.steps import CURSOR, JOURNAL, JetStreamSteps
from ringback.stores.jetstream.subjects import Subjects
from ringback.wire.steps import (
    StepBody,
    decode_step,
    encode_step,
    end_of_step,
    position_in,
    step_at,
)

__all__ = ["JetStreamStore"]

IN_FLIGHT = 128
"""Steps that are sent before the first of them is answered."""


CHUNK = 500


class JetStreamStore:
    """The `Store` of one partition."""

    def __init__(self, connection: Connection, subjects: Subjects, partition: int) -> None:
        self.partition = partition
        self._connection = connection
        self._subjects = subjects
        self._stream = subjects.steps
        self._log = Log(connection, self._stream, subjects.steps_of(partition))
        self._steps = JetStreamSteps(connection, subjects)
        self._marks: dict[str, Mark] = {}
        self._cursors: dict[str, int] = {}
        self._loaded = False
        self._position = 0
        self._broken: StoreError | None = None
        self._turn = asyncio.Lock()
        self._ids = connection.client.new_inbox().rpartition(".")[2]
        self._count = 0

    @property
    def marks(self) -> Mapping[str, Mark]:
        """Where each row stands, those that are gone included, by its key."""
        return self._marks

    async def load(self) -> AsyncIterator[Sequence[Row]]:
        """Give every row, as of when the first chunk was asked for."""
        marks: dict[str, Mark] = {}
        async for chunk in self._log.last_in_chunks():
            rows = []
            for one in chunk:
                step = decode_step(one.body)
                there = step.state is not None
                self._position = max(self._position, end_of_step(one.sequence))
                marks[step.key] = Mark(step.reached, one.sequence, one.at, there)
                if step.key.startswith(CURSOR):
                    self._cursors[step.key.removeprefix(CURSOR)] = step.reached
                elif there:
                    rows.append(Row(step.key, step.state, step.wake_at))
            if rows:
                yield rows
        self._marks = marks
        self._loaded = True

    async def commit(self, batch: Batch, now: datetime) -> int:
        """Store each row's step, then the cursors; give the log's position.

        What is stored is whole row by row, not as a batch: a reader may see some of its rows
        before others, and an end in the middle leaves those that were stored. Raises `Fenced`.
        """
        async with self._turn:
            if self._broken is not None:
                raise self._broken
            await self._know()
            try:
                await self._put(_steps(batch), now)
                cursors = [
                    StepBody(f"{CURSOR}{name}", None, None, position)
                    for name, position in batch.cursors.items()
                ]
                await self._put(cursors, now)
            except BaseException as error:
                self._broken = (
                    error
                    if isinstance(error, StoreError)
                    else StoreError(self._stream, "a commit was broken off", "open it anew")
                )
                raise
            self._cursors.update(batch.cursors)
            return self._position

    async def read(self, after: int, limit: int) -> Sequence[Entry]:
        """Give at most `limit` entries of all partitions that follow `after`."""
        entries: list[Entry] = []
        step = step_at(after)
        reached = step if after >= end_of_step(step) else max(0, step - 1)
        while len(entries) < limit:
            try:
                steps = await self._steps.read(reached, limit)
            except PositionGone as gone:
                raise PositionGone(self._stream, after, position_in(gone.oldest, 0)) from None
            if not steps:
                break
            reached = steps[-1].sequence
            told = [entry for one in steps for _, entry in _entries(one)]
            entries += [entry for entry in told if entry.position > after]
        return entries[:limit]

    async def history(self, subject: str, limit: int) -> Sequence[Entry]:
        """Give the last `limit` entries about one subject: looks through all that is kept."""
        found: deque[Entry] = deque(maxlen=limit)
        reached = 0
        while steps := await self._steps.read(reached, CHUNK):
            reached = steps[-1].sequence
            for step in steps:
                found.extend(entry for about, entry in _entries(step) if about == subject)
        return list(found)

    async def position(self) -> int:
        """Give the position of the log's end, whoever wrote last."""
        last = await self._steps.position()
        return end_of_step(last) if last else 0

    async def cursor(self, reader: str) -> int | None:
        """Give the last position that `reader` has dealt with; None for a new reader."""
        await self._know()
        return self._cursors.get(reader)

    async def prune(self, now: datetime) -> int:  # noqa: ARG002  # of the port
        """Do nothing: the stream's own retention removes what is old."""
        return 0

    async def close(self) -> None:
        """Let go; the connection stays."""
        self._broken = StoreError(self._stream, "it is closed", "open it anew")

    async def _know(self) -> None:
        """See that it is known where each row stands."""
        if not self._loaded:
            async for _ in self.load():
                pass

    async def _put(self, steps: Sequence[StepBody], now: datetime) -> None:
        """Store steps of different rows, many at once; return when all of them are stored."""
        sent: deque[tuple[StepBody, dict[str, str], asyncio.Future[Msg] | None]] = deque()
        for step in steps:
            while len(sent) >= IN_FLIGHT:
                await self._settle(*sent.popleft(), now)
            mark = self._marks.get(step.key)
            self._count += 1
            headers = {
                "Nats-Msg-Id": f"{self._ids}.{self._count}",
                "Nats-Expected-Last-Subject-Sequence": str(mark.sequence if mark else 0),
            }
            subject = self._subjects.step(self.partition, step.key)
            try:
                future = await self._connection.send(subject, encode_step(step), headers)
            except UnsureError:
                future = None
            sent.append((step, headers, future))
        while sent:
            await self._settle(*sent.popleft(), now)

    async def _settle(
        self,
        step: StepBody,
        headers: dict[str, str],
        sent: asyncio.Future[Msg] | None,
        now: datetime,
    ) -> None:
        """See that a step is stored that may have been."""
        try:
            sequence = await self._first_answer(step, headers, sent)
        except RefusalError:
            raise Fenced(self._stream, self.partition) from None
        self._marks.pop(step.key, None)
        self._marks[step.key] = Mark(step.reached, sequence, now, step.state is not None)
        self._position = max(self._position, end_of_step(sequence))

    async def _first_answer(
        self, step: StepBody, headers: dict[str, str], sent: asyncio.Future[Msg] | None
    ) -> int:
        connection = self._connection
        if sent is not None:
            try:
                return await connection.stored(sent)
            except (UnsureError, DeniedError):
                pass
            except RefusalError as error:
                if error.code in CONFLICTS:
                    raise
        subject, body = self._subjects.step(self.partition, step.key), encode_step(step)
        return await connection.persist(
            lambda: connection.store(subject, body, headers), self._stream
        )


def _entries(step: Step) -> Iterator[tuple[str, Entry]]:
    """Give a step's events, each with what it is about."""
    for index, body in enumerate(step.events):
        about = step.subjects[index] if step.subjects else ""
        yield about, Entry(position_in(step.sequence, index), body)


def _steps(batch: Batch) -> list[StepBody]:
    """Bring a batch's events together with the rows that they came with."""
    events: dict[str, tuple[list[bytes], list[str]]] = {}
    for index, body in enumerate(batch.events):
        key = batch.keys[index] if batch.keys else JOURNAL
        bodies, subjects = events.setdefault(key, ([], []))
        bodies.append(body)
        if batch.subjects:
            subjects.append(batch.subjects[index])
    return [
        StepBody(key, row.state, row.wake_at, batch.reached, *events.pop(key, ([], [])))
        for key, row in batch.rows.items()
    ] + [
        StepBody(key, None, None, batch.reached, bodies, subjects)
        for key, (bodies, subjects) in events.items()
    ]
