"""What is known of queues, as rows: who takes over a store, or only looks, hears it from nobody."""

from collections.abc import Iterable

import msgspec

from ringback.core.snapshots import QueueSettings

__all__ = ["QUEUE", "mirror_queue", "only_named", "queue_row", "restore_queues"]

QUEUE = "~queue/"
"""Begins the keys of the rows; a conversation's id begins with no tilde."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(QueueSettings).decode


def queue_row(settings: QueueSettings) -> tuple[str, bytes]:
    """Give the row of a queue: its key, and what is stored."""
    return QUEUE + settings.queue_id, _encode(settings)


def restore_queues(known: dict[str, QueueSettings], rows: Iterable[tuple[str, bytes]]) -> None:
    """Take over rows, some or all. What a source has said since then is newer, and stays."""
    for _, packed in rows:
        settings = _decode(packed)
        known.setdefault(settings.queue_id, settings)


def mirror_queue(known: dict[str, QueueSettings], key: str, packed: bytes | None) -> None:
    """Take over what another has made of a row."""
    if packed is None:
        known.pop(key.removeprefix(QUEUE), None)
    else:
        known[key.removeprefix(QUEUE)] = _decode(packed)


def only_named(before: QueueSettings | None, after: QueueSettings) -> bool:
    """Whether nothing but the name of a queue has changed, by which nothing is decided."""
    return before is not None and msgspec.structs.replace(before, name=after.name) == after
