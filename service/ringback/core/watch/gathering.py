"""Alerts that wait to be told: in groups, or held back by a silence."""

from collections.abc import Collection, Iterator
from datetime import datetime, timedelta

__all__ = ["Place", "Waiting"]

Place = tuple[str, str]
"""What makes a group: a rule, and a queue or a source."""


class _Group:
    """Alerts of one place, in the order of their coming."""

    def __init__(self, since: datetime) -> None:
        self.since = since
        self.keys: dict[str, None] = {}


class Waiting:
    """Which alerts wait, since when, and which are held back until when."""

    def __init__(self, gather: timedelta) -> None:
        """A group is due that long after its first alert."""
        self._gather = gather
        self._groups: dict[Place, _Group] = {}
        self.held: dict[str, datetime] = {}
        """Those that are silenced, and until when."""

    def __len__(self) -> int:
        """How many wait, without those that are held back."""
        return sum(len(group.keys) for group in self._groups.values())

    def __iter__(self) -> Iterator[str]:
        """Give all, those that are held back too."""
        yield from list(self.held)
        for group in list(self._groups.values()):
            yield from list(group.keys)

    def add(self, key: str, place: Place, now: datetime) -> None:
        """Let an alert wait."""
        self.held.pop(key, None)
        group = self._groups.get(place)
        if group is None:
            group = self._groups[place] = _Group(now)
        group.keys[key] = None

    def hold(self, key: str, place: Place, until: datetime) -> None:
        """Let it wait until a silence ends."""
        self.leave(key, place)
        self.held[key] = until

    def leave(self, key: str, place: Place) -> None:
        """Let it wait no more."""
        self.held.pop(key, None)
        group = self._groups.get(place)
        if group is not None:
            group.keys.pop(key, None)
            if not group.keys:
                del self._groups[place]

    def keys(self, place: Place) -> Collection[str]:
        """Give those of one group."""
        return self._groups[place].keys

    def since(self, place: Place) -> datetime:
        """Say since when a group waits."""
        return self._groups[place].since

    def due_at(self) -> dict[Place, datetime]:
        """Give every group, and when it is due."""
        return {place: group.since + self._gather for place, group in self._groups.items()}
