"""The journal as it follows from the log of steps: its end at hand, the rest looked up.

An event's position follows from where its step stands in the log, so it is the same for everybody
who reads it, whichever process they ask. Most steps tell nothing: positions leave many out.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import islice

from ringback.errors import PositionGone
from ringback.ports import Entry, Step, StepLog
from ringback.wire.steps import end_of_step, position_in, step_at

__all__ = ["Retelling"]

CHUNK = 500
"""Steps read from the log at once."""
FEW = 32
"""The same where little is asked for: there may be steps that tell nothing."""
MOST_ENTRIES = 10_000
MOST_BYTES = 8 * 1024 * 1024
NAME = "log of steps"


class Retelling:
    """The `Past` of whoever follows the log, as far as that was followed."""

    def __init__(
        self,
        steps: StepLog,
        place: Callable[[str], tuple[int, str]],
        *,
        most_entries: int = MOST_ENTRIES,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        """`place` gives the partition and the row that tell of a subject."""
        self.sequence = 0
        """Of the last step that was followed."""
        self.position = 0
        """Of the last entry; where none was seen yet, of the end of what was there before."""
        self._steps = steps
        self._place = place
        self._most_entries = most_entries
        self._most_bytes = most_bytes
        self._recent: deque[Entry] = deque()
        self._bytes = 0
        self._floor = 0
        """Everything after this position, as far as it was followed, is in `_recent`."""

    def begin(self, sequence: int) -> None:
        """Begin after a step."""
        self.sequence = sequence
        self.position = self._floor = end_of_step(sequence) if sequence else 0

    def take(self, step: Step) -> None:
        """Follow the log by a step."""
        self.sequence = step.sequence
        for entry in _entries(step):
            self._recent.append(entry)
            self._bytes += len(entry.body)
            self.position = entry.position
        while self._bytes > self._most_bytes or len(self._recent) > self._most_entries:
            oldest = self._recent.popleft()
            self._bytes -= len(oldest.body)
            self._floor = oldest.position

    async def read(self, after: int, limit: int) -> Sequence[Entry]:
        """Give at most `limit` entries that follow `after`. Raises `PositionGone`."""
        if after >= self._floor:
            return self._at_hand(after, limit)
        entries: list[Entry] = []
        step, upto = step_at(after), self.sequence
        reached = step if after >= end_of_step(step) else max(0, step - 1)
        while len(entries) < limit and reached < upto:
            try:
                steps = await self._steps.read(reached, min(CHUNK, max(FEW, limit)))
            except PositionGone as gone:
                raise PositionGone(NAME, after, position_in(gone.oldest, 0)) from None
            if not steps:
                break
            reached = steps[-1].sequence
            entries += [
                entry
                for step_read in steps
                if step_read.sequence <= upto
                for entry in _entries(step_read)
                if entry.position > after
            ]
        return entries[:limit]

    async def history(self, subject: str, limit: int) -> Sequence[Entry]:
        """Give the last `limit` entries about one subject that are kept, oldest first."""
        steps = await self._steps.history(*self._place(subject), limit)
        told = (
            entry
            for step in steps
            for entry, about in zip(_entries(step), step.subjects, strict=False)
            if about == subject and entry.position <= self.position
        )
        return list(deque(told, limit))

    def _at_hand(self, after: int, limit: int) -> list[Entry]:
        # Whoever reads here is near the end: it is looked for from there.
        newer = 0
        for entry in reversed(self._recent):
            if entry.position <= after:
                break
            newer += 1
        start = len(self._recent) - newer
        return list(islice(self._recent, start, start + limit))


def _entries(step: Step) -> Iterator[Entry]:
    for index, body in enumerate(step.events):
        yield Entry(position_in(step.sequence, index), body)
