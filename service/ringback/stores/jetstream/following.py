"""Follows a stream in order and without holes, whatever becomes of consumers and connections.

A consumer is the engine's memory of a reader. This reader keeps its own: the sequence that it has
reached. So a consumer is made, pulled from, and made anew whenever it misses a message, goes
silent, or is gone with its server.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from typing import Any

import msgspec

from ringback.errors import EngineForeign, PositionGone
from ringback.stores.jetstream.connection import Connection
from ringback.stores.jetstream.faults import RefusalError
from ringback.stores.jetstream.pulling import Found, Pull

__all__ = ["Info", "Log", "Stored"]

CATCHING_UP = 10.0
"""Seconds for which a stream may seem to end earlier than it does: a new leader has to catch up."""
PAUSE = 0.05
"""Seconds before a consumer is made in place of one that failed."""
NO_MESSAGE = 10037


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
            reached = 0
            pull = self._pull({"deliver_policy": "last_per_subject"})
            async with pull:
                while chunk := await pull.next(until=pull.pending):
                    yield [one for one in chunk if one.sequence > seen.get(one.subject, 0)]
                    seen.update((one.subject, one.sequence) for one in chunk)
                    reached = chunk[-1].sequence
            # They come in order. A consumer may be at a server that is behind the others.
            if reached >= least:
                return
            await asyncio.sleep(PAUSE)
            least = min(least, await self.last_sequence())

    async def read(self, after: int) -> AsyncGenerator[Sequence[Found], None]:
        """Give what follows `after`, up to what there is when this is called."""
        last = await self.last_sequence()
        while after < last:
            pull = self._pull(_from(after))
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
            pull = self._pull(_from(after))
            async with pull:
                if not pull.pending:
                    yield []
                while (chunk := await pull.next()) is not None:
                    if chunk:
                        yield chunk
                        after = chunk[-1].sequence
                    if not pull.left:
                        yield []
                    due = pull.due()
                    if due and chunk and pull.left:
                        await self._check(after)
                    if due or (pull.left and not chunk):
                        ended = await self.last_sequence() <= after
                        if ended and pull.left:
                            yield []
                            break  # it counts what is not there, as one of 2.9.10 may for ever
                        if due and not (chunk or ended):
                            break  # it has fallen silent
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

    def _pull(self, begin: dict[str, Any]) -> Pull:
        return Pull(self.connection, self.stream, self.subjects, begin)


def _from(after: int) -> dict[str, Any]:
    return {"deliver_policy": "by_start_sequence", "opt_start_seq": after + 1}
