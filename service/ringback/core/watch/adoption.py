"""Bringing all that is known under other rules, while everything else goes on.

Other rules are in force at once, and every conversation comes under them as of that instant: either
in its turn, or before whatever else happens to it. So what comes of it does not depend on how fast
the turns are, and a replay, which takes them all at once, does the same.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from itertools import islice

from ringback.core.changes import Change
from ringback.core.derivation import Cast
from ringback.core.entries import Entry
from ringback.core.events import Event
from ringback.core.records import Conversation, unpack
from ringback.core.watch.life import Life
from ringback.core.watch.rules import RuleSet

__all__ = ["ROW", "Adoption"]

ROW = "~rules"
"""The key of the row that says for which rules all others are armed."""
CHUNK = 100
"""Conversations in a turn: some milliseconds."""

Keep = Callable[[Conversation, Entry, datetime, list[Event]], Change]


class Adoption:
    """Puts rules in force."""

    def __init__(self, entries: Mapping[str, Entry], life: Life, keep: Keep) -> None:
        self._entries = entries
        self._life = life
        self._keep = keep
        self._settled: bytes | None = None
        self._ruling = 1
        """The number of those in force, counted since the start."""
        self._since: datetime | None = None
        """When they were, while not everything has come under them."""

    @property
    def settled(self) -> bool:
        """Whether everything is armed for the rules that are in force."""
        return self._settled == self._life.rules.packed

    def restore(self, packed: bytes) -> None:
        """Take over for which rules all was armed when it was stored."""
        self._settled = packed

    def begin(self, rules: RuleSet, now: datetime) -> Iterator[list[Change]]:
        """Put rules in force; give the turns it takes, which must all be taken before the next."""
        self._life.rules = rules
        self._since = now
        self._ruling += 1
        return self._turns(list(self._entries), now)

    def open(self, entry: Entry) -> tuple[Conversation, list[Event]]:
        """Unpack a conversation under the rules in force; give what is to be told of that.

        It has come under them once it was kept.
        """
        conversation = unpack(entry.state)
        if self._since is None or entry.ruling == self._ruling:
            return conversation, []
        events: list[Event] = []
        for callback in conversation.callbacks:
            events += self._life.adopt(conversation, Cast(callback), self._since)
        return conversation, events

    def kept(self, entry: Entry) -> None:
        """Note that a conversation was kept."""
        entry.ruling = self._ruling

    def _turns(self, keys: list[str], now: datetime) -> Iterator[list[Change]]:
        left = iter(keys)
        while part := list(islice(left, CHUNK)):
            yield [change for key in part if (change := self._take(key, now)) is not None]
        self._since = None
        self._settled = self._life.rules.packed
        yield [Change(ROW, self._settled, None, [])]

    def _take(self, key: str, now: datetime) -> Change | None:
        """Take a conversation's turn; None if that makes no difference to it."""
        entry = self._entries.get(key)
        if entry is None or entry.ruling == self._ruling:
            return None
        before, woke_at = entry.state, entry.wake_at
        conversation, events = self.open(entry)
        if not conversation.callbacks:
            entry.ruling = self._ruling
            return None
        change = self._keep(conversation, entry, now, events)
        same = change.state == before and change.wake_at == woke_at and not events
        return None if same else change
