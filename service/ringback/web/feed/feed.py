"""The feed: told of the journal's position at most 20 times a second, readers pull what follows.

A reader is a position and a wish, nothing else: a slow one is behind, never wrong, and slows
nobody. They are woken in a few groups, one after the other: those of a group are at the same place
and share what is made for one of them, and no burst of writes is as long as if all were woken.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

import msgspec
from litestar.exceptions import HTTPException

from ringback.core.events import rfc3339
from ringback.ports import Clock
from ringback.web.feed.portions import Beat, Portion, SourceBeat
from ringback.web.feed.reader import PACE_SECONDS, Group, Reader
from ringback.web.feed.wishes import Wish
from ringback.web.journal import Journal, Told

__all__ = ["Feed", "Limits"]

GROUPS = 5
BEAT_SECONDS = 5.0
PORTION_BYTES = 128 * 1024
"""Written at once at the most; what the network has not taken yet is held for each reader."""
SOON_SECONDS = 5


class Limits(msgspec.Struct, frozen=True):
    """What the feed allows."""

    readers: int = 500
    stall_seconds: float = 30.0
    """How long a reader may take for what was written to it, before it is cut off."""
    ending_seconds: float = 1.0
    """The same, once the daemon stops."""


class Feed:
    """Wakes readers, and makes what they write."""

    def __init__(
        self,
        journal: Journal,
        clock: Clock,
        sources: Callable[[], Sequence[SourceBeat]],
        limits: Limits | None = None,
    ) -> None:
        self.journal = journal
        self.limits = limits or Limits()
        self.position = 0
        """The journal's, as of when somebody was last woken, or began."""
        self.open = False
        self.readers: Counter[str] = Counter()
        """Who follows, by transport."""
        self.sent: Counter[str] = Counter()
        """Entries handed to readers, by transport."""
        self.cut_off: Counter[str] = Counter()
        """Readers that were let go of, by why."""
        self.refused = 0
        self._following: set[Reader] = set()
        self._clock = clock
        self._sources = sources
        self._groups = [Group() for _ in range(GROUPS)]
        self._portions: dict[tuple[int, Wish], Portion] = {}
        self._beat: bytes | None = None

    async def run(self) -> None:
        """Wake readers until cancelled; then all of them end."""
        self._look()
        for group in self._groups:
            group.told = self.position
        self.open = True
        try:
            await self._pulse_forever()
        finally:
            self.open = False
            for reader in self._following:
                reader.hurry(self.limits.ending_seconds)
            for group in self._groups:
                group.wake(self.position, group.beats)

    @contextmanager
    def reading(self, reader: Reader) -> Iterator[None]:
        """Count a reader for as long as it follows. Raises `HTTPException` if it may not."""
        if not self.open:
            self.refused += 1
            raise _unavailable("The feed is not open: the daemon begins or ends.")
        if len(self._following) >= self.limits.readers:
            self.refused += 1
            raise _unavailable(f"{self.limits.readers} readers follow already.")
        self._look()
        reader.group = min(self._groups, key=lambda group: group.size)
        reader.group.size += 1
        self._following.add(reader)
        self.readers[reader.transport] += 1
        try:
            yield
        finally:
            self._following.discard(reader)
            reader.group.size -= 1
            self.readers[reader.transport] -= 1

    @property
    def lag(self) -> int:
        """How many entries the reader is behind that is furthest behind."""
        position = self.journal.position
        return max((0, *(position - reader.position for reader in self._following)))

    async def portion(self, after: int, wish: Wish) -> Portion:
        """Give what follows a position, as much as is written at once. Raises `PositionGone`."""
        key = (after, wish)
        found = self._portions.get(key)
        if found is None:
            told = self.journal.at_hand(after, PORTION_BYTES)
            if told is None:
                return _portion(await self.journal.read(after), after, wish)
            found = self._portions[key] = _portion(told, after, wish)
        return found

    def beat(self) -> bytes:
        """Give what a heartbeat says now."""
        if self._beat is None:
            beat = Beat(
                position=self.position,
                now=rfc3339(self._clock.now()),
                sources=self._sources(),
            )
            self._beat = msgspec.json.encode(beat)
        return self._beat

    async def _pulse_forever(self) -> None:
        loop = asyncio.get_running_loop()
        beats, beat_at = 0, loop.time() + BEAT_SECONDS
        turn_at = loop.time()
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout_at(beat_at):
                    await self.journal.beyond(min(group.told for group in self._groups))
            if loop.time() >= beat_at:
                beats, beat_at = beats + 1, loop.time() + BEAT_SECONDS
            turn_at = max(turn_at, loop.time())
            for group in self._groups:
                if group.told < self.journal.position or group.beats < beats:
                    self._look()
                    group.wake(self.position, beats)
                # By the clock: what the writing takes makes no round longer.
                turn_at += PACE_SECONDS / GROUPS
                await asyncio.sleep(turn_at - loop.time())

    def _look(self) -> None:
        """See how far the journal is; what was made before is not all of it any more."""
        self.position = self.journal.position
        self._portions.clear()
        self._beat = None


def _portion(told: Sequence[Told], after: int, wish: Wish) -> Portion:
    upto = told[-1].position if told else after
    taken = [one for one in told if one.event is not None and (wish.all or wish.takes(one.event))]
    return Portion(taken, upto)


def _unavailable(detail: str) -> HTTPException:
    headers = {"retry-after": str(SOON_SECONDS)}
    return HTTPException(detail, status_code=503, headers=headers)
