"""What is known of queues, and who waits for more.

Settings are rows: who takes over a store, or only looks, hears them from nobody.
"""

from collections.abc import Iterable

import msgspec

from ringback.core.snapshots import QueueSettings

__all__ = ["QUEUE", "Queues", "only_named"]

QUEUE = "~queue/"
"""Begins the keys of the rows; a conversation's id begins with no tilde."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(QueueSettings).decode


class Queues:
    """The settings of every queue, and the conversations that wait where they are not known."""

    def __init__(self) -> None:
        self.settings: dict[str, QueueSettings] = {}
        """By the queue's id."""
        self._awaited: dict[str, set[str]] = {}

    def restore(self, rows: Iterable[tuple[str, bytes]]) -> None:
        """Take over rows, some or all. What a source has said since then is newer, and stays."""
        for _, packed in rows:
            settings = _decode(packed)
            self.settings.setdefault(settings.queue_id, settings)

    def mirror(self, key: str, packed: bytes | None) -> None:
        """Take over what another has made of a row."""
        if packed is None:
            self.settings.pop(key.removeprefix(QUEUE), None)
        else:
            self.settings[key.removeprefix(QUEUE)] = _decode(packed)

    def learn(self, settings: QueueSettings) -> dict[str, bytes]:
        """Take over what a source says of a queue; give the row to be stored."""
        self.settings[settings.queue_id] = settings
        return {QUEUE + settings.queue_id: _encode(settings)}

    def moved(self, key: str, before: str | None, after: str | None) -> None:
        """Note in which queue a conversation waits, if in any, and in which it did."""
        if self._awaited and before in self._awaited:
            self._awaited[before].discard(key)
        if after is not None and after not in self.settings:
            self._awaited.setdefault(after, set()).add(key)

    def awaiting(self, queue_id: str) -> set[str]:
        """Take out the conversations that wait in a queue whose settings were not known."""
        return self._awaited.pop(queue_id, set())


def only_named(before: QueueSettings | None, after: QueueSettings) -> bool:
    """Whether nothing but the name of a queue has changed, by which nothing is decided."""
    return before is not None and msgspec.structs.replace(before, name=after.name) == after
