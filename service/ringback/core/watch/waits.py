"""How long the callbacks of each queue usually wait: the median of the latest that were served.

What a callback is compared with is fixed as it begins to wait, and kept in its record. So its
threshold never drifts, and after a crash the few waits that were not stored yet make no difference
to any alert.
"""

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Iterable
from datetime import datetime, timedelta

import msgspec

__all__ = ["FEWEST", "WAITS", "Waits"]

WAITS = "~wait/"
"""Begins the keys of the rows; a conversation's id begins with no tilde."""
MOST = 101
"""Waits kept of each queue: enough for a median, and soon others when a queue changes."""
FEWEST = 20
"""Of fewer nothing is said to be usual."""
MOST_QUEUES = 10_000
"""Queues beyond are not learnt: nobody has as many, but ids come from outside."""
SAVED_AFTER = timedelta(seconds=5)
"""Between two writes of what has changed: it may be lost, and changes with every call."""
LONGEST = 10**7

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[int]).decode


class _Latest:
    """The latest waits of one queue: as they came, and in order."""

    __slots__ = ("latest", "sorted")

    def __init__(self, seconds: Iterable[int] = ()) -> None:
        self.latest = deque(seconds, MOST)
        self.sorted = sorted(self.latest)

    def add(self, seconds: int) -> None:
        """Let in another, and the oldest go."""
        if len(self.latest) == MOST:
            del self.sorted[bisect_left(self.sorted, self.latest[0])]
        self.latest.append(seconds)
        insort(self.sorted, seconds)

    def median(self) -> int | None:
        """Give the one in the middle, if there are enough."""
        known = self.sorted
        return known[len(known) // 2] if len(known) >= FEWEST else None


class Waits:
    """The latest completed waits of every queue, in whole seconds."""

    def __init__(self) -> None:
        self._waits: dict[str, _Latest] = {}
        self._changed: dict[str, None] = {}
        self._unsaved_since: datetime | None = None

    def restore(self, rows: Iterable[tuple[str, bytes]]) -> None:
        """Take over rows, some or all."""
        for key, packed in rows:
            self._waits[key.removeprefix(WAITS)] = _Latest(_decode(packed))

    def note(self, queue_id: str | None, seconds: float, now: datetime) -> None:
        """A callback of the queue has waited so long, and was served."""
        if queue_id is None:
            return
        waits = self._waits.get(queue_id)
        if waits is None:
            if len(self._waits) >= MOST_QUEUES:
                return
            waits = self._waits[queue_id] = _Latest()
        waits.add(min(round(seconds), LONGEST))
        self._changed[queue_id] = None
        self._unsaved_since = self._unsaved_since or now

    def usual(self, queue_id: str | None) -> int | None:
        """Give how many seconds its callbacks usually wait; None while that is not known."""
        waits = None if queue_id is None else self._waits.get(queue_id)
        return None if waits is None else waits.median()

    def next_save(self) -> datetime | None:
        """When there is something to store."""
        return None if self._unsaved_since is None else self._unsaved_since + SAVED_AFTER

    def unsaved(self, now: datetime) -> dict[str, bytes]:
        """Give the rows that are to be stored by now."""
        due = self.next_save()
        if due is None or due > now:
            return {}
        rows = {
            WAITS + queue_id: _encode(list(self._waits[queue_id].latest))
            for queue_id in self._changed
        }
        self._changed = {}
        self._unsaved_since = None
        return rows

    def set_back(self, now: datetime) -> None:
        """The clock was set back to `now`."""
        if self._unsaved_since is not None:
            self._unsaved_since = min(self._unsaved_since, now)
