"""Rows about no conversation: as they are stored, and what waits for the next note.

They belong together and to the inputs that they came from. So they are stored with a note of how
far that is (`Checkpoint`), never on their own.
"""

import asyncio
from collections.abc import Mapping

from ringback.runtime.cluster.checkpoint import Aside

__all__ = ["SPEAKER", "Asides", "concerns", "part_of", "speaks"]

SPEAKER = 0
"""The partition whose rows about no conversation count: those of the others say the same."""
PART = "partition-"
MOST_ASIDE = 256 * 1024
"""Bytes that may wait for the next note."""


def part_of(partition: int) -> str:
    """Name a partition in the ids of gaps, where what was lost was its inputs alone."""
    return f"{PART}{partition}"


def speaks(partition: int, gap: str) -> bool:
    """Whether what a partition says about no conversation counts.

    `gap` is the id that its row or its event ends with. Of what only it has lost it alone knows.
    """
    return partition == SPEAKER or gap.rpartition("/")[2] == part_of(partition)


def concerns(partition: int, gap: str) -> bool:
    """Whether a gap, by its id, may have touched what is in a partition."""
    part = gap.rpartition("/")[2]
    return not part.startswith(PART) or part == part_of(partition)


class Asides:
    """The rows of one partition that are about no conversation."""

    def __init__(self) -> None:
        self.full = False
        """Whether so much waits that it is best noted before more comes."""
        self._standing: dict[str, bytes] = {}
        """All of them, as they are stored."""
        self._waiting: dict[str, Aside] = {}
        """Those that have changed since the last note."""
        self._bytes = 0
        self._taken = asyncio.Event()

    def restore(self, rows: Mapping[str, bytes]) -> None:
        """Take over what is stored."""
        self._standing = dict(rows)

    def add(self, aside: Aside) -> bool:
        """Let a row wait, and what is told with it; give whether anything is to be told."""
        before = self._waiting.get(aside.key)
        if before is not None:
            events, subjects = before.events + aside.events, before.subjects + aside.subjects
            aside = Aside(aside.key, aside.state, events, subjects)
        self._waiting[aside.key] = aside
        self._bytes += len(aside.key) + len(aside.state or b"") + sum(map(len, aside.events))
        self.full = self._bytes >= MOST_ASIDE
        return bool(aside.events)

    def again(self, key: str) -> bool:
        """Let a row wait as it is stored; give whether it is one of these."""
        if key not in self._standing:
            return False
        self._waiting.setdefault(key, Aside(key, self._standing[key]))
        return True

    def take(self) -> list[Aside]:
        """Give what waits, for a note."""
        taken, self._waiting = list(self._waiting.values()), {}
        self._bytes, self.full = 0, False
        for aside in taken:
            if aside.state is None:
                self._standing.pop(aside.key, None)
            else:
                self._standing[aside.key] = aside.state
        self._taken.set()
        return taken

    async def taken(self) -> None:
        """Wait until a note has taken what waits."""
        self._taken.clear()
        await self._taken.wait()
