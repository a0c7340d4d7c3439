"""The whole of the decisions: snapshots and time in, changes out.

Feed it with `observe`, ask `next_deadline`, fire with `fire_due`; every method is handed `now`, the
daemon's wall clock. What comes back must be committed before anybody is told. Nothing here waits,
reads a clock or fails on what the platform sends.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from itertools import chain

from ringback.core.burial import bury, ended_before
from ringback.core.clocks import Skews
from ringback.core.derivation import Cast, current_queue
from ringback.core.doubts import How
from ringback.core.entries import NEVER, Entry
from ringback.core.events import Event
from ringback.core.gaps import is_ledger
from ringback.core.lifecycle import State
from ringback.core.policy import Policy
from ringback.core.queues import QUEUE, mirror_queue, only_named, queue_row, restore_queues
from ringback.core.records import (
    Alarm,
    Callback,
    Conversation,
    is_buried,
    is_over,
    stage_of,
    unpack,
)
from ringback.core.repair import Repair
from ringback.core.resting import Change, Resting
from ringback.core.settling import Settling
from ringback.core.snapshots import Medium, QueueSettings, Snapshot
from ringback.core.surveys import (
    Place,
    Survey,
    agrees,
    begins_more,
    contradicts,
    knows_holds,
    outline,
)
from ringback.core.taking import Taking
from ringback.core.telling import Cause
from ringback.core.watch import adoption
from ringback.core.watch.adoption import Adoption
from ringback.core.watch.contacts import Contacts
from ringback.core.watch.defaults import built_in
from ringback.core.watch.feed_kinds import Pulse
from ringback.core.watch.feeds import FEED, Feeds
from ringback.core.watch.life import Life
from ringback.core.watch.proofs import LEAD, PATIENCE, Proofs
from ringback.core.watch.rules import Rule, RuleSet
from ringback.core.watch.sight import Begun
from ringback.core.watch.silences import SILENCE, Matcher, Silence, Silences
from ringback.core.watch.waits import WAITS, Waits
from ringback.errors import AlertOver, AlertUnknown

__all__ = ["Change", "Tracker"]

SAME_NUMBER = "same_number_twice"
SET_BACK = timedelta(seconds=2)
"""A clock that goes back by more was set; by less, timers were only found late."""


_IN_QUEUE = (State.WAITING, State.ALERTING)


class Tracker:
    """Every conversation that holds callbacks, and what is to become of it."""

    def __init__(self, policy: Policy, rules: RuleSet | None = None) -> None:
        """`rules` say what is alarming; None: what is built in."""
        self._policy = policy
        self._settings: dict[str, QueueSettings] = {}
        self._now: datetime | None = None
        """The present when it last went on, timers and sources being asked."""
        self.skews = Skews()
        self._entries: dict[str, Entry] = {}
        self._unsettled: dict[str, set[str]] = {}
        """Those that wait in a queue whose settings are not known, by that queue."""
        self.repair = Repair(self._entries, policy)
        """Gaps, what they have touched, and what to read for it."""
        self.proofs = Proofs(self.repair.ledger, self.repair.wants.prove)
        """What alerts rest on."""
        self.silences = Silences()
        """What nobody is to be told of."""
        rules = rules or built_in(policy.due_grace, policy.not_dialled)
        self._contacts = Contacts(on=policy.numbers_kept and rules.watches(SAME_NUMBER))
        self._life = Life(rules, self.proofs, self.skews, self._settings, self._contacts)
        self.waits = Waits()
        """What is usual in each queue."""
        self._settling = Settling(policy, self.skews, self._settings, self._life, self.waits)
        self._taking = Taking(self.skews, self._settling)
        self._resting = Resting(self._entries, self._settling, self._dropped)
        self.feeds = Feeds(self.repair.ledger, lambda: self._life.rules)
        """What is alarming about sources."""
        self.adoption = Adoption(self._entries, self._life, self._keep)
        """Puts other rules in force."""

    def __len__(self) -> int:
        """How many conversations are known, tombstones included."""
        return len(self._entries)

    @property
    def queues(self) -> Mapping[str, QueueSettings]:
        """What is known of queues, by id."""
        return self._settings

    @property
    def rules(self) -> RuleSet:
        """What is alarming."""
        return self._life.rules

    def alarming(self, conversation: Conversation, cast: Cast) -> Iterator[tuple[Rule, Begun]]:
        """Give the rules that apply to a callback, and when each becomes alarming."""
        return self._life.alarming(conversation, cast)

    @property
    def stages(self) -> Counter[str]:
        """Conversations by the state of their latest open callback."""
        return self._resting.stages

    @property
    def dropped(self) -> Counter[str]:
        """Sightings dropped as stale, and frames without effect, by reason."""
        return self._taking.dropped

    def get(self, conversation_id: str) -> Conversation | None:
        """Give a copy of what is known of one conversation."""
        entry = self._entries.get(conversation_id)
        return None if entry is None else self.adoption.open(entry)[0]

    def get_open(self, conversation_id: str) -> Conversation | None:
        """Give a copy of one conversation unless all of it has ended."""
        entry = self._entries.get(conversation_id)
        return None if entry is None or is_over(entry.state) else self.get(conversation_id)

    def get_kept(self, conversation_id: str) -> Conversation | None:
        """Give a copy of one conversation unless only its tombstone is left."""
        entry = self._entries.get(conversation_id)
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
        """Give what is stored of a conversation: its packed form and its deadline."""
        entry = self._entries.get(conversation_id)
        return None if entry is None else (entry.state, entry.wake_at)

    def ids(self) -> Iterable[str]:
        """Every known conversation's id."""
        return self._entries.keys()

    def restore(
        self,
        rows: Iterable[tuple[str, bytes, int | None]],
        now: datetime,
        *,
        carry_on: bool = False,
    ) -> None:
        """Take over what was committed, part by part, before anything is observed.

        With `carry_on` another process has had it until now and nothing was missed; then give what
        is about no conversation first.
        """
        asides: list[tuple[str, bytes]] = []
        alarmed: list[str] = []
        carried: list[str] = []

        def conversations() -> Iterator[tuple[str, bytes, int | None]]:
            for row in rows:
                if is_ledger(row[0]):
                    asides.append(row[:2])
                    continue
                if self._contacts.on and self._note_contacts(row[1]):
                    alarmed.append(row[0])
                if carry_on and not is_over(row[1]):
                    carried.append(row[0])
                yield row

        self._resting.load(conversations(), now)
        for key in alarmed:
            # The other may have ended in the instant before the restart.
            self._resting.wake(key, now)
        for key in carried:
            self._carry_on(key, now)
        self._restore_asides(asides, now, carry_on=carry_on)

    def _carry_on(self, key: str, now: datetime) -> None:
        """Know again of a conversation what follows from its record.

        Reads that its alerts wait for were asked for by another: that is to be done again.
        """
        soon = self._resting.carry_on(key, now + LEAD + PATIENCE)
        if stage_of(self._entries[key].state) in _IN_QUEUE:
            self._await_settings(key)
        if soon and self.proofs.can_be_had:
            self._resting.wake(key, now)

    def _restore_asides(
        self, rows: list[tuple[str, bytes]], now: datetime, *, carry_on: bool
    ) -> None:
        """Take over the rows that are about no conversation, each to whom it belongs."""
        ledger = []
        for row in rows:
            key, packed = row
            if key == adoption.ROW:
                self.adoption.restore(packed)
            elif key.startswith(SILENCE):
                self.silences.restore([row])
            elif key.startswith(WAITS):
                self.waits.restore([row])
            elif key.startswith(FEED):
                self.feeds.restore([row], now)
            elif key.startswith(QUEUE):
                restore_queues(self._settings, [row])
            else:
                ledger.append(row)
        if ledger:
            self.repair.ledger.restore(ledger, carry_on=carry_on)

    def mirror(self, key: str, state: bytes | None, now: datetime) -> None:
        """Replace a row by what another tracker has made of it; None: it is gone.

        Who is a mirror only looks: nothing is armed, and nothing may be observed or fired. The rows
        of one tracker come in order; of several, only one's that are about no conversation.
        """
        if not is_ledger(key):
            self._resting.mirror(key, state, now)
            if self._contacts.on:
                self._contacts.note(Conversation("", key) if state is None else unpack(state))
        elif key.startswith(SILENCE):
            self.silences.mirror(key, state)
        elif key.startswith(FEED):
            self.feeds.mirror(key, state)
        elif key.startswith(QUEUE):
            mirror_queue(self._settings, key, state)
        elif key != adoption.ROW and not key.startswith(WAITS):
            self.repair.ledger.mirror(key, state)

    def mirror_rules(self, rules: RuleSet) -> None:
        """Show by the rules that others have put in force."""
        self._life.rules = rules
        if self._contacts.switch(on=self._policy.numbers_kept and rules.watches(SAME_NUMBER)):
            for entry in self._entries.values():
                self._note_contacts(entry.state)

    def observe(self, snapshot: Snapshot, now: datetime) -> Change | None:
        """Take in one snapshot. None when it changed nothing that is worth keeping."""
        entry = self._entries.get(snapshot.conversation_id)
        read_at = snapshot.read_at
        if entry is None:
            if not any(s.medium is Medium.CALLBACK for s in snapshot.sightings):
                self._ignore(snapshot)
                return None
            conversation = Conversation("", snapshot.conversation_id)
            early: list[Event] = []
            heard_at = read_at or now
        else:
            conversation, early = self.adoption.open(entry)
            heard_at = entry.heard_at
            if read_at is None:
                entry.heard_at = heard_at = now
        changed, current, events = self._taking.take(conversation, snapshot, now, heard_at)
        how: How = "notification" if read_at is None else "read"
        confirmed = False
        if entry is None:
            self.repair.first_seen(conversation, how, now)
        elif current or read_at is not None:
            # A frame that shows anything as it once was is older than what is known.
            confirmed = self._confirm(conversation, entry, read_at or now, how, now)
        awaited = read_at is not None and self.proofs.came(conversation.id, read_at)
        if not (changed or confirmed or awaited or early):
            return None
        events = early + events
        if entry is None and ended_before(conversation, now - self._policy.keep_ended):
            self.dropped["ended_before_retention"] += 1
            conversation = bury(conversation, now + self._policy.keep_tombstone)
            return self._keep(conversation, None, now, now, [])
        cause: Cause = "notification" if read_at is None else "reconcile"
        events += self._settle(conversation, now, cause, confirmed=confirmed)
        over = not any(callback.open for callback in conversation.callbacks)
        if over:
            self.repair.over(conversation, how, now)
            if not awaited:
                self.proofs.forget(conversation.id)
        conversation.forget_at = now + self._policy.keep_ended if over else None
        conversation.confirmed_at = now
        return self._keep(conversation, entry, heard_at, now, events)

    def glance(self, snapshot: Snapshot, now: datetime) -> None:
        """Learn of the clocks from a snapshot whose conversation has it behind it already."""
        for sighting in snapshot.sightings:
            if not (sighting.inbound and sighting.medium is Medium.VOICE):
                self._taking.notice(sighting, now)

    def observe_settings(self, settings: QueueSettings, now: datetime) -> list[Change]:
        """Take in a queue's settings: they arm what waits for them, from the agent's connect."""
        known = self._settings.get(settings.queue_id)
        if known == settings:
            return []
        self._settings[settings.queue_id] = settings
        changes = [Change(*queue_row(settings), None, [])]
        if only_named(known, settings):
            return changes
        for conversation_id in sorted(self._resting.with_agent):
            entry = self._entries[conversation_id]
            conversation, events = self.adoption.open(entry)
            for callback in conversation.callbacks:
                if callback.open and current_queue(Cast(callback)) == settings.queue_id:
                    events += self._settling.settle(conversation, callback, now, "reconcile")
            if events:
                changes.append(self._keep(conversation, entry, entry.heard_at, now, events))
        waiting = self._unsettled.pop(settings.queue_id, set())
        if known is not None:
            # Seldom: it was changed by somebody.
            waiting = {
                key
                for key, entry in self._entries.items()
                if entry.queue_id == settings.queue_id and stage_of(entry.state) in _IN_QUEUE
            }
        return changes + [self._keep_anew(key, now) for key in sorted(waiting)]

    def survey(self, survey: Survey, now: datetime) -> list[Change]:
        """Compare a page of a bulk read. What agrees is confirmed, what differs is wanted."""
        for place in survey.places:
            self._compare(place, None, survey.as_of or NEVER, now)
        as_of = self.repair.known_until(survey)
        pictures = survey.pictures
        for picture in pictures:
            self._compare_holds(picture, as_of)
        found = (self._compare(outline(each, now), each, as_of, now) for each in pictures)
        return [change for change in found if change is not None]

    def adopt(self, rules: RuleSet, now: datetime) -> Iterator[list[Change]]:
        """Put other rules in force at once; give the turns of all conversations.

        Between two turns anything may happen, but other rules.
        """
        if self._contacts.switch(on=self._policy.numbers_kept and rules.watches(SAME_NUMBER)):
            for entry in self._entries.values():
                self._note_contacts(entry.state)
        turns = self.adoption.begin(rules, now)
        return chain([self._feed_changes(self.feeds.look(now, adopting=True))], turns)

    def acknowledge(self, alert_id: str, by: str, now: datetime) -> Change | None:
        """Note who has seen that an alert is firing; None when somebody had before.

        Raises `AlertUnknown` and `AlertOver`.
        """
        about_source = self.feeds.find(alert_id)
        if about_source is not None:
            changes = self._feed_changes(self.feeds.acknowledge(*about_source, by, now))
            return changes[0] if changes else None
        conversation, callback, alarm = self._firing(alert_id)
        entry = self._entries[conversation.id]
        early = self.adoption.open(entry)[1]
        events = early + self._life.acknowledge(conversation, callback, alarm, by, now)
        if not events:
            return None
        return self._keep(conversation, entry, entry.heard_at, now, events)

    def firing(self, alert_id: str) -> Alarm:
        """Give an alert that is firing. Raises `AlertUnknown` and `AlertOver`."""
        about_source = self.feeds.find(alert_id)
        return self._firing(alert_id)[2] if about_source is None else about_source[1]

    def row_of(self, alert_id: str) -> str:
        """Give the key of the row that an alert is in. Raises `AlertUnknown` and `AlertOver`."""
        about_source = self.feeds.find(alert_id)
        if about_source is not None:
            return FEED + about_source[0].name
        return self._firing(alert_id)[0].id

    def _firing(self, alert_id: str) -> tuple[Conversation, Callback, Alarm]:
        """Give an alert of a callback that is firing, and whose it is."""
        # A callback's id is the platform's, and may hold a slash.
        name, _, episode = alert_id.rpartition("/")
        callback_id, _, rule = name.rpartition("/")
        found = self.find(callback_id)
        if found is None:
            raise AlertUnknown(alert_id)
        conversation, callback = found
        alarm = callback.alarm(rule)
        if alarm is None or not episode.isdecimal() or not 1 <= int(episode) <= alarm.episode:
            raise AlertUnknown(alert_id)
        if alarm.since is None or int(episode) != alarm.episode:
            raise AlertOver(alert_id)
        return conversation, callback, alarm

    def silence(
        self,
        matchers: Collection[Matcher],
        until: datetime,
        by: str,
        comment: str,
        now: datetime,
        *,
        silence_id: str = "",
    ) -> tuple[Silence, list[Change]]:
        """Let nobody be told of some alerts for a while. Raises `SilenceRefused`.

        Without an id it is given one; one that was given an id elsewhere is begun but once.
        """
        silence = self.silences.begin(
            tuple(matchers), until, by, comment, now, silence_id=silence_id
        )
        return silence, self._silence_changes()

    def end_silence(self, silence_id: str) -> list[Change]:
        """End a silence before its time. Raises `SilenceUnknown`."""
        self.silences.end(silence_id)
        return self._silence_changes()

    def connected(self, source: str, topics: Collection[str], now: datetime) -> list[Change]:
        """A source hears these topics, none meaning all."""
        self._go_on(now)
        changes = self._ledger_changes(self.repair.connected(source, topics, now))
        changes += self._feed_changes(self.feeds.connected(source, now))
        return changes + [self._keep_anew(held, now) for held in self.proofs.heard_again()]

    def disconnected(
        self, source: str, cause: str, since: datetime, topics: Collection[str], now: datetime
    ) -> list[Change]:
        """A source is blind for these topics, none meaning all, since then."""
        self._go_on(now)
        events = self.repair.disconnected(source, cause, since, topics, now)
        changes = self._ledger_changes(events)
        return changes + self._feed_changes(self.feeds.disconnected(source, now))

    def missed(self, source: str, cause: str, since: datetime, now: datetime) -> list[Change]:
        """What a source has heard since then was lost before it got here."""
        self._go_on(now)
        return self._ledger_changes(self.repair.missed(source, cause, since, now))

    def alive(self, source: str, now: datetime) -> list[Change]:
        """Note that a source hears, for a restart to know when it ceased to."""
        self._go_on(now)
        self.repair.ledger.alive(source, now)
        return self._ledger_changes([]) + self._feed_changes(self.feeds.alive(now))

    def heard(self, now: datetime) -> list[Change]:
        """Note that a frame has told of a conversation, whatever it has told."""
        events = self.feeds.heard(now)
        return self._feed_changes(events) if events else []

    def undecodable(self, now: datetime, count: int = 1) -> list[Change]:
        """Note that frames could not be understood."""
        return self._feed_changes(self.feeds.undecodable(now, count))

    def beats(self, source: str, pulse: Pulse, now: datetime) -> list[Change]:
        """Note of a source what cannot be seen from here."""
        self._go_on(now)
        return self._feed_changes(self.feeds.beats(source, pulse, now))

    def next_deadline(self) -> datetime | None:
        """When `fire_due` next has something to do, on the daemon's clock."""
        ends = (
            self._resting.next_deadline(),
            self.repair.next_deadline(),
            self.silences.next_end(),
            self.waits.next_save(),
            self.feeds.wake_at,
        )
        return min((end for end in ends if end is not None), default=None)

    def fire_due(self, now: datetime, limit: int = 500) -> list[Change]:
        """Fire what is due, earliest first, for at most `limit` conversations.

        Call it again until it gives nothing. What is found late is done, and marked.
        """
        self._go_on(now)
        self.silences.expire(now)
        changes = self._ledger_changes([]) + self._silence_changes() + self._wait_changes(now)
        changes += self._feed_changes(self.feeds.go_on(now)) + self._tell_doubts(now, limit)
        if len(changes) >= limit:
            return changes
        for entry, _ in self._resting.due(now):
            conversation, events = self.adoption.open(entry)
            for callback in conversation.callbacks:
                events += self._settling.fire(conversation, callback, now)
            forget_at = conversation.forget_at
            if forget_at is not None and forget_at <= now:
                events += self._life.close(conversation, now)
                conversation = bury(conversation, forget_at + self._policy.keep_tombstone)
            changes.append(self._keep(conversation, entry, entry.heard_at, now, events))
            if len(changes) >= limit:
                break
        return changes

    def _settle(
        self, conversation: Conversation, now: datetime, cause: Cause, *, confirmed: bool
    ) -> list[Event]:
        """Bring all of a conversation in line; what is alarming of an ended one may be over."""
        events: list[Event] = []
        for callback in conversation.callbacks:
            if callback.open:
                events += self._settling.settle(
                    conversation, callback, now, cause, confirmed=confirmed
                )
            elif callback.alarms:
                events += self._life.resolve(conversation, Cast(callback), now)
        return events

    def _ignore(self, snapshot: Snapshot) -> None:
        """Count a conversation that holds no callback; having read it is enough."""
        self.dropped["no_callback"] += 1
        if snapshot.read_at is not None:
            self.repair.wants.satisfied(snapshot.conversation_id, holds=True)

    def _compare_holds(self, picture: Snapshot, as_of: datetime) -> None:
        """Let a picture without a hold that is new spare the read that would ask for them."""
        key = picture.conversation_id
        entry, wants = self._entries.get(key), self.repair.wants
        if (
            entry is not None
            and wants.may_know_holds(key, as_of)
            and knows_holds(unpack(entry.state), picture)
        ):
            wants.heard(key)

    def _compare(
        self, place: Place, picture: Snapshot | None, as_of: datetime, now: datetime
    ) -> Change | None:
        """Compare one conversation; give what is to be told if that ends a doubt."""
        key = place.conversation_id
        wants = self.repair.wants
        entry = self._entries.get(key)
        if entry is None:
            if self.repair.listened_to(place.queue_id):
                wants.unknown(key, over=place.over)
            return None
        if entry.confirmed_at > as_of:
            return None  # what is known is newer
        conversation, events = self.adoption.open(entry)
        more = picture is not None and begins_more(conversation, picture)
        callback = next((one for one in reversed(conversation.callbacks) if one.open), None)
        if callback is None or more:
            if more or not place.over:
                wants.contradicted(key)
            return None
        if picture is None or not agrees(conversation, callback, picture, place):
            if picture is not None or contradicts(callback, place):
                wants.contradicted(key)
            return None
        if not self._confirm(conversation, entry, as_of, "survey", now):
            # What an alert waits for, as for a source to hear, is not stored.
            return None if entry.ruling else self._keep_anew(key, now)
        for one in conversation.callbacks:
            if one.open:
                events += self._settling.settle(conversation, one, now, "reconcile", confirmed=True)
        return self._keep(conversation, entry, entry.heard_at, now, events)

    def _confirm(
        self, conversation: Conversation, entry: Entry, as_of: datetime, how: How, now: datetime
    ) -> bool:
        """Note up to when a conversation is known; whether that ends a doubt that was told."""
        key = conversation.id
        self.repair.confirm(conversation, entry, as_of, how, now)
        return any(one.unverified for one in conversation.callbacks) and (
            key not in self.repair.doubts
        )

    def _keep(
        self,
        conversation: Conversation,
        entry: Entry | None,
        heard_at: datetime,
        now: datetime,
        events: list[Event],
    ) -> Change:
        """Put a conversation back at rest."""
        if self._unsettled and entry is not None and entry.queue_id in self._unsettled:
            self._unsettled[entry.queue_id].discard(conversation.id)
        change = self._resting.keep(conversation, entry, heard_at, now, events)
        self.adoption.kept(conversation.id)
        if conversation.stage in _IN_QUEUE:
            self._await_settings(conversation.id)
        if self._contacts.on:
            for other in self._contacts.note(conversation):
                self._resting.wake(other, now)
        return change

    def _await_settings(self, key: str) -> None:
        """Let one that waits be armed anew should its queue's settings become known."""
        queue_id = self._entries[key].queue_id
        if queue_id is not None and queue_id not in self._settings:
            self._unsettled.setdefault(queue_id, set()).add(key)

    def _note_contacts(self, packed: bytes) -> bool:
        """Note who waits in a conversation; whether its alarm may be over by what is not here."""
        if stage_of(packed) not in _IN_QUEUE:
            return False
        conversation = unpack(packed)
        self._contacts.note(conversation)
        return any(
            alarm.kind == SAME_NUMBER and alarm.since is not None
            for callback in conversation.callbacks
            for alarm in callback.alarms
        )

    def _keep_anew(self, conversation_id: str, now: datetime) -> Change:
        """Arm a conversation for what its alerts wait for now."""
        entry = self._entries[conversation_id]
        conversation, events = self.adoption.open(entry)
        return self._keep(conversation, entry, entry.heard_at, now, events)

    def _tell_doubts(self, now: datetime, limit: int) -> list[Change]:
        changes = []
        for conversation_id, at in self.repair.doubts.due(now, limit):
            entry = self._entries[conversation_id]
            conversation, events = self.adoption.open(entry)
            events += [
                event
                for callback in conversation.callbacks
                if callback.open
                for event in self._settling.doubt(conversation, callback, now, at)
            ]
            changes.append(self._keep(conversation, entry, entry.heard_at, now, events))
        return changes

    def _ledger_changes(self, events: list[Event]) -> list[Change]:
        """Give the ledger's rows that have changed, the events with the first of them."""
        changes = []
        for key, packed in self.repair.unsaved().items():
            changes.append(Change(key, packed, None, events))
            events = []
        return changes

    def _feed_changes(self, events: list[Event]) -> list[Change]:
        """Give the rows of sources that have changed, each with its events."""
        return [
            Change(key, packed, None, [one for one in events if FEED + one.partition == key])
            for key, packed in self.feeds.unsaved().items()
        ]

    def _silence_changes(self) -> list[Change]:
        return [Change(key, row, None, []) for key, row in self.silences.unsaved().items()]

    def _wait_changes(self, now: datetime) -> list[Change]:
        return [Change(key, row, None, []) for key, row in self.waits.unsaved(now).items()]

    def _go_on(self, now: datetime) -> None:
        """Let time go on; should the clock have been set back, much is known in its future."""
        if self._now is not None and now < self._now - SET_BACK:
            self.repair.set_back(now)
            self.feeds.set_back(now)
            self.proofs.forget_all()
            # Those whose alerts wait for a read, if only since before a restart, are among these.
            self._resting.wake_all(self._now + LEAD + PATIENCE, now)
            self.waits.set_back(now)
        self._now = now

    def _dropped(self, conversation_id: str, now: datetime) -> None:
        self.repair.drop(conversation_id, now)
        self.proofs.forget(conversation_id)
