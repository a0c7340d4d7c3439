"""Partitions for tests: the logs in memory, a clock that goes with the loop, and who puts what."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from itertools import count
from typing import Any

import msgspec

from ringback.core.gaps import Gap
from ringback.core.policy import Policy
from ringback.core.snapshots import Snapshot
from ringback.core.watch.rules import RuleSet
from ringback.ports import PartitionStore, Row, Step
from ringback.runtime.cluster.means import Means
from ringback.runtime.cluster.tracking import ROLE, Tracking
from ringback.stores.memory_log import MemoryInputLog, MemoryPartitionStore, MemoryStepLog
from ringback.wire.cloudevents import Encoder
from ringback.wire.inputs import BeginSilence, Deed, MatcherText, encode_deed
from ringback.wire.log import Alive, Done, Hearing, Message, Seen, encode_message
from support.callbacks import agent, at, customer, few, queue, snapshot
from support.runtime import LoopClock, settled

__all__ = [
    "ALERTING",
    "KEEP",
    "Cut",
    "Logs",
    "NoWants",
    "done",
    "gaps",
    "kill",
    "scheduled",
    "silence",
    "waiting",
]

KEEP = timedelta(days=2)
ALERTING = snapshot(agent(state="alerting"))


def waiting(seconds: float = 0.0, conversation: str = "c-1") -> Snapshot:
    """Show a callback that waits in a queue since then."""
    return snapshot(
        customer(state="connected", connected_at=seconds),
        queue(state="connected"),
        conversation=conversation,
    )


def scheduled(seconds: float, conversation: str = "c-1") -> Snapshot:
    """Show a callback that is scheduled for then."""
    return snapshot(customer(state="scheduled", scheduled_at=seconds), conversation=conversation)


def done(deed: Deed) -> Done:
    """Put what somebody did."""
    return Done(encode_deed(deed))


def silence(name: str, seconds: float) -> Done:
    """Let somebody begin a silence of warnings until then."""
    matchers = [MatcherText("severity", "warning")]
    return done(BeginSilence(matchers, at(seconds), "you", id=name))


class NoWants:
    """Keeps what is wanted to be read."""

    def __init__(self) -> None:
        self.wanted: list[tuple[int, list[str]]] = []
        self.suspected: list[list[str]] = []

    async def want(self, partition: int, conversation_ids: Sequence[str]) -> None:
        """Keep it."""
        self.wanted.append((partition, list(conversation_ids)))

    async def suspect(self, queue_ids: Sequence[str]) -> None:
        """Keep that."""
        self.suspected.append(list(queue_ids))


class Cut(MemoryPartitionStore):
    """A store whose process is gone after so many rows."""

    left = 10**9

    async def _append(self, row: Row, reached: int, told: Sequence[tuple[bytes, str]]) -> None:
        if self.left == 0:
            await asyncio.Event().wait()
        self.left -= 1
        await super()._append(row, reached, told)


class Logs:
    """Both logs of an organisation, and processes that track."""

    def __init__(self, policy: Policy | None = None, rules: RuleSet | None = None) -> None:
        self.clock = LoopClock()
        """The machines'."""
        self.engine = LoopClock()
        """The engine's."""
        self.inputs = MemoryInputLog(self.engine)
        self.steps = MemoryStepLog(self.engine)
        self.wants = NoWants()
        self.policy = policy or Policy(due_grace=timedelta())
        self.rules = rules or few(self.policy)
        self._numbers = count(1)

    def tracking(
        self, open_store: Callable[[int], Awaitable[PartitionStore]] | None = None
    ) -> Tracking:
        """Make a process that tracks nothing yet."""
        return Tracking(self.means(), open_store or self.store)

    async def tracked(self, partition: int = 0) -> Tracking:
        """Make a process that has loaded a partition."""
        tracking = self.tracking()
        await tracking.take(f"{ROLE}.{partition}")
        await settled()
        assert tracking.partitions[partition].loaded
        return tracking

    async def cut(self) -> tuple[Tracking, Cut]:
        """Make a process that has loaded partition 0, with a store that is to be cut."""
        store = Cut(self.steps, 0)

        async def open_store(_: int) -> PartitionStore:
            return store

        tracking = self.tracking(open_store)
        await tracking.take(f"{ROLE}.0")
        await asyncio.sleep(1)
        return tracking, store

    def means(self) -> Means:
        """What a process has."""
        return Means(
            self.inputs,
            self.wants,
            Encoder("acme"),
            self.clock,
            "main",
            self.policy,
            self.rules,
            KEEP,
        )

    async def store(self, partition: int) -> PartitionStore:
        """Open a partition's store."""
        return MemoryPartitionStore(self.steps, partition)

    async def put(self, *messages: Message, partition: int = 0) -> int:
        """Put messages into the log, as nobody did before; give the last one's sequence."""
        sequence = 0
        for message in messages:
            name = f"test {next(self._numbers)}"
            sequence = await self.inputs.put(partition, "~all", encode_message(message), name)
        return sequence

    async def hear(self, *snapshots: Snapshot, partition: int = 0) -> int:
        """Put what frames tell."""
        return await self.put(*map(Seen, snapshots), partition=partition)

    async def listen(self, partition: int = 0, listener: str = "ear") -> None:
        """Say that a listener hears."""
        await self.put(Hearing(listener, "connected"), partition=partition)

    async def live(self, seconds: float, listener: str = "ear") -> None:
        """Let time pass, a listener saying all the while that it is there."""
        loop = asyncio.get_running_loop()
        until = loop.time() + seconds
        while loop.time() < until:
            await self.put(Alive(listener))
            await asyncio.sleep(min(5.0, until - loop.time()))

    async def all_steps(self) -> list[Step]:
        """Give all that was committed."""
        return list(await self.steps.read(0, 10**9))

    async def events(self) -> list[dict[str, Any]]:
        """Give all that was told, in order."""
        return [
            msgspec.json.decode(body) for step in await self.all_steps() for body in step.events
        ]

    async def told(self) -> list[tuple[str, str]]:
        """Give the ids and types of what was told."""
        return [
            (event["id"], event["type"].removeprefix("ringback.").removesuffix(".v1"))
            for event in await self.events()
        ]


def gaps(tracking: Tracking, partition: int = 0) -> list[Gap]:
    """Give the gaps that a partition knows of."""
    return list(tracking.partitions[partition].tracker.repair.ledger.gaps.values())


async def kill(tracking: Tracking) -> None:
    """Let a process be gone, whatever it was about."""
    for number in list(tracking._tasks):
        await tracking.lose(f"{ROLE}.{number}")
