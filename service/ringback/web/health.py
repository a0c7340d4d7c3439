"""What the daemon says of its own health."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Protocol

import msgspec

__all__ = ["Check", "Health", "Status", "overall"]


class Status(StrEnum):
    """How one part is; in order, so that the worst counts."""

    OK = "ok"
    DEGRADED = "degraded"
    """It serves, but something is missing: a source that is blind for now, for example."""
    FAILED = "failed"
    """Send nobody here."""


class Check(msgspec.Struct, frozen=True, omit_defaults=True):
    """The state of one part."""

    name: str
    """Such as `store`, `source main`, `restored`."""
    status: Status
    reason: str | None = None
    """Why it is not ok. No ids, no personal data: anybody who can reach the port reads it."""


class Health(Protocol):
    """Asked at each request; answers from memory, at once."""

    def checks(self) -> Sequence[Check]:
        """Give the state of every part."""


def overall(checks: Sequence[Check]) -> Status:
    """Give the worst of all."""
    return max((check.status for check in checks), key=list(Status).index, default=Status.OK)
