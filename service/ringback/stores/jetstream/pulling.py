"""One consumer, pulled from until it fails.

It fails when a message of those asked for did not arrive, when the engine is silent, and with the
connection. Then it is thrown away: whoever reads keeps its place itself.
"""

import asyncio
from collections import deque
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Any, Literal

import msgspec
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError

from ringback.core.clocks import EPOCH
from ringback.stores.jetstream.connection import Connection

__all__ = ["Found", "Pull"]

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
PLAIN = 9
"""Parts of the subject that tells where a message stands, from a server that names no domain."""
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


class _Consumer(msgspec.Struct):
    name: str
    num_pending: int = 0


class Pull:
    """One consumer, pulled from until it fails."""

    def __init__(
        self, connection: Connection, stream: str, subjects: str, begin: dict[str, Any]
    ) -> None:
        """`begin` says in the engine's words where to begin."""
        self._connection = connection
        self._stream = stream
        self._subjects = subjects
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
        self.left = 0
        """How many followed the last one given, when that was sent."""

    async def __aenter__(self) -> None:
        connection = self._connection
        connection.readers.add(self._fail)
        try:
            self._inbox = connection.client.new_inbox()
            self._subscription = await connection.client.listen(self._inbox, self._take)
            made = await connection.persist(self._make, self._stream)
        except BaseException:
            await self._leave()
            raise
        self._name = made.name
        self.pending = self.left = made.num_pending

    async def __aexit__(self, *_: object) -> Literal[False]:
        await self._leave()
        return False

    async def _make(self) -> _Consumer:
        """Make the consumer. Asked again without a name, another server may get it.

        It may have fallen to one that is gone: the same name would be given to that one for ever.
        Of one that was made twice the engine forgets what nobody asks.
        """
        config = {
            **self._begin,
            "filter_subject": self._subjects,
            "ack_policy": "none",
            "replay_policy": "instant",
            "max_deliver": 1,
            "mem_storage": True,
            "num_replicas": 1,
            "inactive_threshold": FORGOTTEN_SECONDS * NANO,
        }
        stream = self._stream
        request = {"stream_name": stream, "config": config}
        return await self._connection.ask(
            f"CONSUMER.CREATE.{stream}", request, _Consumer, MADE_SECONDS
        )

    async def _leave(self) -> None:
        """Let go of what was begun; what the engine is not told it forgets by itself."""
        client = self._connection.client
        self._connection.readers.discard(self._fail)
        with suppress(NatsError, OSError):
            if self._subscription is not None:
                await self._subscription.unsubscribe()
            if self._name:
                await client.publish(f"$JS.API.CONSUMER.DELETE.{self._stream}.{self._name}")

    def due(self) -> bool:
        """Say whether it is time to look whether all is well."""
        now = asyncio.get_running_loop().time()
        if now - self._looked < LOOK:
            return False
        self._looked = now
        return True

    async def next(self, until: int | None = None) -> list[Found] | None:
        """Give what has come, waiting for it; None when this consumer is of no more use.

        With `until`, none more than that many are given altogether, and it is of no more use when
        it gives none for long, silent or not: what it counted may have been removed since.
        """
        if until is not None and self._given >= until:
            return None
        silent_at = asyncio.get_running_loop().time() + SILENT
        while not self._came:
            if self._failed or not await self._more():
                return None
            self._news.clear()
            try:
                async with asyncio.timeout_at(silent_at):
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
            self.left = one.left
            if until is not None and self._given >= until:
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
            await self._connection.client.publish(
                f"$JS.API.CONSUMER.MSG.NEXT.{self._stream}.{self._name}",
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
