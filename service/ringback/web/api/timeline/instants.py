"""Instants and what lies between them, as they are answered."""

from datetime import datetime

from msgspec import UNSET, UnsetType

from ringback.core.events import rfc3339

__all__ = ["seconds_between", "time_or_unset"]


def time_or_unset(instant: datetime | None) -> str | UnsetType:
    """Format an instant, if there is one."""
    return UNSET if instant is None else rfc3339(instant)


def seconds_between(began: str, until: str) -> float:
    """Give how long it was between two instants; never less than nothing."""
    length = datetime.fromisoformat(until) - datetime.fromisoformat(began)
    return max(0.0, round(length.total_seconds(), 3))
