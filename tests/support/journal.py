"""What must be true of a journal, whatever became of the daemons that wrote it."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import apsw
import msgspec

from ringback.core.tracker import Tracker
from ringback.ports import Row

__all__ = ["Line", "faults_of", "last_states", "read_journal", "states_of", "untold"]

Line = tuple[int, bytes]
"""Position and body."""

_decode = msgspec.json.Decoder(dict[str, Any]).decode


def read_journal(path: Path, after: int = 0) -> list[Line]:
    """Read a database's journal, while a daemon runs on it or not."""
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        connection.set_busy_timeout(10_000)
        query = "SELECT position, body FROM journal WHERE position > ? ORDER BY position"
        return [
            (int(position), bytes(body)) for position, body in connection.execute(query, (after,))
        ]
    finally:
        connection.close()


def faults_of(journal: Sequence[Line]) -> list[str]:
    """Say what is wrong: holes in positions or sequences, ids that came twice."""
    faults = [
        f"position {position} follows {before}"
        for (before, _), (position, _) in pairwise(journal)
        if position != before + 1
    ]
    events = [_decode(body) for _, body in journal]
    ids = Counter((event["source"], event["id"]) for event in events)
    faults += [f"id {name} came {count} times" for (_, name), count in ids.items() if count > 1]
    reached: Counter[str] = Counter()
    for event in events:
        if "sequence" not in event:
            continue
        subject, sequence = event["subject"], int(event["sequence"])
        if sequence != reached[subject] + 1:
            faults.append(f"sequence {sequence} of {subject} follows {reached[subject]}")
        if event["id"] != f"{subject}/{sequence}":
            faults.append(f"id {event['id']} is of sequence {sequence} of {subject}")
        reached[subject] = sequence
    return faults


def untold(journal: Sequence[Line], lives: Iterable[Sequence[bytes]]) -> list[str]:
    """Say how what was told in each life is not the journal, in order, at least once."""
    positions = {body: position for position, body in journal}
    faults = []
    reached = journal[0][0] - 1 if journal else 0
    for number, life in enumerate(lives):
        told = [positions.get(body, 0) for body in life]
        if 0 in told:
            faults.append(f"life {number} told what is not stored: {life[told.index(0)]!r}")
        elif told and (told[0] > reached + 1 or told != list(range(told[0], told[-1] + 1))):
            faults.append(f"life {number} told {told[0]} to {told[-1]} with holes, after {reached}")
        reached = max([reached, *told])
    if journal and reached != journal[-1][0]:
        faults.append(f"told up to {reached} only, of {journal[-1][0]}")
    return faults


def last_states(journal: Iterable[Line]) -> dict[str, Mapping[str, Any]]:
    """Give the data of the last event of each callback, by its id."""
    return {
        event["subject"]: event["data"]
        for event in (_decode(body) for _, body in journal)
        if "sequence" in event
    }


def states_of(tracker: Tracker, rows: Iterable[Row]) -> dict[str, str]:
    """Give the state of each callback whose records are in rows that `tracker` has taken over."""
    return {
        callback.id_in(conversation.id): callback.state.value
        for row in rows
        if (conversation := tracker.conversations.get(row.conversation_id)) is not None
        for callback in conversation.callbacks
    }
