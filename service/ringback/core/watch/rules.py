"""Rules: what is watched, from when on it is alarming, and for whom."""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta, tzinfo
from enum import StrEnum
from typing import Literal

import msgspec

from ringback.core.lifecycle import State
from ringback.core.records import Alarm
from ringback.core.watch.feed_kinds import FEED_KINDS
from ringback.core.watch.hours import Hours
from ringback.core.watch.kinds import KINDS
from ringback.core.watch.sight import NOT_AT_ALL, Begun, Kind, Sight

__all__ = ["Filter", "Rule", "RuleSet", "Severity"]


class Severity(StrEnum):
    """How bad it is."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


class Filter(msgspec.Struct, frozen=True):
    """Which callbacks a rule is for. What is empty or None lets everything through."""

    queues: frozenset[str] = frozenset()
    """Ids."""
    automated: bool | None = None
    """Whether the platform places it by itself (`automatedCallbackConfigId`)."""
    preview: bool | None = None
    """Whether it is a dialer's preview."""
    customer_first: bool | None = None
    """Whether its queue calls the customer before the agent; a queue not known does not."""
    voicemail: bool | None = None
    """Whether a voicemail has asked for it."""
    divisions: frozenset[str] = frozenset()
    """Ids of those that their queues belong to; a queue not known belongs to none."""
    campaigns: frozenset[str] = frozenset()
    """Ids of the campaigns whose previews they are."""

    def admits(self, sight: Sight) -> bool:
        """Whether a callback is one of them."""
        callback = sight.callback
        if self.queues and callback.queue_id not in self.queues:
            return False
        if self.preview is not None and callback.preview is not self.preview:
            return False
        if self.automated is not None and callback.automated is not self.automated:
            return False
        if self.customer_first is not None and sight.customer_first is not self.customer_first:
            return False
        if self.voicemail is not None and (callback.voicemail is not None) is not self.voicemail:
            return False
        if self.campaigns and callback.campaign_id not in self.campaigns:
            return False
        return not self.divisions or sight.division_id in self.divisions


EVERYTHING = Filter()


class Rule(msgspec.Struct, frozen=True, kw_only=True):
    """One way to be stuck."""

    name: str
    """Unique; part of the alert's identity."""
    kind: str
    """What it watches: a key of `KINDS` or `FEED_KINDS`."""
    after: timedelta
    """The threshold: how long since the kind's own beginning, or before what is to come."""
    sustained: timedelta = timedelta()
    """How much longer the threshold must stay passed: `for` in a file of rules."""
    times: float = 1
    """Of kinds that count, or compare."""
    severity: Severity = Severity.WARNING
    summary: str
    """What is wrong, in one line, without anything personal."""
    labels: dict[str, str] = {}
    where: Filter = EVERYTHING
    hours: Hours | None = None
    """When its clock runs, and when it may begin to fire; None: always."""
    proof: bool = True
    """Whether the conversation is read before it fires, where the source can."""
    while_blind: Literal["hold", "mark"] = "hold"
    """What becomes of it while its source is blind and no read has confirmed it."""
    damping: timedelta = timedelta(minutes=10)
    """One that fires again so soon goes on for as long after its condition has ended."""
    lasts: timedelta = timedelta(hours=1)
    """Of kinds about what has ended: for how long that is told."""

    def alarming(self, sight: Sight) -> Begun | None:
        """When it becomes alarming, and on which clock; None while it does not apply."""
        kind = KINDS[self.kind]
        begun = kind.begun(sight, self)
        if begun is None or not (self.where is EVERYTHING or self.where.admits(sight)):
            return None
        at, clock, long = begun
        if kind.ahead:
            at, long = at - self.after, NOT_AT_ALL
        elif long < self.after:
            long = self.after
        if self.sustained:
            long += self.sustained
        passed = at + long if self.hours is None else self.hours.later(at, long)
        return None if passed is None else Begun(passed, clock)

    def begin(self, alarm: Alarm, since: datetime, now: datetime) -> None:
        """Let its alert fire since a threshold was reached, in its words as they are now."""
        alarm.damped = alarm.resolved_at is not None and now - alarm.resolved_at < self.damping
        alarm.episode += 1
        alarm.since, alarm.fired_at = since, now
        alarm.acknowledged_by = alarm.acknowledged_at = alarm.over_at = None
        alarm.kind, alarm.severity, alarm.summary = self.kind, self.severity.value, self.summary
        alarm.labels = self.labels


_encode = msgspec.json.Encoder(enc_hook=str, order="deterministic").encode
"""A time zone is written as its name."""


class RuleSet:
    """All rules that are in force."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        """Names must be unique. Raises `ValueError` for a kind that is not known."""
        # A whole number is packed in another way, and yet it is the same rule.
        self.rules = tuple(msgspec.structs.replace(rule, times=float(rule.times)) for rule in rules)
        unknown = {rule.kind for rule in self.rules} - KINDS.keys() - FEED_KINDS.keys()
        if unknown:
            raise ValueError(f"nobody knows how to watch {', '.join(sorted(unknown))}")
        self._packed = _encode(self.rules)
        self.feed = tuple(rule for rule in self.rules if rule.kind in FEED_KINDS)
        """Those about sources."""
        others = [rule for rule in self.rules if rule.kind in KINDS]
        self._named = {rule.name: rule for rule in others}
        self._of = {
            state: tuple(rule for rule in others if state in self.kind_of(rule).states)
            for state in State
        }

    @classmethod
    def unpack(cls, packed: bytes, zone: Callable[[str], tzinfo]) -> "RuleSet":
        """Give back what was packed; `zone` gives a time zone by its name.

        Raises `msgspec.DecodeError`, and `ValueError` for what this version does not know.
        """
        decoder = msgspec.json.Decoder(list[Rule], dec_hook=lambda _, name: zone(name))
        return cls(decoder.decode(packed))

    @property
    def packed(self) -> bytes:
        """All of them as JSON; equal rules are equal bytes."""
        return self._packed

    def of(self, state: State) -> tuple[Rule, ...]:
        """Give the rules that may concern a callback in that state."""
        return self._of[state]

    def watches(self, kind: str) -> bool:
        """Whether any rule is of that kind."""
        return any(rule.kind == kind for rule in self.rules)

    def get(self, name: str) -> Rule | None:
        """Give a rule about callbacks by its name."""
        return self._named.get(name)

    @staticmethod
    def kind_of(rule: Rule) -> Kind:
        """Give what a rule about callbacks watches."""
        return KINDS[rule.kind]
