"""Plays recordings through the core with several sets of rules at once.

Rules do not know of one another, so one tracker may have the rules of all sets: the recordings are
decoded and followed once. What people did then is left out, since it was about other alerts.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import datetime

import msgspec
from msgspec import UNSET, UnsetType

from ringback.backtest.findings import Finding, Findings
from ringback.core.events import AlertData, Event
from ringback.core.policy import Policy
from ringback.core.tracker import Tracker
from ringback.core.watch.rules import RuleSet
from ringback.errors import RecordingError
from ringback.ports import Record

__all__ = ["Trial"]

APART = "\n"
"""Between a set's number and a rule's name; no name holds it."""


class _Named(msgspec.Struct):
    id: str
    name: str


class Trial:
    """Sets of rules on trial, by the name of each."""

    def __init__(self, sets: Mapping[str, RuleSet], policy: Policy) -> None:
        self._names = tuple(sets)
        rules = [
            msgspec.structs.replace(rule, name=f"{number}{APART}{rule.name}")
            for number, each in enumerate(sets.values())
            for rule in each.rules
        ]
        self.tracker = Tracker(policy, RuleSet(rules))
        self._found: list[list[Finding]] = [[] for _ in sets]
        self._firing: dict[str, Finding] = {}
        self._callbacks = 0
        self.queues: dict[str, str] = {}
        """The names of queues by id, as far as recorded settings tell them."""
        self._began: datetime | None = None
        self._ended: datetime | None = None

    def watched(
        self, records: Iterable[Record | RecordingError]
    ) -> Iterator[Record | RecordingError]:
        """Give what is to be replayed of recordings."""
        for record in records:
            if isinstance(record, Record):
                self._began = self._began or record.at
                self._ended = max(self._ended or record.at, record.at)
                if record.kind == "operator":
                    continue
                if record.kind == "settings":
                    self._name(record.frame)
            yield record

    def tell(self, event: Event) -> None:
        """Take in an event of the replay."""
        data = event.data
        if not isinstance(data, AlertData):
            self._callbacks += event.sequence == 1
        elif event.type.endswith(".firing.v1"):
            number, _, rule = data.rule.partition(APART)
            finding = _finding(event, data, rule)
            self._firing[data.alert_id] = finding
            self._found[int(number)].append(finding)
        elif event.type.endswith(".resolved.v1"):
            finding = self._firing.pop(data.alert_id)
            finding.resolved, finding.reason = _instant(event.time), _known(data.reason)

    def _name(self, settings: bytes) -> None:
        with suppress(msgspec.DecodeError):
            queue = msgspec.json.decode(settings, type=_Named)
            self.queues[queue.id] = queue.name

    def findings(self, until: datetime | None = None) -> list[Findings]:
        """Give what each set has found, if there was anything to watch.

        `until` is how far time went on, if not just to the recordings' end.
        """
        if self._began is None or self._ended is None:
            return []
        ended = self._ended if until is None else until
        return [
            Findings(
                rules=name,
                began=self._began,
                ended=ended,
                callbacks=self._callbacks,
                alerts=sorted(alerts, key=lambda alert: (alert.fired, alert.alert_id)),
            )
            for name, alerts in zip(self._names, self._found, strict=True)
        ]


def _finding(event: Event, data: AlertData, rule: str) -> Finding:
    return Finding(
        alert_id=data.alert_id.replace(data.rule, rule, 1),
        rule=rule,
        severity=_known(data.severity) or "warning",
        subject=event.subject,
        conversation_id=_known(data.conversation_id),
        queue_id=_known(data.queue_id),
        since=_instant(data.since),
        fired=_instant(data.observed_time),
        confirmed=data.proof is not UNSET and data.proof.confirmed,
    )


def _known(text: str | UnsetType) -> str | None:
    return None if text is UNSET else text


def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)
