"""A share of a limit of the platform's, made of numbered slots that members hold.

Each slot stands for so much of the limit; what a member may use is what its slots make together. So
as no slot is held twice, all members together never use more than there is.
"""

import asyncio
from collections.abc import Mapping

from ringback.ports import Limit

__all__ = ["Share", "slots"]

LOOK_SECONDS = 0.1


def slots(kind: str, amount: int, most: int) -> dict[str, int]:
    """Divide an amount into at most so many slots, whose sizes differ by one."""
    count = min(amount, most)
    return {
        f"{kind}.{number}": amount * (number + 1) // count - amount * number // count
        for number in range(count)
    }


class Share:
    """The work of holding slots: it allows what they make, and gives none back that is in use."""

    def __init__(self, limit: Limit, slots: Mapping[str, int]) -> None:
        """`slots` are all that there are, and how much each stands for. None is held yet."""
        self._limit = limit
        self._slots = slots
        self._allowed: set[str] = set()
        self._leaving: set[str] = set()
        """Those that are to be given back as soon as what is used makes do without them."""
        limit.allow(0)

    def most(self) -> int:
        """Say how many slots are of use."""
        wanted, count = self._limit.wanted, 0
        for size in self._slots.values():
            if wanted <= 0:
                break
            wanted, count = wanted - size, count + 1
        return count

    async def take(self, name: str) -> None:
        """Use one more."""
        self._allowed.add(name)
        self._allow()

    async def give(self, name: str) -> None:
        """Use one less; return when it is not in use any more."""
        self._allowed.discard(name)
        self._leaving.add(name)
        self._allow()
        try:
            while not self._dispensable(name):  # noqa: ASYNC110  # time makes it so
                await asyncio.sleep(LOOK_SECONDS)
        finally:
            self._leaving.discard(name)

    async def lose(self, name: str) -> None:
        """Use one less, at once."""
        self._allowed.discard(name)
        self._allow()

    def _dispensable(self, name: str) -> bool:
        return self._limit.used <= self._amount((self._allowed | self._leaving) - {name})

    def _allow(self) -> None:
        self._limit.allow(self._amount(self._allowed))

    def _amount(self, names: set[str]) -> int:
        return sum(self._slots[name] for name in names)
