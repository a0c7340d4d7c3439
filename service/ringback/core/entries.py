"""One conversation in memory: its packed form, and what is not worth a write of its own."""

from datetime import UTC, datetime

import msgspec

__all__ = ["NEVER", "Entry"]

NEVER = datetime.min.replace(tzinfo=UTC)


class Entry(msgspec.Struct, gc=False):
    """One conversation in memory. Instants are on the daemon's clock."""

    state: bytes
    """Packed; see `records`."""
    wake_at: int | None
    """Its deadline, milliseconds since the epoch."""
    heard_at: datetime
    """Of the latest frame; a REST read sent before it is outdated."""
    confirmed_at: datetime = NEVER
    """Up to when a frame, a read or a survey is known to agree.

    `NEVER` since a restart, or since the clock was set back."""
    queue_id: str | None = None
    """Where its latest callback is; None when not known, as after a restart."""
    ruling: int = 0
    """Under which rules it is, by their number; 0 while it was not kept since the restart."""
