"""The journal as everything on screens reads it: once, for all who look."""

import msgspec

from ringback.core.events import Event

__all__ = ["Told"]


class Told(msgspec.Struct, frozen=True, gc=False):
    """One committed journal entry."""

    position: int
    body: bytes
    """A CloudEvent as JSON."""
    event: Event
    """The same, decoded."""
