"""What one shard tells of its topics: heard, not heard since, heard again; each thing once."""

from collections.abc import Callable
from datetime import datetime

from ringback.sources.genesys.hearer import Hearer

__all__ = ["REJECTED", "Tidings"]

REJECTED = "topic rejected"
"""Why a topic is not heard any more that was heard before."""


class Tidings:
    """Remembers for which single topics its hearer was told to be blind."""

    def __init__(self, hearer: Hearer, wanted: Callable[[str], bool]) -> None:
        """`wanted` says whether anybody, be it another shard, wants a single topic."""
        self.blind: frozenset[str] = frozenset()
        self._hearer = hearer
        self._wanted = wanted

    @property
    def outdated(self) -> bool:
        """Whether something is told to be missing that nobody wants any more."""
        return not all(map(self._wanted, self.blind))

    def lost(self, cause: str, since: datetime, topics: frozenset[str]) -> None:
        """Tell that topics are not heard."""
        fresh = topics - self.blind
        if fresh:
            self.blind |= fresh
            self._hearer.disconnected(cause, since, sorted(fresh))

    def heard_again(self, heard: frozenset[str], wanted: frozenset[str]) -> None:
        """Tell what is heard after all was lost.

        The gap ends for all: what is still not heard, because it is rejected now, has one of its
        own from here on. Else it would keep that of all the others open.
        """
        left = (self.blind & wanted) - heard
        ended = heard | self.blind
        if ended:
            self._hearer.connected(sorted(ended))
        if left:
            self._hearer.disconnected(REJECTED, None, sorted(left))
        self.blind = left

    def changed(
        self, before: frozenset[str], heard: frozenset[str], wanted: frozenset[str], cause: str
    ) -> None:
        """Tell what is heard in place of what was heard before, of what is wanted."""
        missing = ((before | self.blind) & wanted) - heard
        ended = (heard - before) | (self.blind - missing)
        lost = missing - self.blind
        if ended:
            self._hearer.connected(sorted(ended))
        if lost:
            self._hearer.disconnected(cause, None, sorted(lost))
        self.blind = missing

    def over(self) -> None:
        """The shard ends: let gaps end that nobody minds any more."""
        left = [topic for topic in sorted(self.blind) if not self._wanted(topic)]
        if left:
            self._hearer.connected(left)
        self.blind = frozenset()
