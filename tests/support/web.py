"""What an application needs beside the handlers that a test is about."""

from collections.abc import Sequence

from ringback.web.health import Check, Status
from ringback.web.metrics import Measure, MeasureKind, Metrics

__all__ = ["HEALTHY", "METRICS", "Patient"]


class Patient:
    """Says of its health what it was told to."""

    def __init__(self, *checks: Check) -> None:
        self.parts = checks

    def checks(self) -> Sequence[Check]:
        """Give the state of every part."""
        return self.parts


HEALTHY = Patient(Check("store", Status.OK), Check("restored", Status.OK))
METRICS = Metrics(
    lambda: [Measure("ringback_frames", "Frames taken.", MeasureKind.COUNTER, 7)], "1.2.3"
)
