"""What a process says of itself that shows what others track: how far it can be relied on."""

from collections.abc import Iterator

from ringback.runtime.cluster.mirror import LOST, Mirror
from ringback.vitals.daemon import blindness, measures_of_stages
from ringback.vitals.measuring import gauge
from ringback.web.health import Check, Status
from ringback.web.metrics import Measure

__all__ = ["checks_of_mirror", "measures_of_mirror"]

FAR = 5000
"""Steps that it may be behind: a second or so of the most that there can be."""
MOST_NAMED = 8
"""Partitions that are named in a check."""


def checks_of_mirror(mirror: Mirror) -> Iterator[Check]:
    """Say what keeps it from showing the present."""
    if not mirror.loaded:
        yield Check("mirror", Status.FAILED, "still reading the log of steps")
        return
    yield Check("mirror", Status.OK)
    silent, behind = mirror.silent_seconds, mirror.behind
    if silent > LOST:
        yield Check(
            "log of steps",
            Status.DEGRADED,
            f"the engine has said nothing for {silent:.0f} s: what is shown is of then",
        )
        return
    if behind > FAR:
        yield Check("log of steps", Status.DEGRADED, f"{behind} steps behind: catching up")
    else:
        yield Check("log of steps", Status.OK)
    if quiet := mirror.quiet():
        named = ", ".join(map(str, quiet[:MOST_NAMED])) + ", …" * (len(quiet) > MOST_NAMED)
        yield Check(
            "tracking",
            Status.DEGRADED,
            f"no steps of {len(quiet)} partitions ({named}): nobody tracks them, or nothing is put"
            " into the log of inputs; `ringback status` tells who should",
        )
    else:
        yield Check("tracking", Status.OK)
    ledger, name = mirror.tracker.repair.ledger, f"source {mirror.source}"
    if ledger.hears_all(mirror.source):
        yield Check(name, Status.OK)
    else:
        said = blindness(ledger, mirror.source)
        yield Check(name, Status.DEGRADED, f"{said}: states may be behind")


def measures_of_mirror(mirror: Mirror) -> Iterator[Measure]:
    """Give every number there is."""
    yield gauge(
        "log_behind_steps", "Steps of the log that this process does not show yet.", mirror.behind
    )
    yield gauge(
        "log_silent_seconds",
        "How long the log has said nothing, not even that there is no news.",
        mirror.silent_seconds,
    )
    yield gauge("partitions_quiet", "Partitions of which no steps come.", len(mirror.quiet()))
    yield from measures_of_stages(mirror.tracker)
    ledger = mirror.tracker.repair.ledger
    yield gauge("journal_position", "The last committed journal entry.", mirror.position)
    yield gauge("gaps_open", "Gaps that last.", len(ledger.open_gaps()))
    yield gauge(
        "source_connected",
        "1 while the source hears.",
        mirror.freshness(mirror.source).hears,
        source=mirror.source,
    )
