"""Who asks: the role decides what is shown and what may be done."""

from enum import StrEnum
from typing import Any

import msgspec
from litestar.connection import ASGIConnection

from ringback.web.heads import address_of

__all__ = [
    "ACTING",
    "EVERYBODY",
    "LOCAL",
    "LOOKING",
    "SCRAPING",
    "Role",
    "Visitor",
    "facts_of",
    "is_logged_in",
    "is_stranger",
    "roles",
    "visitor_of",
]


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


LOOKING = frozenset({Role.VIEWER, Role.OPERATOR})
ACTING = frozenset({Role.OPERATOR})
SCRAPING = frozenset({Role.METRICS, Role.OPERATOR})
EVERYBODY = frozenset(Role)

LOCAL = Visitor("local", Role.OPERATOR)
"""Whoever is on this machine, where no tokens are asked for."""


def roles(allowed: frozenset[Role] | None) -> dict[str, Any]:
    """Say who may use a route: part of the handler's `opt`. None: strangers too.

    A route that does not say is for operators alone.
    """
    return {"roles": allowed}


def visitor_of(connection: ASGIConnection[Any, Any, Any, Any]) -> Visitor:
    """Say who asks, as the gate has found. On paths for strangers there may be nobody to name."""
    visitor = connection.scope["state"]["visitor"]
    assert isinstance(visitor, Visitor)  # noqa: S101  # nobody else sets it
    return visitor


def facts_of(connection: ASGIConnection[Any, Any, Any, Any]) -> dict[str, str]:
    """Give what the audit trail keeps of who asks, beside the name."""
    address = address_of(connection.scope)
    return {"role": visitor_of(connection).role} | ({"address": address} if address else {})


def is_logged_in(connection: ASGIConnection[Any, Any, Any, Any]) -> bool:
    """Whether somebody comes with the cookie of a session."""
    return bool(connection.scope["state"].get("logged_in"))


def is_stranger(connection: ASGIConnection[Any, Any, Any, Any]) -> bool:
    """Whether the gate has let somebody through without knowing them."""
    return "visitor" not in connection.scope["state"]
