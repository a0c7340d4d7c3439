"""What an input does to what is stored, and what is to be told of it."""

from collections.abc import Mapping, Sequence

import msgspec

from ringback.core.events import Event

__all__ = ["Change", "changes_of"]


class Change(msgspec.Struct, frozen=True, gc=False):
    """What one input did to one row: its new at-rest form, and what to tell."""

    conversation_id: str
    """Or the key of a row that is about no conversation."""
    state: bytes | None
    """Packed; None when it is forgotten."""
    wake_at: int | None
    """Its earliest deadline, milliseconds since the epoch on the daemon's clock."""
    events: list[Event]


def changes_of(rows: Mapping[str, bytes | None], events: Sequence[Event] = ()) -> list[Change]:
    """Give a change for each of these rows, which wake nobody; the events go with the first."""
    changes = []
    for key, packed in rows.items():
        changes.append(Change(key, packed, None, list(events)))
        events = ()
    return changes
