"""From a frame to a committed change: decode, decide, commit, then tell.

Everything that the core consumes comes through here, on the loop, one thing at a time. What it
decides is gathered into a batch; a batch is committed as a whole while the next one gathers. Only
a committed position is ever shown to readers.
"""

import asyncio
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime

import msgspec
import structlog

from ringback.core.changes import Change
from ringback.core.clocks import Clock as PlatformClock
from ringback.core.clocks import Skews
from ringback.core.events import rfc3339
from ringback.core.gaps import Gap as LedgerGap
from ringback.core.snapshots import QueueSettings, Snapshot
from ringback.core.tracker import Tracker
from ringback.core.watch.feed_kinds import Pulse
from ringback.core.watch.rules import RuleSet
from ringback.core.watch.silences import Matcher, Silence
from ringback.errors import FrameError
from ringback.ports import Batch, Clock, Reading, Row, Store
from ringback.runtime.desk import Freshness
from ringback.runtime.firing import Firing
from ringback.runtime.gathering import GROUP, Gathering
from ringback.runtime.intake import RESTART, Quarantine, Recorder
from ringback.runtime.missing import missed_in
from ringback.wire.cloudevents import Encoder
from ringback.wire.decode import Decoder
from ringback.wire.inputs import (
    Acknowledge,
    BeginSilence,
    Deed,
    EndSilence,
    Gap,
    MatcherText,
    Ruling,
    encode_deed,
    encode_gap,
    encode_pulse,
    encode_settings,
)
from ringback.wire.surveys import decode_survey

__all__ = ["Pipeline", "take_reading"]

log = structlog.get_logger(__name__)


class Pipeline(Gathering):
    """The one way in. It is the `Intake` of its source."""

    def __init__(
        self,
        *,
        tracker: Tracker,
        decoder: Decoder,
        encoder: Encoder,
        store: Store,
        clock: Clock,
        source: str,
        quarantine: Quarantine,
        record: Recorder | None = None,
        reads: bool = False,
    ) -> None:
        """`reads` says whether the source can read conversations."""
        super().__init__(encoder)
        self.tracker = tracker
        self.decoder = decoder
        self.clock = clock
        self.source = source
        """The name of the source whose intake this is."""
        self._started_at = clock.now()
        self._firing = Firing(tracker)
        self._store = store
        self._quarantine = quarantine
        self._record = record
        self._reads = reads
        self._pulse: Pulse | None = None
        self._turns: Iterator[list[Change]] = iter(())
        self._unsettled = asyncio.Event()
        self._settled = asyncio.Event()
        self.told: dict[str, int] = {}
        """How far each reader is."""
        self.frames: Counter[str] = Counter()
        """Frames by what they were."""
        self.corrections = 0
        """Single reads that have shown lost frames although no gap was known."""
        self.heard_at: datetime | None = None
        """When the last frame came."""
        self.woke_at: float | None = None
        """When the wake-up last looked for what is due, on the loop's clock."""

    @property
    def skews(self) -> Skews:
        """How far the platform's clocks run ahead."""
        return self.tracker.skews

    # What sources call

    def frame(self, frame: bytes | str) -> None:
        """Take one frame; whatever is wrong with it, the next one is taken too."""
        now = self.heard_at = self._now()
        if self._record is not None:
            self._record(now, frame, "frame")
        try:
            decoded = self.decoder.decode(frame)
        except FrameError as error:
            self.frames[error.fault] += 1
            self._quarantine.put(frame, error, now)
            self.take_all(self.tracker.sources.undecodable(now))
            return
        if isinstance(decoded, Snapshot):
            self.frames["snapshot"] += 1
            self.take(self.tracker.observe(decoded, now))
            if changes := self.tracker.sources.heard(now):
                self.take_all(changes)
        else:
            self.frames[type(decoded).__name__.lower()] += 1

    def connected(self, topics: Collection[str] = ()) -> None:
        """Note that the source hears."""
        now = self._now()
        self._keep_gap(now, Gap(self.source, "connected", topics=list(topics), reads=self._reads))
        log.info("source_hears", source=self.source, topics=len(topics) or "all")
        self.take_all(self.tracker.sources.connected(self.source, topics, now))

    def disconnected(
        self, cause: str, since: datetime | None = None, topics: Collection[str] = ()
    ) -> None:
        """Note that the source is blind."""
        now, cause = self._now(), str(cause)  # of an enumeration, maybe
        if since is None:
            ledger = self.tracker.repair.ledger
            since = now if ledger.ever_heard(self.source) else self._started_at
        gap = Gap(self.source, "disconnected", cause, since, list(topics), self._reads)
        self._keep_gap(now, gap)
        log.warning(
            "source_blind",
            source=self.source,
            cause=cause,
            topics=len(topics) or "all",
            since=rfc3339(since),
        )
        self.take_all(self.tracker.sources.disconnected(self.source, cause, since, topics, now))

    def blind_since(self) -> datetime | None:
        """Say when the earliest gap began that still lasts."""
        return self.tracker.repair.ledger.blind_since(self.source)

    def read(self, reading: Reading) -> frozenset[str]:
        """Take the answer of a REST read; give the queues of which frames must have been lost."""
        now = self._now()
        calm = not self.tracker.repair.doubts
        if self._record is not None:
            self._record(now, reading.body, "read", reading)
        try:
            changes = take_reading(self.tracker, self.decoder, reading, now)
        except FrameError as error:
            self.frames[error.fault] += 1
            self._quarantine.put(reading.body, error, now)
            return frozenset()
        self.frames["read"] += 1
        self.take_all(changes)
        if not calm:
            return frozenset()
        sent_at = reading.sent_at
        missed = frozenset(queue for change in changes for queue in missed_in(change, sent_at))
        self.corrections += bool(missed)
        return missed

    def read_failed(self, conversation_id: str) -> None:
        """Note that a wanted read failed."""
        self.tracker.repair.wants.failed(conversation_id, self.clock.now())

    def wanted(self, limit: int) -> Sequence[str]:
        """Give the conversations that are best read now."""
        return self.tracker.repair.wants.most_urgent(limit, self.clock.now())

    def beats(self, pulse: Pulse) -> None:
        """Note how the source is, if that is news."""
        if pulse == self._pulse:
            return
        now, self._pulse = self._now(), pulse
        if self._record is not None:
            self._record(now, encode_pulse(self.source, pulse), "pulse")
        self.take_all(self.tracker.sources.beats(self.source, pulse, now))

    def follows(self, queue_ids: Collection[str]) -> None:
        """Note which queues are listened to."""
        self.tracker.repair.follows(self.source, queue_ids)

    def settings(self, settings: QueueSettings) -> None:
        """Take in a queue's settings."""
        now = self._now()
        if self._record is not None:
            self._record(now, encode_settings(settings), "settings")
        self.take_all(self.tracker.observe_settings(settings, now))

    # What people do

    async def acknowledge(self, alert_id: str, by: str) -> None:
        """Note who has seen that an alert is firing. Raises `AlertError`."""
        now = self._now()
        change = self.tracker.alerts.acknowledge(alert_id, by, now)
        if change is not None:
            self._keep_deed(now, Acknowledge(alert_id, by))
        self.take(change)

    async def silence(
        self, matchers: Sequence[Matcher], until: datetime, by: str, comment: str
    ) -> Silence:
        """Let nobody be told of some alerts for a while. Raises `SilenceRefused`."""
        now = self._now()
        silence, changes = self.tracker.alerts.silence(matchers, until, by, comment, now)
        texts = [MatcherText(one.field, one.value, one.prefix) for one in matchers]
        self._keep_deed(now, BeginSilence(texts, until, by, comment))
        self.take_all(changes)
        return silence

    async def end_silence(self, silence_id: str, by: str) -> None:
        """End a silence before its time. Raises `SilenceUnknown`."""
        now = self._now()
        changes = self.tracker.alerts.end_silence(silence_id)
        self._keep_deed(now, EndSilence(silence_id, by))
        self.take_all(changes)

    async def adopt(self, rules: RuleSet, by: str) -> None:
        """Put other rules in force, once all is settled under those before."""
        while self._unsettled.is_set():
            await self._settled.wait()
        now = self._now()
        self._keep_deed(now, Ruling(by, msgspec.Raw(rules.packed)))
        if rules.packed != self.tracker.rules.packed:
            self._adopt(rules, now)

    # What the rest of the runtime calls

    def resume(self) -> None:
        """Begin after a restart: what the source has missed since it last heard is a gap.

        What was stored under other rules comes under those in force by `settle_forever`.
        """
        now, tracker = self.clock.now(), self.tracker
        self._keep_deed(now, Ruling(RESTART, msgspec.Raw(tracker.rules.packed)))
        if not tracker.adoption.settled:
            self._adopt(tracker.rules, now)
        heard_until = self.tracker.repair.ledger.heard_until(self.source)
        if heard_until is not None or len(self.tracker.conversations):
            self.disconnected(RESTART, heard_until)

    def alive(self) -> None:
        """Note that the source hears, so that a restart knows when it ceased to."""
        self.take_all(self.tracker.sources.alive(self.source, self.clock.now()))

    def keep(self, rows: Mapping[str, bytes | None]) -> None:
        """Store what a reader keeps, by its own keys, with the next commit; None removes."""
        for key, state in rows.items():
            self._batch.rows[key] = Row(key, state)
        if rows:
            self._gather()

    async def cursor(self, reader: str) -> int | None:
        """Give how far a reader was when that was last stored; None for a new one."""
        return await self._store.cursor(reader)

    async def note_told(self, reader: str, position: int) -> None:
        """Note how far a reader is. The next commit stores it; on its own it causes none."""
        self._batch.cursors[reader] = position
        async with self._advanced:
            self.told[reader] = position
            self._advanced.notify_all()

    async def reaches(self, position: int) -> bool:
        """Whether the journal has come to a position."""
        return position <= self.position

    def freshness(self, source: str) -> Freshness:
        """Say how fresh a source is."""
        hears = self.tracker.repair.ledger.hears_all(source)
        return Freshness(hears, self.tracker.repair.ledger.blind_since(source), self.heard_at)

    def gaps(self, source: str) -> list[LedgerGap]:
        """Give the gaps of a source, oldest first."""
        return self.tracker.repair.ledger.of(source)

    def gaps_about(self, conversation_id: str) -> list[LedgerGap]:  # noqa: ARG002  # any may have
        """Give the gaps that may have touched a conversation, oldest first."""
        return list(self.tracker.repair.ledger.gaps.values())

    async def all_told(self, readers: Iterable[str]) -> None:
        """Wait until these readers have dealt with all that is committed."""
        names = tuple(readers)
        async with self._advanced:
            await self._advanced.wait_for(
                lambda: all(self.told.get(name, 0) >= self.position for name in names)
            )

    async def settle_forever(self) -> None:
        """Bring all that is known under the rules in force, in turns, whenever others are."""
        while True:
            await self._unsettled.wait()
            for changes in self._turns:
                self.take_all(changes)
                await asyncio.sleep(0)
                await self.room()
            self._unsettled.clear()
            self._settled.set()

    def fire(self) -> bool:
        """Fire what is due, as much as goes into a commit; whether there was anything."""
        changes = self._firing.fire(self.clock.now(), GROUP)
        for change in changes:
            self.take(change)
        return bool(changes)

    def _now(self) -> datetime:
        """Give the present; what was due before it has been fired, as a replay would."""
        now = self.clock.now()
        if self._firing.due(now):
            self.fire()
        self._firing.reached = now
        return now

    def _adopt(self, rules: RuleSet, now: datetime) -> None:
        self._turns = self.tracker.adopt(rules, now)
        self._settled.clear()
        self._unsettled.set()

    def _keep_deed(self, now: datetime, deed: Deed) -> None:
        if self._record is not None:
            self._record(now, encode_deed(deed), "operator")

    def _keep_gap(self, now: datetime, gap: Gap) -> None:
        self.tracker.proofs.reads(gap.source, can=gap.reads)
        if self._record is not None:
            self._record(now, encode_gap(gap), "gap")

    async def _write(self, batch: Batch) -> int:
        return await self._store.commit(batch, self.clock.now())


def take_reading(
    tracker: Tracker, decoder: Decoder, reading: Reading, now: datetime
) -> list[Change]:
    """Let a tracker take in one REST answer: a conversation, or a page of many.

    Raises `FrameError`.
    """
    if reading.date is not None:
        tracker.skews.notice(PlatformClock.CLOUD, reading.date, now)
    ahead = tracker.skews.ahead(PlatformClock.CLOUD, now)
    survey = decode_survey(reading.body, reading.sent_at, ahead)
    if survey is not None:
        return tracker.survey(survey, now)
    decoded = decoder.decode(reading.body, reading.sent_at)
    if not isinstance(decoded, Snapshot):
        return []
    change = tracker.observe(decoded, now)
    return [] if change is None else [change]
