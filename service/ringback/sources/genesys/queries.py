"""The bodies of the bulk queries. What may be asked, and its limits: the analytics API."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from ringback.core.events import rfc3339

__all__ = ["PAGE", "QUEUES_A_QUERY", "begun_query", "observations_query", "open_query"]

PAGE = 100
"""Conversations a page; more is not known to work."""
QUEUES_A_QUERY = 100
REACH = timedelta(days=31)
"""How far back open conversations are looked for. The interval is matched by the day on which a
conversation began, and a callback can be scheduled 30 days ahead."""
STILL_OPEN = {"type": "dimension", "dimension": "conversationEnd", "operator": "notExists"}


def observations_query(queue_ids: Sequence[str]) -> bytes:
    """Ask which callbacks wait in queues, and which are with an agent."""
    chosen = [_matches("queueId", queue_id) for queue_id in queue_ids]
    return msgspec.json.encode(
        {
            "filter": {
                "type": "and",
                "clauses": [{"type": "or", "predicates": chosen}],
                "predicates": [_matches("mediaType", "callback")],
            },
            "metrics": ["oWaiting", "oInteracting"],
            "detailMetrics": ["oWaiting", "oInteracting"],
        }
    )


def open_query(page: int, now: datetime) -> bytes:
    """Ask for the open conversations that hold callbacks; `page` is from 1.

    The newest first, since these show up to when the answers know what has happened.
    """
    return _details(page, now - REACH, now, [{"type": "and", "predicates": [STILL_OPEN]}])


def begun_query(page: int, since: datetime, now: datetime) -> bytes:
    """Ask for all conversations with callbacks that began since then, ended ones as well."""
    return _details(page, max(since, now - REACH), now, [])


def _details(
    page: int, since: datetime, until: datetime, conversations: list[dict[str, object]]
) -> bytes:
    return msgspec.json.encode(
        {
            "interval": f"{rfc3339(since)}/{rfc3339(until)}",
            "order": "desc",
            "orderBy": "conversationStart",
            "paging": {"pageSize": PAGE, "pageNumber": page},
            "segmentFilters": [{"type": "and", "predicates": [_matches("mediaType", "callback")]}],
            "conversationFilters": conversations,
        }
    )


def _matches(dimension: str, value: str) -> dict[str, str]:
    return {"type": "dimension", "dimension": dimension, "operator": "matches", "value": value}
