"""What is best read now, from trackers to listeners: said once, and never kept.

What is lost on the way is wanted, or found, again, so nothing of it needs to be stored.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import suppress

import msgspec
from nats.errors import Error as NatsError

from ringback.stores.jetstream.connection import Connection
from ringback.stores.jetstream.subjects import Subjects

__all__ = ["JetStreamWants"]

LISTENERS = "listeners"
"""The group of which each wish goes to one."""
ALL = "all"
"""Stands in the place of a partition where something is said to all of them."""

_decode = msgspec.msgpack.Decoder(list[str]).decode


class JetStreamWants:
    """Both ends: the `Wants` of trackers, and the `Wishes` of listeners."""

    def __init__(self, connection: Connection, subjects: Subjects) -> None:
        self._connection = connection
        self._to_all = f"{subjects.root}.wants.{ALL}"
        self._wants_of = subjects.wants
        self._any = f"{subjects.root}.wants.*"
        self.unread = 0
        """Messages that were none of ours."""

    async def want(self, partition: int, conversation_ids: Sequence[str]) -> None:
        """Let one listener read these, the most urgent first, if there is one to hear it."""
        await self._say(self._wants_of(partition), conversation_ids)

    async def suspect(self, queue_ids: Sequence[str]) -> None:
        """Let all listeners know that reads have shown what no frame had told, in these queues."""
        await self._say(self._to_all, queue_ids)

    async def follow(self) -> AsyncIterator[Sequence[str]]:
        """Give what trackers want to be read, each to one listener only, for ever."""
        async for subject, ids in self._hear(self._any, LISTENERS):
            if subject != self._to_all:
                yield ids

    async def suspicions(self) -> AsyncIterator[Sequence[str]]:
        """Give queues of which frames are lost though somebody should hear them, for ever."""
        async for _, ids in self._hear(self._to_all, ""):
            yield ids

    async def _say(self, subject: str, ids: Sequence[str]) -> None:
        if self._connection.connected:
            with suppress(NatsError, OSError):
                await self._connection.client.publish(subject, msgspec.msgpack.encode(list(ids)))

    async def _hear(self, subject: str, group: str) -> AsyncIterator[tuple[str, list[str]]]:
        await self._connection.up()
        subscription = await self._connection.client.subscribe(subject, queue=group)
        try:
            async for message in subscription.messages:
                try:
                    ids = _decode(message.data)
                except msgspec.DecodeError:
                    self.unread += 1
                    continue
                yield message.subject, ids
        finally:
            with suppress(NatsError, OSError):  # or it ends with the connection
                await subscription.unsubscribe()
