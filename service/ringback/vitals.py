"""What the daemon says of itself: health checks and metrics, read when somebody asks."""

from collections.abc import Iterator, Mapping, Sequence

from ringback.core.clocks import Clock
from ringback.core.legs import Verdict
from ringback.core.lifecycle import State
from ringback.core.records import TOMBSTONE
from ringback.errors import FrameFault
from ringback.ports import Source
from ringback.runtime.daemon import Daemon
from ringback.runtime.pipeline import Pipeline
from ringback.web.health import Check, Status
from ringback.web.metrics import Measure, MeasureKind

__all__ = ["Vitals"]

STAGES = (*(state.value for state in State), TOMBSTONE)
STALE = tuple(verdict.value for verdict in Verdict if verdict not in ("changed", "same"))


class Vitals:
    """Reads the counters of a daemon's parts."""

    def __init__(self, daemon: Daemon, pipeline: Pipeline, source: Source) -> None:
        self._daemon = daemon
        self._pipeline = pipeline
        self._source = source

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
                reason="does not hear: states may be behind",
                status=Status.DEGRADED,
            ),
        )

    def measures(self) -> Iterator[Measure]:
        """Give every number there is."""
        pipeline, tracker, decoder = (
            self._pipeline,
            self._pipeline.tracker,
            self._pipeline.decoder,
        )
        kinds = ("snapshot", "system", "ignored", *(fault.value for fault in FrameFault))
        yield from _counters(
            "frames", "Frames received, by what they were.", "kind", kinds, pipeline.frames
        )
        yield from _counters(
            "sightings_dropped",
            "Legs in snapshots that changed nothing because they were stale, by reason.",
            "reason",
            (*STALE, "no_callback", "ended_before_retention", TOMBSTONE),
            tracker.dropped,
        )
        for stage in STAGES:
            yield _gauge(
                "conversations",
                "Conversations known, by the state of their latest open callback.",
                tracker.stages[stage],
                state=stage,
            )
        yield from self._scalars()
        for name, count in decoder.unknown_values.items():
            yield _counter(
                "unknown_values",
                "Values that an enumeration of the platform does not list yet.",
                count,
                enumeration=name,
            )
        now = pipeline.clock.now()
        for clock in (Clock.CLOUD, Clock.PROVIDER):
            yield _gauge(
                "clock_skew_seconds",
                "How far a clock of the platform is known to run ahead of ours.",
                tracker.skews.ahead(clock, now).total_seconds(),
                clock=clock.value,
            )
        for reader, position in pipeline.told.items():
            yield _gauge(
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
        yield _counter("commits", "Transactions committed.", pipeline.commits)
        yield _counter(
            "frames_tolerated",
            "Frames understood only without their null and {}.",
            decoder.tolerated,
        )
        yield _counter(
            "timestamps_unbelievable",
            "Timestamps too far in the future to be believed.",
            tracker.skews.nonsense,
        )
        yield _gauge("journal_position", "The last committed journal entry.", pipeline.position)
        yield _gauge(
            "source_connected",
            "1 while the source hears.",
            tracker.repair.ledger.hears_all(pipeline.source),
            source=self._source.name,
        )
        yield _gauge(
            "unknown_fields",
            "Fields that no struct knows, in the frames sampled so far.",
            len(decoder.unknown_fields),
        )
        if pipeline.heard_at is not None:
            yield _gauge(
                "last_frame_timestamp_seconds",
                "When the last frame came.",
                pipeline.heard_at.timestamp(),
            )


def _check(name: str, *, bad: bool, reason: str | None, status: Status = Status.FAILED) -> Check:
    return Check(name, status, reason) if bad else Check(name, Status.OK)


def _counters(
    name: str, text: str, label: str, values: Sequence[str], counts: Mapping[str, int]
) -> Iterator[Measure]:
    """Give a counter for each value of a closed set, those that are still 0 included."""
    for value in values:
        yield _counter(name, text, counts.get(value, 0), **{label: value})


def _counter(name: str, text: str, value: int, **labels: str) -> Measure:
    return Measure(f"ringback_{name}", text, MeasureKind.COUNTER, value, labels)


def _gauge(name: str, text: str, value: float, **labels: str) -> Measure:
    return Measure(f"ringback_{name}", text, MeasureKind.GAUGE, value, labels)
