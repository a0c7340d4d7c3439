"""How an organisation's streams stand, and how far each partition is: looks, and makes nothing."""

import asyncio
from base64 import b64decode
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from ringback.errors import EngineForeign, FrameError
from ringback.stores.jetstream.connection import Connection
from ringback.stores.jetstream.faults import (
    NO_STREAM,
    DeniedError,
    RefusalError,
    UnsureError,
    worded,
)
from ringback.stores.jetstream.subjects import Subjects
from ringback.wire.standing import StreamStanding
from ringback.wire.steps import decode_step

__all__ = ["PartitionStanding", "partition_standing", "stream_standing"]

NO_MESSAGE = 10037
SLOW = timedelta(seconds=10)
"""A replica that has said nothing for so long is not there."""


class PartitionStanding(msgspec.Struct, frozen=True):
    """How far one partition is. A position is a sequence of the log of inputs."""

    end: int
    """The last input; 0 while there was none."""
    reached: int
    """The last that is noted to be dealt with."""
    waits_since: datetime | None
    """When the first input came that is not; None if all are."""
    last_step: datetime | None
    """When something was last stored."""


class _State(msgspec.Struct):
    messages: int = 0
    bytes: int = 0
    first_ts: str = ""
    last_ts: str = ""


class _Peer(msgspec.Struct):
    name: str = ""
    current: bool = False
    offline: bool = False
    active: int = 0


class _Cluster(msgspec.Struct):
    leader: str = ""
    replicas: list[_Peer] = []


class _Info(msgspec.Struct):
    config: dict[str, Any]
    state: _State
    cluster: _Cluster | None = None


class _Message(msgspec.Struct):
    seq: int
    time: str
    data: str = ""


class _Got(msgspec.Struct):
    message: _Message


async def stream_standing(connection: Connection, name: str) -> StreamStanding | None:
    """Look at a stream; None if there is none. Raises `StoreError`."""
    try:
        info = await connection.ask(f"STREAM.INFO.{name}", None, _Info)
    except RefusalError as error:
        if error.code == NO_STREAM:
            return None
        raise worded(connection.servers, error) from None
    except (UnsureError, DeniedError) as error:
        raise worded(connection.servers, error) from None
    cluster, state = info.cluster or _Cluster(connection.servers), info.state
    late = SLOW // timedelta(microseconds=1) * 1000
    return StreamStanding(
        name,
        state.messages,
        state.bytes,
        _instant(state.first_ts) if state.messages else None,
        _instant(state.last_ts) if state.messages else None,
        int(info.config.get("num_replicas", 1)),
        cluster.leader,
        [
            one.name
            for one in cluster.replicas
            if not one.current or one.offline or one.active > late
        ],
    )


async def partition_standing(
    connection: Connection, subjects: Subjects, number: int, checkpoint: str
) -> PartitionStanding:
    """Look at a partition, whose row of that key says how far it is. Raises `StoreError`."""
    inputs, steps = subjects.inputs, subjects.steps
    end, noted, step = await asyncio.gather(
        _got(connection, inputs, {"last_by_subj": subjects.inputs_of(number)}),
        _got(connection, steps, {"last_by_subj": subjects.step(number, checkpoint)}),
        _got(connection, steps, {"last_by_subj": subjects.steps_of(number)}),
    )
    reached = 0
    if noted is not None:
        try:
            reached = decode_step(b64decode(noted.data)).reached
        except FrameError as error:
            raise EngineForeign(
                steps, f"a step cannot be understood ({error})", "run the Ringback that wrote it"
            ) from None
    waits = None
    if end is not None and end.seq > reached:
        wish = {"seq": reached + 1, "next_by_subj": subjects.inputs_of(number)}
        waits = await _got(connection, inputs, wish)
    return PartitionStanding(
        0 if end is None else end.seq,
        reached,
        None if waits is None else _instant(waits.time),
        None if step is None else _instant(step.time),
    )


async def _got(connection: Connection, stream: str, wish: dict[str, Any]) -> _Message | None:
    try:
        return (await connection.ask(f"STREAM.MSG.GET.{stream}", wish, _Got)).message
    except RefusalError as error:
        if error.code == NO_MESSAGE:
            return None
        raise worded(connection.servers, error) from None
    except (UnsureError, DeniedError) as error:
        raise worded(connection.servers, error) from None


def _instant(text: str) -> datetime:
    """Read an instant of the engine's, which has nanoseconds."""
    whole, _, rest = text.rstrip("Z").partition(".")
    instant = datetime.fromisoformat(whole).replace(tzinfo=UTC)
    return instant + timedelta(microseconds=int(rest[:6].ljust(6, "0")))
