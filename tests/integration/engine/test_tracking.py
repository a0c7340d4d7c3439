"""Trackers on a real server: taken over, superseded, at the same time; nothing twice, no hole."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest

from ringback.core.policy import Policy
from ringback.core.snapshots import Snapshot
from ringback.core.watch.defaults import built_in
from ringback.ports import Input, PartitionStore, Step
from ringback.runtime.clock import SystemClock
from ringback.runtime.cluster.means import Means
from ringback.runtime.cluster.tracking import Tracking
from ringback.simulator.centre import ContactCentre
from ringback.simulator.options import Options
from ringback.stores.jetstream.engine import Engine
from ringback.stores.jetstream.subjects import partition_of
from ringback.wire.cloudevents import Encoder
from ringback.wire.decode import Decoder
from ringback.wire.log import EVERYBODY, Hearing, Message, Seen, Settled, Tick, decode_message
from ringback.wire.log import encode_message as packed
from support import checker
from support.callbacks import agent, customer, snapshot
from support.engine import open_engine, until
from support.nats import PATIENCE
from support.tracked import NoWants

PARTITIONS = 2
KEEP = timedelta(days=2)
POLICY = Policy(due_grace=timedelta())


class Site:
    """An organisation's logs, and the processes that track them."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.names = 0

    def process(self) -> Tracking:
        """Make a process that tracks nothing yet."""

        async def open_store(number: int) -> PartitionStore:
            return self.engine.store(number)

        rules = built_in(POLICY.due_grace, POLICY.not_dialled)
        return Tracking(
            Means(
                self.engine.inputs,
                NoWants(),
                Encoder("acme"),
                SystemClock(),
                "main",
                POLICY,
                rules,
                KEEP,
            ),
            open_store,
        )

    async def put(self, message: Message, key: str = EVERYBODY) -> None:
        """Put a message where it belongs."""
        all_of_them = range(PARTITIONS)
        self.names += 1
        for partition in all_of_them if key == EVERYBODY else [partition_of(key, PARTITIONS)]:
            name = f"{partition} {self.names}"
            await self.engine.inputs.put(partition, key, packed(message), name)

    async def hear(self, found: Snapshot) -> None:
        """Put what a frame tells."""
        await self.put(Seen(found), found.conversation_id)

    async def steps(self) -> list[Step]:
        """Give all that was committed."""
        return list(await self.engine.steps.read(0, 10**6))

    async def events(self) -> list[dict[str, Any]]:
        """Give all that was told."""
        return [msgspec.json.decode(body) for step in await self.steps() for body in step.events]

    async def inputs(self) -> list[checker.Put]:
        """Give all that was put."""
        end = await self.engine.inputs.position()
        found: list[checker.Put] = []
        for partition in range(PARTITIONS):
            async for chunk in self.engine.inputs.follow(partition, 0):
                found += [_as_put(partition, one) for one in chunk if one.sequence <= end]
                if not chunk:
                    break
        return found


def _as_put(partition: int, one: Input) -> checker.Put:
    return checker.Put(one.sequence, partition, one.at, decode_message(one.body))


@asynccontextmanager
async def site(url: str) -> AsyncIterator[Site]:
    engine = await open_engine(url)
    try:
        yield Site(engine)
    finally:
        await engine.close()


async def closed(processes: Sequence[Tracking]) -> None:
    for process in processes:
        for number in range(PARTITIONS):
            await process.lose(f"track.{number}")


def caught_up(process: Tracking, partitions: int) -> bool:
    found = process.partitions.values()
    return len(found) == partitions and all(
        one.progress.begun and one.reading.caught_up for one in found
    )


async def test_a_timer_fires_once_by_the_engines_clock_whoever_is_there(nats_url: str) -> None:
    async with site(nats_url) as here:
        first, second = here.process(), here.process()
        try:
            await first.take("track.0")
            await until(lambda: caught_up(first, 1))
            due = SystemClock().now() + timedelta(seconds=1.5)
            name = next(f"c-{n}" for n in range(99) if partition_of(f"c-{n}", PARTITIONS) == 0)
            await here.hear(
                snapshot(customer(state="scheduled", scheduled_at=due), conversation=name)
            )
            await until(lambda: first.counts["steps"] > 1)
            await first.lose("track.0")
            await second.take("track.0")
            await asyncio.sleep(2.5)
            fired = [one for one in await here.events() if one["type"].endswith("firing.v1")]
            (told,) = fired
            late = datetime.fromisoformat(told["data"]["observedTime"]) - due
            assert timedelta() <= late < timedelta(seconds=1)
        finally:
            await closed([first, second])


async def test_who_is_superseded_is_shut_out_and_begins_anew(nats_url: str) -> None:
    async with site(nats_url) as here:
        first, second = here.process(), here.process()
        try:
            for number in range(PARTITIONS):
                await first.take(f"track.{number}")
            await here.hear(snapshot(customer(state="connected")))
            await until(lambda: caught_up(first, PARTITIONS))
            for number in range(PARTITIONS):
                await second.take(f"track.{number}")
            await until(lambda: caught_up(second, PARTITIONS))
            await here.hear(snapshot(agent(state="alerting")))
            await until(lambda: first.counts["fenced"] + second.counts["fenced"] > 0)
            ids = [event["id"] for event in await here.events() if event["subject"] == "c-1"]
            assert ids in (["c-1/1"], ["c-1/1", "c-1/2"])
        finally:
            await closed([first, second])


@pytest.mark.parametrize("seed", [1, 2])
async def test_a_storm_leaves_what_is_true(nats_url: str, seed: int) -> None:
    chance = random.Random(seed)
    async with site(nats_url) as here:
        start = SystemClock().now()
        centre = ContactCentre(
            seed, start, Options(speed=20, stuck_seconds=60, max_live=20, remember=10_000)
        )
        heard: dict[str, list[Snapshot]] = {}
        decoder = Decoder(max_size=1 << 20)
        await here.put(Hearing("ear", "connected"))
        for queue in centre.queue_settings():
            await here.put(Settled(queue))
        processes = [here.process()]
        for number in range(PARTITIONS):
            await processes[0].take(f"track.{number}")
        try:
            for part in range(1, 13):
                for emission in centre.advance(start + timedelta(seconds=0.5 * part)):
                    found = decoder.decode(emission.frame)
                    if isinstance(found, Snapshot):
                        heard.setdefault(found.conversation_id, []).append(found)
                        await here.hear(found)
                former, following = processes[-1], here.process()
                processes.append(following)
                match part % 3:
                    case 0:  # it is gone, in the middle of whatever it does
                        await closed([former])
                    case 1:  # it goes on as if nothing were
                        await asyncio.sleep(chance.uniform(0, 0.1))
                    case _:
                        await former.close()
                for number in range(PARTITIONS):
                    await following.take(f"track.{number}")
                await asyncio.sleep(chance.uniform(0.2, 0.5))
            centre.halt()
            await closed(processes[:-1])
            async with asyncio.timeout(PATIENCE):
                # Who is shut out at the very end loads anew, and learns the time from an input.
                while not caught_up(processes[-1], PARTITIONS):
                    await here.put(Tick())
                    await asyncio.sleep(0.1)
            # What the play was ahead of the clock comes to pass.
            left = (centre.now - SystemClock().now()).total_seconds() + 1.0
            await asyncio.sleep(max(0.0, left))
            centre.advance(SystemClock().now())
            await processes[-1].close()
            logs = checker.Logs(PARTITIONS, await here.inputs(), await here.steps())
            assert len(logs.steps) > 50
            assert checker.effects_of(logs) == []
            assert list(checker.heard_in_vain(logs, checker.over_one_socket(heard))) == []
            assert list(checker.untrue(logs, centre, heard)) == []
        finally:
            await closed(processes)
