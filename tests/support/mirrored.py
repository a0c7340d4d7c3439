"""Trackers of several partitions over logs in memory, as plain as can be, and mirrors of them."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import UTC
from itertools import count
from zoneinfo import ZoneInfo

from ringback.core.changes import Change
from ringback.core.events import Event
from ringback.core.policy import Policy
from ringback.core.snapshots import QueueSettings, Snapshot
from ringback.core.tracker import Tracker
from ringback.core.watch.silences import Matcher
from ringback.errors import AlertError, SilenceError
from ringback.ports import Batch, Clock, Row, Store
from ringback.runtime.cluster.mirror import Mirror
from ringback.stores.jetstream.engine import Engine
from ringback.stores.jetstream.subjects import partition_of
from ringback.stores.memory_log import MemoryInputLog, MemoryPartitionStore, MemoryStepLog
from ringback.wire.cloudevents import Encoder
from ringback.wire.inputs import (
    Acknowledge,
    BeginSilence,
    Deed,
    EndSilence,
    Ruling,
    decode_deed,
    rules_of,
)
from ringback.wire.log import Done, decode_message
from support.runtime import decoder, settled

__all__ = ["Tracking"]

SOURCE = "main"


class Tracking:
    """All partitions, tracked in this process."""

    def __init__(self, clock: Clock, partitions: int = 2) -> None:
        self.clock = clock
        self.partitions = partitions
        self.inputs = MemoryInputLog(clock)
        self.steps = MemoryStepLog(clock)
        self.trackers = [Tracker(Policy()) for _ in range(partitions)]
        self.stores: list[Store] = [
            MemoryPartitionStore(self.steps, one) for one in range(partitions)
        ]
        self.deeds: list[Deed] = []
        """What was done, as it came."""
        self._numbers = count()
        self._decoder = decoder()
        self._encode = Encoder("acme").encode

    def partition_of(self, conversation_id: str) -> int:
        """Say where a conversation is."""
        return partition_of(conversation_id, self.partitions)

    def on(self, engine: Engine) -> None:
        """Use an engine instead of the logs in memory."""
        self.inputs = engine.inputs  # type: ignore[assignment]  # what it promises is the same
        self.steps = engine.steps  # type: ignore[assignment]
        self.stores = [engine.store(one) for one in range(self.partitions)]

    def mirror(self, engine: Engine | None = None) -> Mirror:
        """Make one that knows nothing yet, with a connection of its own or on ours."""
        return Mirror(
            tracker=Tracker(Policy()),
            steps=self.steps if engine is None else engine.steps,
            inputs=self.inputs if engine is None else engine.inputs,
            clock=self.clock,
            source=SOURCE,
            partitions=self.partitions,
            partition_of=self.partition_of,
        )

    @asynccontextmanager
    async def mirroring(self, engine: Engine | None = None) -> AsyncIterator[Mirror]:
        """Make one, and let it follow."""
        mirror = self.mirror(engine)
        await mirror.load()
        tasks = [
            asyncio.create_task(work)
            for work in (mirror.follow_forever(), mirror.measure_forever())
        ]
        try:
            yield mirror
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    @asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """Take what people do from the log of inputs, for as long as this lasts."""
        tasks = [asyncio.create_task(self._take_deeds(one)) for one in range(self.partitions)]
        await settled()
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def see(self, *frames: bytes) -> None:
        """Take in frames, each by the partition of its conversation."""
        for frame in frames:
            snapshot = self._decoder.decode(frame)
            assert isinstance(snapshot, Snapshot)
            partition = self.partition_of(snapshot.conversation_id)
            change = self.trackers[partition].observe(snapshot, self.clock.now())
            await self.commit(partition, [] if change is None else [change])

    async def hear(self) -> None:
        """Let the source hear."""
        for partition, tracker in enumerate(self.trackers):
            await self.commit(partition, tracker.sources.connected(SOURCE, [], self.clock.now()))

    async def go_blind(self) -> None:
        """Let the source be blind."""
        for partition, tracker in enumerate(self.trackers):
            now = self.clock.now()
            changes = tracker.sources.disconnected(SOURCE, "cut", now, [], now)
            await self.commit(partition, changes)

    async def live(self) -> None:
        """Let all go on: note that the source hears, and fire what is due."""
        for partition, tracker in enumerate(self.trackers):
            now = self.clock.now()
            changes = tracker.sources.alive(SOURCE, now) + tracker.fire_due(now)
            await self.commit(partition, changes)

    async def tell(self, *events: Event) -> None:
        """Let events be told, about whatever."""
        key = f"~told/{next(self._numbers)}"
        await self.commit(self.partitions - 1, [Change(key, b"", None, list(events))])

    async def know(self, settings: QueueSettings) -> None:
        """Let the settings of a queue become known."""
        for partition, tracker in enumerate(self.trackers):
            await self.commit(partition, tracker.observe_settings(settings, self.clock.now()))

    async def _take_deeds(self, partition: int) -> None:
        async for chunk in self.inputs.follow(partition, 0):
            for one in chunk:
                message = decode_message(one.body)
                assert isinstance(message, Done)
                deed = decode_deed(message.deed)
                self.deeds.append(deed)
                changes = self._do(self.trackers[partition], deed)
                await self.commit(partition, changes, one.sequence)

    def _do(self, tracker: Tracker, deed: Deed) -> list[Change]:
        now = self.clock.now()
        try:
            match deed:
                case Acknowledge():
                    change = tracker.alerts.acknowledge(deed.alert_id, deed.by, now)
                    return [] if change is None else [change]
                case BeginSilence():
                    matchers = [Matcher(one.field, one.value, one.prefix) for one in deed.matchers]
                    until = deed.until.astimezone(UTC)
                    return tracker.alerts.silence(
                        matchers, until, deed.by, deed.comment, now, silence_id=deed.id
                    )[1]
                case EndSilence():
                    return tracker.alerts.end_silence(deed.silence_id)
                case Ruling():
                    turns = tracker.adopt(rules_of(deed, ZoneInfo), now)
                    return [change for turn in turns for change in turn]
        except (AlertError, SilenceError):
            return []

    async def commit(
        self, partition: int, changes: Iterable[Change], reached: int | None = None
    ) -> None:
        """Let a partition make a step."""
        batch = Batch({}, [], {})
        batch.reached = await self.inputs.position() if reached is None else reached
        for change in changes:
            key = change.conversation_id
            batch.rows[key] = Row(key, change.state, change.wake_at)
            events = [one for one in change.events if partition == 0 or not _of_source(one)]
            batch.events += map(self._encode, events)
            batch.subjects += [event.subject for event in events]
            batch.keys += [key] * len(events)
        await self.stores[partition].commit(batch, self.clock.now())


def _of_source(event: Event) -> bool:
    """Whether an event is about a source: those of one partition are told."""
    return event.partition == SOURCE
