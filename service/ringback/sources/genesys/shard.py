"""One share of the topics, and the channel that hears them: kept, replaced, and found again.

One task a shard: `_restore` until it hears, `_keep` until it does not, and so on. Whatever is done
to a channel that hears is done while its end is watched for.
"""

import asyncio
from collections.abc import Collection, Iterator
from contextlib import suppress
from typing import Any, TypeVar

import structlog

from ringback.sources.backoff import waits
from ringback.sources.genesys.channel import Channel, singles
from ringback.sources.genesys.common import DENIED, Common, Reason
from ringback.sources.genesys.ends import End, Ended
from ringback.sources.genesys.line import Line
from ringback.sources.genesys.tidings import REJECTED, Tidings

__all__ = ["Shard"]

log = structlog.get_logger(__name__)

T = TypeVar("T")

ATTEMPTS_ON_THE_SAME = 3
"""After so many that failed, a new channel is made."""
LEAST_OF_RENEWAL = 0.8
LATEST_OF_LIFE = 0.9
"""Of a channel's life: what is left then is for attempts that fail."""


class Shard:
    """Hears `wanted`. Instants are on the loop's clock."""

    def __init__(self, common: Common, wanted: Collection[str]) -> None:
        self.wanted: dict[str, None] = dict.fromkeys(wanted)
        """Topics as they are subscribed to, in order. None at all ends the shard."""
        self.channel: Channel | None = None
        """The present one; it may have ended."""
        self.hears = False
        self.replacing = False
        self.problem: str | None = None
        """Why it does not hear, or cannot be renewed."""
        self._common = common
        self._client = common.means.client
        self._tidings = Tidings(common.means.hearer, common.wanted)
        self._news = asyncio.Event()
        self._next: asyncio.Task[Channel | Ended] | None = None
        self._has_place = False
        self._suspected = False
        self._attempts = 0
        self._not_before = 0.0
        self._renew_at = 0.0
        self._ask_again_at = 0.0
        self._waits = self._fresh_waits()

    @property
    def line(self) -> Line | None:
        """The socket of the present channel."""
        return None if self.channel is None else self.channel.line

    def want(self, topics: Collection[str]) -> None:
        """Hear these from now on."""
        self.wanted = dict.fromkeys(topics)
        self.poke()

    def suspect(self) -> None:
        """Have the channel replaced, though it lives."""
        self._suspected = True
        self.poke()

    def poke(self) -> None:
        """Look whether there is something to do."""
        self._news.set()

    async def run(self) -> None:
        """Hear until cancelled, or until nothing is wanted any more."""
        try:
            while await self._restore():
                ended = await self._keep()
                if ended is None:
                    self._tidings.over()
                    return
                await self._abandon_waiting()
                if self._next is None:
                    await asyncio.sleep(self._pause(ended))
        finally:
            await self._let_go()

    # To hear again

    async def _restore(self) -> bool:
        """Try until it hears; False when nothing is wanted any more."""
        began = asyncio.get_running_loop().time()
        while self.wanted:
            failed = await self._attempt()
            if failed is None:
                self._come_to_hear()
                return True
            self._note_failure(failed)
            self._tidings.lost(failed.phrase, self._common.wall(began), singles(self.wanted))
            await asyncio.sleep(self._pause(failed))
        self._tidings.over()
        return False

    async def _attempt(self) -> Ended | None:
        if self._next is not None:
            return await self._take_next()
        if self.channel is None:
            return await self._open_new()
        failed = await self.channel.reopen(self.wanted)
        if failed is None:
            return None
        self._attempts += 1
        if failed.end is End.GONE:
            failed = self._why_gone(self.channel)
            if failed.end is End.EVICTED:
                self._common.evictions.note()
        if self._attempts >= ATTEMPTS_ON_THE_SAME or failed.end in LASTING:
            await self._drop_channel()
        return failed

    async def _take_next(self) -> Ended | None:
        """Take over the replacement that was under way as the channel ended."""
        assert self._next is not None  # noqa: S101  # asked by the caller
        outcome = await self._next
        self._next = None
        if isinstance(outcome, Ended):
            return outcome
        self._give_place_back()
        await self._drop_channel()
        self._adopt(outcome)
        return None

    async def _open_new(self) -> Ended | None:
        channel = Channel(self._common.means, self.poke)
        try:
            failed = await channel.open(self.wanted)
            if failed is None:
                self._adopt(channel)
            return failed
        finally:
            if self.channel is not channel:
                await channel.close()

    def _adopt(self, channel: Channel) -> None:
        now = asyncio.get_running_loop().time()
        life = (channel.expires_at - now) * LATEST_OF_LIFE
        most = min(self._common.pace.renew, life)
        self._renew_at = now + most * self._common.chance.uniform(LEAST_OF_RENEWAL, 1)
        self._suspected = False
        self._attempts = 0
        self.channel = channel

    def _come_to_hear(self) -> None:
        assert self.channel is not None  # noqa: S101  # it was just proved alive
        self.hears = True
        self._suspected = False
        self._succeed()
        self._note_rejections(self.channel)
        self._tidings.heard_again(self.channel.heard, singles(self.wanted))
        self._common.changed()

    # To go on hearing

    async def _keep(self) -> Ended | None:
        """Look after the channel until it ends; None when nothing is wanted any more."""
        while True:
            self._news.clear()
            channel, line = self.channel, self.line
            assert channel is not None  # noqa: S101  # it hears
            assert line is not None  # noqa: S101
            if line.ended.done():
                return await self._lose(channel, line)
            now = asyncio.get_running_loop().time()
            if not self.wanted and not self._kept(channel):
                return None
            if self._tidings.outdated:
                self._changed(channel.heard)
            if now < self._not_before:
                await self._rest(self._not_before - now)
            elif (reason := self._reason(channel, line, now)) is not None:
                await self._replace(channel, line, reason)
            elif line.doubtful or self._missing(channel, now) or self._droppable(channel):
                await self._adjust(channel, line, now)
            else:
                again = self._ask_again_at if channel.rejected else self._renew_at
                await self._rest(min(self._renew_at, again) - now)

    def _reason(self, channel: Channel, line: Line, now: float) -> Reason | None:
        """Say why the channel is to be replaced now, if it is."""
        if line.closing:
            return Reason.CLOSING
        if channel.generation != self._client.token_generation:
            return Reason.TOKEN
        if self._suspected:
            return Reason.SUSPECTED
        if now >= self._renew_at:
            return Reason.AGE
        return None

    async def _replace(self, channel: Channel, line: Line, reason: Reason) -> None:
        """Let another channel hear before this one goes. If this one ends first, it is lost."""
        self.replacing = True
        self._next = asyncio.create_task(self._prepare(channel), name="genesys.next")
        outcome = await _unless_ended(self._next, line)
        self.replacing = False
        if outcome is None:
            return
        self._next = None
        if isinstance(outcome, Ended):
            self._note_failure(outcome)
            self._not_before = asyncio.get_running_loop().time() + self._pause(outcome)
            return
        self._has_place = False  # it goes over to whoever retires the old channel
        self._adopt(outcome)
        self._common.retire(channel)
        self._common.renewals[reason] += 1
        log.info("channel_replaced", reason=reason.value, topics=len(outcome.topics))
        self._succeed()
        # What was suspected may have been told to be blind by whoever suspected it.
        self._changed(frozenset() if reason is Reason.SUSPECTED else channel.heard)

    async def _prepare(self, channel: Channel) -> Channel | Ended:
        await self._common.places.take()
        self._has_place = True
        following = Channel(self._common.means, self.poke)
        failed: Ended | None = Ended.plainly(End.UNPROVEN)
        try:
            failed = await following.open(self._target(channel))
        finally:
            if failed is not None:
                self._give_place_back()
                await following.close()
        return following if failed is None else failed

    async def _adjust(self, channel: Channel, line: Line, now: float) -> None:
        """Have the living channel hear what is wanted: what is new first, then what is not."""
        before, cause = channel.heard, REJECTED
        if line.doubtful:
            cause = End.UNSUBSCRIBED.value
            work = channel.check()
        elif missing := self._missing(channel, now):
            if now >= self._ask_again_at:
                self._ask_again_at = now + self._common.pace.ask_again
            if len(channel.topics | missing) <= self._common.most_topics:
                work = channel.add(missing)
            else:
                work = channel.reduce(self._target(channel))
        else:
            left = channel.topics - self._droppable(channel)
            work = channel.reduce(left | (channel.rejected.keys() & self.wanted.keys()))
        task = asyncio.create_task(work, name="genesys.adjust")
        try:
            await _unless_ended(task, line)
        finally:
            await _stopped(task)
        failed = None if task.cancelled() else task.result()
        if failed is not None and failed.end is End.GONE:
            self._suspected = True
        elif failed is not None and failed.end is not End.UNSUBSCRIBED:
            self._note_failure(failed)
            self._not_before = now + self._pause(failed)
        self._changed(before, cause)

    # To cease to hear

    async def _lose(self, channel: Channel, line: Line) -> Ended:
        """Tell that it is blind, since when and why."""
        self.hears = False
        now = asyncio.get_running_loop().time()
        if now - channel.proved_at >= self._common.pace.most_wait:
            self._waits = self._fresh_waits()
        ended = await self._explain(channel, line.ended.result())
        self._common.cuts[ended.end] += 1
        self.problem = ended.phrase
        self._tidings.lost(ended.phrase, self._common.wall(line.heard_until), channel.heard)
        if ended.end is End.EVICTED:
            self._common.evictions.note()
        if ended.end in LASTING:
            await self._drop_channel()
        else:
            await channel.close()
        return ended

    async def _explain(self, channel: Channel, ended: Ended) -> Ended:
        """Say what is behind an end: whether the channel still exists, and its token."""
        if ended.end is End.TOKEN_REVOKED:
            if channel.generation == self._client.token_generation:
                self._client.distrust_token()
            return ended
        exists: bool | None = None
        with suppress(TimeoutError):
            async with asyncio.timeout(self._common.pace.explain):
                exists = await channel.exists()
        return self._why_gone(channel) if exists is False else ended

    def _why_gone(self, channel: Channel) -> Ended:
        if asyncio.get_running_loop().time() >= channel.expires_at:
            return Ended.plainly(End.EXPIRED)
        # Whoever asked with a token that has ended has a new one by now.
        if channel.generation != self._client.token_generation:
            return Ended.plainly(End.TOKEN_ENDED)
        return Ended.plainly(End.EVICTED)

    # What these are made of

    def _changed(self, before: frozenset[str], cause: str = REJECTED) -> None:
        """Tell what is heard now in place of what was heard before."""
        assert self.channel is not None  # noqa: S101  # it hears
        self._note_rejections(self.channel)
        self._tidings.changed(before, self.channel.heard, singles(self.wanted), cause)
        self._common.changed()

    def _note_rejections(self, channel: Channel) -> None:
        rejected = [each for each in channel.rejected.values() if each.topic in self.wanted]
        self._common.rejections.note(rejected, channel.topics)

    def _target(self, channel: Channel) -> Collection[str]:
        """Give what a channel is to hear: what is wanted, and what must not be dropped yet."""
        both = self.wanted | dict.fromkeys(self._kept(channel))
        return both if len(both) <= self._common.most_topics else self.wanted

    def _missing(self, channel: Channel, now: float) -> frozenset[str]:
        given_up = channel.rejected.keys() if now < self._ask_again_at else frozenset()
        return frozenset(self.wanted) - channel.topics - given_up

    def _droppable(self, channel: Channel) -> frozenset[str]:
        return (channel.topics - self.wanted.keys()) - self._kept(channel)

    def _kept(self, channel: Channel) -> frozenset[str]:
        """Give topics that another is to hear, and does not hear yet."""
        own = singles(channel.topics & self.wanted.keys())
        return frozenset(
            topic
            for topic in channel.topics - self.wanted.keys()
            if not all(self._common.may_drop(self, one) for one in singles((topic,)) - own)
        )

    async def _rest(self, seconds: float) -> None:
        """Wait for something to do."""
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, seconds)):
                await self._news.wait()

    def _pause(self, ended: Ended) -> float:
        """Say how long to wait after an end, or after an attempt that failed."""
        if ended.end is End.EVICTED and (pause := self._common.evictions.pause()):
            return pause
        if ended.trouble is not None and ended.trouble.fault in DENIED:
            return self._common.troubles.pause()
        return next(self._waits)

    def _note_failure(self, failed: Ended) -> None:
        self._common.failures[failed.end] += 1
        self.problem = failed.phrase
        if failed.trouble is not None:
            self.problem = str(failed.trouble)
            self._common.troubles.note(failed.trouble)

    def _succeed(self) -> None:
        self.problem = None
        self._common.connects += 1
        self._common.troubles.over()
        self._ask_again_at = asyncio.get_running_loop().time() + self._common.pace.ask_again

    def _fresh_waits(self) -> Iterator[float]:
        pace = self._common.pace
        return waits(pace.first_wait, pace.most_wait, self._common.chance)

    def _give_place_back(self) -> None:
        self._has_place = False
        self._common.places.give_back()

    async def _abandon_waiting(self) -> None:
        """Give up a replacement that still waits for a place: the lost channel has left its own."""
        if self._next is not None and not self._has_place:
            following, self._next = self._next, None
            await _stopped(following)

    async def _drop_channel(self) -> None:
        channel, self.channel = self.channel, None
        if channel is not None:
            await channel.close()

    async def _let_go(self) -> None:
        """Leave nothing behind."""
        following, self._next = self._next, None
        if following is not None:
            await _stopped(following)
            if not following.cancelled() and isinstance(channel := following.result(), Channel):
                self._give_place_back()
                await channel.close()
        await self._drop_channel()


LASTING = {End.GONE, End.EVICTED, End.EXPIRED, End.TOKEN_REVOKED, End.TOKEN_ENDED}
"""Ends after which the channel is not worth another attempt."""


async def _unless_ended(task: asyncio.Task[T], line: Line) -> T | None:
    """Wait for a task; None if the line ends before it."""
    either: set[asyncio.Task[Any]] = {task, line.ended}
    await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    return task.result() if task.done() else None


async def _stopped(task: asyncio.Task[Any]) -> None:
    """See that a task is over."""
    task.cancel()
    await asyncio.wait({task})
