"""The whole of the decisions: snapshots and time in, changes out.

Feed it with `observe`, ask `next_deadline`, fire with `fire_due`; what is about sources goes to
`sources`, what people do about alerts to `alerts`, and what is known is in `conversations`. Every
method is handed `now`, the daemon's wall clock. What comes back must be committed before anybody is
told. Nothing here waits, reads a clock or fails on what the platform sends.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from itertools import chain

from ringback.core.asides import Asides, is_aside
from ringback.core.burial import bury, ended_before
from ringback.core.changes import Change, changes_of
from ringback.core.clocks import Skews
from ringback.core.comparing import Comparing
from ringback.core.conversations import Conversations
from ringback.core.deadlines import soonest
from ringback.core.derivation import Cast, current_queue
from ringback.core.doubts import How
from ringback.core.entries import Entry
from ringback.core.events import Event
from ringback.core.policy import Policy
from ringback.core.present import Present
from ringback.core.queues import Queues, only_named
from ringback.core.records import Conversation
from ringback.core.repair import Repair
from ringback.core.resting import Resting
from ringback.core.settling import Settling
from ringback.core.snapshots import Medium, QueueSettings, Snapshot
from ringback.core.sources import Sources
from ringback.core.surveys import Survey
from ringback.core.taking import Taking
from ringback.core.telling import Cause
from ringback.core.watch.alerts import Alerts
from ringback.core.watch.contacts import Contacts
from ringback.core.watch.defaults import built_in
from ringback.core.watch.feeds import Feeds
from ringback.core.watch.life import Life
from ringback.core.watch.proofs import Proofs
from ringback.core.watch.rules import Rule, RuleSet
from ringback.core.watch.sight import Begun
from ringback.core.watch.silences import Silences
from ringback.core.watch.waits import Waits

__all__ = ["Tracker"]


class Tracker:
    """Every conversation that holds callbacks, and what is to become of it."""

    def __init__(self, policy: Policy, rules: RuleSet | None = None) -> None:
        """`rules` say what is alarming; None: what is built in."""
        self._policy = policy
        entries: dict[str, Entry] = {}
        rules = rules or built_in(policy.due_grace, policy.not_dialled)
        self.skews = Skews()
        self.repair = Repair(entries, policy)
        """Gaps, what they have touched, and what to read for it."""
        self.proofs = Proofs(self.repair.ledger, self.repair.wants.prove)
        """What alerts rest on."""
        self.silences = Silences()
        """What nobody is to be told of."""
        self.waits = Waits()
        """What is usual in each queue."""
        self.feeds = Feeds(self.repair.ledger, lambda: self._life.rules)
        """What is alarming about sources."""
        self._queues = Queues()
        settings, contacts = self._queues.settings, Contacts()
        self._life = Life(rules, self.proofs, self.skews, settings, contacts)
        self._settling = Settling(policy, self.skews, settings, self._life, self.waits)
        self._taking = Taking(self.skews, self._settling)
        self._resting = Resting(entries, self._settling, self._dropped)
        self.conversations = Conversations(
            self._resting, self._life, self._queues, contacts, numbers_kept=policy.numbers_kept
        )
        """All that are known."""
        self.adoption = self.conversations.adoption
        """Puts other rules in force."""
        self._comparing = Comparing(self.conversations, self.repair, self._settling)
        self._present = Present(self._resting, self.repair, self.proofs, self.feeds, self.waits)
        self.sources = Sources(
            self._present, self.repair, self.feeds, self.proofs, self.conversations
        )
        """Takes in what happens to sources."""
        self.alerts = Alerts(
            self.conversations, self._life, self.sources, self.feeds, self.silences
        )
        """Takes in what people do about alerts."""
        self._asides = Asides(
            ledger=self.repair.ledger,
            feeds=self.feeds,
            queues=self._queues,
            waits=self.waits,
            silences=self.silences,
            adoption=self.adoption,
        )

    @property
    def queues(self) -> Mapping[str, QueueSettings]:
        """What is known of queues, by id."""
        return self._queues.settings

    @property
    def rules(self) -> RuleSet:
        """What is alarming."""
        return self._life.rules

    @property
    def dropped(self) -> Counter[str]:
        """Sightings dropped as stale, and frames without effect, by reason."""
        return self._taking.dropped

    def alarming(self, conversation: Conversation, cast: Cast) -> Iterator[tuple[Rule, Begun]]:
        """Give the rules that apply to a callback, and when each becomes alarming."""
        return self._life.alarming(conversation, cast)

    # What others have kept

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

        def conversations() -> Iterator[tuple[str, bytes, int | None]]:
            for row in rows:
                if is_aside(row[0]):
                    asides.append(row[:2])
                else:
                    yield row

        self.conversations.restore(conversations(), now, carry_on=carry_on)
        self._asides.restore(asides, now, carry_on=carry_on)

    def mirror(self, key: str, state: bytes | None, now: datetime) -> None:
        """Replace a row by what another tracker has made of it; None: it is gone.

        Who is a mirror only looks: nothing is armed, and nothing may be observed or fired. The rows
        of one tracker come in order; of several, only one's that are about no conversation.
        """
        if is_aside(key):
            self._asides.mirror(key, state)
        else:
            self.conversations.mirror(key, state, now)

    def mirror_rules(self, rules: RuleSet) -> None:
        """Show by the rules that others have put in force."""
        self.conversations.mirror_rules(rules)

    # What comes in

    def observe(self, snapshot: Snapshot, now: datetime) -> Change | None:
        """Take in one snapshot. None when it changed nothing that is worth keeping."""
        conversations, read_at = self.conversations, snapshot.read_at
        entry = conversations.entries.get(snapshot.conversation_id)
        new = entry is None
        if entry is None:
            if not any(one.medium is Medium.CALLBACK for one in snapshot.sightings):
                self._ignore(snapshot)
                return None
            heard_at = read_at or now
            entry = Entry(b"", None, heard_at, heard_at)
            conversation = Conversation("", snapshot.conversation_id)
            early: list[Event] = []
        else:
            conversation, early = conversations.open(entry)
            if read_at is None:
                entry.heard_at = now
        taken = self._taking.take(conversation, snapshot, now, entry.heard_at)
        how: How = "notification" if read_at is None else "read"
        confirmed = False
        if new:
            self.repair.first_seen(conversation, how, now)
        elif taken.current or read_at is not None:
            # A frame that shows anything as it once was is older than what is known.
            confirmed = self.repair.confirm(conversation, entry, read_at or now, how, now)
        awaited = read_at is not None and self.proofs.came(conversation.id, read_at)
        if not (taken.changed or confirmed or awaited or early):
            return None
        if new and ended_before(taken.casts, now - self._policy.keep_ended):
            self.dropped["ended_before_retention"] += 1
            conversation = bury(conversation, now + self._policy.keep_tombstone)
            return conversations.keep(conversation, entry, now, [])
        cause: Cause = "notification" if read_at is None else "reconcile"
        events = early + taken.events
        events += self._settle(conversation, taken.casts, now, cause, confirmed=confirmed)
        over = not any(callback.open for callback in conversation.callbacks)
        if over:
            self.repair.over(conversation, how, now)
            if not awaited:
                self.proofs.forget(conversation.id)
        conversation.forget_at = now + self._policy.keep_ended if over else None
        conversation.confirmed_at = now
        return conversations.keep(conversation, entry, now, events, taken.casts)

    def glance(self, snapshot: Snapshot, now: datetime) -> None:
        """Learn of the clocks from a snapshot whose conversation has it behind it already."""
        for sighting in snapshot.sightings:
            if not (sighting.inbound and sighting.medium is Medium.VOICE):
                self._taking.notice(sighting, now)

    def survey(self, survey: Survey, now: datetime) -> list[Change]:
        """Compare a page of a bulk read. What agrees is confirmed, what differs is wanted."""
        return self._comparing.compare(survey, now)

    def observe_settings(self, settings: QueueSettings, now: datetime) -> list[Change]:
        """Take in a queue's settings: they arm what waits for them, from the agent's connect."""
        queue_id = settings.queue_id
        known = self.queues.get(queue_id)
        if known == settings:
            return []
        changes = changes_of(self._queues.learn(settings))
        if only_named(known, settings):
            return changes
        for conversation_id in sorted(self._resting.with_agent):
            entry = self.conversations.entries[conversation_id]
            conversation, events = self.conversations.open(entry)
            for callback in conversation.callbacks:
                cast = Cast(callback)
                if callback.open and current_queue(cast) == queue_id:
                    events += self._settling.settle(conversation, cast, now, "reconcile")
            if events:
                changes.append(self.conversations.keep(conversation, entry, now, events))
        waiting = self._queues.awaiting(queue_id)
        if known is not None:
            # Seldom: it was changed by somebody.
            waiting = self.conversations.waiting_in(queue_id)
        return changes + [self.conversations.keep_anew(key, now) for key in sorted(waiting)]

    def adopt(self, rules: RuleSet, now: datetime) -> Iterator[list[Change]]:
        """Put other rules in force at once; give the turns of all conversations.

        Between two turns anything may happen, but other rules.
        """
        turns = self.conversations.adopt(rules, now)
        return chain([self.sources.adopt(now)], turns)

    # What time brings

    def next_deadline(self) -> datetime | None:
        """When `fire_due` next has something to do, on the daemon's clock."""
        return soonest(
            self._resting.next_deadline(),
            self.repair.next_deadline(),
            self.silences.next_end(),
            self.waits.next_save(),
            self.feeds.wake_at,
        )

    def fire_due(self, now: datetime, limit: int = 500) -> list[Change]:
        """Fire what is due, earliest first, for at most `limit` conversations.

        Call it again until it gives nothing. What is found late is done, and marked.
        """
        self._present.go_on(now)
        self.silences.expire(now)
        changes = self.sources.fire_due(now) + changes_of(self.silences.unsaved())
        changes += changes_of(self.waits.unsaved(now)) + self._tell_doubts(now, limit)
        if len(changes) >= limit:
            return changes
        for entry, _ in self._resting.due(now):
            conversation, events = self.conversations.open(entry)
            for callback in conversation.callbacks:
                events += self._settling.fire(conversation, callback, now)
            forget_at = conversation.forget_at
            if forget_at is not None and forget_at <= now:
                events += self._life.close(conversation, now)
                conversation = bury(conversation, forget_at + self._policy.keep_tombstone)
            changes.append(self.conversations.keep(conversation, entry, now, events))
            if len(changes) >= limit:
                break
        return changes

    def _tell_doubts(self, now: datetime, limit: int) -> list[Change]:
        """Tell of conversations that have been in doubt for long enough."""
        changes = []
        for conversation_id, at in self.repair.doubts.due(now, limit):
            entry = self.conversations.entries[conversation_id]
            conversation, events = self.conversations.open(entry)
            for callback in conversation.callbacks:
                if callback.open:
                    events += self._settling.doubt(conversation, callback, now, at)
            changes.append(self.conversations.keep(conversation, entry, now, events))
        return changes

    # What becomes of one

    def _settle(
        self,
        conversation: Conversation,
        casts: list[Cast],
        now: datetime,
        cause: Cause,
        *,
        confirmed: bool,
    ) -> list[Event]:
        """Bring all of a conversation in line; what is alarming of an ended one may be over."""
        events: list[Event] = []
        for cast in casts:
            if cast.callback.open:
                events += self._settling.settle(conversation, cast, now, cause, confirmed=confirmed)
            elif cast.callback.alarms:
                events += self._life.resolve(conversation, cast, now)
        return events

    def _ignore(self, snapshot: Snapshot) -> None:
        """Count a conversation that holds no callback; having read it is enough."""
        self.dropped["no_callback"] += 1
        if snapshot.read_at is not None:
            self.repair.wants.satisfied(snapshot.conversation_id, holds=True)

    def _dropped(self, conversation_id: str, now: datetime) -> None:
        self.repair.drop(conversation_id, now)
        self.proofs.forget(conversation_id)
