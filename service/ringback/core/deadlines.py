"""When to wake, for a million conversations: one deadline each, the earliest it has.

A heap with lazy deletion. What counts is what `at` says; an entry of the heap that differs is stale
and is dropped when met. The heap is rebuilt when stale entries outnumber the true ones, so that its
size and its cost stay in proportion.
"""

import heapq
from collections.abc import Callable, Iterator
from datetime import datetime

__all__ = ["Deadlines", "soonest"]


def soonest(*instants: datetime | None) -> datetime | None:
    """Give the earliest of those there are. Written out: it is asked for with every change."""
    found = None
    for instant in instants:
        if instant is not None and (found is None or instant < found):
            found = instant
    return found


class Deadlines:
    """Deadlines by key, in milliseconds since the epoch on the daemon's clock."""

    def __init__(self, at: Callable[[str], int | None]) -> None:
        """`at` gives the deadline in force for a key, None when it has none."""
        self._at = at
        self._heap: list[tuple[int, str]] = []
        self._armed = 0
        self._heaped = True

    def __len__(self) -> int:
        """How many keys have a deadline."""
        return self._armed

    def load(self, armed: list[tuple[int, str]]) -> None:
        """Add many at once; `at` must give them already."""
        self._heap += armed
        self._armed += len(armed)
        self._heaped = False

    def move(self, key: str, before: int | None, after: int | None) -> None:
        """Note that the deadline of `key` changed; `at` must give `after` from now on."""
        if before == after:
            return
        self._armed += (after is not None) - (before is not None)
        if after is not None:
            heapq.heappush(self._heap, (after, key))
        if len(self._heap) > 2 * self._armed + 1024:
            self._rebuild()

    def earliest(self) -> int | None:
        """The earliest deadline; None without any."""
        if not self._heaped:
            heapq.heapify(self._heap)
            self._heaped = True
        heap = self._heap
        while heap:
            at, key = heap[0]
            if self._at(key) == at:
                return at
            heapq.heappop(heap)
        return None

    def due(self, until: int) -> Iterator[str]:
        """Take out the keys whose deadline is at or before `until`, earliest first.

        Each is disarmed: `at` must give None for it before the next is asked for.
        """
        while (at := self.earliest()) is not None and at <= until:
            self._armed -= 1
            yield heapq.heappop(self._heap)[1]

    def _rebuild(self) -> None:
        """Keep each true entry once; a moved deadline may have come back to an old value."""
        self._heap = list({entry for entry in self._heap if self._at(entry[1]) == entry[0]})
        heapq.heapify(self._heap)
        self._heaped = True
