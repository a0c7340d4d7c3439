"""What the daemon needs from outside, as small Protocols. Adapters fulfil them, one file each."""

from collections.abc import (
    AsyncGenerator,
    AsyncIterator,
    Callable,
    Collection,
    Iterable,
    Mapping,
    Sequence,
)
from datetime import datetime
from typing import Literal, Protocol

import msgspec

from ringback.core.snapshots import QueueSettings
from ringback.core.watch.messages import Item, Message

__all__ = [
    "Audit",
    "Batch",
    "Claim",
    "Clock",
    "Deed",
    "Entry",
    "Input",
    "InputLog",
    "Intake",
    "Leases",
    "Limit",
    "Mark",
    "PartitionStore",
    "Past",
    "Reading",
    "Receiver",
    "Record",
    "RecordKind",
    "Row",
    "Sink",
    "Source",
    "Step",
    "StepLog",
    "Store",
    "Wants",
    "Wishes",
]


RecordKind = Literal["frame", "read", "settings", "gap", "operator", "pulse"]
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
    subjects: list[str] = []
    """What each of the events is about, for `Store.history`; empty: they cannot be found by it."""
    keys: list[str] = []
    """The row that each of the events came with; a log of steps keeps both in one message."""
    reached: int = 0
    """How far the input log is dealt with once this is committed; 0 where there is none."""


class Input(msgspec.Struct, frozen=True, gc=False):
    """One message of the input log."""

    sequence: int
    """Of the log as a whole, ever increasing; a partition has some of them."""
    at: datetime
    """When the engine took it, by the engine's clock: the one clock of all machines."""
    body: bytes
    """As `ringback.wire.log` writes it."""


class Step(msgspec.Struct, frozen=True, gc=False):
    """One message of the log of steps: what one row has become, and what is told of it."""

    sequence: int
    """Of the log as a whole, ever increasing."""
    partition: int
    row: Row
    reached: int
    """How far the input log was dealt with, as far as this row is concerned."""
    events: list[bytes] = []
    """CloudEvents as JSON, in order."""
    subjects: list[str] = []
    """What each of them is about."""


class InputLog(Protocol):
    """All that the trackers consume, in the order in which it is consumed, by partition."""

    async def put(self, partition: int, key: str, body: bytes, once: str) -> int:
        """Append, unless something of the same `once` was a short while ago.

        Gives its sequence, or that of the one before it. Returns when it is stored durably; tries
        again for as long as the engine cannot be reached. Raises `StoreError` when it never will.
        """

    def follow(self, partition: int, after: int) -> AsyncIterator[Sequence[Input]]:
        """Give what follows `after`, in order, without holes, for ever; an empty chunk: no news.

        Raises `PositionGone` when retention has removed some of what follows `after`.
        """

    async def position(self) -> int:
        """Give the sequence of the log's last message; 0 when it never had one."""


class StepLog(Protocol):
    """What trackers have committed, in one order for all readers."""

    def load(self) -> AsyncIterator[Sequence[Step]]:
        """Give the last step of every row of every partition, in no particular order."""

    def follow(self, after: int) -> AsyncIterator[Sequence[Step]]:
        """Give the steps that follow `after`, in order, without holes, for ever.

        Raises `PositionGone`.
        """

    async def position(self) -> int:
        """Give the sequence of the log's last step; 0 when it never had one."""

    async def read(self, after: int, limit: int) -> Sequence[Step]:
        """Give at most `limit` steps that follow `after`, oldest first; none at the log's end.

        Raises `PositionGone` when retention has removed some of what follows `after`: its `oldest`
        is the sequence of the first step that is kept.
        """

    async def history(self, partition: int, key: str, limit: int) -> Sequence[Step]:
        """Give the last `limit` steps of one row that are kept, oldest first."""


class Claim(msgspec.Struct, frozen=True, gc=False):
    """A name that somebody holds."""

    name: str
    holder: str
    """The member, as its settings call it."""
    life: str
    """Of the holder: a member has another with each start."""
    mine: bool
    """Whether it is held through the very `Leases` that say so: a member's former life is not."""
    revision: int
    """Grows with every renewal."""
    renewed: datetime
    """By the engine's clock."""
    said: bytes = b""
    """What the holder says with it, opaque to the engine."""
    left: bool = False
    """Whether the holder's next life has found it: then it was renewed last when that was. A life
    that goes on after all renews it, and it is as before."""


class Leases(Protocol):
    """Names that one member at a time holds, for as long as it renews them.

    They say who tries, and no more: a holder that was stopped for a while believes that it still
    holds what others hold by now. What is written is fenced otherwise.
    """

    holder: str
    """Who claims."""
    seconds: float
    """After so long without a renewal a name is free."""

    async def claim(self, name: str, said: bytes = b"") -> Claim | None:
        """Hold a name; None when another holds it. Raises `StoreError`: then it is not known."""

    async def renew(self, claim: Claim, said: bytes | None = None) -> Claim | None:
        """Hold it for longer; None when it is not held any more. Raises `StoreError`, too."""

    async def release(self, claim: Claim) -> None:
        """Let others have it at once, if it is still held. Raises `StoreError`."""

    def watch(self) -> AsyncGenerator[Mapping[str, Claim], None]:
        """Give all claims by name, at once and whenever one begins, ends or says something else.

        Raises `StoreError` as soon as it cannot be told any more who holds what.
        """


class Limit(Protocol):
    """One of the platform's limits, as far as this process may use it: all of it, or a share."""

    @property
    def wanted(self) -> int:
        """How much would be of use."""

    @property
    def used(self) -> int:
        """How much counts as used at present; it may be more than was just allowed."""

    def allow(self, amount: int) -> None:
        """Begin nothing that goes beyond so much, and cease what does, from now on."""


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
    sent: datetime | None = None
    """Of a read: when the request was sent; None when the line does not say, then it is `at`."""
    date: datetime | None = None
    """Of a read: the platform's own clock, from the `Date` header."""


class Past(Protocol):
    """The journal, as it is looked up."""

    async def read(self, after: int, limit: int) -> Sequence[Entry]:
        """Give at most `limit` entries that follow position `after`, oldest first.

        Raises `PositionGone` when retention has removed some of what follows `after`.
        """

    async def history(self, subject: str, limit: int) -> Sequence[Entry]:
        """Give the last `limit` entries about one subject that are kept, oldest first."""


class Store(Past, Protocol):
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


class Mark(msgspec.Struct, gc=False):
    """Where a row of a partition stands."""

    reached: int
    """How far the input log was dealt with, as far as this row is concerned."""
    sequence: int
    """Of its last step."""
    at: datetime
    """When that was."""
    there: bool
    """Whether there is a row; else the step says that it is gone."""


class PartitionStore(Store, Protocol):
    """The store of one partition: each row of a batch is a step of its own in the log of steps.

    So a batch is not taken as a whole. `commit` raises `Fenced` when another process has written.
    """

    @property
    def marks(self) -> Mapping[str, Mark]:
        """Where each row stands, by its key; what was written last is last. Known once loaded."""


class Wants(Protocol):
    """Tells listeners what is best read now."""

    async def want(self, partition: int, conversation_ids: Sequence[str]) -> None:
        """Let one listener read these, the most urgent first; what is lost is wanted again."""

    async def suspect(self, queue_ids: Sequence[str]) -> None:
        """Let all listeners know that reads have shown what no frame had told, in these queues."""


class Wishes(Protocol):
    """What `Wants` tells, as a listener hears it."""

    def follow(self) -> AsyncIterator[Sequence[str]]:
        """Give what trackers want to be read, each to one listener only, for ever."""

    def suspicions(self) -> AsyncIterator[Sequence[str]]:
        """Give queues of which frames are lost though somebody should hear them, for ever."""


class Sink(Protocol):
    """Tells. Is handed committed entries in order, at least once."""

    async def tell(self, entries: Sequence[Entry]) -> None:
        """Deliver entries; return only when they are delivered."""

    async def close(self) -> None:
        """Deliver what was held back. Nothing may be told afterwards."""


class Receiver(Protocol):
    """Somebody, or something, that is told of alerts. Is handed one message at a time."""

    refresh_seconds: float | None
    """How often it wants to hear that an alert still fires; None: not at all."""

    async def deliver(self, message: Message) -> None:
        """Return when it has the message, which may be one that it has. Raises `DeliveryError`."""

    async def refresh(self, items: Iterable[Item]) -> None:
        """Say what still fires. Raises `DeliveryError`."""

    async def close(self) -> None:
        """Release what it holds."""


class Clock(Protocol):
    """The daemon's wall clock."""

    def now(self) -> datetime:
        """The present instant, aware, UTC."""


class Reading(msgspec.Struct, frozen=True, gc=False):
    """The answer to one REST read: a conversation, or a page of a bulk query."""

    body: bytes
    """As it came."""
    sent_at: datetime
    """When the request was sent, on the daemon's clock: what it says is as of then or later."""
    date: datetime | None = None
    """The platform's own clock as it answered: the `Date` header, whole seconds."""


class Intake(Protocol):
    """Where a source puts what it hears. Only `room` waits.

    `topics` name what is heard, as `v2.routing.queues.{id}.conversations`; none means all that the
    source has.
    """

    async def room(self) -> None:
        """Wait until another frame can be taken; call it before each receive."""

    def frame(self, frame: bytes | str) -> None:
        """Take one frame as it came off the wire. A bad one is quarantined, never raised."""

    def connected(self, topics: Collection[str] = ()) -> None:
        """The source hears these again; a gap that was open ends once all of it is heard."""

    def disconnected(
        self, cause: str, since: datetime | None = None, topics: Collection[str] = ()
    ) -> None:
        """The source is blind from `since` (now, if None) on, because of `cause`.

        `since` is the last moment at which it surely heard; `cause` a short, bounded phrase.
        """

    def blind_since(self) -> datetime | None:
        """Say when the earliest gap began that still lasts; None while all is heard."""

    def read(self, reading: Reading) -> frozenset[str]:
        """Take the answer of a REST read.

        Gives the queues of the callbacks about which it shows something older than half a minute
        that no frame had told, and that no gap explains. A bad one is quarantined, never raised,
        and confirms nothing.
        """

    def read_failed(self, conversation_id: str) -> None:
        """A read that was wanted failed. It proves nothing; it is wanted again later."""

    def settings(self, settings: QueueSettings) -> None:
        """Take in a queue's settings."""

    def follows(self, queue_ids: Collection[str]) -> None:
        """Name the queues that are listened to from now on, none meaning whatever there is.

        A callback that is in another one has strayed, and is wanted to be read now and then.
        """

    def wanted(self, limit: int) -> Sequence[str]:
        """Give the conversations that are best read now, most urgent first."""


class Source(Protocol):
    """Listens."""

    name: str
    """Stable, unique in the daemon: labels metrics, gaps and source events."""

    @property
    def problems(self) -> Sequence[str]:
        """What keeps it from working as it should, each with what to do; no ids, no secrets."""

    async def run(self, intake: Intake) -> None:
        """Listen until cancelled, or until the source has ended. Raises `SourceError`."""


class Deed(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What somebody did, or tried to."""

    number: int
    """Counts from 1, without holes."""
    time: str
    """RFC 3339, in UTC."""
    who: str
    """As the file of tokens calls them; empty if nobody knows."""
    action: str
    subject: str
    role: str = ""
    address: str = ""
    """Where they asked from."""
    result: str = ""
    """What came of it, where that is not plain."""


class Audit(Protocol):
    """Remembers what people did."""

    async def note(
        self,
        who: str,
        action: str,
        subject: str,
        *,
        role: str = "",
        address: str = "",
        result: str = "",
    ) -> None:
        """Keep one deed for good: `acknowledge`, `reveal`, `login`, … of a subject.

        Note it before it is done. Raises `AuditError` if it cannot be kept: then it must not be
        done at all.
        """

    async def deeds(
        self, before: int | None, most: int, wish: Callable[[Deed], bool]
    ) -> list[Deed]:
        """Give deeds with a lower number that are wished for, the newest first.

        Raises `AuditError`.
        """
