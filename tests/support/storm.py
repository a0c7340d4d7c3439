"""Processes that track, and what becomes of them: killed between any two writes, stopped, fenced.

All in one loop and in virtual time, over the logs in memory. A process that is killed or stopped
does nothing any more that could be seen: each of its writes and reads passes a gate.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any

import msgspec

from ringback.core.snapshots import Snapshot
from ringback.core.watch.defaults import built_in
from ringback.core.watch.rules import RuleSet
from ringback.errors import FrameError
from ringback.ports import Input, PartitionStore, Row, Step
from ringback.runtime.cluster.tracking import ROLE, Tracking
from ringback.simulator.centre import ContactCentre
from ringback.simulator.options import Options
from ringback.stores.jetstream.subjects import partition_of
from ringback.stores.memory_log import MemoryPartitionStore, MemoryStepLog
from ringback.wire.decode import Decoder
from ringback.wire.inputs import (
    Acknowledge,
    BeginSilence,
    Deed,
    EndSilence,
    MatcherText,
    Ruling,
    encode_deed,
)
from ringback.wire.log import Alive, Done, Hearing, Message, Seen, Settled, Tick, decode_message
from support import checker
from support.tracked import Logs

__all__ = ["PARTITIONS", "Process", "Storm", "Unfenced"]

PARTITIONS = 2
PROCESSES = 3
STEP = 0.25
"""Seconds between two looks at the centre."""


class Unfenced(MemoryStepLog):
    """A log of steps that takes whatever it is given: what the fence is there to prevent."""

    async def append(self, step: Step, after: int) -> int:
        """Append a step."""
        last = self._last.get((step.partition, step.row.conversation_id))
        return await super().append(step, last.sequence if last else 0)


class Process:
    """One process, which may be killed or stopped at each of its writes and reads."""

    def __init__(self, logs: Logs, chance: random.Random) -> None:
        self.owned: set[int] = set()
        self.fuse: int | None = None
        """Gates that are left until it is gone."""
        self.dead = False
        self.goes = asyncio.Event()
        self.goes.set()
        self._logs = logs
        self._chance = chance
        means = msgspec.structs.replace(logs.means(), inputs=GatedInputs(self, logs, chance))
        self.tracking = Tracking(means, self._open)

    async def _open(self, partition: int) -> PartitionStore:
        return GatedStore(self._logs.steps, partition, self)

    async def gate(self) -> None:
        """Pass, unless it is gone; a while later, if it is stopped."""
        if self.fuse is not None:
            self.fuse -= 1
            if self.fuse < 0:
                self.dead = True
        if self.dead:
            await asyncio.Event().wait()
        if self._chance.random() < 0.3:
            await asyncio.sleep(self._chance.uniform(0, 0.02))
        await self.goes.wait()

    async def take(self, partition: int) -> None:
        """Begin to track a partition."""
        self.owned.add(partition)
        await self.tracking.take(f"{ROLE}.{partition}")

    async def give(self, partition: int) -> None:
        """Hand a partition over."""
        self.owned.discard(partition)
        await self.tracking.give(f"{ROLE}.{partition}")

    async def lose(self) -> None:
        """Cease."""
        for partition in range(PARTITIONS):
            await self.tracking.lose(f"{ROLE}.{partition}")
        self.owned.clear()


class GatedStore(MemoryPartitionStore):
    """The store of a process: each step is a write of its own."""

    def __init__(self, log: MemoryStepLog, partition: int, process: Process) -> None:
        super().__init__(log, partition)
        self._process = process

    async def _append(self, row: Row, reached: int, told: Sequence[tuple[bytes, str]]) -> None:
        await self._process.gate()
        await super()._append(row, reached, told)
        await self._process.gate()


class GatedInputs:
    """The log of inputs as a process sees it: in chunks of any size, some of it twice."""

    def __init__(self, process: Process, logs: Logs, chance: random.Random) -> None:
        self._process = process
        self._log = logs.inputs
        self._chance = chance

    async def put(self, partition: int, key: str, body: bytes, once: str) -> int:
        """Append."""
        await self._process.gate()
        sequence = await self._log.put(partition, key, body, once)
        await self._process.gate()
        return sequence

    async def follow(self, partition: int, after: int) -> AsyncIterator[Sequence[Input]]:
        """Follow."""
        async for chunk in self._log.follow(partition, after):
            left = list(chunk)
            while True:
                await self._process.gate()
                size = self._chance.randint(1, 20)
                yield left[:size]
                if left and self._chance.random() < 0.1:
                    yield left[:size]
                left = left[size:]
                if not left:
                    break

    async def position(self) -> int:
        """Give the log's last sequence."""
        return await self._log.position()


class Storm:
    """A contact centre, listeners that put what it sends, and processes in a storm."""

    def __init__(self, seed: int, logs: Logs, *, gaps: bool = False) -> None:
        """With `gaps` listeners lose what they hear, now and then."""
        self._gaps = gaps
        self.chance = random.Random(seed)  # not for secrets
        self.logs = logs
        self.start = logs.clock.now()
        self.centre = ContactCentre(
            seed,
            self.start,
            Options(speed=20, stuck_seconds=60, max_live=25, remember=10_000),
        )
        self.heard: dict[str, list[Snapshot]] = {}
        self.faults: dict[str, int] = {}
        self._decoder = Decoder(max_size=1 << 20)
        self._deeds = 0
        self._rules = (
            logs.rules,
            RuleSet([]),
            built_in(logs.policy.due_grace, logs.policy.not_dialled),
        )
        self.all_processes: list[Process] = []
        self.processes = [self._process() for _ in range(PROCESSES)]

    def _process(self) -> Process:
        self.all_processes.append(Process(self.logs, self.chance))
        return self.all_processes[-1]

    async def run(self, minutes: float) -> checker.Logs:
        """Let the storm rage, let it pass, and give what is in the logs."""
        await self._greet()
        for partition in range(PARTITIONS):
            await self.processes[partition % PROCESSES].take(partition)
        work = [asyncio.create_task(one) for one in (self._rage(), self._live(), self._meddle())]
        until = self.start + timedelta(minutes=minutes)
        while self.logs.clock.now() < until:
            await asyncio.sleep(STEP)
            await self._hear(self.logs.clock.now())
        self.centre.halt()
        for task in work[::2]:
            await _cancelled(task)
        await self._calm_down()
        await asyncio.sleep(30)
        self.centre.advance(self.logs.clock.now())
        await _cancelled(work[1])
        for process in self.processes:
            await process.lose()
        return self.found()

    def found(self) -> checker.Logs:
        """Give both logs as they are."""
        inputs = [
            checker.Put(one.sequence, partition, one.at, decode_message(one.body))
            for partition in range(PARTITIONS)
            for one in self.logs.inputs._inputs[partition]
        ]
        steps = list(self.logs.steps._steps)
        return checker.Logs(PARTITIONS, sorted(inputs, key=lambda one: one.sequence), steps)

    # Who puts

    async def _put(self, partition: int, message: Message) -> None:
        await self.logs.put(message, partition=partition)

    async def _for_all(self, message: Message) -> None:
        for partition in range(PARTITIONS):
            await self._put(partition, message)

    async def _greet(self) -> None:
        await self._for_all(Hearing("ear", "connected"))
        for settings in self.centre.queue_settings():
            await self._for_all(Settled(settings))

    async def _hear(self, until: datetime) -> None:
        for emission in self.centre.advance(until):
            with suppress(FrameError):
                found = self._decoder.decode(emission.frame)
                if isinstance(found, Snapshot):
                    self.heard.setdefault(found.conversation_id, []).append(found)
                    partition = partition_of(found.conversation_id, PARTITIONS)
                    for _ in range(1 + (self.chance.random() < 0.1)):
                        await self._put(partition, Seen(found))

    async def _live(self) -> None:
        while True:
            await self._for_all(Alive("ear", heard=1))
            await asyncio.sleep(5)

    async def _meddle(self) -> None:
        """Let people do things, and others put what nobody needs."""
        while True:
            await asyncio.sleep(self.chance.uniform(0.5, 8))
            match self.chance.randrange(7 if self._gaps else 5):
                case 5:
                    await self._for_all(Hearing("ear", "disconnected", "lost"))
                case 6:
                    await self._for_all(Hearing("ear", "connected"))
                case 0:
                    await self._for_all(Tick())
                case 1:
                    await self._do(
                        Ruling("you", msgspec.Raw(self.chance.choice(self._rules).packed))
                    )
                case 2:
                    self._deeds += 1
                    until = self.logs.clock.now() + timedelta(seconds=self.chance.uniform(1, 60))
                    matchers = [MatcherText("severity", "warning")]
                    await self._do(BeginSilence(matchers, until, "you", id=f"s{self._deeds}"))
                case 3:
                    await self._do(EndSilence(f"s{self._deeds}", "you"))
                case _:
                    for alert in await self._firing():
                        partition = partition_of(alert["data"]["conversationId"], PARTITIONS)
                        deed = Acknowledge(alert["data"]["alertId"], "you")
                        await self._put(partition, Done(encode_deed(deed)))

    async def _do(self, deed: Deed) -> None:
        await self._for_all(Done(encode_deed(deed)))

    async def _firing(self) -> list[dict[str, Any]]:
        events = [
            event
            for event in await self.logs.events()
            if event["type"] == "ringback.alert.firing.v1" and "conversationId" in event["data"]
        ]
        return self.chance.sample(events, min(2, len(events)))

    # What becomes of processes

    def _note(self, fault: str) -> None:
        self.faults[fault] = self.faults.get(fault, 0) + 1

    async def _rage(self) -> None:
        while True:
            await asyncio.sleep(self.chance.uniform(0.2, 4))
            process = self.chance.choice(self.processes)
            match self.chance.randrange(4):
                case 0 | 1:
                    self._note("killed")
                    await self._kill(process)
                case 2:
                    self._note("stopped")
                    await self._stop(process)
                case _:
                    self._note("moved")
                    for partition in list(process.owned):
                        await self._move(process, partition)

    async def _kill(self, process: Process) -> None:
        """Let it be gone after one of its next writes; others take over a while later."""
        process.fuse = self.chance.randrange(40)
        await asyncio.sleep(self.chance.uniform(0, 2))
        process.dead = True
        owned = set(process.owned)
        await process.lose()
        index = self.processes.index(process)
        self.processes[index] = self._process()
        await self._take(owned)

    async def _stop(self, process: Process) -> None:
        """Stop it for a while; it goes on as if nothing were, before it is told."""
        process.goes.clear()
        await asyncio.sleep(self.chance.uniform(0, 2))
        owned = set(process.owned)
        others = [one for one in self.processes if one is not process]
        for partition in owned:
            await self.chance.choice(others).take(partition)
        await asyncio.sleep(self.chance.uniform(0, 2))
        process.goes.set()
        await asyncio.sleep(self.chance.uniform(0, 2))
        await process.lose()

    async def _move(self, process: Process, partition: int) -> None:
        await process.give(partition)
        await self._take({partition})

    async def _take(self, partitions: set[int]) -> None:
        for partition in partitions:
            await self.chance.choice(self.processes).take(partition)

    async def _calm_down(self) -> None:
        """Let one process have each partition, whoever had it."""
        for process in self.processes:
            process.goes.set()
            await process.lose()
        self.processes = [self._process()]
        await self._take(set(range(PARTITIONS)))


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
