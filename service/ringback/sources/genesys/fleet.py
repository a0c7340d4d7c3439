"""All notification channels of a source: topics spread over them, and each looked after.

A channel that is to go, for whatever reason, is replaced first: the new one is connected,
subscribed and seen alive before. One that is lost is told at once, and found again.
"""

import asyncio
import random
from collections import Counter
from collections.abc import Collection, Coroutine, Mapping, Sequence
from typing import Literal

import msgspec
import structlog

from ringback.errors import PlatformError
from ringback.ports import Clock
from ringback.sources.genesys.channel import Channel, Means, Rejection, singles
from ringback.sources.genesys.client import RestClient
from ringback.sources.genesys.common import Common, Pace, Reason
from ringback.sources.genesys.ends import End
from ringback.sources.genesys.hearer import Hearer
from ringback.sources.genesys.line import Listening
from ringback.sources.genesys.plan import MOST_TOPICS, SPARE, ChannelPlan, needed, shards
from ringback.sources.genesys.shard import Shard

__all__ = ["ChannelState", "Fleet"]

log = structlog.get_logger(__name__)

TOKEN_LOOK_SECONDS = 30.0
"""How often the token is looked at: who asks for it when it is old has it renewed."""


class ChannelState(msgspec.Struct, frozen=True):
    """One channel as it is now. Instants are on the loop's clock."""

    state: Literal["hears", "replaced", "blind"]
    """`replaced`: it hears, and its successor is being prepared."""
    topics: frozenset[str]
    """The single topics that it hears, or heard last."""
    made_at: float
    heard_at: float
    """When the last message came, a heartbeat or pong included; now, for one that is blind."""
    conversation_at: float
    """When the last message came that was not about the channel, or when it was proved alive, if
    that was later; now, for one that is blind: that it brings nothing is known."""


class Fleet:
    """Hears all the topics that it is to follow. Counters only grow."""

    def __init__(
        self,
        name: str,
        client: RestClient,
        clock: Clock,
        *,
        chance: random.Random,
        how: Listening,
        pace: Pace,
        most_channels: int,
        most_topics: int = MOST_TOPICS,
    ) -> None:
        """`name` is the source's; `most_channels` are used at the most, successors included.

        `most_topics` go on one channel.
        """
        self._name = name
        self._client = client
        self._clock = clock
        self._chance = chance
        self._how = how
        self._pace = pace
        self._most_channels = most_channels
        self._allowed: int | None = None
        """Of those, as many as are not others'; None while they are not shared."""
        self._most_topics = most_topics
        self._topics: dict[str, None] = {}
        self._wanted: frozenset[str] = frozenset()
        self._shards: list[Shard] = []
        self._common: Common | None = None
        self._tasks: asyncio.TaskGroup | None = None
        self._retiring: set[Channel] = set()
        self._token_problem: str | None = None

    # What is to be heard

    def follow(self, topics: Collection[str]) -> None:
        """Hear these from now on, named as they are subscribed to.

        Raises `SourceError`, and goes on as before, when they take more channels than there may be.
        """
        wanted = dict.fromkeys(topics)
        channels = needed(len(wanted), self._most_topics)
        ChannelPlan(len(wanted), channels, self._most_channels, 0).refuse(self._name)
        self._topics, self._wanted = wanted, singles(wanted)
        if self._common is not None:
            self._spread(self._common)

    def distrust(self, channel: ChannelState) -> None:
        """Replace a channel that lives, but has been found not to bring what it should."""
        self.replace(channel.topics, "frames missed")

    def replace(self, topics: Collection[str], cause: str) -> None:
        """Replace the channels that hear any of these single topics; `cause` is for the log."""
        for shard in self._shards:
            if shard.hears and shard.channel and not shard.channel.heard.isdisjoint(topics):
                log.warning("channel_suspected", cause=cause, topics=len(shard.channel.topics))
                shard.suspect()

    @property
    def wanted(self) -> int:
        """How many channels these topics take, with the one to spare."""
        return max(len(self._shards), 1) + SPARE

    @property
    def used(self) -> int:
        """How many channels there are, or are about to be."""
        taken = self._common.places.taken if self._common is not None else 0
        return sum(shard.occupies for shard in self._shards) + taken

    def allow(self, amount: int) -> None:
        """Have no more than so many channels from now on: the first shards keep theirs."""
        self._allowed = amount
        for shard in self._shards:
            if not self._may_hear(shard):
                shard.yield_place()
        self._changed()
        if self._common is not None:
            self._common.places.look()

    async def run(self, hearer: Hearer) -> None:
        """Hear until cancelled."""
        means = Means(self._client, hearer, self._clock, self._how)
        self._common = Common(
            means,
            self._pace,
            self._chance,
            spare=self._spare,
            retire=self._retire,
            changed=self._changed,
            may_hear=self._may_hear,
            may_drop=self._may_drop,
            wanted=lambda topic: topic in self._wanted,
            most_topics=self._most_topics,
        )
        try:
            async with asyncio.TaskGroup() as self._tasks:
                self._spread(self._common)
                await self._mind_token()
        finally:
            self._tasks = None
            self._shards = []
            for channel in self._retiring:
                await channel.close()
            self._retiring.clear()

    # How it is

    @property
    def problem(self) -> str | None:
        """What is wrong and what to do about it; None while every channel hears."""
        evicted = self._common.evictions.problem if self._common else None
        found = (shard.problem for shard in self._shards if shard.problem is not None)
        return evicted or self._token_problem or next(found, None)

    @property
    def channels(self) -> Sequence[ChannelState]:
        """Every channel there is, those that replace another not yet included."""
        return list(map(_state, self._shards))

    @property
    def shards(self) -> int:
        """How many channels there are to be, for these topics."""
        return len(self._shards)

    @property
    def rejected(self) -> Sequence[Rejection]:
        """The topics that the platform does not permit."""
        return list(self._common.rejections.present.values()) if self._common else ()

    @property
    def connects(self) -> int:
        """How often a channel came to hear."""
        return self._common.connects if self._common else 0

    @property
    def evictions(self) -> int:
        """How often another client pushed a channel out."""
        return self._common.evictions.total if self._common else 0

    @property
    def renewals(self) -> Mapping[Reason, int]:
        """Channels replaced without a gap, by reason."""
        return self._common.renewals if self._common else Counter()

    @property
    def cuts(self) -> Mapping[End, int]:
        """Channels that ended unplanned, by cause."""
        return self._common.cuts if self._common else Counter()

    @property
    def failures(self) -> Mapping[End, int]:
        """Attempts that failed, by cause."""
        return self._common.failures if self._common else Counter()

    # What these are made of

    def _spread(self, common: Common) -> None:
        """Give each shard its topics; begin those that are new. One without any ends itself."""
        present = [shard for shard in self._shards if shard.share.wanted]
        plan = shards(
            self._topics,
            [list(shard.share.wanted) for shard in present],
            most_topics=self._most_topics,
            most_shards=self._most_channels - SPARE,
        )
        for shard, topics in zip(present, plan, strict=False):
            if topics != list(shard.share.wanted):
                shard.want(topics)
        for topics in plan[len(present) :]:
            shard = Shard(common, topics)
            self._shards.append(shard)
            self._start(shard)
        common.rejections.forget(self._topics)
        self._changed()

    def _start(self, shard: Shard) -> None:
        async def run() -> None:
            await shard.run()
            self._shards.remove(shard)
            # What it has left may let another shard go on.
            self._changed()

        self._spawn(run(), "genesys.shard")

    def _spawn(self, work: Coroutine[None, None, None], name: str) -> None:
        assert self._tasks is not None  # noqa: S101  # shards live only while it runs
        self._tasks.create_task(work, name=name)

    def _retire(self, channel: Channel) -> None:
        """Read on for a moment, since some frames are under way, then hang up."""
        self._retiring.add(channel)

        async def retire() -> None:
            assert channel.line is not None  # noqa: S101  # it heard until now
            assert self._common is not None  # noqa: S101
            await asyncio.wait({channel.line.ended}, timeout=self._pace.overlap)
            await channel.line.drain()
            await channel.close()
            self._retiring.discard(channel)
            self._common.places.give_back()

        self._spawn(retire(), "genesys.retiring")

    def _may_hear(self, shard: object) -> bool:
        """Whether it is among those that may have a channel, one being left to spare."""
        if self._allowed is None:
            return True
        return shard in self._shards[: max(0, self._allowed - SPARE)]

    def _spare(self) -> int:
        """Say how many channels there may be beside those that hear."""
        if self._allowed is None:
            return max(1, self._most_channels - len(self._shards))
        return self._allowed - sum(map(self._may_hear, self._shards))

    def _changed(self) -> None:
        for shard in self._shards:
            shard.poke()

    def _may_drop(self, shard: object, topic: str) -> bool:
        """Whether a shard may cease to hear a topic: nobody wants it, or another hears it."""
        return topic not in self._wanted or any(
            other is not shard
            and other.hears
            and other.channel is not None
            and topic in other.channel.heard
            for other in self._shards
        )

    async def _mind_token(self) -> None:
        """See that the token is renewed in time, and that shards notice when there is a new one."""
        generation = self._client.token_generation
        while True:
            await asyncio.sleep(TOKEN_LOOK_SECONDS)
            if not any(shard.hears for shard in self._shards):
                continue  # whoever tries to hear looks after it
            try:
                await self._client.log_in()
            except PlatformError as error:
                self._token_problem = str(error)
            else:
                self._token_problem = None
            if self._client.token_generation != generation:
                generation = self._client.token_generation
                self._changed()


def _state(shard: Shard) -> ChannelState:
    channel, line = shard.channel, shard.line
    now = asyncio.get_running_loop().time()
    if channel is None or line is None or not shard.hears:
        topics = shard.share.singles if channel is None else channel.heard
        return ChannelState("blind", topics, now if channel is None else channel.made_at, now, now)
    return ChannelState(
        "replaced" if shard.replacing else "hears",
        channel.heard,
        channel.made_at,
        line.message_at,
        max(channel.proved_at, line.conversation_at or 0.0),
    )
