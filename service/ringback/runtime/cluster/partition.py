"""One partition: follows its part of the input log and commits what comes of it.

What it does follows from the log alone, so whoever has the partition does the same. It runs ahead
of what is committed, within bounds; how far it is, is noted after that. Another process may have a
partition as well, as long as neither knows: the first to write shuts the other out, row by row.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec
import structlog

from ringback.core.changes import Change
from ringback.core.entries import NEVER
from ringback.core.gaps import is_ledger
from ringback.core.policy import Policy
from ringback.core.tracker import Tracker
from ringback.core.watch.rules import RuleSet
from ringback.errors import FrameError, PositionGone
from ringback.ports import Batch, Clock, Input, InputLog, PartitionStore, Row, Wants
from ringback.runtime.cluster.checkpoint import (
    CHECKPOINT,
    Aside,
    Checkpoint,
    decode_checkpoint,
    encode_checkpoint,
)
from ringback.runtime.cluster.consuming import Consuming
from ringback.runtime.cluster.ticking import Ticking
from ringback.runtime.gathering import Gathering
from ringback.wire.cloudevents import Encoder
from ringback.wire.log import Done, Message, Seen, decode_message

__all__ = ["Means", "Partition"]

log = structlog.get_logger(__name__)

CURSOR = "inputs"
"""What a store calls how far the input log is dealt with, where nothing has noted more."""
NOTED_EVERY = 1.0
"""Seconds."""
MOST_ASIDE = 256 * 1024
"""Bytes of rows about no conversation that may wait for the next note of how far it is."""
MOST_NOTED = 900 * 1024
"""Bytes of such a note. An engine takes 1 MiB."""
AT_ONCE = 32
"""Inputs after which everything else has its turn."""
ROWS_AT_ONCE = 2000
LOOKS_AT_END = 5
"""How often the log's end is looked at, a second apart, before it is believed to be too early."""
WANTED_AT_ONCE = 10
"""Conversations that are wanted to be read, each second."""
REPUBLISHED_AT_ONCE = 100
"""Rows, each second."""
_MILLISECOND = timedelta(milliseconds=1)


class Means(msgspec.Struct):
    """What the partitions of a process share."""

    inputs: InputLog
    wants: Wants
    encoder: Encoder
    clock: Clock
    """The real one."""
    source: str
    """The name of the source that listeners hear for."""
    policy: Policy
    rules: RuleSet
    """Those in force where none were ever put into the log."""
    keep: timedelta
    """How long steps are kept: what lives longer is written again."""
    counts: Counter[str] = msgspec.field(default_factory=Counter)
    """What happened, all together."""


class LogClock:
    """Time as the input log tells it. It never goes back."""

    def __init__(self) -> None:
        self._now = NEVER

    def now(self) -> datetime:
        """How far it has come."""
        return self._now

    def reach(self, at: datetime) -> datetime:
        """Let it go on to when the engine has taken an input; in whole milliseconds."""
        at = at.replace(microsecond=at.microsecond // 1000 * 1000)
        self._now = max(self._now, at)
        return self._now


class Partition(Gathering):
    """One partition, from when it is loaded until it is given up."""

    def __init__(self, number: int, store: PartitionStore, means: Means) -> None:
        super().__init__(means.encoder)
        self.number = number
        self.tracker = Tracker(means.policy, means.rules)
        self.reached = 0
        """The last input that is dealt with, though maybe not committed."""
        self.read_at = 0.0
        """When it was read, on the loop's clock."""
        self.noted = 0
        """The last input that need not be read again."""
        self.begun = False
        """Whether it is known what time it is."""
        self.loaded = False
        self.caught_up = False
        """Whether there was nothing more to read when that was last asked for."""
        self._store = store
        self._means = means
        self._clock = LogClock()
        self._consuming = Consuming(self.tracker, means.source, means.counts)
        self.ticking = Ticking(self, means.inputs, means.clock)
        self._asides: dict[str, Aside] = {}
        """Rows about no conversation that have changed since the last note."""
        self._aside_bytes = 0
        self._standing: dict[str, bytes] = {}
        """All such rows, as they are stored."""
        self._ahead: dict[str, tuple[int, Row | None]] = {}
        """Conversations as they are after an input that is still to be read again, and which."""
        self._wanting = asyncio.Condition()
        self._within = False
        """Whether an input is half dealt with."""
        self._dealing = 0
        """The input that all gathered rows are to have behind them though others have not."""
        self._due = False
        """Whether to note how far it is with the next commit."""
        self._lost_since: datetime | None = None
        """Since when inputs are missing that nobody has read."""
        self._noting = asyncio.Event()
        """Set when rows about no conversation were taken up by a note."""

    def now(self) -> datetime:
        """How far time has come in the log."""
        return self._clock.now()

    def next_deadline(self) -> datetime | None:
        """When time alone next has something to do."""
        return self._consuming.next_deadline()

    # Its life

    async def load(self) -> None:
        """Take over what is stored, and shut out whoever had it. Raises `StoreError`."""
        rows: dict[str, Row] = {}
        async for chunk in self._store.load():
            rows.update((row.conversation_id, row) for row in chunk)
        noted = rows.pop(CHECKPOINT, None)
        checkpoint = Checkpoint(reached=await self._store.cursor(CURSOR) or 0)
        if noted is not None and noted.state is not None:
            checkpoint = decode_checkpoint(noted.state)
        await self._make_good(checkpoint, rows)
        self._take_over(checkpoint)
        await self._look_at_end()
        await self._restore(rows)
        if checkpoint.at > NEVER:
            self._begin(checkpoint.at)
        self.read_at = asyncio.get_running_loop().time()
        self.loaded = True
        log.info(
            "partition_loaded",
            partition=self.number,
            conversations=len(self.tracker.conversations),
            reached=self.reached,
        )

    async def run(self) -> None:
        """Follow the log until cancelled. Raises `StoreError`, `Fenced` among them."""
        works = (
            self._follow(),
            self.commit_forever(),
            self.ticking.run(),
            self._every(NOTED_EVERY, self._note_soon),
            self._every(1.0, self._republish),
            self._want_forever(),
        )
        tasks = [asyncio.create_task(work) for work in works]
        follow, commit, *others = tasks
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            try:
                await _end(follow, *others)
                # Not within a commit: what came of it would not be known.
                async with self._committing:
                    pass
            finally:
                await _end(commit)

    async def hand_over(self) -> None:
        """Commit all that is decided, and note exactly how far that is. Raises `StoreError`."""
        self._due = True
        await self.commit()

    async def read(self, sequence: int) -> None:
        """Wait until an input was read."""
        async with self._wanting:
            await self._wanting.wait_for(lambda: self.reached >= sequence)

    # What is taken over

    async def _make_good(self, checkpoint: Checkpoint, rows: dict[str, Row]) -> None:
        """Store what was noted and not stored yet; it is as if that were a moment ago."""
        marks = self._store.marks
        missing = [
            aside
            for aside in checkpoint.asides
            if aside.key not in marks or marks[aside.key].reached < checkpoint.reached
        ]
        # Whoever goes on elsewhere is refused with this.
        await self._store.commit(
            _noted(msgspec.structs.replace(checkpoint, asides=missing)), self._means.clock.now()
        )
        if missing:
            await self._store.commit(_apart(missing, checkpoint.reached), self._means.clock.now())
        for aside in missing:
            rows.pop(aside.key, None)
            if aside.state is not None:
                rows[aside.key] = Row(aside.key, aside.state)

    async def _look_at_end(self) -> None:
        """See that the log goes on where it was read to: an engine may lose what it had stored."""
        end = await self._means.inputs.position()
        for _ in range(LOOKS_AT_END):
            if end >= self.reached:
                return
            await asyncio.sleep(1.0)  # maybe whoever answered is not up to date itself
            end = await self._means.inputs.position()
        log.error("inputs_gone_back", partition=self.number, reached=self.reached, end=end)
        self._means.counts["lost"] += 1
        self._lost_since = self.now()
        self.reached = self.noted = end

    def _take_over(self, checkpoint: Checkpoint) -> None:
        self.reached = self.noted = checkpoint.reached
        self._clock.reach(checkpoint.at)
        means = self._means
        self.tracker = Tracker(means.policy, self._rules_of(checkpoint))
        self.tracker.skews.restore(checkpoint.skews)
        self._consuming = Consuming(self.tracker, means.source, means.counts)
        self._consuming.firing.reached = checkpoint.at
        self._consuming.pulses = dict(checkpoint.pulses)

    def _rules_of(self, checkpoint: Checkpoint) -> RuleSet:
        """Give the rules in force; this process's own where they are not known here."""
        if not checkpoint.rules:
            return self._means.rules
        try:
            return RuleSet.unpack(checkpoint.rules, ZoneInfo)
        except (msgspec.DecodeError, ValueError, KeyError) as error:
            problem = f"maybe put in force by a newer version: {error}"
            log.warning("rules_not_understood", partition=self.number, problem=problem)
            return self._means.rules

    async def _restore(self, rows: dict[str, Row]) -> None:
        marks, now = self._store.marks, self._clock.now()
        apart: list[tuple[str, bytes]] = []
        known: list[tuple[str, bytes, int | None]] = []
        for key, row in rows.items():
            if row.state is None:
                continue
            if is_ledger(key):
                apart.append((key, row.state))
            elif marks[key].reached <= self.noted or self._lost_since is not None:
                known.append((key, row.state, row.wake_at))
        self._ahead = {
            key: (mark.reached, rows.get(key))
            for key, mark in marks.items()
            if mark.reached > self.noted and not is_ledger(key) and self._lost_since is None
        }
        self._standing = dict(apart)
        self._consuming.restore(apart, now)
        for start in range(0, len(known), ROWS_AT_ONCE):
            self.tracker.restore(known[start : start + ROWS_AT_ONCE], now, carry_on=True)
            await asyncio.sleep(0)

    # What is read

    async def _follow(self) -> None:
        while True:
            try:
                await self._read_on(self._means.inputs.follow(self.number, self.reached))
            except PositionGone as gone:
                self._lose(gone.oldest)

    async def _read_on(self, chunks: AsyncIterator[Sequence[Input]]) -> None:
        try:
            async for chunk in chunks:
                self.caught_up = not chunk
                for start in range(0, len(chunk), AT_ONCE):
                    for one in chunk[start : start + AT_ONCE]:
                        await self._take_in(one)
                    await asyncio.sleep(0)
                if chunk:
                    async with self._wanting:
                        self._wanting.notify_all()
        finally:
            if isinstance(chunks, AsyncGenerator):
                await chunks.aclose()

    async def _take_in(self, one: Input) -> None:
        """Deal with one input, once time has come to it."""
        if one.sequence <= self.reached:
            return
        await self.room()
        while self._aside_bytes >= MOST_ASIDE:
            self._noting.clear()
            self._note_soon()
            await self._noting.wait()
        self._within = True
        now = self._clock.reach(one.at)
        if not self.begun:
            self._begin(now)
        if self._lost_since is not None:
            since, self._lost_since = self._lost_since, None
            self.take_all(self._consuming.missed(now if since == NEVER else since, now))
        if not self.tracker.adoption.settled:
            await self._settle()
        for changes in self._consuming.fire(now):
            await self.room()
            self.take_all(changes)
        try:
            message = decode_message(one.body)
        except FrameError as error:
            self._pass_over(one, error)
        else:
            await self._take_message(one, message, now)
        self.reached = one.sequence
        self.read_at = asyncio.get_running_loop().time()
        self._within, self._dealing = False, 0
        self._means.counts["inputs"] += 1
        if self._due:
            self._gathered.set()
        if self._ahead:
            self._bring_in(now)

    async def _take_message(self, one: Input, message: Message, now: datetime) -> None:
        if not isinstance(message, Seen):
            self.rearm.set()  # after what follows, which does not wait before it is done
        if isinstance(message, Done):
            # It may take many turns: whoever comes in between finds some taken and some not.
            await self.committed()
            self._dealing = one.sequence
            self._due = True  # somebody waits for it
        try:
            for changes in self._consuming.consume(message, now, self._ahead):
                await self.room()
                for change in changes:
                    self.take(change)
        except FrameError as error:
            self._pass_over(one, error)
        except Exception:
            # It would end whoever has the partition, one after the other.
            self._means.counts["broken"] += 1
            log.exception("input_broken", partition=self.number, sequence=one.sequence)

    def _begin(self, now: datetime) -> None:
        """Do what cannot be done before it is known what time it is."""
        self.begun = True
        self.tracker.repair.carry_on(now)
        for changes in self._consuming.fire(now):
            self.take_all(changes)

    async def _settle(self) -> None:
        """Bring what was stored under other rules under those in force."""
        for changes in self.tracker.adopt(self.tracker.rules, self.now()):
            await self.room()
            self.take_all(changes)

    def _bring_in(self, now: datetime) -> None:
        """Let in what is not ahead any more."""
        come = [key for key, (reached, _) in self._ahead.items() if reached <= self.reached]
        rows = [row for key in come if (row := self._ahead.pop(key)[1]) is not None]
        self.tracker.restore(
            [
                (row.conversation_id, row.state, row.wake_at)
                for row in rows
                if row.state is not None
            ],
            now,
            carry_on=True,
        )
        self.rearm.set()

    def _lose(self, oldest: int) -> None:
        """Inputs are gone that nobody has read."""
        log.error("inputs_lost", partition=self.number, after=self.reached, oldest=oldest)
        self._means.counts["lost"] += 1
        self._lost_since = self._clock.now()
        self.reached = oldest - 1

    def _pass_over(self, one: Input, error: FrameError) -> None:
        counts = self._means.counts
        counts["unknown"] += 1
        if counts["unknown"] == 1:
            log.warning(
                "input_not_understood",
                partition=self.number,
                sequence=one.sequence,
                problem=str(error),
                note="maybe put by a newer version; it is passed over, others like it silently",
            )

    # What is written

    def take(self, change: Change | None) -> None:
        """Gather a change; what is about no conversation is stored with the next note."""
        if change is None or not is_ledger(change.conversation_id):
            super().take(change)
            return
        key, state = change.conversation_id, change.state
        # Each partition keeps a ledger; the first speaks for all.
        events = [] if self.number else change.events
        bodies, subjects = [self._encode(one) for one in events], [one.subject for one in events]
        before = self._asides.get(key)
        if before is not None:
            bodies, subjects = before.events + bodies, before.subjects + subjects
        self._asides[key] = Aside(key, state, bodies, subjects)
        self._aside_bytes += len(key) + len(state or b"") + sum(map(len, bodies))
        self._due = self._due or bool(bodies)

    def _counts(self, batch: Batch) -> bool:
        return super()._counts(batch) or self._may_note()

    def _may_note(self) -> bool:
        return self._due and not self._within and self.reached > self.noted

    async def _write(self, batch: Batch) -> int:
        batch.reached = self._dealing or self.reached
        checkpoint = self._note() if self._may_note() else None
        store, clock, counts = self._store, self._means.clock, self._means.counts
        position = 0
        if batch.rows:
            position = await store.commit(batch, clock.now())
            counts["steps"] += len(batch.rows)
        if checkpoint is None:
            return position
        noted, apart = _noted(checkpoint), _apart(checkpoint.asides, checkpoint.reached)
        state = noted.rows[CHECKPOINT].state or b""
        if len(state) > MOST_NOTED:
            # Too much for one message: not as a whole, then. Seldom, and what is told may be
            # told again should this be cut short.
            noted, first = _noted(msgspec.structs.replace(checkpoint, asides=[])), apart
            apart = _apart([], checkpoint.reached)
            await store.commit(first, clock.now())
        position = await store.commit(noted, clock.now())
        if apart.rows:
            position = await store.commit(apart, clock.now())
        counts["steps"] += 1 + len(checkpoint.asides)
        self.noted = checkpoint.reached
        return position

    def _note(self) -> Checkpoint:
        asides, self._asides = list(self._asides.values()), {}
        self._aside_bytes = 0
        self._noting.set()
        self._due = False
        for aside in asides:
            if aside.state is None:
                self._standing.pop(aside.key, None)
            else:
                self._standing[aside.key] = aside.state
        return Checkpoint(
            self.reached,
            self._clock.now(),
            self.tracker.rules.packed,
            self.tracker.skews.kept(),
            dict(self._consuming.pulses),
            asides,
        )

    # What is done now and then

    async def _every(self, seconds: float, work: Callable[[], object]) -> None:
        while True:
            await asyncio.sleep(seconds)
            work()

    def _note_soon(self) -> None:
        if self.reached > self.noted:
            self._due = True
            self._gathered.set()

    def _republish(self) -> None:
        """Write again what was last written so long ago that retention comes near."""
        limit = self._means.clock.now() - self._means.keep / 2
        count = 0
        for key, mark in self._store.marks.items():
            if mark.at >= limit or count >= REPUBLISHED_AT_ONCE:
                break
            count += mark.there and self._write_again(key)
        if count:
            self._means.counts["republished"] += count
            self._due = True
            self._gather()

    def _write_again(self, key: str) -> bool:
        """Let a row be written as it is; whether that is to be."""
        if key in self._standing:
            self._asides.setdefault(key, Aside(key, self._standing[key]))
            return True
        row = None if self._within else self.tracker.conversations.row(key)
        if row is None:
            return False
        self._batch.rows.setdefault(key, Row(key, *row))
        return True

    async def _want_forever(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            if not self.begun:
                continue
            now = max(self._clock.now(), self._means.clock.now())
            wanted = self.tracker.repair.wants.most_urgent(WANTED_AT_ONCE, now)
            if wanted:
                await self._means.wants.want(self.number, wanted)
            lost_in, self._consuming.lost_in = self._consuming.lost_in, set()
            if lost_in:
                self._means.counts["corrections"] += 1
                await self._means.wants.suspect(sorted(lost_in))


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


async def _end(*tasks: asyncio.Task[None]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
