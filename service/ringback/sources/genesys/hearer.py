"""Whom channels tell what they hear: the part of an intake that they need, and one thing more."""

from collections.abc import Collection
from datetime import datetime
from typing import Protocol

__all__ = ["Hearer"]


class Hearer(Protocol):
    """Takes frames, and is told what is heard. Topics are single ones."""

    async def room(self) -> None:
        """Wait until another frame can be taken; it is called before each receive."""

    def frame(self, frame: bytes | str) -> None:
        """Take one frame as it came. A bad one is quarantined, never raised."""

    def connected(self, topics: Collection[str] = ()) -> None:
        """These are heard again, or for the first time."""

    def disconnected(
        self, cause: str, since: datetime | None = None, topics: Collection[str] = ()
    ) -> None:
        """These are not heard since then; now, if that is None."""

    def refuse(self, topics: Collection[str]) -> None:
        """All that the platform does not permit at present, though it is wanted."""
