"""Every conversation: found, opened under the rules in force, and put back.

Whatever happens to one goes the same way: `open` it, change it, `keep` it. So it comes under other
rules before anything else, and whoever it matters to learns what has become of it.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from ringback.core.changes import Change
from ringback.core.derivation import Cast
from ringback.core.entries import Entry
from ringback.core.events import Event
from ringback.core.lifecycle import State
from ringback.core.queues import Queues
from ringback.core.records import Callback, Conversation, is_buried, is_over, stage_of, unpack
from ringback.core.resting import Resting
from ringback.core.watch.adoption import Adoption
from ringback.core.watch.contacts import Contacts
from ringback.core.watch.life import Life
from ringback.core.watch.proofs import LEAD, PATIENCE
from ringback.core.watch.rules import RuleSet

__all__ = ["Conversations"]

SAME_NUMBER = "same_number_twice"

_IN_QUEUE = (State.WAITING, State.ALERTING)


class Conversations:
    """All that are known, tombstones included."""

    def __init__(
        self,
        resting: Resting,
        life: Life,
        queues: Queues,
        contacts: Contacts,
        *,
        numbers_kept: bool,
    ) -> None:
        self.entries = resting.entries
        """By id, each as it lies, to be opened."""
        self._resting = resting
        self.adoption = Adoption(resting.entries, life, self.keep)
        """Puts other rules in force."""
        self._life = life
        self._queues = queues
        self._contacts = contacts
        self._numbers_kept = numbers_kept
        self._watch_numbers()

    # What is known

    def __len__(self) -> int:
        """How many there are."""
        return len(self.entries)

    @property
    def stages(self) -> Counter[str]:
        """How many there are by the state of their latest open callback."""
        return self._resting.stages

    def ids(self) -> Iterable[str]:
        """Give every id."""
        return self.entries.keys()

    def get(self, conversation_id: str) -> Conversation | None:
        """Give a copy of what is known of one."""
        entry = self.entries.get(conversation_id)
        return None if entry is None else self.open(entry)[0]

    def get_open(self, conversation_id: str) -> Conversation | None:
        """Give a copy of one unless all of it has ended."""
        entry = self.entries.get(conversation_id)
        return None if entry is None or is_over(entry.state) else self.open(entry)[0]

    def get_kept(self, conversation_id: str) -> Conversation | None:
        """Give a copy of one unless only its tombstone is left."""
        entry = self.entries.get(conversation_id)
        return None if entry is None or is_buried(entry.state) else unpack(entry.state)

    def find(self, callback_id: str) -> tuple[Conversation, Callback] | None:
        """Give a copy of one callback and its conversation, while they are kept."""
        whole, _, ordinal = callback_id.rpartition(".")
        for conversation_id in (callback_id, whole if ordinal.isdecimal() else ""):
            conversation = self.get(conversation_id)
            for callback in () if conversation is None else conversation.callbacks:
                if conversation is not None and callback.id_in(conversation.id) == callback_id:
                    return conversation, callback
        return None

    def row(self, conversation_id: str) -> tuple[bytes, int | None] | None:
        """Give what is stored of one: its packed form and its deadline."""
        entry = self.entries.get(conversation_id)
        return None if entry is None else (entry.state, entry.wake_at)

    # What becomes of one

    def open(self, entry: Entry) -> tuple[Conversation, list[Event]]:
        """Unpack one under the rules in force; give what is to be told of that once it is kept."""
        return self.adoption.open(entry)

    def keep(
        self,
        conversation: Conversation,
        entry: Entry,
        now: datetime,
        events: list[Event],
        casts: Sequence[Cast] | None = None,
    ) -> Change:
        """Put one back, or keep it for the first time; `casts` as for `Resting.keep`."""
        before = entry.queue_id
        change = self._resting.keep(conversation, entry, now, events, casts)
        self.adoption.kept(entry)
        waits = conversation.stage in _IN_QUEUE
        self._queues.moved(conversation.id, before, entry.queue_id if waits else None)
        if self._contacts.on:
            for other in self._contacts.note(conversation):
                self._resting.wake(other, now)
        return change

    def keep_anew(self, conversation_id: str, now: datetime) -> Change:
        """Arm one for what its timers and alerts wait for now."""
        entry = self.entries[conversation_id]
        conversation, events = self.open(entry)
        return self.keep(conversation, entry, now, events)

    def waiting_in(self, queue_id: str) -> set[str]:
        """Give those that wait in a queue."""
        return {
            key
            for key, entry in self.entries.items()
            if entry.queue_id == queue_id and stage_of(entry.state) in _IN_QUEUE
        }

    # What becomes of all

    def adopt(self, rules: RuleSet, now: datetime) -> Iterator[list[Change]]:
        """Put other rules in force at once; give the turns of all."""
        turns = self.adoption.begin(rules, now)
        self._watch_numbers()
        return turns

    def restore(
        self, rows: Iterable[tuple[str, bytes, int | None]], now: datetime, *, carry_on: bool
    ) -> None:
        """Take over what was committed, some or all of it."""
        alarmed: list[str] = []
        carried: list[str] = []

        def noted() -> Iterator[tuple[str, bytes, int | None]]:
            for row in rows:
                if self._contacts.on and self._note_contacts(row[1]):
                    alarmed.append(row[0])
                if carry_on and not is_over(row[1]):
                    carried.append(row[0])
                yield row

        self._resting.load(noted(), now)
        for key in alarmed:
            # The other may have ended in the instant before the restart.
            self._resting.wake(key, now)
        for key in carried:
            self._carry_on(key, now)

    def mirror(self, key: str, state: bytes | None, now: datetime) -> None:
        """Take over what another has made of one; None: it is gone."""
        self._resting.mirror(key, state, now)
        if self._contacts.on:
            self._contacts.note(Conversation("", key) if state is None else unpack(state))

    def mirror_rules(self, rules: RuleSet) -> None:
        """Show them by the rules that others have put in force."""
        self._life.rules = rules
        self._watch_numbers()

    def _carry_on(self, key: str, now: datetime) -> None:
        """Know again of one what follows from its record.

        Reads that its alerts wait for were asked for by another: that is to be done again.
        """
        soon = self._resting.carry_on(key, now + LEAD + PATIENCE)
        entry = self.entries[key]
        if stage_of(entry.state) in _IN_QUEUE:
            self._queues.moved(key, None, entry.queue_id)
        if soon and self._life.proofs.can_be_had:
            self._resting.wake(key, now)

    def _watch_numbers(self) -> None:
        """Note who waits, by number, as far as that is kept and a rule asks for it."""
        if self._contacts.switch(on=self._numbers_kept and self._life.rules.watches(SAME_NUMBER)):
            for entry in self.entries.values():
                self._note_contacts(entry.state)

    def _note_contacts(self, packed: bytes) -> bool:
        """Note who waits in one; whether its alarm may be over by what is not here."""
        if stage_of(packed) not in _IN_QUEUE:
            return False
        conversation = unpack(packed)
        self._contacts.note(conversation)
        return any(
            alarm.kind == SAME_NUMBER and alarm.since is not None
            for callback in conversation.callbacks
            for alarm in callback.alarms
        )
