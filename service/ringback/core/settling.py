"""Bringing one callback in line after an input: move it, and tell what became of it.

Whatever happened to the legs, or whichever timer fired, ends here. An input gives at most one event
for a callback: its new state if there is one, else `updated` with the reasons, else nothing.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

from ringback.core import derivation
from ringback.core.clocks import Clock, Skews
from ringback.core.disconnects import NO_WORD, normalise
from ringback.core.events import Event
from ringback.core.evidence import Instant, effect_of, wait_began
from ringback.core.legs import Phase
from ringback.core.lifecycle import ENTRIES, Advance, State, Trigger, advance
from ringback.core.policy import Policy
from ringback.core.records import Alarm, AutoDial, Callback, Conversation
from ringback.core.snapshots import QueueSettings, Role
from ringback.core.telling import Cause, tell_alert, tell_callback
from ringback.core.watch import RULES, Rule, reason_resolved

__all__ = ["Settling"]

_WAITING = (State.WAITING, State.ALERTING)


class Settling:
    """Settles the callbacks of one tracker; keeps nothing of its own."""

    def __init__(self, policy: Policy, skews: Skews, settings: Mapping[str, QueueSettings]) -> None:
        self._policy = policy
        self._skews = skews
        self._settings = settings

    def settle(
        self, conversation: Conversation, callback: Callback, now: datetime, cause: Cause
    ) -> list[Event]:
        """Move a callback to where its legs and fired timers put it, and tell it."""
        armed = self._arm(callback)
        events = self._follow(conversation, callback, now, cause)
        if not events:
            reasons = _news(callback) + armed
            if reasons:
                effect = Instant(now, Clock.OBSERVER)
                events = [self._tell(conversation, callback, now, cause, effect, reasons=reasons)]
        return events + self._resolve(conversation, callback, now)

    def fire(self, conversation: Conversation, callback: Callback, now: datetime) -> list[Event]:
        """Do what time alone has brought about: auto-dial due, auto-dial missed, alarms."""
        events: list[Event] = []
        dial = callback.auto_dial
        if dial is not None and self._reached(self._dial_at(callback), Clock.CLOUD, now):
            dial.due = True
            effect = Instant(dial.deadline, Clock.CLOUD)
            # On hold the deadline is only noted: `retrieve` will lead to `auto_dialing`.
            events += self._follow(conversation, callback, now, "timer", effect) or [
                self._tell(conversation, callback, now, "timer", effect, reasons=["due_while_held"])
            ]
        miss_at = self._miss_at(conversation, callback)
        if dial is not None and miss_at is not None and self._reached(miss_at, Clock.CLOUD, now):
            dial.missed_at = miss_at
            effect = Instant(miss_at, Clock.CLOUD)
            events.append(
                self._tell(
                    conversation, callback, now, "timer", effect, reasons=["auto_dial_missed"]
                )
            )
        for rule in RULES:
            events += self._alarm(rule, conversation, callback, now)
        return events

    def wake_at(
        self, conversation: Conversation, callback: Callback, now: datetime
    ) -> datetime | None:
        """When `fire` next has something to do, on the daemon's clock."""
        if not callback.open:
            return None
        ahead = self._skews.ahead(Clock.CLOUD, now)
        dials = (self._dial_at(callback), self._miss_at(conversation, callback))
        wakes = [at - ahead for at in dials if at is not None]
        for rule in RULES:
            alarming = rule.alarming(conversation, callback, self._policy)
            if alarming is not None and not _firing(callback, rule):
                wakes.append(alarming.at - self._skews.ahead(alarming.clock, now))
        return min(wakes, default=None)

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
                callback,
                now,
                "notification",
                effect,
                reasons=["active_after_end"],
                kind="anomaly",
            )
        ]

    def _follow(
        self,
        conversation: Conversation,
        callback: Callback,
        now: datetime,
        cause: Cause,
        effect: Instant | None = None,
    ) -> list[Event]:
        """Move a callback to where it must be; the event of its new state, if it is a new one."""
        target = derivation.state_of(callback)
        first = callback.sequence == 0
        previous = None if first else callback.state
        move = _begin(callback, target) if first else _move(callback, target)
        if move is None:
            return []
        effect = effect or effect_of(callback, move.trigger, now)
        _account(callback, previous, effect)
        if not callback.open:
            self._end(callback, effect)
        _news(callback)
        return [
            self._tell(conversation, callback, now, cause, effect, move=move, previous=previous)
        ]

    def _arm(self, callback: Callback) -> list[str]:
        """Arm, arm anew or disarm the automatic call; give what of that is news."""
        agent = derivation.active_agent(callback)
        if agent is None or agent.phase is not Phase.CONNECTED:
            callback.auto_dial = None
            return []
        settings = self._settings.get(agent.queue_id or derivation.current_queue(callback) or "")
        deadline = derivation.auto_dial_deadline(callback, agent, settings)
        known = callback.auto_dial
        if known is None or known.participant_id != agent.participant_id:
            callback.auto_dial = None
            if deadline is not None:
                callback.auto_dial = AutoDial(agent.participant_id, deadline)
                return ["auto_dial_armed"]
        elif deadline is None:
            # Queue settings may not be known again yet after a restart: armed stays armed.
            if settings is not None and not known.due:
                callback.auto_dial = None
                return ["auto_dial_disarmed"]
        elif deadline != known.deadline:
            known.deadline = deadline
            return [] if known.due else ["auto_dial_armed"]
        return []

    def _dial_at(self, callback: Callback) -> datetime | None:
        """The deadline of the automatic call while it still matters."""
        dial = callback.auto_dial
        if dial is None or dial.due:
            return None
        agent = derivation.active_agent(callback)
        if agent is None or derivation.seen_dialled(callback, agent):
            return None
        return dial.deadline

    def _miss_at(self, conversation: Conversation, callback: Callback) -> datetime | None:
        """When the automatic call becomes missed. Nothing is missed that could not be seen."""
        dial = callback.auto_dial
        if (
            dial is None
            or not dial.due
            or dial.missed_at is not None
            or not conversation.shows_voice
        ):
            return None
        if callback.state is not State.AUTO_DIALING:
            return None
        return max(dial.deadline, callback.since) + self._policy.dial_grace

    def _end(self, callback: Callback, effect: Instant) -> None:
        customer = derivation.customer_leg(callback)
        if customer is not None and customer.connected_at is not None:
            callback.released = True
        callback.ended_at = effect.at
        settings = self._settings.get(derivation.current_queue(callback) or "")
        customer_first = settings is not None and settings.customer_first
        callback.outcome = derivation.outcome_of(callback, customer_first=customer_first)

    def _tell(
        self,
        conversation: Conversation,
        callback: Callback,
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
            callback,
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

    def _alarm(
        self, rule: Rule, conversation: Conversation, callback: Callback, now: datetime
    ) -> list[Event]:
        """Begin an alert whose threshold has passed."""
        alarming = rule.alarming(conversation, callback, self._policy)
        if alarming is None or _firing(callback, rule):
            return []
        if not self._reached(alarming.at, alarming.clock, now):
            return []
        alarm = next((alarm for alarm in callback.alarms if alarm.rule == rule.name), None)
        if alarm is None:
            alarm = Alarm(rule.name)
            callback.alarms = [*callback.alarms, alarm]
        alarm.episode += 1
        alarm.since = alarming.at
        skew = self._skews.ahead(alarming.clock, now)
        return [
            tell_alert(
                conversation, callback, now, kind="firing", rule=rule, alarm=alarm, skew=skew
            )
        ]

    def _resolve(
        self, conversation: Conversation, callback: Callback, now: datetime
    ) -> list[Event]:
        """End the alerts whose condition is over."""
        events = []
        for alarm in callback.alarms:
            if alarm.since is None:
                continue
            rule = next(rule for rule in RULES if rule.name == alarm.rule)
            alarming = rule.alarming(conversation, callback, self._policy)
            if alarming is not None and (
                # Once reached is reached: clocks are set back, and skews are forgotten.
                alarming.at <= alarm.since or self._reached(alarming.at, alarming.clock, now)
            ):
                continue
            events.append(
                tell_alert(
                    conversation,
                    callback,
                    now,
                    kind="resolved",
                    rule=rule,
                    alarm=alarm,
                    skew=timedelta(0),
                    reason=reason_resolved(callback),
                )
            )
            alarm.since = None
        return events


def _begin(callback: Callback, target: State) -> Advance:
    """Enter the table where callbacks begin, and go on to where this one is first seen."""
    entry = Trigger.SCHEDULE if target is State.SCHEDULED else Trigger.RELEASE
    callback.state = ENTRIES[entry]
    return _move(callback, target) or Advance(entry, ())


def _move(callback: Callback, target: State) -> Advance | None:
    declined = False
    if callback.state is target:
        return None
    if callback.state is State.ALERTING:
        left = [leg for leg in callback.legs if leg.role is Role.AGENT and not leg.live]
        declined = bool(left) and normalise(left[-1].disconnect_type or NO_WORD) == "client"
    return advance(callback, target, declined=declined)


def _account(callback: Callback, previous: State | None, effect: Instant) -> None:
    """Note since when the state holds, and keep the ledger of waiting."""
    callback.since = effect.at
    if callback.state not in (State.SCHEDULED, State.DISCONNECTED):
        callback.released = True
    waits = callback.state in _WAITING
    if callback.waiting_since is None and (waits or previous in (None, State.SCHEDULED)):
        callback.waiting_since, callback.waiting_clock = wait_began(callback, previous, effect)
    if not waits and callback.waiting_since is not None:
        waited = (effect.at - callback.waiting_since).total_seconds()
        callback.waited_seconds += max(0.0, waited)
        callback.wait_negative |= waited < 0
        callback.wait_mixed |= callback.waiting_clock is not effect.clock
        callback.waiting_since = None


def _news(callback: Callback) -> list[str]:
    """Take over what is told from now on; give the reasons for which it is news."""
    reasons = []
    if (queue := derivation.current_queue(callback)) != callback.queue_id:
        callback.queue_id = queue
        reasons.append("queue_changed")
    if (user := derivation.current_user(callback)) != callback.user_id:
        callback.user_id = user
        reasons.append("agent_changed")
    if (offers := derivation.offers(callback)) != callback.offers:
        callback.offers = offers
        reasons.append("offered")
    if (schedule := derivation.schedule_of(callback)) != callback.scheduled_at:
        callback.scheduled_at = schedule
        reasons.append("rescheduled")
    return reasons


def _firing(callback: Callback, rule: Rule) -> bool:
    return any(alarm.rule == rule.name and alarm.since is not None for alarm in callback.alarms)
