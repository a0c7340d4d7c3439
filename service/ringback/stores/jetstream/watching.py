"""What the keys of a bucket are and become, as they are written."""

import asyncio
from contextlib import suppress
from datetime import datetime

import msgspec
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import Error as NatsError

from ringback.errors import EngineUnreachable
from ringback.stores.jetstream.connection import Connection
from ringback.stores.jetstream.faults import DeniedError, RefusalError, UnsureError, worded
from ringback.stores.jetstream.streams import Config

__all__ = ["Watching"]

NANO = 1_000_000_000
MISSED_HEARTBEATS = 2.5
"""So many without a word, and the watch is silent."""
STATUS = "Status"
TROUBLES = (UnsureError, DeniedError, RefusalError)


class _Delivered(msgspec.Struct):
    consumer_seq: int = 0


class _Consumer(msgspec.Struct):
    created: datetime
    """By the engine's clock."""
    num_pending: int = 0
    delivered: _Delivered = msgspec.field(default_factory=_Delivered)


class Watching:
    """What a bucket's stream has and gets. Whatever goes amiss is a `StoreError`: begin again."""

    def __init__(self, connection: Connection, heartbeat: float) -> None:
        self.complete = False
        """Whether all that was there at the beginning has been given."""
        self._connection = connection
        self._heartbeat = heartbeat
        self._subscription: Subscription | None = None
        self._messages: asyncio.Queue[Msg] = asyncio.Queue()
        self._taken = 0

    async def begin(self, bucket: Config) -> datetime:
        """Ask for the last of each subject, and for all that follows; give the engine's time."""
        client = self._connection.client
        inbox = client.new_inbox()
        name = inbox.rpartition(".")[2]
        request = {
            "stream_name": bucket.name,
            "config": {
                "name": name,
                "deliver_subject": inbox,
                "deliver_policy": "last_per_subject",
                "ack_policy": "none",
                "filter_subject": bucket.subjects[0],
                "idle_heartbeat": int(self._heartbeat * NANO),
                "mem_storage": True,
                "num_replicas": 1,
            },
        }
        try:
            # Not `next_msg`: a message that comes as its task is cancelled makes it forget that.
            self._subscription = await client.listen(inbox, self._messages.put_nowait)
            # By name: one that is asked for twice is made once, and sends everything once.
            what = f"CONSUMER.CREATE.{bucket.name}.{name}"
            consumer = await self._connection.ask(what, request, _Consumer)
        except (*TROUBLES, NatsError) as error:
            raise worded(self._connection.servers, error) from None
        self.complete = consumer.num_pending + consumer.delivered.consumer_seq == 0
        return consumer.created

    async def next(self, until: float | None) -> Msg | None:
        """Give the next message; None when there was none until then, or only a sign of life."""
        now = asyncio.get_running_loop().time()
        patience = MISSED_HEARTBEATS * self._heartbeat
        early = until is not None and until - now < patience
        wait = max(0.001, until - now) if until is not None and early else patience
        try:
            async with asyncio.timeout(wait):
                message = await self._messages.get()
        except TimeoutError:
            if early:
                return None
            raise self._broken("gone silent") from None
        if message.headers and STATUS in message.headers:
            last = message.headers.get("Nats-Last-Consumer")
            self._check(self._taken if last is None else int(last))
            return None
        self._taken += 1
        self._check(message.metadata.sequence.consumer)
        self.complete = self.complete or not message.metadata.num_pending
        return message

    async def end(self) -> None:
        """Cease; the engine forgets its part when nobody listens."""
        with suppress(NatsError):
            if self._subscription is not None:
                await self._subscription.unsubscribe()

    def _check(self, sent: int) -> None:
        if sent != self._taken:
            raise self._broken("lost a message")

    def _broken(self, how: str) -> EngineUnreachable:
        return EngineUnreachable(self._connection.servers, f"the watch of leases has {how}")
