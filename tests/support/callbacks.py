"""Callbacks for the tests of the core: sightings, snapshots, and a tracker in virtual time.

Instants are given as seconds after `START`. The ids are those of one ordinary callback: customer
`p-customer`/`k-customer`, queue `p-queue`/`k-queue`, agents `p-agent-1`, `p-agent-2`, and so on.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from msgspec import UNSET

from ringback.core.changes import Change
from ringback.core.events import AlertData, CallbackData, Event
from ringback.core.gaps import Gap
from ringback.core.policy import Policy
from ringback.core.records import Callback, Conversation
from ringback.core.snapshots import Medium, QueueSettings, Role, Sighting, Snapshot
from ringback.core.surveys import Place, Survey
from ringback.core.tracker import Tracker
from ringback.core.watch.defaults import built_in
from ringback.core.watch.rules import RuleSet

__all__ = [
    "CONNECTED",
    "QUEUE",
    "SOURCE",
    "START",
    "Follower",
    "agent",
    "alert",
    "at",
    "bare",
    "call",
    "customer",
    "data",
    "few",
    "kind",
    "only",
    "queue",
    "reasons",
    "snapshot",
    "told",
]

START = datetime(2026, 11, 22, 8, tzinfo=UTC)
QUEUE = "queue-1"
SOURCE = "main"
CONNECTED = "connected"


def at(seconds: float) -> datetime:
    """Give the instant so many seconds after the start."""
    return START + timedelta(seconds=seconds)


def _sighting(participant: str, communication: str | None, role: Role, said: Any) -> Sighting:
    """Show a leg; every `*_at` that is a number, and every hold, is in seconds after the start."""
    facts: dict[str, Any] = {
        name: at(value) if name.endswith("_at") and isinstance(value, (int, float)) else value
        for name, value in said.items()
    }
    if facts.get("ended_at") is not None:
        facts.setdefault("state", "disconnected")
    elif facts.get("connected_at") is not None:
        facts.setdefault("state", CONNECTED)
    if facts.get("hold_started_at") is not None:
        facts.setdefault("held", True)
    return Sighting(participant, communication, role, **facts)


def customer(number: int = 1, **said: Any) -> Sighting:
    """Show the customer's callback leg; the second callback of a conversation has `number` 2."""
    return _sighting(
        _named("p-customer", number), _named("k-customer", number), Role.CUSTOMER, said
    )


def queue(number: int = 1, **said: Any) -> Sighting:
    """Show the ACD leg: the callback while it waits in a queue."""
    said.setdefault("queue_id", QUEUE)
    said.setdefault("peer_id", "k-customer")
    return _sighting(_named("p-queue", number), _named("k-queue", number), Role.ACD, said)


def agent(number: int = 1, **said: Any) -> Sighting:
    """Show an agent's callback leg; every offer is another `number`."""
    said.setdefault("queue_id", QUEUE)
    said.setdefault("user_id", f"user-{number}")
    said.setdefault("peer_id", "k-customer")
    return _sighting(f"p-agent-{number}", f"k-agent-{number}", Role.AGENT, said)


def call(number: int = 1, role: Role = Role.CUSTOMER, **said: Any) -> Sighting:
    """Show a voice leg, the customer's if not told otherwise."""
    said.setdefault("medium", Medium.VOICE)
    participant = "p-customer" if role is Role.CUSTOMER else f"p-{role.value}"
    return _sighting(participant, f"v-{number}", role, said)


def bare(**said: Any) -> Sighting:
    """Show a bare `Callback`."""
    return _sighting("c-1", "c-1", Role.SOLE, said)


def snapshot(
    *sightings: Sighting,
    voice: bool = True,
    read_at: float | None = None,
    conversation: str = "c-1",
) -> Snapshot:
    """Put sightings into one snapshot."""
    sent = None if read_at is None else at(read_at)
    return Snapshot(conversation, list(sightings), voice, sent)


def _named(name: str, number: int) -> str:
    return name if number == 1 else f"{name}-{number}"


class Follower:
    """A tracker in virtual time: timers fire at their own instants, and all that is told is kept.

    Only three rules are in force if not told otherwise: most tests are about other things.

    What was committed is kept as well, as bytes: `restart` begins a new tracker with just that.
    """

    def __init__(
        self,
        policy: Policy | None = None,
        settings: Iterable[QueueSettings] = (),
        seconds: float = 0,
        rules: RuleSet | None = None,
    ) -> None:
        self.policy = policy or Policy()
        self.rules = rules or few(self.policy)
        self.tracker = Tracker(self.policy, self.rules)
        self.now = at(seconds)
        self.rows: dict[str, tuple[str, bytes, int | None]] = {}
        self.told: list[Event] = []
        for one in settings:
            self.settings(seconds, one)

    def follow(self, seconds: float, *sightings: Sighting, **said: Any) -> list[Event]:
        """Observe sightings as one snapshot; give what was told since the last call."""
        return self.observe(seconds, snapshot(*sightings, **said))

    def observe(self, seconds: float, seen: Snapshot) -> list[Event]:
        """Observe one snapshot; give what was told since the last call."""
        before = len(self.told)
        self.wait(seconds)
        change = self.tracker.observe(seen, self.now)
        if change is not None:
            self._commit(change)
        for heard in self.tracker.sources.heard(self.now) if seen.read_at is None else ():
            self._commit(heard)
        return self.told[before:]

    def settings(self, seconds: float, settings: QueueSettings) -> list[Event]:
        """Let the settings of a queue become known."""
        before = len(self.told)
        self.wait(seconds)
        for change in self.tracker.observe_settings(settings, self.now):
            self._commit(change)
        return self.told[before:]

    def hears(self, seconds: float, *topics: str) -> list[Event]:
        """Let the source hear these topics, none meaning all."""
        before = len(self.told)
        self.wait(seconds)
        for change in self.tracker.sources.connected(SOURCE, topics, self.now):
            self._commit(change)
        return self.told[before:]

    def blind(
        self, seconds: float, *topics: str, since: float | None = None, cause: str = "cut"
    ) -> list[Event]:
        """Let the source be blind for these topics, none meaning all."""
        before = len(self.told)
        self.wait(seconds)
        began = at(seconds if since is None else since)
        for change in self.tracker.sources.disconnected(SOURCE, cause, began, topics, self.now):
            self._commit(change)
        return self.told[before:]

    def survey(
        self,
        seconds: float,
        *seen: Place | Snapshot,
        as_of: float | None = None,
    ) -> list[Event]:
        """Take in a page of a bulk read, which knows all up to `as_of`: now, if not said."""
        before = len(self.told)
        self.wait(seconds)
        page = Survey(
            self.now,
            self.now if as_of is None else at(as_of),
            [one for one in seen if isinstance(one, Snapshot)],
            [one for one in seen if isinstance(one, Place)],
        )
        for change in self.tracker.survey(page, self.now):
            self._commit(change)
        return self.told[before:]

    def wanted(self, seconds: float, limit: int = 10) -> list[str]:
        """Give what is best read then."""
        self.wait(seconds)
        return self.tracker.repair.wants.most_urgent(limit, self.now)

    def wait(self, seconds: float) -> list[Event]:
        """Let time go on; give what the timers told."""
        before = len(self.told)
        until = at(seconds)
        while (deadline := self.tracker.next_deadline()) is not None and deadline <= until:
            self.now = max(self.now, deadline)
            self.fire()
        self.now = until
        return self.told[before:]

    def fire(self) -> list[Event]:
        """Fire what is due at the present instant."""
        before = len(self.told)
        while changes := self.tracker.fire_due(self.now):
            for change in changes:
                self._commit(change)
        return self.told[before:]

    def restart(self, seconds: float, *, reads: bool = False) -> list[Event]:
        """Begin again with what was committed, and fire what fell due meanwhile."""
        self.now = at(seconds)
        self.tracker = Tracker(self.policy, self.rules)
        self.tracker.proofs.reads(SOURCE, can=reads)
        self.tracker.restore(self.rows.values(), self.now)
        return self.fire()

    def resume(self, seconds: float) -> list[Event]:
        """Begin again as a daemon does: what the source missed meanwhile is a gap."""
        before = len(self.told)
        self.restart(seconds)
        heard_until = self.tracker.repair.ledger.heard_until(SOURCE)
        since = heard_until or self.now
        for change in self.tracker.sources.disconnected(SOURCE, "restart", since, (), self.now):
            self._commit(change)
        return self.told[before:]

    @property
    def gaps(self) -> list[Gap]:
        """The gaps there were, oldest first."""
        return list(self.tracker.repair.ledger.gaps.values())

    @property
    def unverified(self) -> set[str]:
        """The conversations in doubt."""
        return set(self.tracker.repair.doubts)

    @property
    def conversation(self) -> Conversation:
        """What is known of the ordinary conversation."""
        found = self.tracker.conversations.get("c-1")
        assert found is not None
        return found

    @property
    def callback(self) -> Callback:
        """The latest callback of the ordinary conversation."""
        return self.conversation.callbacks[-1]

    @property
    def state(self) -> str:
        """The state of that callback."""
        return self.callback.state.value

    @property
    def kinds(self) -> list[str]:
        """What was told so far, without `ringback.` and the version."""
        return [kind(event) for event in self.told]

    def _commit(self, change: Change) -> None:
        if change.state is None:
            self.rows.pop(change.conversation_id, None)
        else:
            self.rows[change.conversation_id] = (
                change.conversation_id,
                change.state,
                change.wake_at,
            )
        self.told += change.events


def few(policy: Policy) -> RuleSet:
    """Give the three rules about what is due that are built in."""
    every = built_in(policy.due_grace, policy.not_dialled)
    few = ("due_not_released", "connected_not_dialled", "auto_dial_missed")
    return RuleSet(rule for rule in every.rules if rule.name in few)


def kind(event: Event) -> str:
    """Give an event's type without `ringback.` and the version: `callback.waiting`."""
    return event.type.removeprefix("ringback.").removesuffix(".v1")


def told(event: Event) -> dict[str, Any]:
    """Give an event's data as emitted."""
    found: dict[str, Any] = msgspec.to_builtins(event.data)
    return found


def only(events: list[Event]) -> Event:
    """Give the one event there must be."""
    assert len(events) == 1, [kind(event) for event in events]
    return events[0]


def data(events: list[Event]) -> CallbackData:
    """Give the data of the one callback event there must be."""
    found = only([event for event in events if isinstance(event.data, CallbackData)]).data
    assert isinstance(found, CallbackData)
    return found


def alert(events: list[Event]) -> AlertData:
    """Give the data of the one alert there must be."""
    found = only([event for event in events if isinstance(event.data, AlertData)]).data
    assert isinstance(found, AlertData)
    return found


def reasons(events: list[Event]) -> list[str]:
    """Give the reasons of the one callback event there must be."""
    found = data(events).reasons
    return [] if found is UNSET else list(found)
