"""The life of an alert: pending, firing, acknowledged, resolved.

Pending is not kept: it follows from the legs. What an alert was told with stays with its callback's
record while it fires, so that its end is told in the same words, whatever has become of its rule.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from ringback.core.clocks import Skews
from ringback.core.derivation import Cast
from ringback.core.entries import NEVER
from ringback.core.events import Event
from ringback.core.lifecycle import State
from ringback.core.records import Alarm, Callback, Conversation
from ringback.core.snapshots import QueueSettings
from ringback.core.telling import tell_alert
from ringback.core.watch.contacts import Contacts
from ringback.core.watch.proofs import LEAD, Proof, Proofs, Step
from ringback.core.watch.rules import Rule, RuleSet
from ringback.core.watch.sight import NOT_AT_ALL, Begun, Sight

__all__ = ["CHANGED", "GONE", "Life"]


GONE = "its rule is gone"
CHANGED = "its rule has changed"


class _Pending(NamedTuple):
    """An alert that is not firing, and may never."""

    rule: Rule
    since: datetime
    """When its threshold is passed, on the platform's clock."""
    ahead: timedelta
    """How far that clock runs ahead."""
    step: Step


class Life:
    """Begins and ends the alerts of one tracker's callbacks; keeps nothing of its own."""

    def __init__(
        self,
        rules: RuleSet,
        proofs: Proofs,
        skews: Skews,
        settings: Mapping[str, QueueSettings],
        contacts: Contacts,
    ) -> None:
        self.rules = rules
        """Those in force; others may take their place at any time."""
        self.proofs = proofs
        self._skews = skews
        self._settings = settings
        self._contacts = contacts

    def alarming(self, conversation: Conversation, cast: Cast) -> Iterator[tuple[Rule, Begun]]:
        """Give the rules that apply to a callback, and when each becomes alarming."""
        sight = Sight(conversation, cast, self._settings, self._contacts)
        for rule in self.rules.of(cast.callback.state):
            begun = rule.alarming(sight)
            if begun is not None:
                yield rule, begun

    def fire(
        self, conversation: Conversation, cast: Cast, now: datetime, reason: str | None = None
    ) -> list[Event]:
        """Begin the alerts that are due, end those that are over; ask for what proves more.

        `reason` is why they are over, where that is known.
        """
        events: list[Event] = []
        callback = cast.callback
        for pending in self._pending(conversation, cast, now):
            rule, step = pending.rule, pending.step
            if step.at is None or step.at > now:
                continue
            if step.proof is None:
                self.proofs.ask(conversation.id, rule.severity, now)
                continue
            alarm = _begin(callback, pending, step.proof, now)
            events.append(
                tell_alert(
                    conversation, callback, now, kind="firing", alarm=alarm, skew=pending.ahead
                )
            )
        return events + self.resolve(conversation, cast, now, reason)

    def adopt(self, conversation: Conversation, cast: Cast, now: datetime) -> list[Event]:
        """Do what other rules bring about by being in force."""
        return self.fire(conversation, cast, now, reason=CHANGED)

    def resolve(
        self,
        conversation: Conversation,
        cast: Cast,
        now: datetime,
        reason: str | None = None,
    ) -> list[Event]:
        """End the alerts whose condition is over, for a reason that is known or as it looks."""
        callback = cast.callback
        events = []
        for alarm in callback.alarms:
            if alarm.since is None:
                continue
            over = self._over(conversation, cast, alarm, now)
            if over is None:
                alarm.over_at = None
                continue
            alarm.over_at = alarm.over_at or now
            if now < alarm.over_at + self._damping(callback, alarm):
                continue
            why = over if reason is None or over == GONE else reason
            events.append(_end(conversation, callback, alarm, why, now))
        return events

    def close(self, conversation: Conversation, now: datetime) -> list[Event]:
        """End the alerts of a conversation whose records are about to be forgotten."""
        return [
            _end(conversation, callback, alarm, "its records are forgotten", now)
            for callback in conversation.callbacks
            for alarm in callback.alarms
            if alarm.since is not None
        ]

    def wake_at(self, conversation: Conversation, cast: Cast, now: datetime) -> datetime | None:
        """When `fire` next has something to do, on the daemon's clock."""
        callback = cast.callback
        soonest = self._next_step(conversation, cast, now)
        for alarm in callback.alarms:
            if alarm.since is None:
                continue
            if alarm.over_at is not None:
                at = alarm.over_at + self._damping(callback, alarm)
            elif not callback.open:
                at = self._told_until(alarm)
            else:
                continue
            soonest = at if soonest is None else min(soonest, at)
        return soonest

    def _next_step(self, conversation: Conversation, cast: Cast, now: datetime) -> datetime | None:
        """When something is next to be done for an alert that may begin.

        Written out, for it is asked after every change: most alerts are further off than another,
        and need no closer look.
        """
        callback, soonest = cast.callback, None
        sight = Sight(conversation, cast, self._settings, self._contacts)
        for rule in self.rules.of(callback.state):
            alarming = rule.alarming(sight)
            if alarming is None:
                continue
            at = alarming.at - self._skews.ahead(alarming.clock, now)
            if soonest is not None and at - LEAD >= soonest:
                continue
            known = callback.alarms or not callback.open
            if known and not _may_begin(callback, rule, alarming, now):
                continue
            step = self.proofs.next_step(conversation.id, callback.queue_id, rule, at, now).at
            if step is not None and (soonest is None or step < soonest):
                soonest = step
        return soonest

    def acknowledge(
        self, conversation: Conversation, callback: Callback, alarm: Alarm, by: str, now: datetime
    ) -> list[Event]:
        """Note, once, who has seen that an alert is firing."""
        if alarm.acknowledged_by is not None:
            return []
        alarm.acknowledged_by, alarm.acknowledged_at = by, now
        return [tell_alert(conversation, callback, now, kind="acknowledged", alarm=alarm)]

    def _pending(self, conversation: Conversation, cast: Cast, now: datetime) -> Iterator[_Pending]:
        """Give the alerts that may begin, with what comes next of each."""
        callback = cast.callback
        for rule, alarming in self.alarming(conversation, cast):
            if not _may_begin(callback, rule, alarming, now):
                continue
            ahead = self._skews.ahead(alarming.clock, now)
            step = self.proofs.next_step(
                conversation.id, callback.queue_id, rule, alarming.at - ahead, now
            )
            yield _Pending(rule, alarming.at, ahead, step)

    def _over(
        self, conversation: Conversation, cast: Cast, alarm: Alarm, now: datetime
    ) -> str | None:
        """Say in a word or two why a condition is over; None while it is not."""
        callback = cast.callback
        rule = self.rules.get(alarm.rule)
        if rule is None:
            return GONE
        kind = RuleSet.kind_of(rule)
        if callback.state not in kind.states:
            return _state_of(callback)
        alarming = rule.alarming(Sight(conversation, cast, self._settings, self._contacts))
        if not callback.open:
            if alarming is None:
                return kind.over or _state_of(callback)
            return "told for long enough" if self._told_until(alarm) <= now else None
        # Once reached is reached: clocks are set back, and skews are forgotten.
        if alarming is not None and (
            alarming.at <= (alarm.since or now)
            or alarming.at <= now + self._skews.ahead(alarming.clock, now)
        ):
            return None
        return kind.over or _state_of(callback)

    def _damping(self, callback: Callback, alarm: Alarm) -> timedelta:
        """How much longer an alert goes on after its condition is over."""
        rule = self.rules.get(alarm.rule)
        return rule.damping if rule is not None and alarm.damped and callback.open else NOT_AT_ALL

    def _told_until(self, alarm: Alarm) -> datetime:
        """Until when an alert about what has ended goes on."""
        rule = self.rules.get(alarm.rule)
        began = alarm.fired_at or alarm.since or NEVER
        return began + (NOT_AT_ALL if rule is None else rule.lasts)


def _may_begin(callback: Callback, rule: Rule, alarming: Begun, now: datetime) -> bool:
    """Whether an alert may begin: it is not firing, and what has ended is told once, and soon."""
    alarm = callback.alarm(rule.name)
    if callback.open:
        return alarm is None or alarm.since is None
    return alarm is None and alarming.at + rule.lasts > now


def _state_of(callback: Callback) -> str:
    """Say where a callback is, as the reason for which something is over."""
    if not callback.open:
        return f"ended: {callback.outcome}"
    return "rescheduled" if callback.state is State.SCHEDULED else callback.state.value


def _end(
    conversation: Conversation, callback: Callback, alarm: Alarm, reason: str, now: datetime
) -> Event:
    event = tell_alert(conversation, callback, now, kind="resolved", alarm=alarm, reason=reason)
    alarm.end(now)
    return event


def _begin(callback: Callback, pending: _Pending, proof: Proof, now: datetime) -> Alarm:
    """Begin an alert."""
    rule = pending.rule
    alarm = callback.alarm(rule.name)
    if alarm is None:
        alarm = Alarm(rule.name)
        callback.alarms = [*callback.alarms, alarm]
    rule.begin(alarm, pending.since, now)
    alarm.read_at, alarm.unproved = proof
    return alarm
