"""Both logs as NATS has them, read by a plain client: none of what is tested is used to read."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import httpx
import msgspec
import nats
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

from ringback.errors import FrameError
from ringback.ports import Row, Step
from ringback.stores.jetstream.subjects import Subjects
from ringback.wire.log import Seen, decode_message
from ringback.wire.steps import decode_step
from support.checker import Fault, Logs, Put

__all__ = ["EngineLogs", "all_current", "kept_by"]

BATCH = 500
PATIENCE = 60.0
ANSWER = 2.0
"""Seconds after which an answer was lost with whoever was to give it."""
AGAIN = 0.1
FIRST = 3


class EngineLogs:
    """Reads on from where it was, each time it is asked."""

    def __init__(self, servers: Sequence[str], subjects: Subjects, partitions: int) -> None:
        self._servers = list(servers)
        self._subjects = subjects
        self._partitions = partitions
        self._inputs: list[Put] = []
        self._steps: list[Step] = []
        self.stored: list[datetime] = []
        """When each of the steps was."""
        self._headers: list[dict[str, str]] = []
        self._ids: dict[str, bytes] = {}
        self.copies = 0
        """Steps that a server has stored once more, which readers pass over."""

    async def read(self) -> Logs:
        """Read all that has come since, and give all there is; whatever servers are away."""
        async with asyncio.timeout(PATIENCE):
            while True:
                try:
                    await self._read_on()
                except (NatsError, OSError, TimeoutError):
                    await asyncio.sleep(AGAIN)
                else:
                    return Logs(self._partitions, list(self._inputs), list(self._steps))

    async def _read_on(self) -> None:
        client = await nats.connect(
            self._servers, error_cb=_ignore, allow_reconnect=False, connect_timeout=1
        )
        try:
            # First the steps: each has its input in what is read afterwards.
            after = self._steps[-1].sequence if self._steps else 0
            async for message in _all_after(client, self._subjects.steps, after):
                if self._is_copy(message):
                    continue
                self._steps.append(_step(message))
                self.stored.append(message.metadata.timestamp.astimezone(UTC))
                self._headers.append(message.headers or {})
            after = self._inputs[-1].sequence if self._inputs else 0
            async for message in _all_after(client, self._subjects.inputs, after):
                self._inputs.append(_put(message))
        finally:
            await client.close()

    def _is_copy(self, message: Msg) -> bool:
        """Whether a server has stored a step twice: the same id, and the very same content."""
        name = (message.headers or {}).get("Nats-Msg-Id", "")
        first = self._ids.setdefault(name, message.data)
        if first is message.data:
            return False
        assert first == message.data, f"{name} names two steps"
        self.copies += 1
        return True

    def story(self, faults: Iterable[Fault]) -> str:
        """Tell the faults, and how the rows that the first of them name have come to be."""
        lines = [f"{fault.kind}: {fault.what}" for fault in faults]
        told = " ".join(lines[:FIRST])
        for step, at, headers in zip(self._steps, self.stored, self._headers, strict=True):
            if step.row.conversation_id in told:
                events = [msgspec.json.decode(body)["id"] for body in step.events]
                lines.append(
                    f"{at:%H:%M:%S.%f} step {step.sequence} of {step.row.conversation_id}"
                    f" reached {step.reached} {events} {headers}"
                )
        for put in self._inputs:
            if isinstance(put.message, Seen):
                snapshot = put.message.snapshot
                if snapshot.conversation_id in told:
                    how = "read" if snapshot.read_at else "heard"
                    lines.append(
                        f"{put.at:%H:%M:%S.%f} input {put.sequence} of"
                        f" {snapshot.conversation_id} {how}"
                    )
        return "\n".join(lines)

    def longest_wait(self, since: datetime, until: datetime) -> float:
        """Give the longest time in seconds that anything waited for its step within a span.

        That is either from an input to the step that it led to, or a span without any input.
        """
        at = {put.sequence: put.at for put in self._inputs}
        waits = [
            (stored - at[step.reached]).total_seconds()
            for step, stored in zip(self._steps, self.stored, strict=True)
            if since <= stored <= until and step.reached in at
        ]
        moments = [since, *(put.at for put in self._inputs if since <= put.at <= until)]
        waits += [(after - before).total_seconds() for before, after in pairwise(moments)]
        return max(waits, default=0.0)


async def all_current(server: str) -> bool:
    """Whether every stream has a leader, and all of its replicas have what that one has."""
    try:
        client = await nats.connect(
            server, error_cb=_ignore, allow_reconnect=False, connect_timeout=1
        )
    except (NatsError, OSError, TimeoutError):
        return False
    try:
        streams = await client.jetstream(timeout=ANSWER).streams_info()
    except (NatsError, TimeoutError):
        return False
    finally:
        await client.close()
    clusters = [stream.cluster for stream in streams]
    return bool(clusters) and all(
        each is not None
        and each.leader
        and all(replica.current and not replica.offline for replica in each.replicas or [])
        for each in clusters
    )


async def kept_by(monitors: Iterable[str]) -> dict[str, set[tuple[int, int]]]:
    """Give how much servers have of each stream: messages and the last one's sequence.

    Where nothing is written any more and they differ, it is the engine that has lost something:
    Debian's 2.9.10 does, after servers were stopped or parted again and again.
    """
    kept: dict[str, set[tuple[int, int]]] = {}
    async with httpx.AsyncClient(trust_env=False) as web:
        for monitor in monitors:
            answer = await web.get(f"{monitor}/jsz", params={"accounts": "1", "streams": "1"})
            for account in answer.json().get("account_details", ()):
                for stream in account.get("stream_detail", ()):
                    state = stream["state"]
                    found = (int(state["messages"]), int(state["last_seq"]))
                    kept.setdefault(stream["name"], set()).add(found)
    return kept


async def _all_after(client: Any, stream: str, after: int) -> AsyncIterator[Msg]:
    engine = client.jetstream(timeout=ANSWER)
    last = (await engine.stream_info(stream)).state.last_seq
    if last <= after:
        return
    reader = await engine.pull_subscribe(
        "",
        stream=stream,
        config=ConsumerConfig(
            ack_policy=AckPolicy.NONE,
            deliver_policy=DeliverPolicy.BY_START_SEQUENCE,
            opt_start_seq=after + 1,
            inactive_threshold=PATIENCE,
            num_replicas=1,
            mem_storage=True,
        ),
    )
    try:
        reached = after
        while reached < last:
            for message in await reader.fetch(min(BATCH, last - reached), timeout=ANSWER):
                reached = message.metadata.sequence.stream
                yield message
    finally:
        with suppress(NatsError, TimeoutError):
            await engine.delete_consumer(stream, (await reader.consumer_info()).name)


def _put(message: Msg) -> Put:
    try:
        decoded = decode_message(message.data)
    except FrameError:
        decoded = None
    partition = int(message.subject.split(".")[-2])
    at = message.metadata.timestamp.astimezone(UTC)
    return Put(message.metadata.sequence.stream, partition, at, decoded)


def _step(message: Msg) -> Step:
    body = decode_step(message.data)
    partition = int(message.subject.split(".")[-2])
    row = Row(body.key, body.state, body.wake_at)
    sequence = message.metadata.sequence.stream
    return Step(sequence, partition, row, body.reached, body.events, body.subjects)


async def _ignore(_: Exception) -> None:
    """Say nothing of servers that are away."""
