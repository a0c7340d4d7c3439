"""Two listeners of one organisation, each with channels and requests of its own, in virtual time.

One may lose its channels, or die, and nobody notices; once both hear nothing it is a gap, and what
it touched is confirmed or corrected by surveys and by reads that trackers wanted.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import timedelta

from ringback.core.gaps import Gap
from ringback.runtime.cluster.listening import Listening
from ringback.simulator.genesys.channels import Channel
from ringback.simulator.genesys.server import GenesysCloud
from ringback.simulator.options import Options
from ringback.sources.genesys.source import GenesysSource
from support.listened import Listened
from support.organisation import ODD_INSTANT, POLICY, make_source, organisation
from support.truth import differences
from support.virtual import run_virtually

BUSY = Options(arrivals_per_minute=30, max_live=100, agents=80, remember=3000, stuck_seconds=300)
STRIKES = 6
NOTICED_WITHIN = 50.0
"""Seconds: a connection that stands and brings nothing is the last to be noticed."""

HEARD_WITHIN = timedelta(seconds=35)
"""Between two signs of life of a channel."""


class Listener:
    """One process that listens."""

    def __init__(self, ear: Listening, source: GenesysSource, platform: GenesysCloud) -> None:
        self.ear = ear
        self.source = source
        self._platform = platform
        self._listens = asyncio.create_task(ear.listen(source))

    @property
    def channels(self) -> list[Channel]:
        """Its channels, as the platform knows them."""
        mine = {one.channel._id for one in self.source.fleet._shards if one.channel is not None}
        return [one for one in self._platform.channels.all if one.id in mine and one.socket]

    async def end(self) -> None:
        """End its source; what it has heard is another matter."""
        self._listens.cancel()
        await asyncio.gather(self._listens, return_exceptions=True)


class Story:
    """Both of them, and what is known of it all."""

    def __init__(self, platform: GenesysCloud, all_: Listened) -> None:
        self.platform = platform
        self.all = all_
        self.listeners: dict[str, Listener] = {}
        self.chance = random.Random(3)

    async def begin(self, name: str) -> Listener:
        """Let one listen."""
        ear = await self.all.listen(name, reads=True)
        source = make_source(self.platform, seed=ord(name), most_topics=3)
        ear.suspect = source.missed
        self.listeners[name] = Listener(ear, source, self.platform)
        async with asyncio.timeout(600):
            while not ear.hears:  # noqa: ASYNC110  # virtual time costs nothing
                await asyncio.sleep(0.5)
        return self.listeners[name]

    async def end(self, name: str, *, cleanly: bool = False) -> None:
        """End one, by a signal or by a kill."""
        listener = self.listeners.pop(name)
        await listener.end()
        if cleanly:
            await listener.ear.finish()
        await self.all.kill(name)

    def gaps(self) -> Iterator[list[Gap]]:
        """Give the gaps of each partition's ledger."""
        assert self.all.tracking is not None
        for partition in self.all.tracking.partitions.values():
            yield list(partition.tracker.repair.ledger.gaps.values())

    async def repaired(self) -> None:
        """Wait until all is heard and nothing is in doubt any more."""
        assert self.all.tracking is not None
        trackers = [one.tracker for one in self.all.tracking.partitions.values()]

        def whole() -> bool:
            return all(
                one.repair.ledger.hears_all("main") and not one.repair.doubts for one in trackers
            )

        async with asyncio.timeout(150):
            while not whole():  # noqa: ASYNC110  # virtual time costs nothing
                await asyncio.sleep(0.5)
        await asyncio.sleep(ODD_INSTANT)
        assert differences(self.all, self.platform.centre) == []


@asynccontextmanager
async def two_listeners() -> AsyncIterator[Story]:
    """Play until both hear."""
    async with organisation(BUSY) as (platform, _), Listened(POLICY).within() as all_:
        await all_.track()
        story = Story(platform, all_)
        for name in ("a", "b"):
            await story.begin(name)
        try:
            await asyncio.sleep(90)  # what was there before is found out
            await story.repaired()
            yield story
        finally:
            for name in list(story.listeners):
                await story.end(name)


async def strike_one_after_the_other() -> None:
    async with two_listeners() as story:
        faults = story.platform.faults
        for number in range(STRIKES):
            await asyncio.sleep(story.chance.uniform(5, 40))
            for channel in story.listeners["ab"[number % 2]].channels:
                (faults.cut, faults.freeze)[number // 2 % 2](channel)
            await asyncio.sleep(NOTICED_WITHIN + 10)
            assert all(one.ear.hears for one in story.listeners.values())
            await story.repaired()
        await story.end("a")
        await asyncio.sleep(60)
        assert list(story.gaps()) == [[], [], []]
        await story.repaired()


def test_one_that_loses_its_channels_or_dies_leaves_no_gap() -> None:
    run_virtually(strike_one_after_the_other())


async def strike_both() -> None:
    async with two_listeners() as story:
        began = story.all.logs.clock.now()
        story.platform.faults.cut()
        story.platform.faults.go_down(30)
        await asyncio.sleep(NOTICED_WITHIN)
        await story.repaired()
        for gaps in story.gaps():
            assert gaps
            assert all(began - HEARD_WITHIN <= gap.since <= began for gap in gaps)
            assert all(gap.until is not None and gap.touched for gap in gaps)
        assert all(one.source.reconciliation.reads for one in story.listeners.values())


def test_once_none_hears_it_is_a_gap_that_both_repair() -> None:
    run_virtually(strike_both())


async def stop_both() -> None:
    async with two_listeners() as story:
        await story.end("a", cleanly=True)
        await asyncio.sleep(30)
        assert list(story.gaps()) == [[], [], []]
        began = story.all.logs.clock.now()
        await story.end("b", cleanly=True)
        await asyncio.sleep(1)
        for (gap,) in story.gaps():
            assert gap.cause == "listener stopped"
            assert abs(gap.since - began) < timedelta(seconds=1)
        await asyncio.sleep(60)
        await story.begin("a")
        await story.repaired()
        for (gap,) in story.gaps():
            assert gap.until is not None


def test_a_stop_of_the_last_one_is_a_gap_at_once() -> None:
    run_virtually(stop_both())
