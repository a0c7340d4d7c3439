"""The log of inputs."""

from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing

from ringback.ports import Input
from ringback.stores.jetstream.connection import Connection
from ringback.stores.jetstream.faults import RefusalError, worded
from ringback.stores.jetstream.following import Log
from ringback.stores.jetstream.subjects import Subjects

__all__ = ["JetStreamInputs"]


class JetStreamInputs:
    """The `InputLog` of an organisation."""

    def __init__(self, connection: Connection, subjects: Subjects) -> None:
        self._connection = connection
        self._subjects = subjects
        self._all = Log(connection, subjects.inputs, f"{subjects.root}.in.>")

    async def put(self, partition: int, key: str, body: bytes, once: str) -> int:
        """Store an input, unless one of the same `once` was within two minutes; give its sequence.

        Tries for as long as the engine is away. Raises `StoreError` if it never will be stored.
        """
        subject = self._subjects.input(partition, key)
        headers = {"Nats-Msg-Id": once}
        try:
            return await self._connection.persist(
                lambda: self._connection.store(subject, body, headers), self._subjects.inputs
            )
        except RefusalError as error:
            raise worded(self._connection.servers, error) from None

    async def follow(self, partition: int, after: int) -> AsyncIterator[Sequence[Input]]:
        """Give a partition's inputs after `after`, for ever; an empty chunk: no news.

        Raises `PositionGone`, and `EngineForeign` when the stream was emptied.
        """
        log = Log(self._connection, self._subjects.inputs, self._subjects.inputs_of(partition))
        async with aclosing(log.follow(after)) as chunks:
            async for chunk in chunks:
                yield [Input(one.sequence, one.at, one.body) for one in chunk]

    async def position(self) -> int:
        """Give the sequence of the log's last message; 0 when it never had one."""
        return (await self._all.state()).last_seq
