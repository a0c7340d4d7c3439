"""What trackers want to be read, as far as it came to this listener."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

__all__ = ["Wishing"]

AGAIN = 25.0
"""Seconds within which nothing is read twice. Trackers ask again after 30."""
STALE = 30.0
"""Seconds after which a wish is forgotten: what is wanted still is asked for anew."""
MOST = 1000


class _Wish(NamedTuple):
    place: int
    """How many were more urgent to the tracker that wants it."""
    at: float


class Wishing:
    """Wishes, the most urgent of every tracker first."""

    def __init__(self, time: Callable[[], float]) -> None:
        self._time = time
        self._wishes: dict[str, _Wish] = {}
        self._given: dict[str, float] = {}

    def add(self, conversation_ids: Sequence[str]) -> None:
        """Take what a tracker wants, the most urgent first."""
        now = self._time()
        for place, conversation_id in enumerate(conversation_ids):
            if len(self._wishes) < MOST or conversation_id in self._wishes:
                self._wishes[conversation_id] = _Wish(place, now)

    def take(self, limit: int) -> list[str]:
        """Give what is best read now, each once within a while."""
        now = self._time()
        self._given = {one: at for one, at in self._given.items() if now - at < AGAIN}
        self._wishes = {
            one: wish
            for one, wish in self._wishes.items()
            if now - wish.at < STALE and one not in self._given
        }
        chosen = sorted(self._wishes, key=self._wishes.__getitem__)[:limit]
        for one in chosen:
            del self._wishes[one]
            self._given[one] = now
        return chosen
