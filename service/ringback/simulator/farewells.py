"""The end of conversations that a simulated centre of an earlier run has left behind.

A real platform goes on while nobody listens. The centre inside the daemon does not: after an hour
it is another one, which knows nothing of these. So they are ended, as a platform's clean-up would.
"""

from collections.abc import Iterator
from datetime import datetime

import msgspec

from ringback.core.events import rfc3339
from ringback.core.legs import Leg
from ringback.core.records import Conversation
from ringback.core.snapshots import Medium, Role

__all__ = ["farewell"]

PURPOSES = {
    Role.CUSTOMER: "customer",
    Role.EXTERNAL: "external",
    Role.ACD: "acd",
    Role.AGENT: "agent",
}


def farewell(conversation: Conversation, now: datetime) -> bytes:
    """Show a conversation all of whose legs have ended now."""
    at = rfc3339(now)
    participants = [
        {
            "id": leg.participant_id,
            "purpose": PURPOSES.get(leg.role, "workflow"),
            "endTime": at,
            "callbacks" if leg.medium is Medium.CALLBACK else "calls": [
                {
                    "id": leg.communication_id or leg.participant_id,
                    "state": "disconnected",
                    "direction": "outbound",
                    "disconnectType": "system",
                    "disconnectedTime": at,
                }
            ],
        }
        for leg in _live(conversation)
    ]
    body = {"id": conversation.id, "participants": participants}
    topic = "v2.routing.queues.closed.conversations"
    return msgspec.json.encode({"topicName": topic, "version": "2", "eventBody": body})


def _live(conversation: Conversation) -> Iterator[Leg]:
    for callback in conversation.callbacks:
        if callback.open:
            yield from (leg for leg in callback.legs if leg.live)
