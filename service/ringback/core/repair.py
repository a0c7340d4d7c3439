"""What a gap leaves behind and how it is made good: doubt, confirmation, and what to read.

The ledger knows when a source was blind, `Doubts` what that has touched, `Wants` what to read for
it. Here they meet: a gap that begins or ends casts doubt, a frame, a read or a survey ends it.
"""

from collections.abc import Collection, Iterator
from datetime import datetime
from functools import partial

from ringback.core.deadlines import soonest
from ringback.core.doubts import Doubts, How
from ringback.core.entries import NEVER, Entry
from ringback.core.events import Event
from ringback.core.gaps import Gap, Ledger
from ringback.core.policy import Policy
from ringback.core.records import Conversation, is_over
from ringback.core.snapshots import Medium, Role
from ringback.core.surveys import Survey
from ringback.core.wants import Wants

__all__ = ["Repair"]


class Repair:
    """The gaps of every source, and what they mean for the conversations in `entries`."""

    def __init__(self, entries: dict[str, Entry], policy: Policy) -> None:
        self._entries = entries
        self._followed: dict[str, frozenset[str]] = {}
        """By source, the ids of the queues whose topics it has; empty: whatever there is."""
        self._unsaved_since: datetime | None = None
        self._horizon = NEVER
        """Up to when bulk reads are known to know."""
        self.ledger = Ledger()
        self.doubts = Doubts(policy.unverified_patience, self._repaired)
        self.wants = Wants(entries, self.doubts, self.listened_to, policy.unconfirmed)

    def follows(self, source: str, queue_ids: Collection[str]) -> None:
        """Note which queues a source listens to, none meaning all: callbacks elsewhere stray."""
        self._followed[source] = frozenset(queue_ids)

    def listened_to(self, queue_id: str | None) -> bool:
        """Whether a queue's topics are among those that are heard; one not known counts so."""
        return queue_id is None or all(
            not followed or queue_id in followed for followed in self._followed.values()
        )

    def connected(self, source: str, topics: Collection[str], now: datetime) -> list[Event]:
        """The source hears these topics, none meaning all."""
        return self.ledger.connected(source, topics, now, lambda gap: self._touch(gap, now))

    def disconnected(
        self, source: str, cause: str, since: datetime, topics: Collection[str], now: datetime
    ) -> list[Event]:
        """The source is blind for these topics since then."""
        gap, events = self.ledger.disconnected(source, cause, since, topics, now)
        if gap is not None:
            self._touch(gap, now)
        return events

    def missed(
        self, source: str, part: str, cause: str, since: datetime, now: datetime
    ) -> list[Event]:
        """A part of what a source has heard since then was lost before anybody took it in."""
        touch = partial(self._touch, now=now)
        return self.ledger.missed(source, part, cause, since, now, touch=touch)

    def carry_on(self, now: datetime) -> None:
        """Put in doubt what gaps have touched and nothing is known to have repaired.

        Whoever had the rows until now knew more; what it knew to be confirmed may be in doubt.
        """
        for gap in self.ledger.gaps.values():
            if gap.until is None or gap.repaired_at is None:
                self._touch(gap, now)

    def confirm(
        self, conversation: Conversation, entry: Entry, as_of: datetime, how: How, now: datetime
    ) -> bool:
        """A conversation is known as of then; whether that ends a doubt that was told."""
        entry.confirmed_at = max(entry.confirmed_at, as_of)
        if self.doubts:
            until = self.doubts.confirm(conversation.id, as_of, how, now)
            self._ask_holds(conversation, until, how)
        if self.wants:
            self.wants.satisfied(conversation.id, holds=how == "read")
        return any(callback.unverified for callback in conversation.callbacks) and (
            conversation.id not in self.doubts
        )

    def over(self, conversation: Conversation, how: How, now: datetime) -> None:
        """A conversation is over, whatever a gap has hidden of it: ended is ended."""
        if self.doubts:
            self._ask_holds(conversation, self.doubts.end(conversation.id, how, now), how)

    def first_seen(self, conversation: Conversation, how: How, now: datetime) -> None:
        """A conversation is known from now on; what an agent did before was not heard."""
        self.wants.satisfied(conversation.id, holds=how == "read")
        self._ask_holds(conversation, now, how)

    def _ask_holds(self, conversation: Conversation, until: datetime | None, how: How) -> None:
        """Want a read of what may have been held until then, if only a frame has told of it."""
        if until is not None and how == "notification" and _may_have_been_held(conversation):
            self.wants.unheard(conversation.id, until)

    def known_until(self, survey: Survey) -> datetime:
        """Say up to when a survey's pictures know what has happened.

        What one page proves to be known holds for every page that was asked for later.
        """
        if survey.pictures and survey.as_of is not None:
            self._horizon = max(self._horizon, survey.as_of)
        return min(self._horizon, survey.read_at)

    def drop(self, conversation_id: str, now: datetime) -> None:
        """A conversation is no longer kept."""
        self.doubts.end(conversation_id, None, now)
        self.wants.satisfied(conversation_id, holds=True)

    def set_back(self, now: datetime) -> None:
        """The clock was set back to `now`. Nothing can be known as of later than that.

        Otherwise a gap of the time that comes again would touch nothing, and no read would be young
        enough to confirm anything.
        """
        for entry in self._entries.values():
            if entry.confirmed_at > now:
                entry.confirmed_at = NEVER
            entry.heard_at = min(entry.heard_at, now)
        self._horizon = NEVER if self._horizon > now else self._horizon
        self.doubts.set_back(now)

    def next_deadline(self) -> datetime | None:
        """When there is something to tell or to save."""
        return soonest(self.doubts.next_due(), self._unsaved_since)

    def unsaved(self) -> dict[str, bytes | None]:
        """Give the rows of the ledger that are to be stored."""
        self._unsaved_since = None
        return self.ledger.unsaved()

    def _touch(self, gap: Gap, now: datetime) -> int:
        return self.doubts.cast(gap, self._touched(gap), now)

    def _touched(self, gap: Gap) -> Iterator[str]:
        """Give the live conversations that the gap may have hidden something of.

        While it lasts those in its queues. Once it is over all of them: a callback may have left a
        queue that was heard for one that was not.
        """
        queues = gap.queues if gap.until is None else frozenset()
        until = gap.until or gap.since
        for conversation_id, entry in self._entries.items():
            if (
                entry.confirmed_at < until
                and (not queues or entry.queue_id is None or entry.queue_id in queues)
                and not is_over(entry.state)
            ):
                yield conversation_id

    def _repaired(self, gap: Gap, now: datetime) -> None:
        """Nothing is in doubt any more because of a gap that is over."""
        gap.repaired_at = now
        self.ledger.save(gap)
        self._unsaved_since = self._unsaved_since or now


def _may_have_been_held(conversation: Conversation) -> bool:
    """Whether anything in it was ever connected that can be held: an agent's leg, or a call."""
    for callback in conversation.callbacks:
        for leg in callback.legs:
            if leg.accepted and (leg.medium is Medium.VOICE or leg.role is Role.AGENT):
                return True
    return False
