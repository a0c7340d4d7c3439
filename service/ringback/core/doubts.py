"""Which conversations are unverified: touched by a gap, and not confirmed since.

That follows from when each was last confirmed, so nothing of it is stored. After a restart
everything is unverified, because a restart is a gap itself.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from typing import Literal

import msgspec

from ringback.core.gaps import Gap

__all__ = ["Doubts", "How"]

How = Literal["notification", "read", "survey"]
"""What confirms."""


class _Doubt(msgspec.Struct, frozen=True, gc=False, eq=False):
    """What one gap, or several after another, did to many conversations at once."""

    gaps: tuple[Gap, ...]
    since: datetime
    """When they became unverified."""
    until: datetime
    """What confirms must be as of then or later."""

    @property
    def over(self) -> bool:
        """Whether its gaps have ended."""
        return all(gap.until is not None for gap in self.gaps)


class _Batch(msgspec.Struct, gc=False):
    """Conversations that became unverified together."""

    due: datetime
    """When those are told that still are."""
    since: datetime
    ids: Iterator[str]


class Doubts:
    """The conversations in doubt. Each has one doubt, which ends for all its gaps at once."""

    def __init__(self, patience: timedelta, repaired: Callable[[Gap, datetime], None]) -> None:
        """`repaired` is told of each ended gap of which nothing is in doubt any more."""
        self._patience = patience
        self._repaired = repaired
        self._of: dict[str, _Doubt] = {}
        self._batches: deque[_Batch] = deque()

    def __len__(self) -> int:
        """How many conversations are unverified."""
        return len(self._of)

    def __iter__(self) -> Iterator[str]:
        """Give them, in no order that matters."""
        return iter(self._of)

    def __contains__(self, conversation_id: object) -> bool:
        return conversation_id in self._of

    def since(self, conversation_id: str) -> datetime | None:
        """Since when a conversation is unverified; None when it is not."""
        doubt = self._of.get(conversation_id)
        return None if doubt is None else doubt.since

    def ended_at(self, conversation_id: str) -> datetime | None:
        """Since when a read confirms it for good; None while a gap lasts, and without doubt."""
        doubt = self._of.get(conversation_id)
        return None if doubt is None or not doubt.over else doubt.until

    def cast(self, gap: Gap, conversation_ids: Iterable[str], now: datetime) -> int:
        """Put conversations in doubt that were last confirmed before the gap; give how many.

        Called as a gap begins, and again as it ends: what was confirmed meanwhile is in doubt
        again, since more may have been lost. Who is in doubt already stays so since then.
        """
        # A gap from before a restart may lie ahead, if the clock was set back meanwhile.
        until = min(gap.until or gap.since, now)
        fresh = _Doubt((gap,), until, until)
        grown: dict[_Doubt, _Doubt] = {}
        new = []
        count = 0
        for conversation_id in conversation_ids:
            count += 1
            known = self._of.get(conversation_id)
            if known is None:
                doubt = fresh
                new.append(conversation_id)
                gap.unverified += 1
            else:
                found = grown.get(known)
                doubt = found or _grown(known, gap, until)
                if found is None:
                    grown[known] = doubt
                gap.unverified += len(doubt.gaps) - len(known.gaps)
            self._of[conversation_id] = doubt
        if new:
            due = now + self._patience
            self._batches.append(_Batch(due, until, iter(new)))
        if gap.until is not None and not gap.unverified:
            self._repaired(gap, now)
        return count

    def confirm(
        self, conversation_id: str, as_of: datetime, how: How, now: datetime
    ) -> datetime | None:
        """Let what is known as of then end the doubt, if there is one.

        Gives until when something may have been missed; None when no doubt has ended.
        """
        doubt = self._of.get(conversation_id)
        if doubt is None or as_of < doubt.until:
            return None
        return self.end(conversation_id, how, now)

    def end(self, conversation_id: str, how: How | None, now: datetime) -> datetime | None:
        """End the doubt, if there is one. Without `how` because it is no longer kept.

        Gives until when something may have been missed; None when there was no doubt.
        """
        doubt = self._of.pop(conversation_id, None)
        if doubt is None:
            return None
        for gap in doubt.gaps:
            gap.unverified -= 1
            if gap.until is None:
                continue  # more may be lost: what repairs it comes after its end
            if how is not None:
                gap.repaired_by[how] = gap.repaired_by.get(how, 0) + 1
            if not gap.unverified:
                self._repaired(gap, now)
        return doubt.until

    def set_back(self, now: datetime) -> None:
        """The clock was set back to `now`: what comes from now on must be able to confirm."""
        earlier: dict[_Doubt, _Doubt] = {}
        for conversation_id, doubt in self._of.items():
            if doubt.until > now:
                known = earlier.get(doubt)
                if known is None:
                    known = earlier[doubt] = msgspec.structs.replace(doubt, until=now)
                self._of[conversation_id] = known
        for batch in self._batches:
            batch.due = min(batch.due, now + self._patience)

    def next_due(self) -> datetime | None:
        """When `due` next has something to give."""
        return min(batch.due for batch in self._batches) if self._batches else None

    def due(self, now: datetime, limit: int) -> list[tuple[str, datetime]]:
        """Take out conversations that have been unverified for long enough to be told of.

        At most `limit`, each with the instant at which that came to be.
        """
        found: list[tuple[str, datetime]] = []
        for batch in [batch for batch in self._batches if batch.due <= now]:
            for conversation_id in batch.ids:
                doubt = self._of.get(conversation_id)
                if doubt is not None and doubt.since == batch.since:
                    found.append((conversation_id, batch.due))
                    if len(found) == limit:
                        return found
            self._batches.remove(batch)
        return found


def _grown(known: _Doubt, gap: Gap, until: datetime) -> _Doubt:
    """Add a gap to a doubt, which may have it already: then the gap ends now."""
    gaps = known.gaps if any(one is gap for one in known.gaps) else (*known.gaps, gap)
    return _Doubt(gaps, known.since, max(until, known.until))
