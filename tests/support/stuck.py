"""Callbacks that are stuck and come free again, as a gateway tells of them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from ringback.core.events import rfc3339

__all__ = ["AT_ONCE", "freed", "stuck"]

AT_ONCE = {"watch__due_grace_seconds": 0}
"""Settings with which a callback that is due is alerted on."""


def stuck(conversation: str, queue: str = "queue-1") -> bytes:
    """Make a frame of a callback that should have been released ten seconds ago."""
    due = datetime.now(UTC) - timedelta(seconds=10)
    leg = {"state": "scheduled", "callbackScheduledTime": rfc3339(due)}
    return _frame(conversation, queue, leg, {})


def freed(conversation: str, queue: str = "queue-1") -> bytes:
    """Make a frame of one that was released."""
    now = rfc3339(datetime.now(UTC))
    return _frame(
        conversation,
        queue,
        {"state": "connected", "connectedTime": now},
        {"callbacks": [{"id": "k-2", "state": "connected", "connectedTime": now}]},
    )


def _frame(conversation: str, queue: str, leg: dict[str, Any], acd: dict[str, Any]) -> bytes:
    customer = {"id": "p-1", "purpose": "customer", "queueId": queue}
    callback = {"id": "k-1", "direction": "outbound"} | leg
    return msgspec.json.encode(
        {
            "topicName": f"v2.routing.queues.{queue}.conversations",
            "eventBody": {
                "id": conversation,
                "participants": [
                    customer | {"callbacks": [callback]},
                    {"id": "p-2", "purpose": "acd", "queueId": queue} | acd,
                ],
            },
        }
    )
