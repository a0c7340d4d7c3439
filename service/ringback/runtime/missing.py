"""Frames that were lost although no gap was known, as single reads show it."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from msgspec import UNSET

from ringback.core.changes import Change
from ringback.core.events import CallbackData, rfc3339

__all__ = ["missed_in"]

IN_FLIGHT = timedelta(seconds=30)
"""A move that a read shows and that is younger may still be told by a frame."""


def missed_in(change: Change, sent_at: datetime) -> Iterator[str]:
    """Give the queues of moves that a read has brought, though a frame should have long ago."""
    limit = rfc3339(sent_at - IN_FLIGHT)
    for event in change.events:
        data = event.data
        if (
            isinstance(data, CallbackData)
            and data.previous_state is not UNSET
            and event.time < limit
            and data.queue_id is not UNSET
        ):
            yield data.queue_id
