"""What must be true of both logs after a storm, whatever became of the processes that wrote them.

Nothing here reads a clock or a network. It is handed the input log, the log of steps, what
listeners were surely told, and the contact centre's own truth, and gives all that is wrong.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

import msgspec

from ringback.core.policy import Policy
from ringback.core.records import Callback
from ringback.core.snapshots import Snapshot
from ringback.core.tracker import Tracker
from ringback.ports import Step
from ringback.simulator.centre import ContactCentre
from ringback.simulator.truths import State, Truth
from ringback.stores.jetstream.subjects import partition_of
from ringback.wire.log import Message, Seen
from support.truth import callback_of, cannot_be_armed, differences

__all__ = [
    "Fault",
    "Logs",
    "Put",
    "effects_of",
    "faults_of",
    "firing_in",
    "heard_in_vain",
    "known_by",
    "over_one_socket",
    "untrue",
]

ASIDE = "~"
"""Begins the keys of rows that are about no conversation."""
DIALS = "auto_dialing"
MISSED = "auto_dial_missed"
HELD = "due_while_held"

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.json.Decoder(dict[str, Any]).decode


class Put(msgspec.Struct, frozen=True):
    """One message of the input log, with where it is."""

    sequence: int
    partition: int
    at: datetime
    message: Message | None
    """None where it could not be understood."""


class Logs(msgspec.Struct):
    """Both logs, each in its order, and into how many parts they are divided."""

    partitions: int
    inputs: Sequence[Put]
    steps: Sequence[Step]
    """Also those of the partition of receivers, whose number is that of the partitions."""


class Fault(NamedTuple):
    """One thing that is wrong."""

    kind: str
    """`lost`, `twice`, `hole`, `chain`, `beyond`, `timer`, `unfired`, `astray` or `untrue`."""
    what: str


def faults_of(
    logs: Logs,
    heard: Mapping[str, Sequence[Sequence[Snapshot]]],
    centre: ContactCentre,
    now: datetime,
) -> list[Fault]:
    """Give all that is wrong.

    `heard` are the snapshots that were surely told, by conversation and over each socket; `centre`
    has been halted; whatever was due before `now` has had its time to be done.
    """
    return [
        *heard_in_vain(logs, heard),
        *effects_of(logs),
        *_unfired(logs.steps, now),
        *untrue(logs, centre, heard),
    ]


def effects_of(logs: Logs) -> list[Fault]:
    """Give what is wrong with the log of steps by itself, at whatever moment it was read."""
    events = [_decode(body) for step in logs.steps for body in step.events]
    return [
        *_twice(events),
        *_holes(events),
        *_chains(logs),
        *_timers(events),
        *_astray(logs),
    ]


def firing_in(logs: Logs) -> set[str]:
    """Give the alerts that fire at the end of the log."""
    firing: set[str] = set()
    for event in (_decode(body) for step in logs.steps for body in step.events):
        if event["type"] == "ringback.alert.firing.v1":
            firing.add(event["data"]["alertId"])
        elif event["type"] == "ringback.alert.resolved.v1":
            firing.discard(event["data"]["alertId"])
    return firing


def heard_in_vain(logs: Logs, heard: Mapping[str, Sequence[Sequence[Snapshot]]]) -> Iterator[Fault]:
    """Give the conversations of which the input log lacks a snapshot, or has them in disorder.

    What was heard over one socket must be found in the log, each behind the one before. In between
    there may be others: one listener may hear what another did not, and one that was cut off puts
    it later.
    """
    stored: defaultdict[str, list[bytes]] = defaultdict(list)
    for put in logs.inputs:
        if isinstance(put.message, Seen):
            stored[put.message.snapshot.conversation_id].append(_content(put.message.snapshot))
    for name, snapshots in ((name, one) for name, some in heard.items() for one in some):
        why = _out_of_order(list(_distinct(map(_content, snapshots))), stored[name])
        if why is not None:
            yield Fault("lost", f"{why} of {len(snapshots)} of {name}")


def _out_of_order(heard: Sequence[bytes], stored: Sequence[bytes]) -> str | None:
    """Say what is wrong with the first that is not where it must be."""
    last = -1
    for number, content in enumerate(heard):
        try:
            last = stored.index(content, last + 1)
        except ValueError:
            there = content in stored
            why = "is only before the one before it:" if there else "is not there:"
            return f"{why} snapshot {number + 1}"
    return None


def over_one_socket(
    heard: Mapping[str, Sequence[Snapshot]],
) -> Mapping[str, Sequence[Sequence[Snapshot]]]:
    """Give what one listener heard as `faults_of` takes it."""
    return {name: [all_of_it] for name, all_of_it in heard.items()}


def known_by(steps: Iterable[Step], now: datetime) -> Tracker:
    """Give a tracker that knows what the last step of every row says."""
    tracker = Tracker(Policy())
    rows = [step.row for step in _last(steps).values()]
    tracker.restore(
        [
            (row.conversation_id, row.state, row.wake_at)
            for row in rows
            if row.state is not None and not row.conversation_id.startswith(ASIDE)
        ],
        now,
    )
    return tracker


def untrue(logs: Logs, centre: ContactCentre, heard: Collection[str]) -> Iterator[Fault]:
    """Give every callback that is not known as it truly is, and those that never were."""
    tracker = known_by(logs.steps, centre.now)
    truths = centre.truth()
    excused = {
        name
        for name, truth in truths.items()
        if _cannot_be_known(callback_of(tracker.conversations, truth), truth, heard)
    }
    for what in differences(tracker.conversations, centre):
        if what.partition(" ")[0] not in excused:
            yield Fault("untrue", what)
    for conversation_id in tracker.conversations.ids():
        conversation = tracker.conversations.get(conversation_id)
        for callback in () if conversation is None else conversation.callbacks:
            if (name := callback.id_in(conversation_id)) not in truths:
                yield Fault("untrue", f"{name} is known, and never was")


def _cannot_be_known(callback: Callback | None, truth: Truth, heard: Collection[str]) -> bool:
    """Whether nobody can know it: it was over before anybody listened, or lacks what arms it."""
    if callback is None:
        return truth.state is State.DISCONNECTED and truth.conversation_id not in heard
    return cannot_be_armed(callback, truth)


def _twice(events: Iterable[Mapping[str, Any]]) -> Iterator[Fault]:
    ids = Counter((event["source"], event["id"]) for event in events)
    for (_, name), count in ids.items():
        if count > 1:
            yield Fault("twice", f"id {name} came {count} times")


def _holes(events: Iterable[Mapping[str, Any]]) -> Iterator[Fault]:
    reached: Counter[str] = Counter()
    for event in events:
        if "sequence" not in event:
            continue
        subject, sequence = event["subject"], int(event["sequence"])
        if sequence != reached[subject] + 1:
            yield Fault("hole", f"sequence {sequence} of {subject} follows {reached[subject]}")
        if event["id"] != f"{subject}/{sequence}":
            yield Fault("hole", f"id {event['id']} is of sequence {sequence} of {subject}")
        reached[subject] = sequence


def _chains(logs: Logs) -> Iterator[Fault]:
    """Give the rows whose watermark goes back, or is beyond the log: two have written them."""
    end = max((put.sequence for put in logs.inputs), default=0)
    reached: dict[tuple[int, str], int] = {}
    for step in logs.steps:
        key = step.row.conversation_id
        before = reached.get((step.partition, key), 0)
        if step.reached < before:
            what = f"step {step.sequence} of {key} reached {step.reached}, after {before}"
            yield Fault("chain", what)
        if step.reached > end and step.partition < logs.partitions:
            what = f"step {step.sequence} of {key} reached {step.reached} of {end}"
            yield Fault("beyond", what)
        reached[step.partition, key] = step.reached


def _timers(events: Iterable[Mapping[str, Any]]) -> Iterator[Fault]:
    """Give the timers that have fired more than once, and alerts that fire in disorder."""
    fired: Counter[tuple[str, str, str]] = Counter()
    firing: dict[tuple[str, str], int | None] = {}
    episodes: Counter[tuple[str, str]] = Counter()
    for event in events:
        kind, data = event["type"], event["data"]
        if ".callback." in kind and data["cause"] == "timer" and "autoDialAt" in data:
            for what in _dialled(kind, data):
                fired[event["subject"], data["autoDialAt"], what] += 1
        if kind == "ringback.alert.firing.v1":
            alert, _, episode = data["alertId"].rpartition("/")
            key = (event["source"], alert)
            if firing.get(key) is not None:
                yield Fault("timer", f"{data['alertId']} fires while {firing[key]} does")
            if int(episode) != episodes[key] + 1:
                yield Fault("timer", f"{data['alertId']} fires after {episodes[key]}")
            firing[key] = episodes[key] = int(episode)
        elif kind == "ringback.alert.resolved.v1":
            alert, _, episode = data["alertId"].rpartition("/")
            key = (event["source"], alert)
            if firing.get(key) != int(episode):
                yield Fault("timer", f"{data['alertId']} is resolved, {firing.get(key)} fires")
            firing[key] = None
    for (name, at, what), count in fired.items():
        if count > 1:
            yield Fault("timer", f"{what} of {name} at {at} came {count} times")


def _dialled(kind: str, data: Mapping[str, Any]) -> Iterator[str]:
    """Give what the timer of an automatic call has brought about."""
    if kind == f"ringback.callback.{DIALS}.v1" or HELD in data.get("reasons", ()):
        yield "due"
    if MISSED in data.get("reasons", ()):
        yield "missed"


def _unfired(steps: Iterable[Step], now: datetime) -> Iterator[Fault]:
    """Give the rows of which something was due and never was done."""
    due = int(now.timestamp() * 1000)
    for (_, key), step in _last(steps).items():
        wake_at = step.row.wake_at
        if wake_at is not None and wake_at < due:
            yield Fault("unfired", f"{key} was due {(due - wake_at) / 1000:.1f} s before")


def _astray(logs: Logs) -> Iterator[Fault]:
    """Give what is in another partition than it should be."""
    for put in logs.inputs:
        if isinstance(put.message, Seen):
            name = put.message.snapshot.conversation_id
            if put.partition != partition_of(name, logs.partitions):
                yield Fault("astray", f"input {put.sequence}, of {name}, is in {put.partition}")
    for step in logs.steps:
        key = step.row.conversation_id
        if key.startswith(ASIDE) or step.partition == logs.partitions:
            continue
        if step.partition != partition_of(key, logs.partitions):
            yield Fault("astray", f"step {step.sequence}, of {key}, is in {step.partition}")


def _last(steps: Iterable[Step]) -> dict[tuple[int, str], Step]:
    return {(step.partition, step.row.conversation_id): step for step in steps}


def _content(snapshot: Snapshot) -> bytes:
    """Give what tells snapshots apart: all but when it was asked for."""
    return _encode(msgspec.structs.replace(snapshot, read_at=None))


def _distinct(contents: Iterable[bytes]) -> Iterator[bytes]:
    before = None
    for content in contents:
        if content != before:
            yield content
        before = content
