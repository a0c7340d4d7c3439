"""Follows a partition's inputs, and lets what comes of each be written.

What an input does is worked out in `consuming`, without a pause. Here is when: once time has come
to it, and once there is room for what comes of it.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from datetime import datetime

import structlog

from ringback.errors import FrameError, PositionGone
from ringback.ports import Input
from ringback.runtime.cluster.means import Means
from ringback.runtime.cluster.progress import Progress
from ringback.runtime.cluster.writing import Writing
from ringback.wire.log import Done, Message, Seen, decode_message

__all__ = ["Reading"]

log = structlog.get_logger(__name__)

AT_ONCE = 32
"""Inputs after which everything else has its turn."""
LOOKS_AT_END = 5
"""How often the log's end is looked at, a second apart, before it is believed to be too early."""


class Reading:
    """Reads the inputs of one partition, one at a time."""

    def __init__(self, progress: Progress, writing: Writing, means: Means) -> None:
        self.caught_up = False
        """Whether there was nothing more to read when that was last asked for."""
        self._progress = progress
        self._writing = writing
        self._inputs = means.inputs
        self._counts = means.counts
        self._news = asyncio.Condition()

    async def look_at_end(self) -> None:
        """See that the log goes on where it was read to: an engine may lose what it had stored."""
        progress = self._progress
        end = await self._inputs.position()
        for _ in range(LOOKS_AT_END):
            if end >= progress.reached:
                return
            await asyncio.sleep(1.0)  # maybe whoever answered is not up to date itself
            end = await self._inputs.position()
        log.error("inputs_gone_back", partition=progress.number, reached=progress.reached, end=end)
        progress.lose(end)

    def begin(self, now: datetime) -> None:
        """Do what cannot be done before it is known what time it is."""
        progress = self._progress
        progress.begun = True
        progress.tracker.repair.carry_on(now)
        for changes in progress.consuming.fire(now):
            self._writing.take_all(changes)

    async def run(self) -> None:
        """Follow the log until cancelled. Raises `StoreError`."""
        progress = self._progress
        while True:
            try:
                await self._read_on(self._inputs.follow(progress.number, progress.reached))
            except PositionGone as gone:
                self._lose(gone.oldest)

    async def read(self, sequence: int) -> None:
        """Wait until an input was read."""
        async with self._news:
            await self._news.wait_for(lambda: self._progress.reached >= sequence)

    async def _read_on(self, chunks: AsyncIterator[Sequence[Input]]) -> None:
        try:
            async for chunk in chunks:
                self.caught_up = not chunk
                for start in range(0, len(chunk), AT_ONCE):
                    for one in chunk[start : start + AT_ONCE]:
                        await self._take_in(one)
                    await asyncio.sleep(0)
                if chunk:
                    async with self._news:
                        self._news.notify_all()
        finally:
            if isinstance(chunks, AsyncGenerator):
                await chunks.aclose()

    async def _take_in(self, one: Input) -> None:
        """Deal with one input, once time has come to it."""
        progress, writing = self._progress, self._writing
        if one.sequence <= progress.reached:
            return
        await writing.room()
        if writing.asides.full:
            await writing.room_aside()
        progress.within = True
        now = progress.reach(one.at)
        if not progress.begun:
            self.begin(now)
        if progress.lost_since is not None:
            writing.take_all(progress.missed())
        if not progress.tracker.adoption.settled:
            await self._settle()
        for changes in progress.consuming.fire(now):
            await writing.room()
            writing.take_all(changes)
        try:
            message = decode_message(one.body)
        except FrameError as error:
            self._pass_over(one, error)
        else:
            await self._take_message(one, message, now)
        progress.reached = one.sequence
        progress.read_at = asyncio.get_running_loop().time()
        progress.within, progress.dealing = False, 0
        self._counts["inputs"] += 1
        if writing.due:
            writing.note_soon()
        if progress.ahead:
            progress.bring_in()
            writing.rearm.set()

    async def _take_message(self, one: Input, message: Message, now: datetime) -> None:
        progress, writing = self._progress, self._writing
        if not isinstance(message, Seen):
            writing.rearm.set()  # after what follows, which does not wait before it is done
        if isinstance(message, Done):
            # It may take many turns: whoever comes in between finds some taken and some not.
            await writing.committed()
            progress.dealing = one.sequence
            writing.due = True  # somebody waits for it
        try:
            for changes in progress.consuming.consume(message, now, progress.ahead):
                await writing.room()
                for change in changes:
                    writing.take(change)
        except FrameError as error:
            self._pass_over(one, error)
        except Exception:
            # It would end whoever has the partition, one after the other.
            self._counts["broken"] += 1
            log.exception("input_broken", partition=progress.number, sequence=one.sequence)

    async def _settle(self) -> None:
        """Bring what was stored under other rules under those in force."""
        progress, writing = self._progress, self._writing
        for changes in progress.tracker.adopt(progress.tracker.rules, progress.now()):
            await writing.room()
            writing.take_all(changes)

    def _lose(self, oldest: int) -> None:
        """Inputs are gone that nobody has read."""
        progress = self._progress
        log.error("inputs_lost", partition=progress.number, after=progress.reached, oldest=oldest)
        progress.lose(oldest - 1)

    def _pass_over(self, one: Input, error: FrameError) -> None:
        self._counts["unknown"] += 1
        if self._counts["unknown"] == 1:
            log.warning(
                "input_not_understood",
                partition=self._progress.number,
                sequence=one.sequence,
                problem=str(error),
                note="maybe put by a newer version; it is passed over, others like it silently",
            )
