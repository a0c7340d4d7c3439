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
from ringback.core.watch.proofs import Proof, Proofs, Step
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
        steps = (each.step.at for each in self._pending(conversation, cast, now))
        wakes = [at for at in steps if at is not None]
        for alarm in callback.alarms:
            if alarm.since is None:
                continue
            if alarm.over_at is not None:
                wakes.append(alarm.over_at + self._damping(callback, alarm))
            elif not callback.open:
                wakes.append(self._told_until(alarm))
        return min(wakes, default=None)

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
            alarm = callback.alarm(rule.name)
            if alarm is not None and (alarm.since is not None or not callback.open):
                continue  # what has ended is told once
            if not callback.open and alarming.at + rule.lasts <= now:
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
    resolved_at = alarm.resolved_at
    alarm.damped = resolved_at is not None and now - resolved_at < rule.damping
    alarm.episode += 1
    alarm.since, alarm.fired_at = pending.since, now
    alarm.acknowledged_by = alarm.acknowledged_at = alarm.over_at = None
    alarm.kind, alarm.severity, alarm.summary = rule.kind, rule.severity.value, rule.summary
    alarm.labels = rule.labels
    alarm.read_at, alarm.unproved = proof
    return alarm
