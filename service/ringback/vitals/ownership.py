"""What a member has of what all share, as metrics and checks."""

from collections.abc import Iterator

from ringback.runtime.cluster.ownership import Ownership
from ringback.vitals.measuring import counter, gauge
from ringback.web.health import Check, Status
from ringback.web.metrics import Measure

__all__ = ["checks_of_ownership", "measures_of_members", "measures_of_ownership"]


def checks_of_ownership(ownership: Ownership, name: str = "ownership") -> Iterator[Check]:
    """Say what keeps it from taking its part."""
    if (problem := ownership.problem) is None:
        yield Check(name, Status.OK)
    else:
        yield Check(name, Status.DEGRADED, problem)


def measures_of_members(ownership: Ownership) -> Iterator[Measure]:
    """Say who is there; of several ownerships those of one."""
    yield gauge(
        "members", "Members that are present, as this one sees them.", len(ownership.members)
    )


def measures_of_ownership(ownership: Ownership) -> Iterator[Measure]:
    """Give what is counted of each role."""
    for role in ownership.roles:
        yield gauge(
            "owned", "Names whose work is done here.", len(ownership.owned(role)), role=role
        )
        yield counter(
            "ownership_taken", "Names that this member took.", ownership.takeovers[role], role=role
        )
        yield counter(
            "ownership_handed_over",
            "Names that it gave up for another, or because it ended.",
            ownership.hand_overs[role],
            role=role,
        )
        yield counter(
            "ownership_lost",
            "Names that another took from it, or that it could not renew.",
            ownership.losses[role],
            role=role,
        )
