"""What the messages of the input log do to a tracker, and when time has something to do.

Listeners hear for one source: who of them hears what is put together here. Nothing here waits or
reads a clock, and all of it follows from the log.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import msgspec
import structlog

from ringback.core.changes import Change
from ringback.core.clocks import Clock
from ringback.core.deadlines import soonest
from ringback.core.hearing import HEARING, Call, Hearing
from ringback.core.surveys import Survey
from ringback.core.tracker import Tracker
from ringback.core.watch.feed_kinds import Pulse
from ringback.errors import AlertError, SilenceError
from ringback.runtime.deeds import carry_out
from ringback.runtime.firing import Firing
from ringback.runtime.gathering import GROUP
from ringback.runtime.missing import missed_in
from ringback.wire import log as wire
from ringback.wire.inputs import Ruling, decode_deed, rules_of

__all__ = ["LOST", "Consuming"]

log = structlog.get_logger(__name__)

LOST = "input log"
"""The cause of a gap in what was kept of the inputs."""
SPEECHLESS = timedelta(minutes=1)
"""A listener that says nothing for so long has no pulse any more."""


class Consuming:
    """One partition's tracker, and who hears."""

    def __init__(self, tracker: Tracker, source: str, counts: Counter[str]) -> None:
        """`counts` is told of messages that come to nothing."""
        self.tracker = tracker
        self.hearing = Hearing(source, tracker.repair.ledger)
        self.pulses: dict[str, tuple[datetime, Pulse]] = {}
        """What each listener last said of how it is, and when it last spoke."""
        self.firing = Firing(tracker)
        self.lost_in: set[str] = set()
        """Queues in which a read has shown what no frame had told. Not stored: a hint."""
        self._source = source
        self._counts = counts

    def restore(self, rows: Sequence[tuple[str, bytes]], now: datetime) -> None:
        """Take over the rows that are about no conversation, before all others."""
        self.hearing.restore(row for row in rows if row[0].startswith(HEARING))
        others = ((*row, None) for row in rows if not row[0].startswith(HEARING))
        self.tracker.restore(others, now, carry_on=True)
        self._know_listeners()

    def next_deadline(self) -> datetime | None:
        """When time alone next has something to do."""
        return soonest(self.tracker.next_deadline(), self.hearing.next_deadline())

    def fire(self, until: datetime) -> Iterable[list[Change]]:
        """Do what is due by then, earliest first, as much at a time as goes into a commit."""
        deadline = self.next_deadline()
        if deadline is not None and deadline <= until:
            return self._fire_all(until)
        self.firing.reached = max(until, self.firing.reached)
        return ()

    def _fire_all(self, until: datetime) -> Iterator[list[Change]]:
        while (silent := self.hearing.next_deadline()) is not None and silent <= until:
            yield from self._fire(silent)
            now = self.firing.reached = max(silent, self.firing.reached)
            yield list(self._listen(self.hearing.go_on(now), now))
        yield from self._fire(until)
        self.firing.reached = max(until, self.firing.reached)

    def _fire(self, until: datetime) -> Iterator[list[Change]]:
        while self.firing.due(until):
            yield self.firing.fire(until, GROUP)

    def consume(
        self, message: wire.Message, now: datetime, ahead: Mapping[str, object]
    ) -> Iterable[list[Change]]:
        """Take in one message, part by part.

        Conversations that are `ahead` have what was put until now behind them already. Raises
        `FrameError` for what this version does not understand.
        """
        match message:
            case wire.Seen(snapshot, date):
                self._note_date(date, now)
                if snapshot.conversation_id in ahead:
                    self._counts["redelivered"] += 1
                    self.tracker.glance(snapshot, now)
                    return ()
                calm = not self.tracker.repair.doubts
                change = self.tracker.observe(snapshot, now)
                if change is not None and snapshot.read_at is not None and calm:
                    self.lost_in.update(missed_in(change, snapshot.read_at))
                return () if change is None else ([change],)
            case wire.Done(deed):
                return self._carry_out(deed, now)
            case _:
                return (list(self._hear(message, now, ahead)),)

    def missed(self, part: str, since: datetime, now: datetime) -> list[Change]:
        """What was put into one part of the log from then until now is not kept any more."""
        return self.tracker.sources.missed(self._source, part, LOST, since, now)

    def _hear(
        self, message: wire.Message, now: datetime, ahead: Mapping[str, object]
    ) -> Iterable[Change]:
        match message:
            case wire.Surveyed(survey, date):
                self._note_date(date, now)
                return self.tracker.survey(_without(survey, ahead) if ahead else survey, now)
            case wire.ReadFailed(conversation_id):
                self.tracker.repair.wants.failed(conversation_id, now)
            case wire.Settled(settings):
                return self.tracker.observe_settings(settings, now)
            case wire.Hearing(listener, "connected", topics=topics, reads=reads):
                return self._listen(self.hearing.connected(listener, topics, now, reads=reads), now)
            case wire.Hearing(listener, _, cause, since, topics):
                calls = self.hearing.disconnected(listener, cause, since, topics, now)
                return self._listen(calls, now)
            case wire.Follows(listener, queue_ids):
                return self._listen(self.hearing.follows(listener, queue_ids, now), now)
            case wire.Alive():
                return self._live(message, now)
            case wire.Beaten(listener, pulse):
                self.pulses[listener] = now, pulse
                return self.tracker.sources.beats(self._source, self._pulse(now), now)
            case _:
                pass  # a tick: time has come, no more
        return ()

    def _live(self, alive: wire.Alive, now: datetime) -> Iterator[Change]:
        yield from self._listen(self.hearing.alive(alive.listener, now), now)
        if alive.listener in self.pulses:
            self.pulses[alive.listener] = now, self.pulses[alive.listener][1]
        if alive.undecodable:
            yield from self.tracker.sources.undecodable(now, alive.undecodable)
        if alive.heard:
            yield from self.tracker.sources.heard(now)
        yield from self.tracker.sources.beats(self._source, self._pulse(now), now)
        yield from self.tracker.sources.alive(self._source, now)

    def _listen(self, calls: Iterable[Call], now: datetime) -> Iterator[Change]:
        """Tell the tracker what all listeners together hear by now."""
        tracker, hearing, source = self.tracker, self.hearing, self._source
        for call in calls:
            tracker.proofs.reads(source, can=hearing.reads)
            if call.hears:
                yield from tracker.sources.connected(source, call.topics, now)
            else:
                yield from tracker.sources.disconnected(
                    source, call.cause, call.since, call.topics, now
                )
        self._know_listeners()
        for key, row in hearing.unsaved().items():
            yield Change(key, row, None, [])

    def _know_listeners(self) -> None:
        """Note what follows from who listens."""
        self.tracker.proofs.reads(self._source, can=self.hearing.reads)
        self.tracker.repair.follows(self._source, self.hearing.followed)

    def _pulse(self, now: datetime) -> Pulse:
        """Give the worst of what is known of those that still speak."""
        for listener in [one for one, (at, _) in self.pulses.items() if now - at > SPEECHLESS]:
            del self.pulses[listener]
        pulses = [pulse for _, pulse in self.pulses.values()]
        behind = [one.behind_since for one in pulses if one.behind_since is not None]
        spent = [one.spent_since for one in pulses if one.spent_since is not None]
        skew = max((one.skew for one in pulses), default=timedelta())
        return Pulse(min(behind, default=None), min(spent, default=None), skew)

    def _carry_out(self, packed: bytes, now: datetime) -> Iterable[list[Change]]:
        deed = decode_deed(packed)
        if isinstance(deed, Ruling):
            rules = rules_of(deed, ZoneInfo)
            if rules.packed == self.tracker.rules.packed:
                return ()
            log.info("rules_in_force", by=deed.by, rules=len(rules.rules))
            return self.tracker.adopt(rules, now)
        try:
            return (list(carry_out(self.tracker, deed, now)),)
        except (AlertError, SilenceError):
            # Whoever asked for it has been told, or will find that it is over.
            self._counts["in_vain"] += 1
            return ()

    def _note_date(self, date: datetime | None, now: datetime) -> None:
        if date is not None:
            self.tracker.skews.notice(Clock.CLOUD, date, now)


def _without(survey: Survey, ahead: Mapping[str, object]) -> Survey:
    """Leave out those that are known as of later."""
    return msgspec.structs.replace(
        survey,
        pictures=[one for one in survey.pictures if one.conversation_id not in ahead],
        places=[one for one in survey.places if one.conversation_id not in ahead],
    )
