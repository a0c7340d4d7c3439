"""What the daemon needs from outside, as small Protocols. Adapters fulfil them, one file each."""

from collections.abc import AsyncIterator, Sequence
from datetime import datetime
from typing import Literal, Protocol

import msgspec

__all__ = [
    "Batch",
    "Clock",
    "Entry",
    "Intake",
    "Record",
    "RecordKind",
    "Row",
    "Sink",
    "Source",
    "Store",
]


RecordKind = Literal["frame", "read", "settings", "gap", "operator"]
"""Everything that the core consumes."""


class Row(msgspec.Struct, frozen=True, gc=False):
    """One conversation at rest: what the tracker holds in memory is what the store keeps."""

    conversation_id: str
    state: bytes | None
    """The packed conversation, opaque to the store; None asks for the row's removal."""
    wake_at: int | None = None
    """The conversation's earliest deadline, milliseconds since the epoch on the daemon's clock."""


class Entry(msgspec.Struct, frozen=True, gc=False):
    """One journal entry: an emitted event at its position."""

    position: int
    """From 1, ever increasing over restarts; never reused."""
    body: bytes
    """A CloudEvent as JSON, without a newline."""


class Batch(msgspec.Struct, gc=False):
    """What is committed together: all of it, or none."""

    rows: dict[str, Row]
    """The latest row of each conversation touched."""
    events: list[bytes]
    """Bodies to append to the journal, in order."""
    cursors: dict[str, int]
    """Reader name to the last position it has dealt with."""


class Record(msgspec.Struct, frozen=True, gc=False):
    """One line of a recording."""

    at: datetime
    """When it was observed, aware UTC, as the line says: it may lie before its predecessor's."""
    kind: RecordKind
    frame: bytes
    """JSON as it came; for a string, what the string says, as UTF-8."""
    path: str
    line: int
    """From 1."""


class Store(Protocol):
    """Remembers. Any error ends the daemon: memory must never hold what the store does not."""

    def load(self) -> AsyncIterator[Sequence[Row]]:
        """Give every row, in chunks, in no particular order. Raises `StoreError`.

        Read it to its end before the first commit.
        """

    async def commit(self, batch: Batch, now: datetime) -> int:
        """Make a batch durable and return the journal's last position.

        Raises `StoreError`; then it is unknown whether the batch is stored, and the store refuses
        every further commit until it is opened anew.
        """

    async def read(self, after: int, limit: int) -> Sequence[Entry]:
        """Give at most `limit` entries that follow position `after`, oldest first.

        Raises `PositionGone` when retention has removed some of what follows `after`.
        """

    async def position(self) -> int:
        """Give the journal's last position; 0 when nothing was ever appended."""

    async def cursor(self, reader: str) -> int | None:
        """Give the last position that `reader` has dealt with; None for a new reader."""

    async def prune(self, now: datetime) -> int:
        """Remove journal entries older than the retention, oldest first, a bounded number a call.

        Returns how many were removed.
        """

    async def close(self) -> None:
        """Release the store. Nothing may be called afterwards."""


class Sink(Protocol):
    """Tells. Is handed committed entries in order, at least once."""

    async def tell(self, entries: Sequence[Entry]) -> None:
        """Deliver entries; return only when they are delivered."""

    async def close(self) -> None:
        """Deliver what was held back. Nothing may be told afterwards."""


class Clock(Protocol):
    """The daemon's wall clock."""

    def now(self) -> datetime:
        """The present instant, aware, UTC."""


class Intake(Protocol):
    """Where a source puts what it hears. Only `room` waits."""

    async def room(self) -> None:
        """Wait until another frame can be taken; call it before each receive."""

    def frame(self, frame: bytes | str) -> None:
        """Take one frame as it came off the wire. A bad one is quarantined, never raised."""

    def connected(self) -> None:
        """The source hears again; a gap that was open ends now."""

    def disconnected(self, cause: str) -> None:
        """The source is blind from now on, because of `cause` (a short, bounded phrase)."""


class Source(Protocol):
    """Listens."""

    name: str
    """Stable, unique in the daemon: labels metrics, gaps and source events."""

    async def run(self, intake: Intake) -> None:
        """Listen until cancelled, or until the source has ended. Raises `SourceError`."""
