"""What every daemon says of itself: health checks and metrics, read when somebody asks."""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence

from ringback.core.clocks import Clock
from ringback.core.gaps import Ledger
from ringback.core.legs import Verdict
from ringback.core.lifecycle import State
from ringback.core.records import TOMBSTONE
from ringback.core.tracker import Tracker
from ringback.errors import FrameFault
from ringback.ports import Source
from ringback.runtime.daemon import Daemon
from ringback.runtime.intake import RESTART
from ringback.runtime.pipeline import Pipeline
from ringback.vitals.measuring import counter, counters, gauge, measures_of_checks
from ringback.web.health import Check, Status
from ringback.web.metrics import Measure

__all__ = ["Vitals", "blindness", "measures_of_stages"]

STAGES = (*(state.value for state in State), TOMBSTONE)
STALE = tuple(verdict.value for verdict in Verdict if verdict not in ("changed", "same"))


class Vitals:
    """Reads the counters of a daemon's parts."""

    def __init__(
        self,
        daemon: Daemon,
        pipeline: Pipeline,
        source: Source,
        more: Callable[[], Iterable[Measure]] = lambda: (),
        more_checks: Callable[[], Iterable[Check]] = lambda: (),
    ) -> None:
        """`more` and `more_checks` give what other parts have to say of themselves."""
        self._daemon = daemon
        self._pipeline = pipeline
        self._source = source
        self._more = more
        self._more_checks = more_checks

    def checks(self) -> Sequence[Check]:
        """Say how each part is."""
        complaint = self._daemon.complaint()
        repair = self._pipeline.tracker.repair
        deaf = not repair.ledger.hears_all(self._pipeline.source)
        return (
            _check("restored", bad=not self._daemon.restored, reason="still reading the store"),
            _check("progress", bad=complaint is not None, reason=complaint),
            _check(
                f"source {self._source.name}",
                bad=deaf,
                reason=f"{blindness(repair.ledger, self._pipeline.source)}: states may be behind",
                status=Status.DEGRADED,
            ),
            *(
                Check(f"source {self._source.name}", Status.DEGRADED, problem)
                for problem in self._source.problems
            ),
            *self._more_checks(),
        )

    def measures(self) -> Iterator[Measure]:
        """Give every number there is."""
        pipeline, tracker, decoder = (
            self._pipeline,
            self._pipeline.tracker,
            self._pipeline.decoder,
        )
        kinds = ("snapshot", "system", "ignored", "read", *(fault.value for fault in FrameFault))
        yield from counters(
            "frames", "Frames received, by what they were.", "kind", kinds, pipeline.frames
        )
        yield from counters(
            "sightings_dropped",
            "Legs in snapshots that changed nothing because they were stale, by reason.",
            "reason",
            (*STALE, "no_callback", "ended_before_retention", TOMBSTONE),
            tracker.dropped,
        )
        yield from measures_of_stages(tracker)
        yield from self._scalars()
        yield from self._gaps()
        yield from self._more()
        for name, count in decoder.unknown_values.items():
            yield counter(
                "unknown_values",
                "Values that an enumeration of the platform does not list yet.",
                count,
                enumeration=name,
            )
        now = pipeline.clock.now()
        for clock in (Clock.CLOUD, Clock.PROVIDER):
            yield gauge(
                "clock_skew_seconds",
                "How far a clock of the platform is known to run ahead of ours.",
                tracker.skews.ahead(clock, now).total_seconds(),
                clock=clock.value,
            )
        for reader, position in pipeline.told.items():
            yield gauge(
                "reader_lag_entries",
                "Committed journal entries that a reader has not dealt with.",
                pipeline.position - position,
                reader=reader,
            )

    def _scalars(self) -> Iterator[Measure]:
        pipeline, tracker, decoder = (
            self._pipeline,
            self._pipeline.tracker,
            self._pipeline.decoder,
        )
        yield from measures_of_checks(self.checks())
        yield counter("commits", "Transactions committed.", pipeline.commits)
        yield counter(
            "commit_seconds", "How long commits took, all together.", pipeline.commit_seconds
        )
        at = asyncio.get_running_loop().time()
        pending = pipeline.pending_since
        yield gauge(
            "commit_pending_seconds",
            "How long the commit has taken that is under way; 0 if none is.",
            0.0 if pending is None else at - pending,
        )
        deadline = tracker.next_deadline()
        late = 0.0 if deadline is None else (pipeline.clock.now() - deadline).total_seconds()
        yield gauge(
            "timer_late_seconds",
            "How long the earliest deadline has been due that has not been acted on.",
            max(0.0, late),
        )
        yield counter(
            "frames_tolerated",
            "Frames understood only without their null and {}.",
            decoder.tolerated,
        )
        yield counter(
            "timestamps_unbelievable",
            "Timestamps too far in the future to be believed.",
            tracker.skews.nonsense,
        )
        yield gauge("journal_position", "The last committed journal entry.", pipeline.position)
        yield gauge(
            "source_connected",
            "1 while the source hears.",
            tracker.repair.ledger.hears_all(pipeline.source),
            source=self._source.name,
        )
        yield gauge(
            "unknown_fields",
            "Fields that no struct knows, in the frames sampled so far.",
            len(decoder.unknown_fields),
        )
        if pipeline.heard_at is not None:
            yield gauge(
                "last_frame_timestamp_seconds",
                "When the last frame came.",
                pipeline.heard_at.timestamp(),
            )

    def _gaps(self) -> Iterator[Measure]:
        repair = self._pipeline.tracker.repair
        opened = repair.ledger.opened
        yield from counters(
            "gaps",
            "Intervals in which the source was blind.",
            "cause",
            tuple(dict.fromkeys((RESTART, *opened))),
            opened,
        )
        yield counter(
            "blind_seconds",
            "How long the gaps were that have ended.",
            repair.ledger.blind_time.total_seconds(),
        )
        yield gauge("gaps_open", "Gaps that last.", len(repair.ledger.open_gaps()))
        yield gauge(
            "conversations_unverified",
            "Conversations that a gap has touched and nothing has confirmed since.",
            len(repair.doubts),
        )
        yield gauge("reads_wanted", "Conversations that are best read by REST.", len(repair.wants))
        yield counter(
            "frames_missed",
            "Single reads that have shown lost frames although no gap was known.",
            self._pipeline.corrections,
        )


def blindness(ledger: Ledger, source: str) -> str:
    """Say of how much a source does not hear, and why."""
    gaps = ledger.open_gaps(source)
    if not gaps:
        return "does not hear"
    causes = ", ".join(sorted({gap.cause for gap in gaps}))
    topics = sum(len(gap.blind) for gap in gaps)
    whole = any(not gap.topics for gap in gaps)
    return f"does not hear ({causes})" if whole else f"blind for {topics} topics ({causes})"


def measures_of_stages(tracker: Tracker) -> Iterator[Measure]:
    """Give how many conversations there are, by where they are."""
    for stage in STAGES:
        yield gauge(
            "conversations",
            "Conversations known, by the state of their latest open callback.",
            tracker.conversations.stages[stage],
            state=stage,
        )


def _check(name: str, *, bad: bool, reason: str | None, status: Status = Status.FAILED) -> Check:
    return Check(name, status, reason) if bad else Check(name, Status.OK)
