"""Between the channels and the intake: makes of many channels one source.

A source hears once all its channels do. Until that has been so for the first time, single channels
are not worth telling; from then on each one's gaps are told by their topics.
"""

from collections.abc import Callable, Collection
from datetime import datetime

from ringback.ports import Intake

__all__ = ["Gate"]


class Gate:
    """What the channels talk to. Frames pass through untouched."""

    def __init__(self, intake: Intake, heard_again: Callable[[datetime | None], None]) -> None:
        """`heard_again` is told when something is heard that was not before, and since when."""
        self.frame = intake.frame
        self.room = intake.room
        self.complete = False
        """Whether all was heard at least once."""
        self._intake = intake
        self._heard_again = heard_again
        self._followed: set[str] = set()
        self._heard: set[str] = set()
        self._refused: frozenset[str] = frozenset()

    def follow(self, topics: Collection[str]) -> None:
        """Take the topics, one by one, that make up the source from now on."""
        gone = self._followed - set(topics)
        self._followed = set(topics)
        self._heard &= self._followed
        if gone and self.complete:
            # Nobody is blind for what is not followed any more.
            self._intake.connected(sorted(gone))
        self._check()

    def refuse(self, topics: Collection[str]) -> None:
        """Take the topics that the platform does not let us have: they are not waited for."""
        self._refused = frozenset(topics)
        self._check()

    def connected(self, topics: Collection[str] = ()) -> None:
        """A channel hears these."""
        new, since = set(topics) - self._heard, self._intake.blind_since()
        self._heard |= set(topics) & self._followed
        if self.complete:
            self._intake.connected(topics)
        else:
            self._check()
        if new:
            self._heard_again(since)

    def disconnected(
        self, cause: str, since: datetime | None = None, topics: Collection[str] = ()
    ) -> None:
        """A channel is blind for these."""
        self._heard -= set(topics)
        if self.complete:
            self._intake.disconnected(cause, since, topics)
        else:
            self._intake.disconnected(cause)

    def _check(self) -> None:
        wanted = self._followed - self._refused
        if not self.complete and wanted and wanted <= self._heard:
            self.complete = True
            self._intake.connected()
