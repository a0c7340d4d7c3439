"""The whole of the decisions: snapshots and time in, changes out.

Feed it with `observe`, ask `next_deadline`, fire with `fire_due`; every method is handed `now`, the
daemon's wall clock. What comes back must be committed before anybody is told. Nothing here waits,
reads a clock or fails on what the platform sends.
"""

from collections import Counter
from collections.abc import Collection, Iterable
from datetime import UTC, datetime, timedelta

import msgspec

from ringback.core.clocks import Clock, Skews
from ringback.core.deadlines import Deadlines
from ringback.core.derivation import Cast, current_queue, state_of
from ringback.core.doubts import How
from ringback.core.entries import NEVER, Entry
from ringback.core.events import Event
from ringback.core.gaps import is_ledger
from ringback.core.joining import Joining
from ringback.core.legs import Phase, Verdict, merge, phase_shown
from ringback.core.lifecycle import State
from ringback.core.policy import Policy
from ringback.core.records import (
    TOMBSTONE,
    Callback,
    Conversation,
    Tombstone,
    pack,
    stage_of,
    unpack,
)
from ringback.core.repair import Repair
from ringback.core.settling import Settling
from ringback.core.snapshots import Medium, QueueSettings, Role, Sighting, Snapshot
from ringback.core.surveys import Place, Survey, agrees, contradicts, outline
from ringback.core.telling import Cause

__all__ = ["Change", "Tracker"]

_WITH_AGENT = frozenset({State.CONNECTED, State.AUTO_DIALING, State.HELD})
"""Stages in which an automatic call can still be armed."""
AFTER_END = timedelta(seconds=5)
"""Activity must begin this much after a callback's end to be an anomaly: the clocks differ."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


class Change(msgspec.Struct, frozen=True, gc=False):
    """What one input did to one row: its new at-rest form, and what to tell."""

    conversation_id: str
    """Or the key of a row of the gap ledger."""
    state: bytes | None
    """Packed; None when it is forgotten."""
    wake_at: int | None
    """Its earliest deadline, milliseconds since the epoch on the daemon's clock."""
    events: list[Event]


class Tracker:
    """Every conversation that holds callbacks, and what is to become of it."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._entries: dict[str, Entry] = {}
        self._deadlines = Deadlines(self._wake_of)
        self._settings: dict[str, QueueSettings] = {}
        self._with_agent: set[str] = set()
        """Conversations in which an agent has accepted: queue settings may arm these."""
        self.skews = Skews()
        self._settling = Settling(policy, self.skews, self._settings)
        self.repair = Repair(self._entries, policy)
        """Gaps, what they have touched, and what to read for it."""
        self.stages: Counter[str] = Counter()
        """Conversations by the state of their latest open callback."""
        self.dropped: Counter[str] = Counter()
        """Sightings dropped as stale, and frames without effect, by reason."""

    def __len__(self) -> int:
        """How many conversations are known, tombstones included."""
        return len(self._entries)

    def get(self, conversation_id: str) -> Conversation | None:
        """Give a copy of what is known of one conversation."""
        entry = self._entries.get(conversation_id)
        return None if entry is None else unpack(entry.state)

    def ids(self) -> Iterable[str]:
        """Every known conversation's id."""
        return self._entries.keys()

    def restore(self, rows: Iterable[tuple[str, bytes, int | None]], now: datetime) -> None:
        """Take over what was committed, part by part, before anything is observed."""
        armed = []
        for conversation_id, state, wake_at in rows:
            if is_ledger(conversation_id):
                self.repair.ledger.restore(conversation_id, state)
                continue
            self._entries[conversation_id] = Entry(state, wake_at, now)
            stage = stage_of(state)
            self.stages[stage] += 1
            if stage in _WITH_AGENT:
                self._with_agent.add(conversation_id)
            if wake_at is not None:
                armed.append((wake_at, conversation_id))
        self._deadlines.load(armed)

    def observe(self, snapshot: Snapshot, now: datetime) -> Change | None:
        """Take in one snapshot. None when it changed nothing that is worth keeping."""
        entry = self._entries.get(snapshot.conversation_id)
        if entry is None:
            if not any(s.medium is Medium.CALLBACK for s in snapshot.sightings):
                self.dropped["no_callback"] += 1
                return None
            conversation = Conversation("", snapshot.conversation_id)
            heard_at = snapshot.read_at or now
        else:
            conversation = unpack(entry.state)
            heard_at = entry.heard_at
            if snapshot.read_at is None:
                entry.heard_at = heard_at = now
        changed, events = self._take_in(conversation, snapshot, now, heard_at)
        confirmed = self._confirm(conversation, entry, snapshot.read_at, now)
        if not (changed or confirmed):
            return None
        if entry is None and self._over_long_ago(conversation, now):
            self.dropped["ended_before_retention"] += 1
            conversation = self._bury(conversation, now)
            return self._keep(conversation, None, now, now, [])
        cause: Cause = "notification" if snapshot.read_at is None else "reconcile"
        for callback in conversation.callbacks:
            if callback.open:
                events += self._settling.settle(
                    conversation, callback, now, cause, confirmed=confirmed
                )
        over = all(not callback.open for callback in conversation.callbacks)
        conversation.forget_at = now + self._policy.keep_ended if over else None
        conversation.confirmed_at = now
        return self._keep(conversation, entry, heard_at, now, events)

    def _confirm(
        self,
        conversation: Conversation,
        entry: Entry | None,
        read_at: datetime | None,
        now: datetime,
    ) -> bool:
        """Note that a conversation is known anew; whether that ends a doubt that was told."""
        if entry is None:
            self.repair.wants.satisfied(conversation.id)
            return False
        how: How = "notification" if read_at is None else "read"
        return self._end_doubt(conversation, entry, read_at or now, how, now)

    def _end_doubt(
        self, conversation: Conversation, entry: Entry, as_of: datetime, how: How, now: datetime
    ) -> bool:
        key = conversation.id
        self.repair.confirm(key, entry, as_of, how, now)
        return any(one.unverified for one in conversation.callbacks) and (
            key not in self.repair.doubts
        )

    def _take_in(
        self, conversation: Conversation, snapshot: Snapshot, now: datetime, heard_at: datetime
    ) -> tuple[bool, list[Event]]:
        """Let each sighting change its leg. Whether any did, and the anomalies there were."""
        changed = False
        events: list[Event] = []
        outdated = snapshot.read_at is not None and snapshot.read_at < heard_at
        fresh = snapshot.read_at is not None and not outdated
        joining = Joining(conversation, snapshot.sightings, now)
        for index, sighting in enumerate(snapshot.sightings):
            if sighting.inbound and sighting.medium is Medium.VOICE:
                continue
            self._notice(sighting, now)
            known = joining.find(index, sighting)
            if known is None and outdated and phase_shown(sighting, Phase.NONE) < Phase.ENDED:
                self.dropped[Verdict.OUTDATED] += 1
                continue
            found = known or joining.place(sighting)
            if found is None:
                self.dropped[TOMBSTONE] += 1
                continue
            callback, leg = found
            if not callback.open:
                events += self._after_end(conversation, callback, sighting, now)
                continue
            verdict = merge(leg, sighting, now, outdated=outdated, fresh=fresh)
            if verdict is Verdict.CHANGED or known is None:
                changed = True
            elif verdict is not Verdict.SAME:
                self.dropped[verdict] += 1
            changed = _note(callback, sighting) or changed
        if snapshot.shows_voice:
            changed = _note_visible(conversation) or changed
        return changed or bool(events), events

    def _after_end(
        self, conversation: Conversation, callback: Callback, sighting: Sighting, now: datetime
    ) -> list[Event]:
        """An ended callback never reopens; what proves to be later than its end is told."""
        if phase_shown(sighting, Phase.NONE) is Phase.ENDED:
            return []
        self.dropped[Verdict.ENDED] += 1
        since, ended_at = sighting.connected_at, callback.ended_at
        if since is None or ended_at is None or since <= ended_at + AFTER_END:
            return []
        if sighting.medium is Medium.VOICE:
            # Customer first: the call goes on after its callback was handed off.
            return []
        return self._settling.after_end(conversation, callback, now, since)

    def _notice(self, sighting: Sighting, now: datetime) -> None:
        """Learn the clocks' skews from instants that cannot lie in the future."""
        connected_at, ended_at = sighting.connected_at, sighting.ended_at
        hold_started_at = sighting.hold_started_at
        if connected_at is not None and connected_at > now:
            self.skews.notice(Clock.CLOUD, connected_at, now)
        if hold_started_at is not None and hold_started_at > now:
            self.skews.notice(Clock.CLOUD, hold_started_at, now)
        if ended_at is not None and ended_at > now:
            self.skews.notice(Clock.PROVIDER, ended_at, now)

    def _over_long_ago(self, conversation: Conversation, now: datetime) -> bool:
        """Whether a conversation first seen had ended before the retention began."""
        limit = now - self._policy.keep_ended
        return all(
            state_of(Cast(callback)) is State.DISCONNECTED
            and any(leg.ended_at is not None for leg in callback.legs)
            and all(leg.ended_at is None or leg.ended_at < limit for leg in callback.legs)
            for callback in conversation.callbacks
        )

    def observe_settings(self, settings: QueueSettings, now: datetime) -> list[Change]:
        """Take in a queue's settings: they arm what waits for them, from the agent's connect."""
        if self._settings.get(settings.queue_id) == settings:
            return []
        self._settings[settings.queue_id] = settings
        changes = []
        for conversation_id in sorted(self._with_agent):
            entry = self._entries[conversation_id]
            conversation = unpack(entry.state)
            events: list[Event] = []
            for callback in conversation.callbacks:
                if callback.open and current_queue(Cast(callback)) == settings.queue_id:
                    events += self._settling.settle(conversation, callback, now, "reconcile")
            if events:
                changes.append(self._keep(conversation, entry, entry.heard_at, now, events))
        return changes

    def survey(self, survey: Survey, now: datetime) -> list[Change]:
        """Compare a page of a bulk read. What agrees is confirmed, what differs is wanted."""
        changes: list[Change] = []
        as_of = survey.as_of or NEVER
        for place in survey.places:
            self._compare(place, None, as_of, now)
        for picture in survey.pictures:
            change = self._compare(outline(picture, now), picture, as_of, now)
            if change is not None:
                changes.append(change)
        return changes

    def _compare(
        self, place: Place, picture: Snapshot | None, as_of: datetime, now: datetime
    ) -> Change | None:
        """Compare one conversation; give what is to be told if that ends a doubt."""
        key = place.conversation_id
        entry = self._entries.get(key)
        if entry is None:
            if self.repair.listened_to(place.queue_id):
                self.repair.wants.unknown(key, over=place.over)
            return None
        if entry.confirmed_at > as_of:
            return None  # what is known is newer
        conversation = unpack(entry.state)
        callback = next((one for one in reversed(conversation.callbacks) if one.open), None)
        if callback is None:
            if not place.over:
                self.repair.wants.contradicted(key)
            return None
        if picture is None or not agrees(callback, picture, place):
            if picture is not None or contradicts(callback, place):
                self.repair.wants.contradicted(key)
            return None
        if not self._end_doubt(conversation, entry, as_of, "survey", now):
            return None
        events: list[Event] = []
        for one in conversation.callbacks:
            if one.open:
                events += self._settling.settle(conversation, one, now, "reconcile", confirmed=True)
        return self._keep(conversation, entry, entry.heard_at, now, events)

    def connected(self, source: str, topics: Collection[str], now: datetime) -> list[Change]:
        """A source hears these topics, none meaning all."""
        return self._ledger_changes(self.repair.connected(source, topics, now))

    def disconnected(
        self, source: str, cause: str, since: datetime, topics: Collection[str], now: datetime
    ) -> list[Change]:
        """A source is blind for these topics, none meaning all, since then."""
        return self._ledger_changes(self.repair.disconnected(source, cause, since, topics, now))

    def alive(self, source: str, now: datetime) -> list[Change]:
        """Note that a source hears, for a restart to know when it ceased to."""
        self.repair.ledger.alive(source, now)
        return self._ledger_changes([])

    def next_deadline(self) -> datetime | None:
        """When `fire_due` next has something to do, on the daemon's clock."""
        at = self._deadlines.earliest()
        repair = self.repair.next_deadline()
        if at is None:
            return repair
        wake = _EPOCH + at * _MILLISECOND
        return wake if repair is None else min(wake, repair)

    def fire_due(self, now: datetime, limit: int = 500) -> list[Change]:
        """Fire what is due, earliest first, for at most `limit` conversations.

        Call it again until it gives nothing. What is found late is done, and marked.
        """
        changes = self._ledger_changes([]) + self._tell_doubts(now, limit)
        if len(changes) >= limit:
            return changes
        for conversation_id in self._deadlines.due(_milliseconds(now)):
            entry = self._entries[conversation_id]
            entry.wake_at = None
            conversation = unpack(entry.state)
            events: list[Event] = []
            for callback in conversation.callbacks:
                if callback.open:
                    events += self._settling.fire(conversation, callback, now)
            if conversation.forget_at is not None and conversation.forget_at <= now:
                conversation = self._bury(conversation, conversation.forget_at)
            changes.append(self._keep(conversation, entry, entry.heard_at, now, events))
            if len(changes) >= limit:
                break
        return changes

    def _ledger_changes(self, events: list[Event]) -> list[Change]:
        """Give the ledger's rows that have changed, the events with the first of them."""
        changes = []
        for key, packed in self.repair.unsaved().items():
            changes.append(Change(key, packed, None, events))
            events = []
        return changes

    def _tell_doubts(self, now: datetime, limit: int) -> list[Change]:
        changes = []
        for conversation_id, at in self.repair.doubts.due(now, limit):
            entry = self._entries[conversation_id]
            conversation = unpack(entry.state)
            events = [
                event
                for callback in conversation.callbacks
                if callback.open
                for event in self._settling.doubt(conversation, callback, now, at)
            ]
            changes.append(self._keep(conversation, entry, entry.heard_at, now, events))
        return changes

    def _keep(
        self,
        conversation: Conversation,
        entry: Entry | None,
        heard_at: datetime,
        now: datetime,
        events: list[Event],
    ) -> Change:
        """Put a conversation back at rest, armed for its earliest deadline."""
        key = conversation.id
        before = entry.wake_at if entry is not None else None
        self._count(key, conversation.stage, -1)
        tombstone = conversation.tombstone
        if not conversation.callbacks and (tombstone is None or tombstone.until <= now):
            del self._entries[key]
            self.repair.drop(key, now)
            self._deadlines.move(key, before, None)
            return Change(key, None, None, events)
        conversation.stage = _stage(conversation)
        self._count(key, conversation.stage, 1)
        wake = self._wake(conversation, now)
        wake_at = None if wake is None else _milliseconds(wake, up=True)
        state = pack(conversation)
        queue_id = conversation.callbacks[-1].queue_id if conversation.callbacks else None
        if entry is None:
            self._entries[key] = Entry(state, wake_at, heard_at, heard_at, queue_id)
        else:
            entry.state = state
            entry.wake_at = wake_at
            entry.heard_at = heard_at
            entry.queue_id = queue_id
        self._deadlines.move(key, before, wake_at)
        return Change(key, state, wake_at, events)

    def _wake(self, conversation: Conversation, now: datetime) -> datetime | None:
        if not conversation.callbacks and conversation.tombstone is not None:
            return conversation.tombstone.until
        if conversation.forget_at is not None:
            return conversation.forget_at
        wakes = [self._settling.wake_at(callback, now) for callback in conversation.callbacks]
        return min((wake for wake in wakes if wake is not None), default=None)

    def _bury(self, conversation: Conversation, now: datetime) -> Conversation:
        """Leave of an ended conversation only what keeps a late frame from starting it anew."""
        last = conversation.callbacks[-1]
        known = conversation.tombstone.customers if conversation.tombstone is not None else []
        customers = [
            name
            for callback in conversation.callbacks
            for leg in callback.legs
            if leg.role in (Role.CUSTOMER, Role.SOLE) and leg.medium is Medium.CALLBACK
            for name in (leg.participant_id, leg.communication_id)
            if name is not None
        ]
        until = now + self._policy.keep_tombstone
        tombstone = Tombstone(last.ordinal, last.sequence, [*known, *customers], until)
        return Conversation(conversation.stage, conversation.id, tombstone=tombstone)

    def _count(self, key: str, stage: str, by: int) -> None:
        if not stage:
            return
        self.stages[stage] += by
        if stage in _WITH_AGENT:
            if by > 0:
                self._with_agent.add(key)
            else:
                self._with_agent.discard(key)

    def _wake_of(self, key: str) -> int | None:
        entry = self._entries.get(key)
        return None if entry is None else entry.wake_at


def _stage(conversation: Conversation) -> str:
    if not conversation.callbacks:
        return TOMBSTONE
    for callback in reversed(conversation.callbacks):
        if callback.open:
            return callback.state.value
    return State.DISCONNECTED.value


def _note_visible(conversation: Conversation) -> bool:
    """Note with which agents voice legs would be seen, as this snapshot shows both."""
    changed = False
    for callback in conversation.callbacks:
        agent = Cast(callback).agent if callback.open else None
        if (
            agent is not None
            and agent.phase is Phase.CONNECTED
            and callback.visible_with != agent.participant_id
        ):
            callback.visible_with = agent.participant_id
            changed = True
    return changed


def _note(callback: Callback, sighting: Sighting) -> bool:
    """Take over what a sighting says of the callback as a whole."""
    changed = False
    if sighting.automated and not callback.automated:
        callback.automated = changed = True
    if sighting.preview and not callback.preview:
        callback.preview = changed = True
    if sighting.contact and sighting.contact != callback.contact:
        callback.contact = sighting.contact
        changed = True
    return changed


def _milliseconds(instant: datetime, *, up: bool = False) -> int:
    """Milliseconds since the epoch, rounded down, or up so that a deadline is never early."""
    whole, rest = divmod(instant - _EPOCH, _MILLISECOND)
    return whole + 1 if up and rest else whole
