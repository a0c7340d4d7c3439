"""One partition's rows and journal as steps of the log.

A step is one message on its row's own subject: what the row has become, what is told of it, and
how far the input log is dealt with. It is taken only if the last message of that subject is the one
that this process knows. That, and not a lease, is what keeps two processes apart.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import aclosing
from datetime import datetime, timedelta
from itertools import takewhile

import msgspec
from msgspec.structs import replace
from nats.aio.msg import Msg

from ringback.errors import Fenced, PositionGone, StoreError
from ringback.ports import Batch, Entry, Mark, Row, Step
from ringback.stores.jetstream.connection import Connection
from ringback.stores.jetstream.faults import CONFLICTS, DeniedError, RefusalError, UnsureError
from ringback.stores.jetstream.following import Log
from ringback.stores.jetstream.steps import CURSOR, JOURNAL, JetStreamSteps, unpacked
from ringback.stores.jetstream.subjects import Subjects
from ringback.wire.steps import (
    MOST_EVENTS,
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
LOOK = 10.0
"""Seconds between looks at what retention is about to remove."""
LOOK_ON = 0.5
"""As long as there is more of that than is written again at once."""
MARGIN = timedelta(hours=1)
"""So much older than retention has to be what it has surely removed."""
MOST_HELD = 200
"""Rows that are written again at once."""


class _Sent(msgspec.Struct):
    """A step that was sent, or could not be."""

    step: StepBody
    headers: dict[str, str]
    answer: asyncio.Future[Msg] | None


class JetStreamStore:
    """The `PartitionStore` of one partition."""

    def __init__(self, connection: Connection, subjects: Subjects, partition: int) -> None:
        self.partition = partition
        self._connection = connection
        self._subjects = subjects
        self._stream = subjects.steps
        self._log = Log(connection, self._stream, subjects.steps_of(partition))
        self._steps = JetStreamSteps(connection, subjects)
        self._marks: dict[str, Mark] = {}
        """What was written last is last."""
        self._cursors: dict[str, int] = {}
        self._loaded = False
        self._position = 0
        self._broken: StoreError | None = None
        self._turn = asyncio.Lock()
        self._ids = connection.client.new_inbox().rpartition(".")[2]
        self._count = 0
        self._look_at = 0.0

    @property
    def marks(self) -> Mapping[str, Mark]:
        """Where each row stands, gone ones and cursors too. Known once loaded."""
        return self._marks

    async def load(self) -> AsyncIterator[Sequence[Row]]:
        """Give every row, as of when the first chunk was asked for."""
        marks: dict[str, Mark] = {}
        async with aclosing(self._log.last_in_chunks()) as chunks:
            async for chunk in chunks:
                rows = []
                for one in chunk:
                    step = unpacked(one.sequence, one.subject, one.body)
                    self._position = max(self._position, end_of_step(one.sequence))
                    there = step.state is not None
                    marks[step.key] = Mark(step.reached, one.sequence, one.at, there)
                    if step.key.startswith(CURSOR):
                        self._cursors[step.key.removeprefix(CURSOR)] = step.reached
                    elif there:
                        rows.append(Row(step.key, step.state, step.wake_at))
                if rows:
                    yield rows
        self._marks = dict(sorted(marks.items(), key=lambda one: one[1].sequence))
        self._loaded = True

    async def commit(self, batch: Batch, now: datetime) -> int:
        """Store each row's step, then the cursors; return when all of it is stored.

        What is stored is whole row by row, not as a batch: a reader may see some of its rows
        before others, and an end in the middle leaves those that were stored. While the engine is
        away it waits. Raises `Fenced`.
        """
        async with self._turn:
            if self._broken is not None:
                raise self._broken
            await self._know()
            try:
                await self._put(_steps_of(batch), now)
                await self._put(_cursors_of(batch), now)
                await self._hold(now)
            except BaseException as error:
                broken_off = StoreError(self._stream, "a commit was broken off", "load it anew")
                self._broken = error if isinstance(error, StoreError) else broken_off
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
        """Give the last `limit` entries about one subject: looks through all that is kept.

        Who knows the row asks for its steps instead: `JetStreamSteps.history`.
        """
        found: deque[Entry] = deque(maxlen=limit)
        reached = await self._steps.begin()
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
        self._broken = StoreError(self._stream, "it is closed", "load it anew")

    async def _know(self) -> None:
        """See that it is known where each row stands."""
        if not self._loaded:
            async for _ in self.load():
                pass

    async def _hold(self, now: datetime) -> None:
        """Write again, now and then, what retention would else remove although it counts.

        That is what was written in the older half of what is kept: by age, or by room if half of
        it is taken.
        """
        time = asyncio.get_running_loop().time()
        if time < self._look_at:
            return
        self._look_at = time + LOOK
        info = await self._log.info()
        age = timedelta(microseconds=info.config.max_age // 1000)
        self._forget(now - age - MARGIN)
        full = 0 < info.config.max_bytes < 2 * info.state.bytes
        first = (info.state.first_seq + info.state.last_seq) // 2 if full else 0
        old = takewhile(
            lambda one: one[1].at < now - age / 2 or one[1].sequence <= first, self._marks.items()
        )
        held = [mark.sequence for key, mark in old if mark.there or key.startswith(CURSOR)]
        if len(held) > MOST_HELD:
            self._look_at = time + LOOK_ON
        steps = [await self._log.get(sequence) for sequence in held[:MOST_HELD]]
        again = [decode_step(found) for found in steps if found is not None]
        await self._put([replace(step, events=[], subjects=[]) for step in again], now)

    def _forget(self, before: datetime) -> None:
        """Let go of rows that are gone, and so is what said so."""
        old = takewhile(lambda one: one[1].at < before, self._marks.items())
        for key in [key for key, mark in old if not mark.there]:
            del self._marks[key]

    async def _put(self, steps: Sequence[StepBody], now: datetime) -> None:
        """Store steps, many at once but those of a row one by one; return when all are stored."""
        sent: dict[str, _Sent] = {}
        for step in steps:
            while len(sent) >= IN_FLIGHT or step.key in sent:
                await self._settle(sent.pop(next(iter(sent))), now)
            sent[step.key] = await self._send(step)
        for one in sent.values():
            await self._settle(one, now)

    async def _send(self, step: StepBody) -> _Sent:
        mark = self._marks.get(step.key)
        self._count += 1
        headers = {
            "Nats-Msg-Id": f"{self._ids}.{self._count}",
            "Nats-Expected-Last-Subject-Sequence": str(mark.sequence if mark else 0),
        }
        subject = self._subjects.step(self.partition, step.key)
        try:
            answer = await self._connection.send(subject, encode_step(step), headers)
        except UnsureError:
            answer = None
        return _Sent(step, headers, answer)

    async def _settle(self, sent: _Sent, now: datetime) -> None:
        """See that a step is stored, which it may be or not, and note where its row stands."""
        step = sent.step
        try:
            sequence = await self._stored(sent)
        except RefusalError:
            sequence = await self._after_conflict(sent)
        self._position = max(self._position, end_of_step(sequence))
        self._marks.pop(step.key, None)
        self._marks[step.key] = Mark(step.reached, sequence, now, step.state is not None)

    async def _stored(self, sent: _Sent) -> int:
        """Give the sequence, once there is one: what is in doubt is sent again with the same id."""
        connection = self._connection
        if sent.answer is not None:
            try:
                return await connection.stored(sent.answer)
            except (UnsureError, DeniedError):
                pass
            except RefusalError as error:
                if error.code in CONFLICTS:
                    raise
        subject, body = self._subjects.step(self.partition, sent.step.key), encode_step(sent.step)
        return await connection.persist(
            lambda: connection.store(subject, body, sent.headers), self._stream
        )

    async def _after_conflict(self, sent: _Sent) -> int:
        """See whether a step that was refused was stored all the same, or may be. Raises `Fenced`.

        It was if it was sent twice, for want of an answer, and is the row's last; it may be if
        retention has removed the one before.
        """
        fenced = Fenced(self._stream, self.partition)
        subject = self._subjects.step(self.partition, sent.step.key)
        last = await Log(self._connection, self._stream, subject).last()
        if last is not None and last.has_id(sent.headers["Nats-Msg-Id"]):
            return last.seq
        if last is not None or sent.step.key not in self._marks:
            raise fenced
        sent.headers["Nats-Expected-Last-Subject-Sequence"] = "0"
        sent.answer = None
        try:
            return await self._stored(sent)
        except RefusalError:
            raise fenced from None


def _entries(step: Step) -> Iterator[tuple[str, Entry]]:
    """Give a step's events, each with what it is about."""
    for index, body in enumerate(step.events):
        about = step.subjects[index] if step.subjects else ""
        yield about, Entry(position_in(step.sequence, index), body)


def _steps_of(batch: Batch) -> list[StepBody]:
    """Bring a batch's events together with the rows that they came with."""
    events: dict[str, tuple[list[bytes], list[str]]] = {}
    for index, body in enumerate(batch.events):
        bodies, subjects = events.setdefault(batch.keys[index] if batch.keys else JOURNAL, ([], []))
        bodies.append(body)
        if batch.subjects:
            subjects.append(batch.subjects[index])
    steps: list[StepBody] = []
    for key in batch.rows | dict.fromkeys(events):
        row = batch.rows.get(key) or Row(key, None)
        bodies, subjects = events.get(key, ([], []))
        for begin in range(0, len(bodies) or 1, MOST_EVENTS):
            some = slice(begin, begin + MOST_EVENTS)
            steps.append(
                StepBody(key, row.state, row.wake_at, batch.reached, bodies[some], subjects[some])
            )
    return steps


def _cursors_of(batch: Batch) -> list[StepBody]:
    return [
        StepBody(f"{CURSOR}{name}", None, None, position)
        for name, position in batch.cursors.items()
    ]
