"""Follows a stream in order and without holes, whatever becomes of consumers and connections.

A consumer is the engine's memory of a reader. This reader keeps its own: the sequence that it has
reached. So a consumer is made, pulled from, and made anew whenever it misses a message, goes
silent, or is gone with its server.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, Literal

import msgspec
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError

from ringback.core.clocks import EPOCH
from ringback.errors import EngineForeign, PositionGone
from ringback.stores.jetstream.connection import Connection
from ringback.stores.jetstream.faults import RefusalError

__all__ = ["Found", "Info", "Log", "Stored"]

CHUNK = 500
"""Messages that are given at once, and asked for at once, at the most."""
PULL_SECONDS = 30
HEARTBEAT_SECONDS = 1.0
FORGOTTEN_SECONDS = 30
"""After so long without being asked the engine forgets a consumer."""
MADE_SECONDS = 10.0
"""Seconds that making a consumer may take: those who lead the servers may have to be elected."""
SILENT = 3.0
"""Seconds without as much as a heartbeat after which a consumer is given up."""
LOOK = 5.0
"""Seconds between looks at whether there is more than the consumer gives."""
CATCHING_UP = 10.0
"""Seconds for which a stream may seem to end earlier than it does: a new leader has to catch up."""
PLAIN = 9
"""Parts of the subject that tells where a message stands, from a server that names no domain."""
PAUSE = 0.05
"""Seconds before a consumer is made in place of one that failed."""
NO_MESSAGE = 10037
NANO = 1_000_000_000


class Found(msgspec.Struct, frozen=True, gc=False):
    """One message of a stream."""

    sequence: int
    at: datetime
    subject: str
    body: bytes
    left: int
    """How many of those that were asked for follow."""
    id: str = ""
    """What it was sent under."""


class _State(msgspec.Struct):
    first_seq: int
    last_seq: int
    bytes: int = 0


class _Config(msgspec.Struct):
    max_age: int = 0
    max_bytes: int = -1


class Info(msgspec.Struct):
    """What a stream is at the moment."""

    state: _State
    config: _Config


class _Consumer(msgspec.Struct):
    num_pending: int = 0


class Stored(msgspec.Struct):
    """A message as the stream's leader has it."""

    seq: int
    data: bytes = b""
    hdrs: bytes = b""

    def has_id(self, message_id: str) -> bool:
        """Say whether it was sent under that id."""
        return f"Nats-Msg-Id: {message_id}\r\n".encode() in self.hdrs


class _Got(msgspec.Struct):
    message: Stored


class Log:
    """One stream, as far as it is about some subjects."""

    def __init__(self, connection: Connection, stream: str, subjects: str) -> None:
        self.connection = connection
        self.stream = stream
        self.subjects = subjects

    async def info(self) -> Info:
        """Give what the stream is at the moment; waits for the engine if it is away."""

        async def look() -> Info:
            return await self.connection.ask(f"STREAM.INFO.{self.stream}", None, Info)

        return await self.connection.persist(look, self.stream)

    async def state(self) -> _State:
        """Give the stream's first and last sequences."""
        return (await self.info()).state

    async def last_in_chunks(self) -> AsyncGenerator[Sequence[Found], None]:
        """Give the last message of each subject, as of one moment after the call.

        If that takes more than one consumer, what has come meanwhile is given too.
        """
        least = await self.last_sequence()
        seen: dict[str, int] = {}
        while True:
            pull = _Pull(self, {"deliver_policy": "last_per_subject"})
            async with pull:
                while chunk := await pull.next(until=pull.pending):
                    yield [one for one in chunk if one.sequence > seen.get(one.subject, 0)]
                    seen.update((one.subject, one.sequence) for one in chunk)
                # A consumer may be at a server that is behind the others.
                if pull.whole and max(seen.values(), default=0) >= least:
                    return
            await asyncio.sleep(PAUSE)
            least = min(least, await self.last_sequence())

    async def read(self, after: int) -> AsyncGenerator[Sequence[Found], None]:
        """Give what follows `after`, up to what there is when this is called."""
        last = await self.last_sequence()
        while after < last:
            pull = _Pull(self, _from(after))
            async with pull:
                while chunk := await pull.next(until=pull.pending):
                    yield [one for one in chunk if one.sequence <= last]
                    after = chunk[-1].sequence
                    if after >= last:
                        return
            await asyncio.sleep(PAUSE)
            if (await self.state()).first_seq > last:
                return

    async def follow(self, after: int) -> AsyncGenerator[Sequence[Found], None]:
        """Give what follows `after`, for ever; an empty chunk now and then when nothing does.

        Raises `PositionGone` and `EngineForeign`.
        """
        while True:
            await self._check(after)
            pull = _Pull(self, _from(after))
            async with pull:
                if not pull.pending:
                    yield []
                while (chunk := await pull.next()) is not None:
                    yield chunk
                    after = chunk[-1].sequence if chunk else after
                    if chunk and not chunk[-1].left:
                        yield []
                    if not pull.due():
                        continue
                    if not chunk and await self.last_sequence() > after:
                        break  # it has fallen silent
                    if chunk and chunk[-1].left:
                        await self._check(after)
            await asyncio.sleep(PAUSE)

    async def _check(self, after: int) -> None:
        """See that what follows `after` is still there."""
        state = await self.state()
        if state.first_seq > after + 1:
            raise PositionGone(self.stream, after, state.first_seq)
        until = asyncio.get_running_loop().time() + CATCHING_UP
        while state.last_seq < after:
            if asyncio.get_running_loop().time() >= until:
                raise EngineForeign(
                    self.stream,
                    f"the stream ends at {state.last_seq}, and {after} was read already",
                    "it was emptied or made anew: start again, to load what it has",
                )
            await asyncio.sleep(PAUSE)
            state = await self.state()

    async def last(self) -> Stored | None:
        """Give the last message on these subjects; None if there is none."""
        return await self._got({"last_by_subj": self.subjects})

    async def last_sequence(self) -> int:
        """Give the last sequence of a message on these subjects; 0 if there is none."""
        found = await self.last()
        return found.seq if found else 0

    async def get(self, sequence: int) -> bytes | None:
        """Give one message; None if it is not kept any more."""
        found = await self._got({"seq": sequence})
        return found.data if found else None

    async def _got(self, wish: dict[str, Any]) -> Stored | None:
        async def look() -> Stored | None:
            try:
                got = await self.connection.ask(f"STREAM.MSG.GET.{self.stream}", wish, _Got)
            except RefusalError as error:
                if error.code == NO_MESSAGE:
                    return None
                raise
            return got.message

        return await self.connection.persist(look, self.stream)


def _from(after: int) -> dict[str, Any]:
    return {"deliver_policy": "by_start_sequence", "opt_start_seq": after + 1}


class _Pull:
    """One consumer, pulled from until it fails."""

    def __init__(self, log: Log, begin: dict[str, Any]) -> None:
        self._log = log
        self._begin = begin
        self._came: deque[Msg] = deque()
        self._news = asyncio.Event()
        self._asked = 0
        self._delivered = 0
        self._given = 0
        self._failed = False
        self._name = ""
        self._subscription: Subscription | None = None
        self._looked = asyncio.get_running_loop().time()
        self.pending = 0
        """How many messages there were when it was made."""
        self.whole = False
        """Whether all of those were given."""

    async def __aenter__(self) -> None:
        connection = self._log.connection
        connection.readers.add(self._fail)
        try:
            self._inbox = connection.client.new_inbox()
            self._name = self._inbox.rpartition(".")[2]
            self._subscription = await connection.client.listen(self._inbox, self._take)
            made = await connection.persist(self._make, self._log.stream)
        except BaseException:
            await self._leave()
            raise
        self.pending = made.num_pending
        self.whole = self.pending == 0

    async def __aexit__(self, *_: object) -> Literal[False]:
        await self._leave()
        return False

    async def _make(self) -> _Consumer:
        """Make the consumer. It has a name: if it was made without our knowing, it is this one."""
        config = {
            "name": self._name,
            **self._begin,
            "filter_subject": self._log.subjects,
            "ack_policy": "none",
            "replay_policy": "instant",
            "max_deliver": 1,
            "mem_storage": True,
            "num_replicas": 1,
            "inactive_threshold": FORGOTTEN_SECONDS * NANO,
        }
        stream = self._log.stream
        request = {"stream_name": stream, "config": config}
        return await self._log.connection.ask(
            f"CONSUMER.CREATE.{stream}.{self._name}", request, _Consumer, MADE_SECONDS
        )

    async def _leave(self) -> None:
        """Let go of what was begun; what the engine is not told it forgets by itself."""
        client = self._log.connection.client
        self._log.connection.readers.discard(self._fail)
        with suppress(NatsError, OSError):
            if self._subscription is not None:
                await self._subscription.unsubscribe()
            if self._name:
                await client.publish(f"$JS.API.CONSUMER.DELETE.{self._log.stream}.{self._name}")

    def due(self) -> bool:
        """Say whether it is time to look whether all is well."""
        now = asyncio.get_running_loop().time()
        if now - self._looked < LOOK:
            return False
        self._looked = now
        return True

    async def next(self, until: int | None = None) -> list[Found] | None:
        """Give what has come, waiting for it; None when this consumer is of no more use.

        With `until`, none more than that many are given altogether.
        """
        if until is not None and self._given >= until:
            return None
        while not self._came:
            if self._failed or not await self._more():
                return None
            self._news.clear()
            try:
                async with asyncio.timeout(SILENT):
                    await self._news.wait()
            except TimeoutError:
                return None
            if not self._came and until is None and not self._failed:
                return []
        found: list[Found] = []
        while self._came and len(found) < CHUNK:
            one = self._understand(self._came.popleft())
            if one is None:
                self._failed = True
                break
            found.append(one)
            self._given += 1
            if until is not None and self._given >= until:
                self.whole = True
                break
        return found or None

    async def _more(self) -> bool:
        """Ask for messages, if few of those asked for are to come."""
        if self._asked > CHUNK // 2:
            return True
        request = {
            "batch": CHUNK - self._asked,
            "expires": PULL_SECONDS * NANO,
            "idle_heartbeat": int(HEARTBEAT_SECONDS * NANO),
        }
        try:
            await self._log.connection.client.publish(
                f"$JS.API.CONSUMER.MSG.NEXT.{self._log.stream}.{self._name}",
                msgspec.json.encode(request),
                reply=self._inbox,
            )
        except NatsError:
            return False
        self._asked = CHUNK
        return True

    def _take(self, message: Msg) -> None:
        status = message.headers.get("Status") if message.headers and not message.data else None
        if status is None or message.reply:
            self._asked -= 1
            self._came.append(message)
        elif status in {"408", "404"}:
            self._asked = 0
        elif status != "100":
            self._failed = True
        self._news.set()

    def _fail(self) -> None:
        """Take in that nothing will come any more."""
        self._failed = True
        self._news.set()

    def _understand(self, message: Msg) -> Found | None:
        """Read where a message stands; None if one before it did not arrive."""
        told = message.reply.split(".")
        # $JS.ACK.[<domain>.<account>.]<stream>.<consumer>.<times>.<sequence>.<delivered>.…
        sequence, delivered, nanoseconds, left = told[5:9] if len(told) == PLAIN else told[7:11]
        self._delivered += 1
        if int(delivered) != self._delivered:
            return None
        at = EPOCH + timedelta(microseconds=int(nanoseconds) // 1000)
        name = (message.headers or {}).get("Nats-Msg-Id", "")
        return Found(int(sequence), at, message.subject, message.data, int(left), name)
