"""One socket of a channel: what it brings, what the platform says about it, how it ends."""

import asyncio
import re
from collections.abc import Callable
from typing import Any

from websockets.exceptions import ConnectionClosed

from ringback.errors import FrameError
from ringback.sources.genesys.ends import End, Ended, ended_by
from ringback.sources.genesys.hearer import Hearer
from ringback.sources.socket import (
    REFUSALS,
    TURNS,
    Connection,
    Guard,
    open_socket,
    refusal,
)
from ringback.wire.decode import Decoder
from ringback.wire.system import System, SystemKind

__all__ = ["Line", "Listening"]

OTHER_TOPIC = re.compile(rb'\s*\{\s*"topicName"\s*:\s*"v2\.(?!system\.)', re.IGNORECASE)
"""The first bytes of nearly all that comes: such a frame is not about the channel."""
LARGEST_SYSTEM_FRAME = 16 * 1024
LOOK_SECONDS = 1.0
"""While a line is drained."""
GONE_RESULT = "404"


class Listening:
    """How sockets are listened to; seconds, and bytes."""

    def __init__(
        self,
        *,
        max_frame_bytes: int,
        watchdog: float = 35.0,
        ping_every: float = 10.0,
        open_timeout: float = 10.0,
        proof_seconds: float = 10.0,
    ) -> None:
        """`proof_seconds` is how long a sign of life may take after subscribing."""
        self.max_frame_bytes = max_frame_bytes
        self.watchdog = watchdog
        self.ping_every = ping_every
        self.open_timeout = open_timeout
        self.proof_seconds = proof_seconds


class Line:
    """Reads one connection until it ends, or is closed. Instants are on the loop's clock."""

    def __init__(
        self,
        connection: Connection,
        channel_id: str,
        hearer: Hearer,
        how: Listening,
        poke: Callable[[], None],
    ) -> None:
        """Begin to read. `poke` is called when there is something to look at."""
        now = connection.loop.time()
        self.closing = False
        """Whether the platform has announced that it will close the socket."""
        self.doubtful = False
        """Whether the platform has said that the subscriptions have changed."""
        self.message_at = now
        """When the last message was taken, a heartbeat or pong included."""
        self.conversation_at: float | None = None
        """When the last message was taken that was not about the channel."""
        self.heard_until = now
        """When it surely heard last; of use once it has ended."""
        self._connection = connection
        self._channel_id = channel_id
        self._hearer = hearer
        self._how = how
        self._poke = poke
        self._decoder = Decoder(max_size=LARGEST_SYSTEM_FRAME)
        self._guard = Guard(connection, how.watchdog, how.ping_every)
        self._pongs = 0
        self._ponged = asyncio.Event()
        self._proof: asyncio.Future[None] = connection.loop.create_future()
        self._full = False
        self._quiet_turns = 0
        self._seen = now
        self._timer: asyncio.TimerHandle | None = None
        self.ended = asyncio.create_task(self._read(), name="genesys.line")
        """Done when it has ended, with the reason; cancelled when it was closed before."""
        self.ended.add_done_callback(self._wake)

    @classmethod
    async def open(
        cls,
        uri: str,
        channel_id: str,
        hearer: Hearer,
        how: Listening,
        poke: Callable[[], None],
    ) -> "Line | Ended":
        """Connect; give why that failed, if it did."""
        try:
            connection = await open_socket(
                uri,
                max_frame_bytes=how.max_frame_bytes,
                open_timeout=how.open_timeout,
                ping_every=how.ping_every,
            )
        except REFUSALS as error:
            return ended_by(refusal(error))
        return cls(connection, channel_id, hearer, how, poke)

    async def prove(self) -> Ended | None:
        """Wait for any message that comes from now on, and provoke one; give why none came."""
        self._proof = self._connection.loop.create_future()
        self._guard.ping()
        either: set[asyncio.Future[Any]] = {self._proof, self.ended}
        await asyncio.wait(
            either, timeout=self._how.proof_seconds, return_when=asyncio.FIRST_COMPLETED
        )
        if self.ended.done():
            return self.ended.result()
        return None if self._proof.done() else Ended.plainly(End.UNPROVEN)

    async def drain(self) -> None:
        """Wait until all is taken that was sent before now: every ping is answered, this one last.

        While the hearer has no room that may be long. One that does not answer is not waited for
        longer than the watchdog would.
        """
        self._guard.ping()
        pings, patience = self._guard.pings, self._how.watchdog
        while patience > 0 and self._pongs < pings and not self.ended.done():
            self._ponged.clear()
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._ponged.wait()
            except TimeoutError:
                patience = self._how.watchdog if self._full else patience - LOOK_SECONDS

    async def close(self) -> None:
        """Read no more, and hang up. Needed after it has ended, too."""
        self._guard.stop()
        self.ended.cancel()
        await asyncio.wait({self.ended})
        await self._connection.close()

    def _wake(self, _: object) -> None:
        self._ponged.set()
        self._poke()

    async def _read(self) -> Ended:
        connection = self._connection
        self._watch()
        try:
            return await self._listen()
        except ConnectionClosed as closed:
            self.heard_until = min(self.message_at, connection.heard_at)
            return self._explain(closed)
        finally:
            self._guard.stop()
            if self._timer is not None:
                self._timer.cancel()

    async def _listen(self) -> Ended:
        """Hand on what comes, until the platform says that there is nothing more to hear."""
        room, frame, recv = self._hearer.room, self._hearer.frame, self._connection.recv
        clock = self._connection.loop.time
        while True:
            self._full = True
            await room()
            self._full = False
            message = await recv(decode=False)
            before, self.message_at = self.message_at, clock()
            if not self._proof.done():
                self._proof.set_result(None)
            frame(message)
            if OTHER_TOPIC.match(message):
                self.conversation_at = self.message_at
            elif (end := self._notice(message)) is not None:
                self.heard_until = before
                return Ended.plainly(end)

    def _notice(self, message: bytes) -> End | None:
        """Act on a message about the channel; give the end, if it is one."""
        system = self._system(message)
        if system is None:
            return None
        match system.kind:
            case SystemKind.PONG:
                self._pongs += 1
                self._ponged.set()
            case SystemKind.SOCKET_CLOSING:
                self.closing = True
                self._poke()
            case SystemKind.SUBSCRIPTION_CHANGED:
                self.doubtful = True
                self._poke()
            case SystemKind.NO_LONGER_SUBSCRIBED:
                return End.UNSUBSCRIBED
            case SystemKind.TOKEN_REVOKED:
                return End.TOKEN_REVOKED
            case SystemKind.RESULT if system.result == GONE_RESULT:
                return End.GONE
        return None

    def _system(self, message: bytes) -> System | None:
        if len(message) > LARGEST_SYSTEM_FRAME:
            return None
        try:
            decoded = self._decoder.decode(message)
        except FrameError:
            return None  # the intake has quarantined it
        if not isinstance(decoded, System):
            self.conversation_at = self.message_at
            return None
        about = decoded.message.channel_id if decoded.message is not None else None
        return decoded if about in {None, self._channel_id} else None

    def _explain(self, closed: ConnectionClosed) -> Ended:
        if self._quiet_turns > TURNS and not self._guard.silent:
            return Ended.plainly(End.SILENT)
        ended = ended_by(self._guard.explain(closed))
        if self.closing and ended.end is End.CLOSED:
            return Ended.plainly(End.CLOSING)
        return ended

    def _watch(self) -> None:
        """Break off when no message comes, though the protocol's pings may be answered."""
        quiet = self.message_at == self._seen and not self._full
        self._seen = self.message_at
        self._quiet_turns = self._quiet_turns + 1 if quiet else 0
        # One turn more than the guard allows, which knows better when nothing comes at all.
        if self._quiet_turns > TURNS:
            self._connection.transport.abort()
            return
        later = self._connection.loop.call_later
        self._timer = later(self._how.watchdog / TURNS, self._watch)
