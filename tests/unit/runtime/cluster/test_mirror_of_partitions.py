"""A mirror of partitions as they are tracked for real."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from ringback.core.clocks import Clock
from ringback.core.snapshots import QueueSettings
from ringback.core.tracker import Tracker
from ringback.core.watch.rules import RuleSet
from ringback.core.watch.silences import Matcher
from ringback.runtime.cluster.mirror import Mirror
from ringback.runtime.cluster.tracking import Tracking
from ringback.stores.jetstream.subjects import partition_of
from ringback.wire.log import Alive, Hearing, Seen, Settled, encode_message
from support.callbacks import customer, snapshot
from support.tracked import Logs, kill

pytestmark = pytest.mark.looptime

PARTITIONS = 2
ALERT = "c-1/due_not_released/1"


class World:
    """Logs, two processes that track a partition each, and mirrors."""

    def __init__(self) -> None:
        self.logs = Logs()
        self.tracking: list[Tracking] = []

    def mirror(self) -> Mirror:
        """Make one that knows nothing yet."""
        return Mirror(
            tracker=Tracker(self.logs.policy, self.logs.rules),
            steps=self.logs.steps,
            inputs=self.logs.inputs,
            clock=self.logs.clock,
            source="main",
            partitions=PARTITIONS,
            partition_of=lambda one: partition_of(one, PARTITIONS),
        )

    @asynccontextmanager
    async def mirroring(self) -> AsyncIterator[Mirror]:
        """Track, and mirror it."""
        self.tracking = [await self.logs.tracked(one) for one in range(PARTITIONS)]
        mirror = self.mirror()
        await mirror.load()
        works = (mirror.follow_forever(), mirror.measure_forever(), self._live())
        tasks = [asyncio.create_task(work) for work in works]
        try:
            yield mirror
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for one in self.tracking:
                await kill(one)

    async def _live(self) -> None:
        for partition in range(PARTITIONS):
            await self.logs.put(Hearing("ear", "connected", reads=True), partition=partition)
        while True:
            for partition in range(PARTITIONS):
                await self.logs.put(Alive("ear", heard=1), partition=partition)
            await asyncio.sleep(5)

    async def see(self, name: str, **said: object) -> None:
        """Let one callback be seen that is scheduled for ten minutes from the beginning."""
        seen = snapshot(customer(state="scheduled", scheduled_at=600), conversation=name)
        partition = partition_of(name, PARTITIONS)
        await self.logs.put(Seen(seen), partition=partition)


async def test_what_is_tracked_is_seen_and_how_fresh_it_is() -> None:
    world = World()
    async with world.mirroring() as mirror:
        for number in range(10):
            await world.see(f"c-{number}")
        await asyncio.sleep(30)
        assert mirror.tracker.conversations.stages["scheduled"] == 10
        assert mirror.freshness("main").hears
        assert mirror.freshness("main").last_frame is not None
        assert (mirror.quiet(), mirror.behind) == ([], 0)
        bodies = [entry.body for entry in await mirror.read(0, 1000)]
        assert sum(b"ringback.source.connected" in body for body in bodies) == 1
        assert len(bodies) == len(set(bodies))


async def test_a_takeover_is_no_matter_and_one_that_nobody_takes_is_told() -> None:
    world = World()
    async with world.mirroring() as mirror:
        await world.see("c-1")
        await asyncio.sleep(10)
        partition = partition_of("c-1", PARTITIONS)
        await kill(world.tracking[partition])
        await asyncio.sleep(3)
        world.tracking[partition] = await world.logs.tracked(partition)
        await asyncio.sleep(30)
        assert mirror.freshness("main").hears
        assert mirror.tracker.conversations.stages["scheduled"] == 1
        await kill(world.tracking[partition])
        await asyncio.sleep(30)
        assert mirror.quiet() == [partition]
        assert not mirror.freshness("main").hears
        world.tracking[partition] = await world.logs.tracked(partition)
        await asyncio.sleep(10)
        assert mirror.freshness("main").hears


async def test_what_people_do_comes_back_in_time() -> None:
    world = World()
    async with world.mirroring() as mirror:
        await world.see("c-1")
        await asyncio.sleep(640)
        loop = asyncio.get_running_loop()
        assert mirror.tracker.alerts.firing(ALERT).acknowledged_by is None
        began = loop.time()
        await mirror.acknowledge(ALERT, "ada")
        await mirror.committed()
        assert mirror.tracker.alerts.firing(ALERT).acknowledged_by == "ada"
        assert loop.time() - began < 1
        silence = await mirror.silence(
            [Matcher("rule", "due_not_released")],
            world.logs.clock.now() + timedelta(minutes=5),
            "ada",
            "",
        )
        await mirror.committed()
        assert [one.id for one in mirror.tracker.silences] == [silence.id]
        assert loop.time() - began < 2
        await asyncio.sleep(310)
        assert list(mirror.tracker.silences) == []
        await mirror.adopt(RuleSet([]), "ada")
        assert list(mirror.tracker.rules.rules) == []
        await asyncio.sleep(5)
        fresh = world.mirror()
        await fresh.load()
        assert list(fresh.tracker.rules.rules) == []


async def test_queues_and_clocks_are_known_as_trackers_know_them() -> None:
    world = World()
    async with world.mirroring() as mirror:
        for partition in range(PARTITIONS):
            await world.logs.put(
                Settled(QueueSettings("queue-1", name="Sales")), partition=partition
            )
        seen = Seen(snapshot(customer()), world.logs.engine.now() + timedelta(seconds=40))
        await world.logs.inputs.put(0, "c", encode_message(seen), "ahead")
        await asyncio.sleep(10)
        assert mirror.tracker.queues["queue-1"].name == "Sales"
        ahead = mirror.tracker.skews.ahead(Clock.CLOUD, world.logs.clock.now())
        assert ahead == timedelta(seconds=40)
