"""Who waits twice: the callbacks that wait, by their numbers or the hashes that stand for them.

Nothing of it is stored: it follows from the records, and is kept only where numbers are and a rule
asks for it.
"""

from collections.abc import Iterable
from datetime import datetime

from ringback.core.records import Conversation

__all__ = ["Contacts"]


class Contacts:
    """Since when each number waits, and in which conversations."""

    def __init__(self) -> None:
        self.on = False
        """Whether anything is noted at all."""
        self._by_number: dict[str, dict[str, datetime]] = {}
        self._by_conversation: dict[str, dict[str, datetime]] = {}

    def switch(self, *, on: bool) -> bool:
        """Begin or cease to note; whether it begins, so that all there is must be noted."""
        begins = on and not self.on
        if on is not self.on:
            self._by_number.clear()
            self._by_conversation.clear()
        self.on = on
        return begins

    def note(self, conversation: Conversation) -> list[str]:
        """Take over who waits in a conversation; give the others for whom that may matter."""
        waiting = _waiting(conversation)
        before = self._by_conversation.get(conversation.id, {})
        if waiting == before:
            return []
        for number in before:
            self._by_number[number].pop(conversation.id, None)
        for number, since in waiting.items():
            self._by_number.setdefault(number, {})[conversation.id] = since
        self._by_conversation[conversation.id] = waiting
        if not waiting:
            del self._by_conversation[conversation.id]
        changed = dict(waiting.items() ^ before.items())
        others = {other for number in changed for other in self._by_number[number]}
        for number in changed:
            if not self._by_number[number]:
                del self._by_number[number]
        return sorted(others - {conversation.id})

    def earlier(self, conversation_id: str, numbers: Iterable[str], since: datetime) -> int:
        """Count the other conversations in which one of the numbers has waited for longer."""
        found = {
            other
            for number in numbers
            for other, began in self._by_number.get(number, {}).items()
            if other != conversation_id and (began, other) < (since, conversation_id)
        }
        return len(found)


def _waiting(conversation: Conversation) -> dict[str, datetime]:
    waiting: dict[str, datetime] = {}
    for callback in conversation.callbacks:
        since = callback.waiting_since
        if since is not None and callback.open:
            for number in callback.contact[: callback.numbers]:
                waiting[number] = min(since, waiting.get(number, since))
    return waiting
