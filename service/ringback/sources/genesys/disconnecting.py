"""The one thing that Ringback ever does to the platform: it ends a conversation.

Only when a person asks for it. It is asked for once; nothing here tries again.
"""

from urllib.parse import quote

from ringback.errors import PlatformError, PlatformFault
from ringback.ports import Reading
from ringback.sources.genesys.client import RestClient, Urgency

__all__ = ["DISCONNECT", "PERMISSION", "Hand"]

CONVERSATION = "/api/v2/conversations/{id}"
DISCONNECT = f"{CONVERSATION}/disconnect"
PERMISSION = "conversation:communication:disconnect"
WITHIN_SECONDS = 5.0
"""What was read is not acted on later than that."""
NO_ANSWER = {
    PlatformFault.SERVER,
    PlatformFault.UNREACHABLE,
    PlatformFault.TIMED_OUT,
    PlatformFault.NOT_JSON,
    PlatformFault.TOO_LARGE,
}
"""After these nobody can tell whether it was done."""


class Hand:
    """Reads conversations, and ends them, for whoever asks."""

    def __init__(self, client: RestClient) -> None:
        self._client = client

    async def read(self, conversation_id: str) -> Reading | None:
        """Read one; None: the platform knows of none. Raises `PlatformError`."""
        try:
            answer = await self._client.request(
                "GET",
                _at(CONVERSATION, conversation_id),
                urgency=Urgency.REPAIR,
                name=CONVERSATION,
            )
        except PlatformError as error:
            if error.fault is PlatformFault.NOT_FOUND:
                return None
            raise
        return Reading(answer.body, answer.sent_at, answer.date)

    async def disconnect(self, conversation_id: str) -> bool:
        """End one; whether the platform said so. False: nobody knows. Raises `PlatformError`.

        Applies a system wrap-up code, and ends every participant and callback of it.
        """
        try:
            await self._client.request_once(
                "POST",
                _at(DISCONNECT, conversation_id),
                within=WITHIN_SECONDS,
                urgency=Urgency.REPAIR,
                name=DISCONNECT,
            )
        except PlatformError as error:
            if error.fault in NO_ANSWER:
                return False
            raise
        return True


def _at(path: str, conversation_id: str) -> str:
    return path.replace("{id}", quote(conversation_id, safe=""))
