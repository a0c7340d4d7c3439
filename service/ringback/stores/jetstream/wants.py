"""What is best read now, from trackers to listeners: said once, to one of them, and never kept.

What is lost on the way is wanted again within seconds, so nothing of it needs to be stored.
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

_decode = msgspec.msgpack.Decoder(list[str]).decode


class JetStreamWants:
    """Both ends: the `Wants` of trackers, and the `Wishes` of listeners."""

    def __init__(self, connection: Connection, subjects: Subjects) -> None:
        self._connection = connection
        self._subjects = subjects
        self.unread = 0
        """Messages that were none of ours."""

    async def want(self, partition: int, conversation_ids: Sequence[str]) -> None:
        """Let one listener read these, the most urgent first, if there is one to hear it."""
        if not self._connection.connected:
            return
        body = msgspec.msgpack.encode(list(conversation_ids))
        try:
            await self._connection.client.publish(self._subjects.wants(partition), body)
        except (NatsError, OSError):
            return

    async def follow(self) -> AsyncIterator[Sequence[str]]:
        """Give what trackers want to be read, each to one listener only, for ever."""
        await self._connection.up()
        client = self._connection.client
        subject = f"{self._subjects.root}.wants.*"
        subscription = await client.subscribe(subject, queue=LISTENERS)
        try:
            async for message in subscription.messages:
                try:
                    wanted = _decode(message.data)
                except msgspec.DecodeError:
                    self.unread += 1
                    continue
                yield wanted
        finally:
            with suppress(NatsError, OSError):  # or it ends with the connection
                await subscription.unsubscribe()
