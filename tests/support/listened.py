"""Listeners for tests, in virtual time: an engine that may be away or slow, and who tracks it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from random import Random

from ringback.core.policy import Policy
from ringback.core.records import Conversation
from ringback.ports import Clock, Step
from ringback.runtime.cluster.listening import Listening, last_heard
from ringback.runtime.cluster.tracking import ROLE, Tracking
from ringback.stores.jetstream.subjects import partition_of
from ringback.stores.memory_log import MemoryInputLog
from ringback.wire.log import Message, decode_message
from support.runtime import LostFrames, decoder, settled
from support.tracked import Logs, NoWants

__all__ = ["PARTITIONS", "AwayLog", "Listened", "MemoryWants"]

PARTITIONS = 3


class AwayLog(MemoryInputLog):
    """A log whose engine may be away, and takes its time, another for each message."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.there = asyncio.Event()
        self.there.set()
        self.slowest = 0.0
        self.under_way: list[str] = []
        """The keys of what is being put."""
        self.most_under_way = 0
        self.all: list[tuple[int, str, Message]] = []
        """All that is in it: where, by which key, and what."""
        self._chance = Random(6)

    async def put(self, partition: int, key: str, body: bytes, once: str) -> int:
        """Put it, once the engine is there."""
        self.under_way.append(f"{partition}/{key}")
        self.most_under_way = max(self.most_under_way, len(self.under_way))
        try:
            await asyncio.sleep(self._chance.random() * self.slowest)
            await self.there.wait()
            before = await self.position()
            sequence = await super().put(partition, key, body, once)
        finally:
            self.under_way.remove(f"{partition}/{key}")
        if sequence > before:
            self.all.append((partition, key, decode_message(body)))
        return sequence


class MemoryWants(NoWants):
    """Wishes on their way from trackers to listeners, each to one of them."""

    def __init__(self) -> None:
        super().__init__()
        self._wishes: asyncio.Queue[Sequence[str]] = asyncio.Queue()
        self._suspicions: list[asyncio.Queue[Sequence[str]]] = []

    async def want(self, partition: int, conversation_ids: Sequence[str]) -> None:
        """Let one listener read these."""
        await super().want(partition, conversation_ids)
        self._wishes.put_nowait(list(conversation_ids))

    async def suspect(self, queue_ids: Sequence[str]) -> None:
        """Let all know."""
        await super().suspect(queue_ids)
        for each in self._suspicions:
            each.put_nowait(list(queue_ids))

    async def suspicions(self) -> AsyncIterator[Sequence[str]]:
        """Give them to each."""
        mine: asyncio.Queue[Sequence[str]] = asyncio.Queue()
        self._suspicions.append(mine)
        while True:
            yield await mine.get()

    async def follow(self) -> AsyncIterator[Sequence[str]]:
        """Give them to whoever is first."""
        while True:
            yield await self._wishes.get()


class Listened:
    """Some listeners, the log that they put into, and a process that tracks all of it."""

    def __init__(self, policy: Policy | None = None) -> None:
        self.logs = Logs(policy)
        self.inputs = AwayLog(self.logs.engine)
        self.logs.inputs = self.inputs
        self.wants = self.logs.wants = MemoryWants()
        self.lost = LostFrames()
        self.tracking: Tracking | None = None
        self._listening: dict[str, AsyncExitStack] = {}

    def make(self, member: str, *, most: int = 2000, reads: bool = False) -> Listening:
        """Make a listener that does not do anything yet."""
        return Listening(
            member=member,
            source="main",
            decoder=decoder(),
            inputs=self.inputs,
            partitions=PARTITIONS,
            partition_of=lambda one: partition_of(one, PARTITIONS),
            clock=self.logs.clock,
            quarantine=self.lost,
            wishes=self.wants,
            reads=reads,
            most=most,
        )

    async def listen(self, member: str, *, most: int = 2000, reads: bool = False) -> Listening:
        """Begin a listener's life."""
        made = self.make(member, most=most, reads=reads)
        made.resume(await last_heard(self.logs.steps, "main"))
        life = self._listening[member] = AsyncExitStack()
        task = asyncio.create_task(made.run(), name=member)
        life.push_async_callback(_end, task)
        await settled()
        return made

    async def kill(self, member: str) -> None:
        """End a listener as kill -9 does: what it has not put is lost."""
        await self._listening.pop(member).aclose()

    async def track(self) -> Tracking:
        """Begin to track all partitions."""
        self.tracking = self.logs.tracking()
        for partition in range(PARTITIONS):
            await self.tracking.take(f"{ROLE}.{partition}")
        await settled()
        return self.tracking

    def get(self, conversation_id: str) -> Conversation | None:
        """Give what is known of a conversation, wherever it is tracked."""
        assert self.tracking is not None
        partition = self.tracking.partitions[partition_of(conversation_id, PARTITIONS)]
        return partition.tracker.conversations.get(conversation_id)

    def messages(self, partition: int | None = None) -> list[Message]:
        """Give all that is in the log, of one partition or of all."""
        return [one for at, _, one in self.inputs.all if partition in (None, at)]

    async def told(self, kind: str) -> list[tuple[str, datetime]]:
        """Give the subjects and times of events of a kind, as partition 0 tells them."""
        return [
            (event["subject"], datetime.fromisoformat(event["time"]))
            for event in await self.logs.events()
            if event["type"] == f"ringback.{kind}.v1"
        ]

    async def steps(self) -> list[Step]:
        """Give all that was committed."""
        return await self.logs.all_steps()

    @asynccontextmanager
    async def within(self) -> AsyncIterator["Listened"]:
        """End whatever lives in the end."""
        try:
            yield self
        finally:
            for member in list(self._listening):
                await self.kill(member)
            if self.tracking is not None:
                await self.tracking.close()


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
