"""What a process says of the partitions that it tracks."""

from collections.abc import Iterator

from ringback.runtime.cluster.tracking import COUNTED, Tracking
from ringback.vitals.measuring import counters, gauge
from ringback.web.health import Check, Status
from ringback.web.metrics import Measure

__all__ = ["checks_of_tracking", "measures_of_tracking"]

LAGS = 10.0
"""Seconds that a partition may be behind before it is said."""


def checks_of_tracking(tracking: Tracking) -> Iterator[Check]:
    """Say what keeps partitions from being tracked in time."""
    for number, problem in sorted(tracking.problems.items()):
        yield Check(f"partition {number}", Status.DEGRADED, problem)
    late = {
        number: lag
        for number, one in tracking.partitions.items()
        if (lag := tracking.lag_of(one)) > LAGS
    }
    for number, lag in sorted(late.items()):
        yield Check(f"partition {number}", Status.DEGRADED, f"{lag:.0f} s behind: catching up")
    if broken := tracking.counts["broken"]:
        said = f"{broken} made an error and were passed over: look for input_broken, and report it"
        yield Check("inputs", Status.DEGRADED, said)
    if not (tracking.problems or late):
        yield Check("partitions", Status.OK)


def measures_of_tracking(tracking: Tracking) -> Iterator[Measure]:
    """Give every number there is."""
    yield gauge("partitions", "Partitions that are tracked here.", len(tracking.partitions))
    yield gauge(
        "tracking_lag_seconds",
        "How long ago the oldest input was taken that is to be dealt with next.",
        tracking.lag,
    )
    yield gauge(
        "tracked_conversations",
        "Conversations known to the partitions here, tombstones included.",
        tracking.conversations,
    )
    yield from counters(
        "tracking",
        "What happened to inputs and steps, by what it was.",
        "what",
        COUNTED,
        tracking.counts,
    )
