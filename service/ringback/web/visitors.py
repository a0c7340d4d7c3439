"""Who asks: the role decides what is shown and what may be done."""

from enum import StrEnum
from typing import Any

import msgspec
from litestar.connection import ASGIConnection

__all__ = ["LOCAL", "Role", "Visitor", "visitor_of"]


class Role(StrEnum):
    """What somebody may do."""

    VIEWER = "viewer"
    """Look; numbers and names are masked."""
    OPERATOR = "operator"
    """Acknowledge and reveal as well, each with an audit record."""
    METRICS = "metrics"
    """Scrape metrics, nothing else."""


class Visitor(msgspec.Struct, frozen=True):
    """One who asks."""

    name: str
    """As the token's file calls them; it goes into the audit trail."""
    role: Role


LOCAL = Visitor("local", Role.OPERATOR)
"""Whoever is on this machine, where no tokens are asked for."""


def visitor_of(connection: ASGIConnection[Any, Any, Any, Any]) -> Visitor:
    """Say who asks, as the gate has found."""
    visitor = connection.scope["state"].get("visitor", LOCAL)
    assert isinstance(visitor, Visitor)  # noqa: S101  # nobody else sets it
    return visitor
