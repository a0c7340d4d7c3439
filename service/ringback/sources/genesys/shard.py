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
from ringback.sources.genesys.channel import Channel
from ringback.sources.genesys.common import Common, Reason
from ringback.sources.genesys.ends import End, Ended
from ringback.sources.genesys.line import Line
from ringback.sources.genesys.share import Share
from ringback.sources.genesys.succession import Succession
from ringback.sources.genesys.tidings import REJECTED, Tidings

__all__ = ["Shard"]

log = structlog.get_logger(__name__)

T = TypeVar("T")

NO_PLACE = (
    "some topics are not heard: other listeners use the rest of the channels; let fewer of them"
    " listen, or follow fewer queues"
)
ATTEMPTS_ON_THE_SAME = 3
"""After so many that failed, a new channel is made."""
LEAST_OF_RENEWAL = 0.8
LATEST_OF_LIFE = 0.9
"""Of a channel's life: what is left then is for attempts that fail."""


class Shard:
    """Hears the topics of its `share`. Instants are on the loop's clock."""

    def __init__(self, common: Common, wanted: Collection[str]) -> None:
        self.share = Share(
            wanted,
            most_topics=common.most_topics,
            ask_again=common.pace.ask_again,
            may_drop=lambda topic: common.may_drop(self, topic),
        )
        self.channel: Channel | None = None
        """The present one; it may have ended."""
        self.hears = False
        self.replacing = False
        self.occupies = False
        """Whether it has a channel, or is about to."""
        self.problem: str | None = None
        """Why it does not hear, or cannot be renewed."""
        self._common = common
        self._client = common.means.client
        self._tidings = Tidings(common.means.hearer, common.wanted)
        self._news = asyncio.Event()
        self._succession = Succession(common.means, common.places, self.poke)
        self._told_to_yield = asyncio.get_running_loop().create_future()
        self._suspected = False
        self._attempts = 0
        self._not_before = 0.0
        self._renew_at = 0.0
        self._waits = self._fresh_waits()

    @property
    def line(self) -> Line | None:
        """The socket of the present channel."""
        return None if self.channel is None else self.channel.line

    def want(self, topics: Collection[str]) -> None:
        """Hear these from now on; none at all ends the shard."""
        self.share.wanted = dict.fromkeys(topics)
        self.poke()

    def suspect(self) -> None:
        """Have the channel replaced, though it lives."""
        self._suspected = True
        self.poke()

    def yield_place(self) -> None:
        """Leave the channel to others, whatever is being done to it."""
        if not self._told_to_yield.done():
            self._told_to_yield.set_result(None)
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
                await self._succession.leave_queue()
                if not self._succession.under_way:
                    await asyncio.sleep(self._pause(ended))
        finally:
            await self._let_go()

    # To hear again

    async def _restore(self) -> bool:
        """Try until it hears; False when nothing is wanted any more."""
        began = asyncio.get_running_loop().time()
        while self.share.wanted:
            await self._wait_for_place(began)
            self.occupies = True
            failed = await self._attempt()
            if failed is None:
                self._come_to_hear()
                return True
            self._note_failure(failed)
            self._tidings.lost(failed.phrase, self._common.wall(began), self.share.singles)
            await asyncio.sleep(self._pause(failed))
        self._tidings.over()
        return False

    async def _wait_for_place(self, began: float) -> None:
        """Wait until it may have a channel, without one."""
        while self.share.wanted and not self._has_place():
            await self._succession.stop()
            await self._drop_channel()
            self.occupies = False
            self.problem = NO_PLACE
            self._tidings.lost(End.NO_PLACE, self._common.wall(began), self.share.singles)
            self._news.clear()
            await self._news.wait()

    async def _attempt(self) -> Ended | None:
        if self._succession.under_way:
            return await self._succeed_lost()
        if self.channel is None:
            return await self._open_new()
        failed = await self.channel.reopen(self.share.wanted)
        if failed is None:
            return None
        self._attempts += 1
        if failed.end is End.GONE:
            failed = self.channel.why_gone()
            if failed.end is End.EVICTED:
                self._common.evictions.note()
        if self._attempts >= ATTEMPTS_ON_THE_SAME or failed.end in LASTING:
            await self._drop_channel()
        return failed

    async def _succeed_lost(self) -> Ended | None:
        """Take over the replacement that was under way as the channel ended."""
        outcome = await self._succession.outcome()
        if isinstance(outcome, Ended):
            return outcome
        lost = self.channel
        self._adopt(outcome)
        self._common.places.give_back()
        if lost is not None:
            await lost.close()
        return None

    async def _open_new(self) -> Ended | None:
        channel = Channel(self._common.means, self.poke)
        try:
            failed = await channel.open(self.share.wanted)
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
        self._tidings.heard_again(self.channel.heard, self.share.singles)
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
            if not self._has_place():
                return await self._yield_place(channel)
            now = asyncio.get_running_loop().time()
            if not self.share.wanted and not self.share.kept(channel):
                return None
            if self._tidings.outdated:
                self._changed(channel.heard)
            if now < self._not_before:
                await self._rest(self._not_before - now)
            elif (reason := self._reason(channel, line, now)) is not None:
                await self._replace(channel, line, reason)
            elif line.doubtful or self.share.missing(channel, now) or self.share.droppable(channel):
                await self._adjust(channel, line, now)
            else:
                again = self.share.ask_again_at if channel.rejected else self._renew_at
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
        prepared = await self._unless_ended(
            self._succession.begin(self.share.target(channel)), line
        )
        self.replacing = False
        if prepared is None:
            return
        outcome = await self._succession.outcome()
        if isinstance(outcome, Ended):
            self._note_failure(outcome)
            self._not_before = asyncio.get_running_loop().time() + self._pause(outcome)
            return
        self._adopt(outcome)
        self._common.retire(channel)  # and give its place to another
        self._common.renewals[reason] += 1
        log.info("channel_replaced", reason=reason.value, topics=len(outcome.topics))
        self._succeed()
        # What was suspected may have been told to be blind by whoever suspected it.
        self._changed(frozenset() if reason is Reason.SUSPECTED else channel.heard)

    async def _adjust(self, channel: Channel, line: Line, now: float) -> None:
        """Have the living channel hear what is wanted: what is new first, then what is not."""
        before, cause = channel.heard, REJECTED
        if line.doubtful:
            cause = End.UNSUBSCRIBED.value
            work = channel.check()
        elif missing := self.share.missing(channel, now):
            if now >= self.share.ask_again_at:
                self.share.asked(now)
            if self.share.fits(channel, missing):
                work = channel.add(missing)
            else:
                work = channel.reduce(self.share.target(channel))
        else:
            work = channel.reduce(self.share.reduced(channel))
        task = asyncio.create_task(work, name="genesys.adjust")
        try:
            await self._unless_ended(task, line)
        finally:
            task.cancel()
            await asyncio.wait({task})
        if task.cancelled():
            return
        failed = task.result()
        if failed is None:
            self.problem = None
        elif failed.end is End.GONE:
            self._suspected = True
        elif failed.end is not End.UNSUBSCRIBED:
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
        ended = await channel.explain(line.ended.result(), self._common.pace.explain)
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

    def _has_place(self) -> bool:
        """Whether it may have a channel."""
        if not self._common.may_hear(self):
            return False
        if self._told_to_yield.done():
            self._told_to_yield = asyncio.get_running_loop().create_future()
        return True

    async def _yield_place(self, channel: Channel) -> Ended:
        """Leave the channel to others, and be blind."""
        self.hears = False
        ended = Ended.plainly(End.NO_PLACE)
        self._common.cuts[ended.end] += 1
        now = asyncio.get_running_loop().time()
        self._tidings.lost(ended.phrase, self._common.wall(now), channel.heard)
        await self._succession.stop()
        await self._drop_channel()
        self.occupies = False
        return ended

    # What these are made of

    def _changed(self, before: frozenset[str], cause: str = REJECTED) -> None:
        """Tell what is heard now in place of what was heard before."""
        assert self.channel is not None  # noqa: S101  # it hears
        self._note_rejections(self.channel)
        self._tidings.changed(before, self.channel.heard, self.share.singles, cause)
        self._common.changed()

    def _note_rejections(self, channel: Channel) -> None:
        rejected = [each for each in channel.rejected.values() if each.topic in self.share.wanted]
        self._common.rejections.note(rejected, channel.topics)

    async def _unless_ended(self, task: asyncio.Task[T], line: Line) -> T | None:
        """Wait for a task; None if the line, or the right to it, ends before."""
        either: set[asyncio.Future[Any]] = {task, line.ended, self._told_to_yield}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        return task.result() if task.done() else None

    async def _rest(self, seconds: float) -> None:
        """Wait for something to do."""
        with suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, seconds)):
                await self._news.wait()

    def _pause(self, ended: Ended) -> float:
        """Say how long to wait after an end, or after an attempt that failed."""
        pause = self._common.pause(ended)
        if pause is not None:
            return pause
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
        self.share.asked(asyncio.get_running_loop().time())

    def _fresh_waits(self) -> Iterator[float]:
        pace = self._common.pace
        return waits(pace.first_wait, pace.most_wait, self._common.chance)

    async def _drop_channel(self) -> None:
        if self.channel is not None:
            await self.channel.close()
            self.channel = None

    async def _let_go(self) -> None:
        """Leave nothing behind."""
        await self._succession.stop()
        await self._drop_channel()
        self.occupies = False


LASTING = {End.GONE, End.EVICTED, End.EXPIRED, End.TOKEN_REVOKED, End.TOKEN_ENDED}
"""Ends after which the channel is not worth another attempt."""
