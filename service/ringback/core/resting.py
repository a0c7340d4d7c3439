"""Conversations at rest: packed, counted by where they are, and armed for their next deadline."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta

from ringback.core.changes import Change
from ringback.core.clocks import EPOCH, milliseconds
from ringback.core.deadlines import Deadlines, soonest
from ringback.core.derivation import Cast
from ringback.core.entries import NEVER, Entry
from ringback.core.events import Event
from ringback.core.lifecycle import State
from ringback.core.records import TOMBSTONE, Conversation, pack, stage_of, unpack
from ringback.core.settling import Settling

__all__ = ["Resting"]

_WITH_AGENT = frozenset({State.CONNECTED, State.AUTO_DIALING, State.HELD})
"""Stages in which an automatic call can still be armed."""


class Resting:
    """Every conversation of one tracker, by its id."""

    def __init__(
        self,
        entries: dict[str, Entry],
        settling: Settling,
        dropped: Callable[[str, datetime], None],
    ) -> None:
        """`dropped` is told of each conversation that is forgotten for good."""
        self.entries = entries
        self.stages: Counter[str] = Counter()
        """How many there are, by the state of their latest open callback."""
        self.with_agent: set[str] = set()
        """Those in which an agent has accepted: queue settings may arm these."""
        self._settling = settling
        self._dropped = dropped
        self._deadlines = Deadlines(self._wake_of)

    def load(self, rows: Iterable[tuple[str, bytes, int | None]], now: datetime) -> None:
        """Take over what was committed, some or all of it."""
        armed = []
        for key, state, wake_at in rows:
            self.entries[key] = Entry(state, wake_at, now)
            stage = stage_of(state)
            self.stages[stage] += 1
            if stage in _WITH_AGENT:
                self.with_agent.add(key)
            if wake_at is not None:
                armed.append((wake_at, key))
        self._deadlines.load(armed)

    def mirror(self, key: str, state: bytes | None, now: datetime) -> None:
        """Take over what another has made of a conversation; it is counted, and not armed."""
        entry = self.entries.get(key)
        if entry is not None:
            self._count(key, stage_of(entry.state), -1)
        if state is None:
            self.entries.pop(key, None)
            return
        self._count(key, stage_of(state), 1)
        if entry is None:
            self.entries[key] = Entry(state, None, now)
        else:
            entry.state = state

    def carry_on(self, key: str, soon: datetime) -> bool:
        """Know again of a conversation what is not stored beside its record.

        Gives whether it is to be woken until `soon`.
        """
        entry = self.entries[key]
        conversation = unpack(entry.state)
        _, entry.queue_id = _whereabouts(conversation)
        entry.confirmed_at = conversation.confirmed_at or NEVER
        return entry.wake_at is not None and entry.wake_at <= milliseconds(soon)

    def next_deadline(self) -> datetime | None:
        """When a conversation is to be woken, on the daemon's clock."""
        at = self._deadlines.earliest()
        return None if at is None else EPOCH + timedelta(milliseconds=at)

    def due(self, now: datetime) -> Iterator[tuple[Entry, str]]:
        """Take out those that are to be woken by now, earliest first; each must be kept anew."""
        for key in self._deadlines.due(milliseconds(now)):
            entry = self.entries[key]
            entry.wake_at = None
            yield entry, key

    def wake(self, key: str, now: datetime) -> None:
        """Let a conversation be looked at as soon as timers are fired."""
        entry = self.entries[key]
        before, entry.wake_at = entry.wake_at, milliseconds(now, up=True)
        self._deadlines.move(key, before, entry.wake_at)

    def wake_all(self, until: datetime, now: datetime) -> None:
        """Let all be looked at that were to be woken by then."""
        for key in [key for _, key in self.due(until)]:
            self.wake(key, now)

    def keep(
        self,
        conversation: Conversation,
        entry: Entry,
        now: datetime,
        events: list[Event],
        casts: Sequence[Cast] | None = None,
    ) -> Change:
        """Put a conversation at rest, again or for the first time, armed for its next deadline.

        `casts` are its legs sorted out, if somebody has done that since they last changed.
        """
        key, before = conversation.id, entry.wake_at
        self._count(key, conversation.stage, -1)
        tombstone = conversation.tombstone
        if not conversation.callbacks and (tombstone is None or tombstone.until <= now):
            self.entries.pop(key, None)
            self._dropped(key, now)
            self._deadlines.move(key, before, None)
            return Change(key, None, None, events)
        conversation.stage, queue_id = _whereabouts(conversation)
        self._count(key, conversation.stage, 1)
        wake = self._wake(conversation, now, casts)
        entry.wake_at = None if wake is None else milliseconds(wake, up=True)
        entry.state = pack(conversation)
        entry.queue_id = queue_id
        self.entries[key] = entry
        self._deadlines.move(key, before, entry.wake_at)
        return Change(key, entry.state, entry.wake_at, events)

    def _wake(
        self, conversation: Conversation, now: datetime, casts: Sequence[Cast] | None
    ) -> datetime | None:
        if not conversation.callbacks and conversation.tombstone is not None:
            return conversation.tombstone.until
        if casts is None:
            casts = [Cast(callback) for callback in conversation.callbacks]
        wakes = [self._settling.wake_at(conversation, cast, now) for cast in casts]
        return soonest(conversation.forget_at, *wakes)

    def _count(self, key: str, stage: str, by: int) -> None:
        if not stage:
            return
        self.stages[stage] += by
        if stage in _WITH_AGENT:
            if by > 0:
                self.with_agent.add(key)
            else:
                self.with_agent.discard(key)

    def _wake_of(self, key: str) -> int | None:
        entry = self.entries.get(key)
        return None if entry is None else entry.wake_at


def _whereabouts(conversation: Conversation) -> tuple[str, str | None]:
    """Give the stage of a conversation, and the queue of its open callbacks if they have one."""
    stage, queue_id, several = "", None, False
    for callback in reversed(conversation.callbacks):
        if not callback.open:
            continue
        if not stage:
            stage, queue_id = callback.state.value, callback.queue_id
        elif callback.queue_id != queue_id:
            several = True
    if not stage:
        return State.DISCONNECTED.value if conversation.callbacks else TOMBSTONE, None
    return stage, None if several else queue_id
