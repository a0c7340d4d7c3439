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


class _Doubt(msgspec.Struct, gc=False):
    """What one gap did to many conversations at once."""

    gap: Gap
    since: datetime
    """When they became unverified."""
    until: datetime
    """What confirms must be as of then or later."""


class _Batch(msgspec.Struct, gc=False):
    """Conversations that became unverified together."""

    due: datetime
    """When those are told that still are."""
    since: datetime
    ids: Iterator[str]


class Doubts:
    """The conversations in doubt; each has one doubt, the one that is hardest to end."""

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

    def cast(self, gap: Gap, conversation_ids: Iterable[str], now: datetime) -> int:
        """Put conversations in doubt that were last confirmed before the gap; give how many.

        Called as a gap begins, and again as it ends: what was confirmed meanwhile is in doubt
        again, since more may have been lost. Who is in doubt already stays so since then.
        """
        until = gap.until or gap.since
        fresh, lasting = _Doubt(gap, until, until), _Doubt(gap, gap.since, until)
        new = []
        count = 0
        for conversation_id in conversation_ids:
            count += 1
            known = self._of.get(conversation_id)
            if known is None:
                self._of[conversation_id] = fresh
                new.append(conversation_id)
            elif known.gap is gap and known.since == gap.since:
                self._of[conversation_id] = lasting
                continue
            else:
                self._leave(known, now)
                self._of[conversation_id] = _Doubt(gap, known.since, max(until, known.until))
            gap.unverified += 1
        if new:
            due = max(until, now) + self._patience
            self._batches.append(_Batch(due, until, iter(new)))
        if gap.until is not None and not gap.unverified:
            self._repaired(gap, now)
        return count

    def confirm(self, conversation_id: str, as_of: datetime, how: How, now: datetime) -> bool:
        """Let what is known as of then end the doubt, if there is one; give whether it did."""
        doubt = self._of.get(conversation_id)
        if doubt is None or as_of < doubt.until:
            return False
        del self._of[conversation_id]
        doubt.gap.repaired_by[how] = doubt.gap.repaired_by.get(how, 0) + 1
        self._leave(doubt, now)
        return True

    def drop(self, conversation_id: str, now: datetime) -> None:
        """Forget a conversation that is no longer kept."""
        doubt = self._of.pop(conversation_id, None)
        if doubt is not None:
            self._leave(doubt, now)

    def next_due(self) -> datetime | None:
        """When `due` next has something to give."""
        return min((batch.due for batch in self._batches), default=None)

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

    def _leave(self, doubt: _Doubt, now: datetime) -> None:
        gap = doubt.gap
        gap.unverified -= 1
        if not gap.unverified and gap.until is not None:
            self._repaired(gap, now)
