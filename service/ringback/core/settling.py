"""Bringing one callback in line after an input: move it, and tell what became of it.

Whatever happened to the legs, or whichever timer fired, ends here. An input gives at most one event
for a callback: its new state if there is one, else `updated` with the reasons, else nothing.
"""

from collections.abc import Mapping
from datetime import datetime

from ringback.core.clocks import Clock, Skews
from ringback.core.deadlines import soonest
from ringback.core.derivation import (
    CLOCKS_DIFFER,
    Cast,
    auto_dial_deadline,
    current_queue,
    current_user,
    offers,
    outcome_of,
    own_timeout,
    schedule_of,
    seen_dialled,
    state_of,
    voice_visible,
)
from ringback.core.disconnects import NO_WORD, normalise
from ringback.core.events import Event
from ringback.core.evidence import Instant, effect_of, wait_began
from ringback.core.legs import Phase
from ringback.core.lifecycle import ENTRIES, Advance, State, Trigger, advance
from ringback.core.policy import Policy
from ringback.core.records import AutoDial, Callback, Conversation, Moves
from ringback.core.snapshots import QueueSettings
from ringback.core.telling import Cause, tell_callback
from ringback.core.watch.life import Life
from ringback.core.watch.waits import Waits

__all__ = ["Settling"]

_WAITING = (State.WAITING, State.ALERTING)


class Settling:
    """Settles the callbacks of one tracker; keeps nothing of its own."""

    def __init__(
        self,
        policy: Policy,
        skews: Skews,
        settings: Mapping[str, QueueSettings],
        life: Life,
        waits: Waits,
    ) -> None:
        self._policy = policy
        self._skews = skews
        self._settings = settings
        self._life = life
        self._waits = waits

    def settle(
        self,
        conversation: Conversation,
        cast: Cast,
        now: datetime,
        cause: Cause,
        *,
        confirmed: bool = False,
    ) -> list[Event]:
        """Move a callback to where its legs and fired timers put it, and tell it.

        `confirmed` means that it is as it should be, whatever a gap has hidden. Any event of a
        callback then says so; `verified` is told where there is no other.
        """
        callback = cast.callback
        doubted = callback.unverified
        if confirmed and doubted:
            callback.unverified, callback.unverified_at = False, None
        armed = self._arm(cast)
        events = self._follow(conversation, cast, now, cause)
        if not events:
            reasons = _news(cast, now) + armed
            if reasons:
                effect = Instant(now, Clock.OBSERVER)
                events = [self._tell(conversation, cast, now, cause, effect, reasons=reasons)]
        if doubted and not callback.unverified and not events:
            effect = Instant(now, Clock.OBSERVER)
            events = [self._tell(conversation, cast, now, cause, effect, kind="verified")]
        return events + self._life.resolve(conversation, cast, now)

    def fire(self, conversation: Conversation, callback: Callback, now: datetime) -> list[Event]:
        """Do what time alone has brought about: auto-dial due, auto-dial missed, alarms."""
        cast = Cast(callback)
        if not callback.open:
            return self._life.fire(conversation, cast, now)
        events: list[Event] = []
        dial = callback.auto_dial
        if dial is not None and self._reached(self._dial_at(cast), Clock.CLOUD, now):
            dial.due = True
            effect = Instant(dial.deadline, Clock.CLOUD)
            # On hold the deadline is only noted: `retrieve` will lead to `auto_dialing`.
            events += self._follow(conversation, cast, now, "timer", effect) or [
                self._tell(conversation, cast, now, "timer", effect, reasons=["due_while_held"])
            ]
        miss_at = self._miss_at(cast)
        if dial is not None and miss_at is not None and self._reached(miss_at, Clock.CLOUD, now):
            dial.missed_at = miss_at
            effect = Instant(miss_at, Clock.CLOUD)
            events.append(
                self._tell(conversation, cast, now, "timer", effect, reasons=["auto_dial_missed"])
            )
        return events + self._life.fire(conversation, cast, now)

    def doubt(
        self, conversation: Conversation, callback: Callback, now: datetime, at: datetime
    ) -> list[Event]:
        """Tell, once, that a gap has touched a callback and nothing has confirmed it until `at`."""
        if callback.unverified:
            return []
        callback.unverified, callback.unverified_at = True, at
        effect = Instant(at, Clock.OBSERVER)
        cast = Cast(callback)
        return [self._tell(conversation, cast, now, "timer", effect, kind="unverified")]

    def wake_at(self, conversation: Conversation, cast: Cast, now: datetime) -> datetime | None:
        """When `fire` next has something to do, on the daemon's clock."""
        alarm_at = self._life.wake_at(conversation, cast, now)
        dial_at = soonest(self._dial_at(cast), self._miss_at(cast))
        if dial_at is None or not cast.callback.open:
            return alarm_at
        return soonest(alarm_at, dial_at - self._skews.ahead(Clock.CLOUD, now))

    def after_end(
        self, conversation: Conversation, callback: Callback, now: datetime, since: datetime
    ) -> list[Event]:
        """Tell, once, that an ended callback shows activity that began after its end."""
        if callback.anomalous:
            return []
        callback.anomalous = True
        effect = Instant(since, Clock.CLOUD)
        return [
            self._tell(
                conversation,
                Cast(callback),
                now,
                "notification",
                effect,
                reasons=["active_after_end"],
                kind="anomaly",
            )
        ]

    def corrected(self, conversation: Conversation, callback: Callback, now: datetime) -> Event:
        """Tell that a read has corrected the holds of a callback that has ended."""
        effect = Instant(now, Clock.OBSERVER)
        cast = Cast(callback)
        return self._tell(conversation, cast, now, "reconcile", effect, reasons=["hold_corrected"])

    def _follow(
        self,
        conversation: Conversation,
        cast: Cast,
        now: datetime,
        cause: Cause,
        effect: Instant | None = None,
    ) -> list[Event]:
        """Move a callback to where it must be; the event of its new state, if it is a new one."""
        callback = cast.callback
        target = state_of(cast)
        first = callback.sequence == 0
        previous = None if first else callback.state
        move = _begin(cast, target) if first else _move(cast, target)
        if move is None:
            return []
        effect = effect or effect_of(cast, move.trigger, now)
        waited = self._account(cast, previous, effect)
        if not callback.open:
            self._end(cast, effect)
        if waited is not None and not callback.preview and _served(callback):
            self._waits.note(current_queue(cast), waited, now)
        _news(cast, now)
        return [self._tell(conversation, cast, now, cause, effect, move=move, previous=previous)]

    def _account(self, cast: Cast, previous: State | None, effect: Instant) -> float | None:
        """Note since when the state holds, and keep the ledger of waiting.

        Gives for how many seconds it has waited, if that is over by this.
        """
        callback = cast.callback
        callback.since, callback.since_clock = effect.at, effect.clock
        if callback.state not in (State.SCHEDULED, State.DISCONNECTED):
            callback.released = True
        waits = callback.state in _WAITING
        if callback.waiting_since is None and (waits or previous in (None, State.SCHEDULED)):
            callback.waiting_since, callback.waiting_clock = wait_began(cast, previous, effect)
            callback.usual_wait = self._waits.usual(current_queue(cast))
        if waits or callback.waiting_since is None:
            return None
        waited = (effect.at - callback.waiting_since).total_seconds()
        callback.waited_seconds += max(0.0, waited)
        callback.wait_negative |= waited < 0
        callback.wait_mixed |= callback.waiting_clock is not effect.clock
        callback.waiting_since = None
        return max(0.0, waited)

    def _arm(self, cast: Cast) -> list[str]:
        """Arm, arm anew or disarm the automatic call; give what of that is news."""
        callback, agent = cast.callback, cast.agent
        if agent is None or agent.phase is not Phase.CONNECTED:
            callback.auto_dial = None
            return []
        settings = self._settings.get(current_queue(cast) or "")
        deadline = auto_dial_deadline(cast, agent, settings)
        known = callback.auto_dial
        if known is None or known.participant_id != agent.participant_id:
            callback.auto_dial = None
            if deadline is not None:
                by_queue = own_timeout(cast, agent) is None
                callback.auto_dial = AutoDial(agent.participant_id, deadline, by_queue=by_queue)
                return ["auto_dial_armed"]
        elif deadline is None:
            # A queue's settings are not known again yet after a restart: armed stays armed.
            if not known.due and not (known.by_queue and settings is None):
                callback.auto_dial = None
                return ["auto_dial_disarmed"]
        elif deadline != known.deadline:
            known.deadline = deadline
            known.by_queue = own_timeout(cast, agent) is None
            return [] if known.due else ["auto_dial_armed"]
        return []

    def _dial_at(self, cast: Cast) -> datetime | None:
        """The deadline of the automatic call while it still matters."""
        dial, agent = cast.callback.auto_dial, cast.agent
        if dial is None or dial.due or agent is None or seen_dialled(cast, agent):
            return None
        return dial.deadline

    def _miss_at(self, cast: Cast) -> datetime | None:
        """When the automatic call becomes missed. Nothing is missed that could not be seen."""
        callback = cast.callback
        dial = callback.auto_dial
        if dial is None or not dial.due or dial.missed_at is not None:
            return None
        if callback.state is not State.AUTO_DIALING or not voice_visible(cast):
            return None
        return max(dial.deadline, callback.since) + self._policy.dial_grace

    def _end(self, cast: Cast, effect: Instant) -> None:
        callback, customer = cast.callback, cast.customer
        if customer is not None and customer.connected_at is not None:
            callback.released = True
        callback.ended_at = effect.at
        callback.unverified, callback.unverified_at = False, None
        settings = self._settings.get(current_queue(cast) or "")
        customer_first = settings is not None and settings.customer_first
        callback.outcome = outcome_of(cast, customer_first=customer_first)

    def _tell(
        self,
        conversation: Conversation,
        cast: Cast,
        now: datetime,
        cause: Cause,
        effect: Instant,
        *,
        move: Advance | None = None,
        previous: State | None = None,
        reasons: list[str] | None = None,
        kind: str = "updated",
    ) -> Event:
        return tell_callback(
            conversation,
            cast,
            now,
            cause=cause,
            effect=effect,
            skew=self._skews.ahead(effect.clock, now),
            move=move,
            previous=previous,
            reasons=reasons,
            kind=kind,
        )

    def _reached(self, at: datetime | None, clock: Clock, now: datetime) -> bool:
        return at is not None and at <= now + self._skews.ahead(clock, now)


def _begin(cast: Cast, target: State) -> Advance:
    """Enter the table where callbacks begin, and go on to where this one is first seen."""
    entry = Trigger.SCHEDULE if target is State.SCHEDULED else Trigger.RELEASE
    cast.callback.state = ENTRIES[entry]
    return _move(cast, target) or Advance(entry, ())


def _move(cast: Cast, target: State) -> Advance | None:
    if cast.callback.state is target:
        return None
    return advance(cast.callback, target, _proved(cast, target))


def _proved(cast: Cast, target: State) -> Trigger | None:
    """Find what the legs prove where two triggers lead the same way."""
    callback = cast.callback
    if callback.state is State.ALERTING:
        left = [leg for leg in cast.agents if not leg.live]
        declined = bool(left) and normalise(left[-1].disconnect_type or NO_WORD) == "client"
        return Trigger.DECLINE if declined else None
    if target is not State.CONNECTED or cast.agent is None:
        return None
    if callback.user_id is not None and cast.agent.user_id not in (None, callback.user_id):
        return Trigger.CONNECT
    since = callback.since - CLOCKS_DIFFER
    ended = any(not call.live and (call.ended_at or since) >= since for call in cast.calls)
    return Trigger.HANG_UP if ended else None


def _served(callback: Callback) -> bool:
    """Whether what has ended its wait is what it waited for."""
    if callback.open:
        return callback.state is not State.SCHEDULED
    return callback.outcome not in {"lost", "cancelled"}


def _news(cast: Cast, now: datetime) -> list[str]:
    """Take over what is told from now on; give the reasons for which it is news."""
    callback = cast.callback
    reasons = []
    if (queue := current_queue(cast)) != callback.queue_id:
        callback.queue_id = queue
        reasons.append("queue_changed")
    if (user := current_user(cast)) != callback.user_id:
        callback.user_id = user
        reasons.append("agent_changed")
    if (offered := offers(cast)) != callback.offers:
        callback.offers = offered
        reasons.append("offered")
    if (schedule := schedule_of(cast)) != callback.scheduled_at:
        if schedule is not None and callback.scheduled_at is not None:
            callback.moves = Moves(1 if callback.moves is None else callback.moves.times + 1, now)
        callback.scheduled_at = schedule
        reasons.append("rescheduled")
    return reasons
