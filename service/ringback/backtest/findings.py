"""What a trial of rules has found: each alert, what they come to, and how two trials differ."""

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from datetime import datetime
from statistics import median
from typing import TypeVar

import msgspec

__all__ = ["Comparison", "Difference", "Finding", "Findings", "Sums", "compare", "sum_up"]

Key = TypeVar("Key", bound=Hashable)


class Finding(msgspec.Struct, kw_only=True, rename="camel", omit_defaults=True):
    """One alert that would have fired. Instants are those of the recording."""

    alert_id: str
    rule: str
    severity: str
    subject: str
    """The callback's id, or the source's."""
    conversation_id: str | None = None
    queue_id: str | None = None
    since: datetime
    """When the threshold was passed, on the platform's clock."""
    fired: datetime
    resolved: datetime | None = None
    """None: it was firing still as the recording ended."""
    reason: str | None = None
    """What ended it."""
    confirmed: bool = False
    """Whether a recorded read had confirmed it."""

    def seconds(self, end: datetime) -> float:
        """How long it was firing, up to the recording's end."""
        return max(0.0, ((self.resolved or end) - self.fired).total_seconds())


class Findings(msgspec.Struct, kw_only=True, rename="camel"):
    """What one set of rules has found in the recordings."""

    rules: str
    """The file they are from."""
    began: datetime
    ended: datetime
    callbacks: int
    """How many there were to be alerted on."""
    alerts: list[Finding]
    """By when they fired."""


class Sums(msgspec.Struct, kw_only=True, rename="camel", omit_defaults=True):
    """What the alerts of one rule come to, in one queue or in all."""

    rule: str
    queue_id: str | None = None
    """None: all queues together."""
    alerts: int
    confirmed: int
    callbacks: int
    """How many were alerted on; some more than once."""
    still_firing: int
    median_seconds: float
    longest_seconds: float


class Difference(msgspec.Struct, kw_only=True, rename="camel"):
    """How what two sets of rules have found by the rule of one name differs."""

    rule: str
    first: int
    """Alerts of the first set."""
    second: int
    both: int
    """Raised by both, matched by callback in the order in which they fired."""
    moved_seconds: float
    """How much later, in the median, the second raises what both do; negative: earlier."""


class Comparison(msgspec.Struct, kw_only=True, rename="camel"):
    """How what two sets of rules have found differs."""

    rules: list[Difference]
    gone: list[Finding]
    """Those of the first that the second does not raise."""
    new: list[Finding]
    """Those of the second that the first does not raise."""


def sum_up(found: Findings) -> list[Sums]:
    """Sum up by rule, the most alerts first, and below each rule by queue."""
    sums = []
    by_rule = _grouped(found.alerts, lambda alert: alert.rule)
    for rule, alerts in sorted(by_rule.items(), key=lambda item: (-len(item[1]), item[0])):
        sums.append(_sums(rule, None, alerts, found.ended))
        by_queue = _grouped(alerts, lambda alert: alert.queue_id or "")
        for queue, part in sorted(by_queue.items(), key=lambda item: (-len(item[1]), item[0])):
            sums.append(_sums(rule, queue, part, found.ended))
    return sums


def compare(first: Findings, second: Findings) -> Comparison:
    """Match alerts of the same rule and callback in the order in which they fired."""
    left = _grouped(first.alerts, lambda alert: (alert.rule, alert.subject))
    right = _grouped(second.alerts, lambda alert: (alert.rule, alert.subject))
    gone, new = [], []
    moved: dict[str, list[float]] = {}
    for key in left.keys() | right.keys():
        one, other = left.get(key, []), right.get(key, [])
        both = min(len(one), len(other))
        gone += one[both:]
        new += other[both:]
        pairs = zip(one[:both], other[:both], strict=True)
        moved.setdefault(key[0], []).extend(
            (after.fired - before.fired).total_seconds() for before, after in pairs
        )
    counts = [Counter(alert.rule for alert in each.alerts) for each in (first, second)]
    rules = [
        Difference(
            rule=rule,
            first=counts[0][rule],
            second=counts[1][rule],
            both=len(by),
            moved_seconds=round(median(by), 3) if by else 0.0,
        )
        for rule, by in sorted(moved.items())
    ]
    return Comparison(rules=rules, gone=sorted(gone, key=_order), new=sorted(new, key=_order))


def _sums(rule: str, queue: str | None, alerts: Sequence[Finding], end: datetime) -> Sums:
    lengths = [alert.seconds(end) for alert in alerts]
    return Sums(
        rule=rule,
        queue_id=queue,
        alerts=len(alerts),
        confirmed=sum(alert.confirmed for alert in alerts),
        callbacks=len({alert.subject for alert in alerts}),
        still_firing=sum(alert.resolved is None for alert in alerts),
        median_seconds=round(median(lengths), 3),
        longest_seconds=round(max(lengths), 3),
    )


def _grouped(alerts: Iterable[Finding], key: Callable[[Finding], Key]) -> dict[Key, list[Finding]]:
    groups: dict[Key, list[Finding]] = {}
    for alert in alerts:
        groups.setdefault(key(alert), []).append(alert)
    return groups


def _order(alert: Finding) -> tuple[datetime, str]:
    return alert.fired, alert.alert_id
