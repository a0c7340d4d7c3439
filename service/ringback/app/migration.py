"""What becomes of a single machine's store as the log of steps of several: message by message.

The same store and settings give the same messages in the same order, so an interrupted migration is
gone on with by counting.
"""

from collections.abc import Generator, Iterator

import msgspec

from ringback.core.asides import is_aside
from ringback.core.gaps import LEDGER, SOURCE, Ledger
from ringback.core.watch.notices import RECEIVERS
from ringback.ports import Entry, Row
from ringback.stores.jetstream.filling import Planned
from ringback.stores.jetstream.steps import CURSOR, JOURNAL
from ringback.stores.jetstream.subjects import partition_of
from ringback.stores.sqlite import SqliteReader
from ringback.wire.cloudevents import Encoder
from ringback.wire.steps import StepBody, end_of_step

__all__ = ["MOVED", "first_wanted", "messages", "org_of"]

MOVED = "migration"
"""The cause of the gap between the last that the single machine heard and the first of several."""
MILLISECONDS_AN_HOUR = 3_600_000


class _Event(msgspec.Struct):
    """As much of a CloudEvent as says whose it is."""

    type: str
    source: str
    subject: str
    partitionkey: str


_event = msgspec.json.Decoder(_Event).decode


def _understood(body: bytes) -> _Event | None:
    """Read an entry; None for what is no event of ours, which is carried all the same."""
    try:
        return _event(body)
    except msgspec.DecodeError:
        return None


def org_of(reader: SqliteReader) -> str | None:
    """Give the `source` of the events in the journal: whose store it is; None when it has none."""
    entry = next(reader.entries(reader.kept.last), None)
    event = None if entry is None else _understood(entry.body)
    return None if event is None else event.source


def first_wanted(reader: SqliteReader, history_hours: float | None) -> int:
    """Give the position from which on the journal is carried; what a reader has not dealt with is.

    The hours count back from the last entry.
    """
    first, last = reader.kept
    newest = reader.newest()
    if history_hours is not None and newest is not None:
        wanted = reader.first_since(newest - int(history_hours * MILLISECONDS_AN_HOUR))
        waiting = min((at + 1 for at in reader.cursors().values()), default=last + 1)
        first = max(first, min(wanted, waiting))
    return first


def messages(
    reader: SqliteReader, partitions: int, encoder: Encoder, first: int
) -> Generator[Planned, None, None]:
    """Give all messages in order: journal, conversations, the other rows, cursors."""
    for entry in reader.entries(first):
        yield _told(entry, partitions)
    others: list[tuple[str, bytes]] = []
    for row in reader.rows():
        if row.state is not None and is_aside(row.conversation_id):
            others.append((row.conversation_id, row.state))
        else:
            yield partition_of(row.conversation_id, partitions), _step(row)
    yield from _others(others, partitions, encoder)
    last = reader.kept.last
    for name, at in reader.cursors().items():
        # The entry at `first` is the first message of all.
        dealt = min(max(at, first - 1), last) - first + 1
        yield partitions, StepBody(f"{CURSOR}{name}", None, None, end_of_step(dealt))


def _told(entry: Entry, partitions: int) -> Planned:
    """Give what was told, on the subject of the row that it is about."""
    event = _understood(entry.body)
    if event is None:
        return 0, StepBody(JOURNAL, None, None, 0, [entry.body], [""])
    if event.type.startswith("ringback.source.") or event.subject.startswith("source:"):
        partition, key = 0, JOURNAL
    else:
        partition, key = partition_of(event.partitionkey, partitions), event.partitionkey
    return partition, StepBody(key, None, None, 0, [entry.body], [event.subject])


def _step(row: Row) -> StepBody:
    return StepBody(row.conversation_id, row.state, row.wake_at)


def _others(rows: list[tuple[str, bytes]], partitions: int, encoder: Encoder) -> Iterator[Planned]:
    """Give rows about no conversation: those of receivers to who alerts, all others to everybody.

    Nobody hears while it is carried over: that is a gap, and partition 0 tells it.
    """
    ledger = Ledger()
    ledger.restore(row for row in rows if row[0].startswith((LEDGER, SOURCE)))
    events = []
    for name in [key.removeprefix(SOURCE) for key, _ in rows if key.startswith(SOURCE)]:
        since = ledger.heard_until(name)
        if since is not None:
            events += ledger.disconnected(name, MOVED, since, (), since)[1]
    told = list(map(encoder.encode, events))
    if told:
        subjects = [event.subject for event in events]
        yield 0, StepBody(JOURNAL, None, None, 0, told, subjects)
    for key, state in (dict(rows) | ledger.unsaved()).items():
        places = [partitions] if key.startswith(RECEIVERS) else range(partitions)
        for partition in places:
            yield partition, StepBody(key, state)
