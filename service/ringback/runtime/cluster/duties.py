"""What members share: names of some kind, and what is done with each by whoever holds it."""

from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

__all__ = ["Duty", "Work"]


class Work(Protocol):
    """What is done with names. Of one name never two of these run at once."""

    async def take(self, name: str) -> None:
        """Begin. A `RingbackError` means that it cannot: `lose` follows, and others may try."""

    async def give(self, name: str) -> None:
        """Finish what is begun, and end: as this returns another may begin. Keep it short.

        A `RingbackError` means that it cannot be finished: `lose` follows.
        """

    async def lose(self, name: str) -> None:
        """End at once: another may have begun. `take` or `give` may have been cancelled before."""


class Duty(msgspec.Struct, frozen=True):
    """Names of one kind, which members with a role share."""

    role: str
    names: Sequence[str]
    work: Work
    lapse: float | None = None
    """After so many seconds without a renewal, less than the lease, the work has to end.

    None: not before another has it.
    """
    most: Callable[[], int] | None = None
    """How many of them are of use here at the most."""
    patient: bool = False
    """Whether others go on counting what a member's former life holds as that member's, and make no
    room for it meanwhile: part of it is of little use to either."""
