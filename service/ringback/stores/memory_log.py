"""The logs of inputs and steps in this process: for tests of what runs on several machines.

They promise what the engine promises: one order, a message of the same name taken once within a
window, and a step refused whose writer does not know the row's last one.
"""

import asyncio
from bisect import bisect_right
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from itertools import islice

import msgspec

from ringback.errors import Fenced, PositionGone
from ringback.ports import Batch, Clock, Entry, Input, Mark, Row, Step
from ringback.wire.steps import MOST_EVENTS, end_of_step, position_in, step_at

__all__ = ["MemoryInputLog", "MemoryPartitionStore", "MemoryStepLog"]

NAME = "memory"
WINDOW = timedelta(minutes=2)
"""How long a name counts, as in the engine."""
CHUNK = 500
BEAT = 1.0
CURSOR = "~cursor/"
"""Begins the keys of what partitions note for themselves; no reader of the log is shown it."""


class MemoryInputLog:
    """An `InputLog` that keeps all until it is told to forget."""

    def __init__(self, clock: Clock, window: timedelta = WINDOW) -> None:
        self._clock = clock
        self._window = window
        self._inputs: defaultdict[int, list[Input]] = defaultdict(list)
        self._position = 0
        self._gone: dict[int, int] = {}
        """By partition: the last sequence that was forgotten."""
        self._names: dict[str, int] = {}
        self._named: deque[tuple[datetime, str]] = deque()
        self._more = asyncio.Condition()
        self.repeated = 0
        """What was put again within the window."""

    async def put(self, partition: int, key: str, body: bytes, once: str) -> int:  # noqa: ARG002
        """Append, unless something of the same `once` was within the window."""
        now = self._clock.now()
        while self._named and self._named[0][0] <= now - self._window:
            del self._names[self._named.popleft()[1]]
        before = self._names.get(once)
        if before is not None:
            self.repeated += 1
            return before
        self._position += 1
        self._names[once] = self._position
        self._named.append((now, once))
        self._inputs[partition].append(Input(self._position, now, body))
        async with self._more:
            self._more.notify_all()
        return self._position

    async def follow(self, partition: int, after: int) -> AsyncIterator[Sequence[Input]]:
        """Give what follows `after`, for ever; an empty chunk whenever there is no more for now.

        Raises `PositionGone`.
        """
        while True:
            gone = self._gone.get(partition, 0)
            if after < gone:
                raise PositionGone(NAME, after, gone + 1)
            inputs = self._inputs[partition]
            start = bisect_right(inputs, after, key=_sequence)
            chunk = inputs[start : start + CHUNK]
            yield chunk
            if chunk:
                after = chunk[-1].sequence
                continue
            async with self._more:
                await self._more.wait_for(lambda: self._has(partition, after))  # noqa: B023

    async def position(self) -> int:
        """Give the sequence of the last message; 0 when there never was one."""
        return self._position

    def forget(self, before: datetime) -> None:
        """Remove what is older, as retention would."""
        for partition, inputs in self._inputs.items():
            kept = [one for one in inputs if one.at >= before]
            if len(kept) < len(inputs):
                self._gone[partition] = inputs[len(inputs) - len(kept) - 1].sequence
                self._inputs[partition] = kept

    def _has(self, partition: int, after: int) -> bool:
        inputs = self._inputs[partition]
        return bool(inputs) and inputs[-1].sequence > after


class MemoryStepLog:
    """A `StepLog`, and what the stores of all partitions write to."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self._steps: list[Step] = []
        self._times: list[datetime] = []
        """When each of them was appended."""
        self._last: dict[tuple[int, str], Step] = {}
        self._times_of: dict[tuple[int, str], datetime] = {}
        """When each row's last was appended; the latest is last."""
        self.gone = 0
        """The last sequence that was forgotten."""
        self._position = 0
        self._more = asyncio.Condition()

    async def append(self, step: Step, after: int) -> int:
        """Append a step whose sequence is not known yet; `after` is that of the row's last one.

        Gives its sequence. Raises `Fenced` if that is not the row's last.
        """
        key = (step.partition, step.row.conversation_id)
        last = self._last.get(key)
        if (last.sequence if last else 0) != after:
            raise Fenced(NAME, step.partition)
        self._position += 1
        step = msgspec.structs.replace(step, sequence=self._position)
        self._steps.append(step)
        self._times.append(self.clock.now())
        self._last[key] = step
        self._times_of.pop(key, None)
        self._times_of[key] = self._times[-1]
        async with self._more:
            self._more.notify_all()
        return self._position

    async def load(self) -> AsyncIterator[Sequence[Step]]:
        """Give the last step of every row; one that is gone has no state."""
        last = iter([step for step in self._last.values() if _shown(step)])
        while chunk := list(islice(last, CHUNK)):
            yield chunk

    async def follow(self, after: int) -> AsyncIterator[Sequence[Step]]:
        """Give the steps that follow `after`, for ever; an empty chunk each second without any.

        Raises `PositionGone`.
        """
        while True:
            if after < self.gone:
                raise PositionGone(NAME, after, self.gone + 1)
            start = bisect_right(self._steps, after, key=_sequence)
            chunk = self._steps[start : start + CHUNK]
            yield [step for step in chunk if _shown(step)]
            if chunk:
                after = chunk[-1].sequence
                continue
            with suppress(TimeoutError):
                async with asyncio.timeout(BEAT), self._more:
                    await self._more.wait_for(lambda: self._position > after)  # noqa: B023

    def last_of(self, partition: int) -> Iterator[tuple[Step, datetime]]:
        """Give the last step of each of a partition's rows, and of its notes; the latest last."""
        times = list(self._times_of.items())
        return ((self._last[key], at) for key, at in times if key[0] == partition)

    def entries(self, after: int) -> Iterator[tuple[str, Entry]]:
        """Give events that follow a position, each with what it is about. Raises `PositionGone`."""
        if self.gone and after < end_of_step(self.gone):
            raise PositionGone(NAME, after, position_in(self.gone + 1, 0))
        start = bisect_right(self._steps, step_at(after) - 1, key=_sequence)
        for step in islice(self._steps, start, None):
            for index, body in enumerate(step.events):
                entry = Entry(position_in(step.sequence, index), body)
                if entry.position > after:
                    yield step.subjects[index] if step.subjects else "", entry

    async def position(self) -> int:
        """Give the sequence of the last step; 0 when there never was one."""
        return self._position

    async def read(self, after: int, limit: int) -> Sequence[Step]:
        """Give at most `limit` steps that follow `after`, oldest first. Raises `PositionGone`."""
        if after < self.gone:
            raise PositionGone(NAME, after, self.gone + 1)
        start = bisect_right(self._steps, after, key=_sequence)
        return list(islice(filter(_shown, islice(self._steps, start, None)), limit))

    async def history(self, partition: int, key: str, limit: int) -> Sequence[Step]:
        """Give the last `limit` steps of one row that are kept, oldest first."""
        mine = (s for s in self._steps if (s.partition, s.row.conversation_id) == (partition, key))
        return list(deque(mine, limit))

    def forget(self, before: datetime) -> None:
        """Remove what is older, as retention would: last steps too."""
        count = next(
            (at for at, time in enumerate(self._times) if time >= before), len(self._times)
        )
        if not count:
            return
        self.gone = self._steps[count - 1].sequence
        for step in self._steps[:count]:
            key = (step.partition, step.row.conversation_id)
            if self._last[key] is step:
                del self._last[key], self._times_of[key]
        del self._steps[:count], self._times[:count]


class MemoryPartitionStore:
    """The `Store` of one partition: each row of a batch is a step of its own, with its events.

    A batch is not taken as a whole: should a step be refused, those before it are there. Positions
    and what is read are of the log as a whole.
    """

    def __init__(self, log: MemoryStepLog, partition: int) -> None:
        self._log = log
        self._partition = partition
        self._marks: dict[str, Mark] = {}
        self._cursors: dict[str, int] = {}
        self._broken = False

    @property
    def marks(self) -> Mapping[str, Mark]:
        """Where each row stands, as far as this process knows."""
        return self._marks

    async def load(self) -> AsyncIterator[Sequence[Row]]:
        """Give every row as it was when the first chunk was asked for."""
        rows: list[Row] = []
        for step, at in self._log.last_of(self._partition):
            key, state = step.row.conversation_id, step.row.state
            self._marks[key] = Mark(step.reached, step.sequence, at, state is not None)
            if key.startswith(CURSOR):
                self._cursors[key.removeprefix(CURSOR)] = int(state or 0)
                continue
            if state is not None:
                rows.append(step.row)
        for start in range(0, len(rows), CHUNK):
            yield rows[start : start + CHUNK]

    async def commit(self, batch: Batch, now: datetime) -> int:  # noqa: ARG002  # the log has a clock
        """Append a batch, row by row. Raises `Fenced`, and from then on always."""
        if self._broken:
            raise Fenced(NAME, self._partition)
        self._broken = True
        events: dict[str, list[tuple[bytes, str]]] = {}
        about = batch.subjects or [""] * len(batch.events)
        for key, body, subject in zip(batch.keys, batch.events, about, strict=True):
            events.setdefault(key, []).append((body, subject))
        for key, row in batch.rows.items():
            told = events.get(key, [])
            for start in range(0, max(1, len(told)), MOST_EVENTS):
                await self._append(row, batch.reached, told[start : start + MOST_EVENTS])
        for reader, position in batch.cursors.items():
            await self._append(Row(CURSOR + reader, b"%d" % position), batch.reached, [])
            self._cursors[reader] = position
        self._broken = False
        return await self.position()

    async def _append(self, row: Row, reached: int, told: Sequence[tuple[bytes, str]]) -> None:
        key = row.conversation_id
        bodies, subjects = [body for body, _ in told], [subject for _, subject in told]
        step = Step(0, self._partition, row, reached, bodies, subjects)
        mark = self._marks.pop(key, None)
        sequence = await self._log.append(step, mark.sequence if mark else 0)
        self._marks[key] = Mark(reached, sequence, self._log.clock.now(), row.state is not None)

    async def read(self, after: int, limit: int) -> Sequence[Entry]:
        """Give at most `limit` entries that follow `after`, of all partitions."""
        return [entry for _, entry in islice(self._log.entries(after), limit)]

    async def history(self, subject: str, limit: int) -> Sequence[Entry]:
        """Give the last `limit` entries about one subject that are kept, oldest first."""
        kept = self._log.entries(end_of_step(self._log.gone) if self._log.gone else 0)
        return list(deque((entry for about, entry in kept if about == subject), limit))

    async def position(self) -> int:
        """Give the position that no event so far is beyond; 0 when there was no step yet."""
        last = await self._log.position()
        return end_of_step(last) if last else 0

    async def cursor(self, reader: str) -> int | None:
        """Give the last position that `reader` has dealt with; None for a new reader."""
        return self._cursors.get(reader)

    async def prune(self, now: datetime) -> int:  # noqa: ARG002
        """Do nothing: the log's own retention removes."""
        return 0

    async def close(self) -> None:
        """Release nothing: the log is its owner's."""


def _sequence(one: Input | Step) -> int:
    return one.sequence


def _shown(step: Step) -> bool:
    return not step.row.conversation_id.startswith(CURSOR)
