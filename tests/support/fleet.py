"""A fleet of channels that listens to the simulated Genesys Cloud, in virtual time."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from typing import Any

from ringback.simulator.centre import ContactCentre, Emission
from ringback.simulator.genesys.channels import Channel
from ringback.simulator.genesys.limits import Limits
from ringback.simulator.genesys.server import GenesysCloud
from ringback.simulator.options import Options
from ringback.sources.genesys.budget import Budget
from ringback.sources.genesys.client import Credentials, RestClient
from ringback.sources.genesys.common import Pace
from ringback.sources.genesys.fleet import Fleet
from ringback.sources.genesys.line import Listening
from ringback.sources.genesys.regions import Hosts
from ringback.wire.topics import queue_topic
from support.callbacks import START
from support.runtime import LoopClock
from support.virtual import run_virtually

__all__ = ["Hearing", "Stage", "listen"]

HOUR = 3600.0
QUIET = Options(arrivals_per_minute=0.001, agents=5, queues=6, warm_up=timedelta(0))
BUSY = Options(arrivals_per_minute=120, agents=60, queues=6, warm_up=timedelta(0), max_live=100)


class Hearing:
    """A hearer that keeps what it is told, and when, in seconds since the loop began."""

    def __init__(self) -> None:
        self.frames: Counter[bytes | str] = Counter()
        self.said: list[tuple[Any, ...]] = []
        """`("heard", topics)` and `("blind", cause, since, topics)`."""
        self.at: list[float] = []
        """When each was said."""
        self.refused: Collection[str] = ()
        self.news = asyncio.Condition()

    async def room(self) -> None:
        """There always is."""

    def frame(self, frame: bytes | str) -> None:
        """Keep it."""
        self.frames[frame] += 1

    def connected(self, topics: Collection[str] = ()) -> None:
        """Keep that."""
        assert topics, "no topics would mean all"
        self._say("heard", tuple(topics))

    def disconnected(
        self, cause: str, since: datetime | None = None, topics: Collection[str] = ()
    ) -> None:
        """Keep that."""
        assert topics, "no topics would mean all"
        seconds = None if since is None else (since - START).total_seconds()
        self._say("blind", cause, seconds, tuple(topics))

    def refuse(self, topics: Collection[str]) -> None:
        """Keep that."""
        self.refused = tuple(sorted(topics))

    def _say(self, *what: Any) -> None:
        self.said.append(what)
        self.at.append(asyncio.get_running_loop().time())


class Stage:
    """The platform, the fleet, and what it hears."""

    def __init__(
        self, cloud: GenesysCloud, fleet: Fleet, client: RestClient, hearing: Hearing
    ) -> None:
        self.cloud = cloud
        self.fleet = fleet
        self.client = client
        self.hearing = hearing
        self.emitted: Counter[bytes] = Counter()
        """Frames on followed topics since `watch_frames`."""

    @property
    def topics(self) -> list[str]:
        """One of each queue."""
        return [queue_topic(queue.id) for queue in self.cloud.centre.queues]

    @property
    def channel(self) -> Channel:
        """The only channel that is connected."""
        (one,) = self.connected
        return one

    @property
    def connected(self) -> list[Channel]:
        """Those that are."""
        return [one for one in self.cloud.channels.all if one.socket is not None]

    @property
    def said(self) -> list[tuple[Any, ...]]:
        """What the fleet has said so far."""
        return self.hearing.said

    @property
    def now(self) -> float:
        """Seconds since the loop began."""
        return asyncio.get_running_loop().time()

    async def until(self, seen: Callable[[], object], seconds: float = 600.0) -> None:
        """Wait until something is so."""
        async with asyncio.timeout(seconds):
            while not seen():  # noqa: ASYNC110  # what is looked at knows no events
                await asyncio.sleep(0.05)

    async def until_said(self, count: int, seconds: float = 600.0) -> None:
        """Wait until so much was said."""
        await self.until(lambda: len(self.said) >= count, seconds)

    def watch_frames(self, topics: Iterable[str]) -> None:
        """From here on count what the centre emits on these topics."""
        wanted = set(topics)
        deliver = self.cloud.deliver

        def watched(emissions: Sequence[Emission]) -> None:
            self.emitted.update(each.frame for each in emissions if each.topic in wanted)
            deliver(emissions)

        self.cloud.deliver = watched  # type: ignore[method-assign]  # to listen in

    @property
    def lost(self) -> Counter[bytes]:
        """Frames that were emitted and never heard."""
        return Counter(
            {
                frame: count
                for frame, count in self.emitted.items()
                if not self.hearing.frames[frame]
            }
        )


@asynccontextmanager
async def stage(
    *,
    options: Options = QUIET,
    limits: Limits | None = None,
    follow: int | None = None,
    most_topics: int = 1000,
    most_channels: int = 20,
    pace: Pace | None = None,
    secret: str | None = None,
) -> AsyncIterator[Stage]:
    """Let a fleet follow the first `follow` queues, all of them if None."""
    clock = LoopClock()
    chance = random.Random(7)
    centre = ContactCentre(3, START, options)
    async with GenesysCloud(centre, clock, limits=limits) as cloud:
        client = RestClient(
            Hosts(cloud.url, cloud.url),
            Credentials(cloud.client.id, secret or cloud.client.secret),
            clock=clock,
            budget=Budget(300),
            chance=chance,
            timeout=15.0,
        )
        fleet = Fleet(
            "main",
            client,
            clock,
            chance=chance,
            how=Listening(max_frame_bytes=1 << 20),
            pace=pace or Pace(renew=20 * HOUR),
            most_channels=most_channels,
            most_topics=most_topics,
        )
        there = Stage(cloud, fleet, client, Hearing())
        fleet.follow(there.topics[:follow])
        async with client:
            task = asyncio.create_task(fleet.run(there.hearing))
            try:
                yield there
                assert not task.done(), task.exception()
            finally:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task
                left = [each.get_name() for each in asyncio.all_tasks()]
                assert not [name for name in left if name.startswith("genesys")], left


def listen(play: Callable[[Stage], Awaitable[None]], **settings: Any) -> None:
    """Play a piece on a stage."""

    async def all_of_it() -> None:
        async with stage(**settings) as there:
            await play(there)

    run_virtually(all_of_it())
