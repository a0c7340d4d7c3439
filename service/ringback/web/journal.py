"""The journal as everything on screens reads it: once, for all who look."""

import asyncio
from bisect import bisect_right
from collections.abc import Awaitable, Callable, Sequence
from operator import attrgetter

import msgspec

from ringback.core.events import Event
from ringback.ports import Entry, Past
from ringback.web.masking import masked_body
from ringback.wire.cloudevents import decode_known

__all__ = ["Bell", "Journal", "Told"]

CHUNK = 500
"""Entries read from the store at once."""
BEHIND_CHUNK = 200
"""The same for one who is behind: each of them holds its own while it takes them."""
MOST_ENTRIES = 10_000
MOST_BYTES = 8 * 1024 * 1024
READS_AT_ONCE = 4
"""Of those who are further behind than what is kept here."""


class Told(msgspec.Struct, frozen=True, gc=False):
    """One committed journal entry."""

    position: int
    body: bytes
    """A CloudEvent as JSON."""
    event: Event | None
    """The same, decoded; None: another version's, which nobody is shown."""
    masked: bytes | None = None
    """What viewers get instead of the body; None: nothing in it is personal."""

    def shown(self, *, masked: bool) -> bytes:
        """Give the body as somebody may see it."""
        return self.masked if masked and self.masked is not None else self.body


class Bell:
    """Wakes all who wait."""

    def __init__(self) -> None:
        self._rung = asyncio.Event()

    def ring(self) -> None:
        """Wake those who wait now."""
        rung, self._rung = self._rung, asyncio.Event()
        rung.set()

    async def wait(self) -> None:
        """Wait for the next ring."""
        await self._rung.wait()


class Journal:
    """Follows the committed journal, keeps the end of it, and hands it on in order.

    Whoever is further behind than what is kept reads from the store, through the same method.
    """

    def __init__(
        self,
        store: Past,
        advanced: Callable[[int], Awaitable[None]],
        *,
        reaches: Callable[[int], Awaitable[bool]] | None = None,
        most_entries: int = MOST_ENTRIES,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        """`advanced` waits until the committed position is beyond the one that it is given.

        `reaches` says whether a position was told somewhere; None: only what was told here was.
        """
        self.position = 0
        """Of the last entry that was read; all listeners have it."""
        self._store = store
        self._advanced = advanced
        self._reaches = reaches
        self._end = _End(most_entries, most_bytes)
        self._listeners: list[Callable[[Sequence[Told]], None]] = []
        self._bell = Bell()
        self._reading = asyncio.Semaphore(READS_AT_ONCE)

    def listen(self, listener: Callable[[Sequence[Told]], None]) -> None:
        """Hand every entry to `listener` from now on, before anybody who waits is woken."""
        self._listeners.append(listener)

    async def follow(self, position: int) -> None:
        """Follow from a position on, until cancelled."""
        self.position = self._end.floor = position
        while True:
            await self._advanced(self.position)
            # A position that is gone ends the daemon: what has listened would have a hole.
            told = _told(await self._store.read(self.position, CHUNK))
            if not told:
                continue
            self._end.extend(told)
            for listener in self._listeners:
                listener(told)
            self.position = told[-1].position
            self._bell.ring()

    async def beyond(self, position: int) -> None:
        """Wait until there is something after a position."""
        while self.position <= position:
            await self._bell.wait()

    async def reaches(self, position: int) -> bool:
        """Whether a position is one of this journal's. Where several tell it, others are ahead."""
        if position <= self.position or self._reaches is None:
            return position <= self.position
        return await self._reaches(position)

    def at_hand(self, after: int, most_bytes: int) -> Sequence[Told] | None:
        """Give what follows a position, up to some size; None if that is not kept any more."""
        return self._end.after(after, most_bytes) if after >= self._end.floor else None

    async def read(self, after: int) -> Sequence[Told]:
        """Give some of what follows a position, from the store. Raises `PositionGone`."""
        async with self._reading:
            return _told(await self._store.read(after, BEHIND_CHUNK))


class _End:
    """The last entries, bounded in number and size."""

    def __init__(self, most_entries: int, most_bytes: int) -> None:
        self.floor = 0
        """Everything after this position is here."""
        self._most_entries = most_entries
        self._most_bytes = most_bytes
        self._told: list[Told] = []
        self._first = 0
        """Index of the oldest one kept; those before it are removed many at once."""
        self._bytes = 0

    def extend(self, told: Sequence[Told]) -> None:
        self._told.extend(told)
        self._bytes += sum(len(each.body) for each in told)
        while self._bytes > self._most_bytes or self._kept > self._most_entries:
            oldest = self._told[self._first]
            self.floor = oldest.position
            self._bytes -= len(oldest.body)
            self._first += 1
        if self._first > self._kept:
            del self._told[: self._first]
            self._first = 0

    def after(self, position: int, most_bytes: int) -> list[Told]:
        found: list[Told] = []
        size = 0
        for index in range(self._index(position), len(self._told)):
            each = self._told[index]
            size += len(each.body)
            if found and size > most_bytes:
                break
            found.append(each)
        return found

    def _index(self, position: int) -> int:
        """Find the first one after a position. Positions rise; a store may leave some out."""
        return bisect_right(self._told, position, self._first, key=attrgetter("position"))

    @property
    def _kept(self) -> int:
        return len(self._told) - self._first


def _told(entries: Sequence[Entry]) -> list[Told]:
    found = []
    for entry in entries:
        event = decode_known(entry.body)
        masked = None if event is None else masked_body(entry.body, event)
        found.append(Told(entry.position, entry.body, event, masked))
    return found
