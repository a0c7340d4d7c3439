"""The channel that is to follow another, while it is made, connected, subscribed and seen alive."""

import asyncio
from collections.abc import Callable, Collection

from ringback.sources.genesys.channel import Channel, Means
from ringback.sources.genesys.common import Places
from ringback.sources.genesys.ends import End, Ended

__all__ = ["Succession"]


class Succession:
    """At most one channel under way, and the place that it takes beside those that hear."""

    def __init__(self, means: Means, places: Places, poke: Callable[[], None]) -> None:
        self._means = means
        self._places = places
        self._poke = poke
        self._has_place = False
        self._task: asyncio.Task[Channel | Ended] | None = None

    @property
    def under_way(self) -> bool:
        """Whether there is one, ready or not."""
        return self._task is not None

    def begin(self, topics: Collection[str]) -> asyncio.Task[Channel | Ended]:
        """Begin to prepare one, as soon as there is a place; give the task of it."""
        self._task = asyncio.create_task(self._prepare(topics), name="genesys.next")
        return self._task

    async def outcome(self) -> Channel | Ended:
        """Wait for the channel, or for why there is none; the place goes over to the caller."""
        assert self._task is not None  # noqa: S101  # asked by the caller
        outcome = await self._task
        self._task = None
        self._has_place = False
        return outcome

    async def leave_queue(self) -> None:
        """Give up one that still waits for a place: the channel before it has left its own."""
        if not self._has_place:
            await self.stop()

    async def stop(self) -> None:
        """Give up whatever is under way."""
        task = self._task
        if task is None:
            return
        task.cancel()
        await asyncio.wait({task})
        self._task = None
        if not task.cancelled() and isinstance(channel := task.result(), Channel):
            self._leave()
            await channel.close()

    async def _prepare(self, topics: Collection[str]) -> Channel | Ended:
        await self._places.take()
        self._has_place = True
        channel = Channel(self._means, self._poke)
        failed: Ended | None = Ended.plainly(End.UNPROVEN)
        try:
            failed = await channel.open(topics)
        finally:
            if failed is not None:
                self._leave()
                await channel.close()
        return channel if failed is None else failed

    def _leave(self) -> None:
        self._has_place = False
        self._places.give_back()
