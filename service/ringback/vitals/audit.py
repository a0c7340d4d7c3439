"""What is counted of the audit trail, as metrics."""

from collections.abc import Iterator

from ringback.sinks.audit import AuditTrail
from ringback.vitals.measuring import counter
from ringback.web.metrics import Measure

__all__ = ["measures_of_audit"]


def measures_of_audit(trail: AuditTrail) -> Iterator[Measure]:
    """Give every number there is."""
    yield counter("deeds_noted", "What people did, as noted in the audit trail.", trail.noted)
    yield counter("deeds_not_noted", "What could not be noted, and so was not done.", trail.failed)
