"""What a process says of what it hears, on its way into the input log."""

from collections import Counter
from collections.abc import Iterator

from ringback.core.clocks import Clock
from ringback.errors import FrameFault
from ringback.ports import Source
from ringback.runtime.cluster.listening import Listening
from ringback.vitals.measuring import counters, gauge
from ringback.web.health import Check, Status
from ringback.web.metrics import Measure

__all__ = ["checks_of_listening", "measures_of_listening"]

KINDS = (
    "snapshot",
    "repeated",
    "system",
    "ignored",
    "read",
    *(fault.value for fault in FrameFault),
)

OUTCOMES = ("stored", "too large")


def checks_of_listening(listening: Listening, source: Source) -> Iterator[Check]:
    """Say whether this listener hears. Others may, while it does not."""
    name = f"listener {source.name}"
    if listening.hears:
        yield Check(name, Status.OK)
    else:
        yield Check(name, Status.DEGRADED, "does not hear all: others have to")
    if listening.putting.too_large:
        remedy = "raise max_payload in the configuration of the NATS servers"
        yield Check(name, Status.DEGRADED, f"some of what was heard is too large: {remedy}")
    for problem in source.problems:
        yield Check(name, Status.DEGRADED, problem)


def measures_of_listening(listening: Listening) -> Iterator[Measure]:
    """Give what was heard, in numbers."""
    yield from counters(
        "frames", "Frames received, by what they were.", "kind", KINDS, listening.frames
    )
    putting = listening.putting
    outcomes = Counter({"stored": putting.put, "too large": putting.too_large})
    yield from counters(
        "listener_messages", "Messages put, by what became of them.", "outcome", OUTCOMES, outcomes
    )
    yield gauge("listener_waiting", "Messages that wait to be stored.", len(putting))
    yield gauge("listener_hears", "1 while it hears all.", listening.hears)
    now = listening.clock.now()
    for clock in (Clock.CLOUD, Clock.PROVIDER):
        yield gauge(
            "clock_skew_seconds",
            "How far a clock of the platform is known to run ahead of ours.",
            listening.skews.ahead(clock, now).total_seconds(),
            clock=clock.value,
        )
    if listening.heard_at is not None:
        yield gauge(
            "last_frame_timestamp_seconds",
            "When the last frame came.",
            listening.heard_at.timestamp(),
        )
