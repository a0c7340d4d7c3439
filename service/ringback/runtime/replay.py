"""Recorded frames through the same core in virtual time: same input, same output, same bytes."""

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from ringback.core.changes import Change
from ringback.core.events import Event
from ringback.core.snapshots import Snapshot
from ringback.core.tracker import Tracker
from ringback.core.watch.rules import RuleSet
from ringback.errors import AlertError, FrameError, RecordingError, SilenceError
from ringback.ports import Reading, Record
from ringback.runtime.deeds import carry_out
from ringback.runtime.firing import Firing
from ringback.runtime.gathering import GROUP
from ringback.runtime.pipeline import take_reading
from ringback.wire.decode import Decoder
from ringback.wire.inputs import (
    Deed,
    Ruling,
    decode_deed,
    decode_gap,
    decode_pulse,
    decode_settings,
    rules_of,
)

__all__ = ["Replay"]


class Replay:
    """Replays records; `emit` is handed each event, `complain` each thing that was skipped."""

    def __init__(
        self,
        tracker: Tracker,
        decoder: Decoder,
        emit: Callable[[Event], None],
        complain: Callable[[RecordingError], None],
        *,
        keep_rules: bool = False,
    ) -> None:
        """`keep_rules`: whatever rules were put in force, the tracker's own stay."""
        self.tracker = tracker
        self._decoder = decoder
        self._emit = emit
        self._complain = complain
        self._keep_rules = keep_rules
        self._firing = Firing(tracker, late=timedelta.max)
        self.counts: Counter[str] = Counter()
        """What was seen: `records`, `events`, `skipped`, and snapshots, system frames and so on."""

    def run(self, records: Iterable[Record | RecordingError], until: datetime | None) -> None:
        """Replay every record at or before `until`, then let time go on to `until`."""
        for record in records:
            if isinstance(record, RecordingError):
                self._skip(record)
                continue
            if until is not None and record.at > until:
                break
            self.counts["records"] += 1
            now = max(record.at, self._firing.reached)
            self._fire(now)
            self._firing.reached = now
            self._consume(record, now)
        if until is not None and self.counts["records"]:
            self._fire(until)

    def stages(self) -> dict[str, int]:
        """How many conversations are in which stage now."""
        return {stage: count for stage, count in self.tracker.conversations.stages.items() if count}

    def _fire(self, until: datetime) -> None:
        while changes := self._firing.fire(until, GROUP):
            self._take_all(changes)

    def _consume(self, record: Record, now: datetime) -> None:
        try:
            match record.kind:
                case "frame":
                    self._frame(record, now)
                case "read":
                    reading = Reading(record.frame, record.sent or record.at, record.date)
                    self.counts["read"] += 1
                    self._take_all(take_reading(self.tracker, self._decoder, reading, now))
                case "settings":
                    settings = decode_settings(record.frame)
                    self._take_all(self.tracker.observe_settings(settings, now))
                case "gap":
                    self._gap(record, now)
                case "pulse":
                    self._take_all(self.tracker.sources.beats(*decode_pulse(record.frame), now))
                case "operator":
                    self.counts["operator"] += 1
                    self._deed(decode_deed(record.frame), now)
        except (FrameError, AlertError, SilenceError) as error:
            self._skip(RecordingError(record.path, record.line, str(error)))

    def _frame(self, record: Record, now: datetime) -> None:
        try:
            decoded = self._decoder.decode(record.frame)
        except FrameError:
            self._take_all(self.tracker.sources.undecodable(now))
            raise
        self.counts[type(decoded).__name__.lower()] += 1
        if isinstance(decoded, Snapshot):
            self._take(self.tracker.observe(decoded, now))
            self._take_all(self.tracker.sources.heard(now))

    def _deed(self, deed: Deed, now: datetime) -> None:
        if isinstance(deed, Ruling):
            self._adopt(rules_of(deed, ZoneInfo), now)
        else:
            self._take_all(carry_out(self.tracker, deed, now))

    def _adopt(self, rules: RuleSet, now: datetime) -> None:
        if not self._keep_rules and rules.packed != self.tracker.rules.packed:
            for changes in self.tracker.adopt(rules, now):
                self._take_all(changes)

    def _gap(self, record: Record, now: datetime) -> None:
        gap = decode_gap(record.frame)
        self.tracker.proofs.reads(gap.source, can=gap.reads)
        if gap.state == "connected":
            changes = self.tracker.sources.connected(gap.source, gap.topics, now)
        else:
            changes = self.tracker.sources.disconnected(
                gap.source, gap.cause, gap.since or now, gap.topics, now
            )
        self._take_all(changes)

    def _take_all(self, changes: Iterable[Change]) -> None:
        for change in changes:
            self._take(change)

    def _take(self, change: Change | None) -> None:
        if change is not None:
            for event in change.events:
                self._tell(event)

    def _tell(self, event: Event) -> None:
        self.counts["events"] += 1
        self._emit(event)

    def _skip(self, error: RecordingError) -> None:
        self.counts["skipped"] += 1
        self._complain(error)
