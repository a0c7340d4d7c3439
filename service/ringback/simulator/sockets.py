"""One websocket: what it is sent, what it asks, and every way it can end."""

import asyncio
import contextlib
import socket
import struct
from collections import deque
from collections.abc import Callable, Iterable

import msgspec
from aiohttp import WSMsgType, web

__all__ = ["HEARTBEAT", "Socket"]

HEARTBEAT = b'{"topicName":"channel.metadata","eventBody":{"message":"WebSocket Heartbeat"}}'
PONG = b'{"topicName":"channel.metadata","eventBody":{"message":"pong"}}'
TRY_AGAIN_LATER = 1013
LARGEST_MESSAGE = 256 * 1024
"""A subscription to 1,000 topics fits."""
GOODBYE_SECONDS = 5.0

Message = dict[str, object]


class Socket:
    """A connection, with a bounded outbox. Nothing is kept for a peer that is not there."""

    def __init__(
        self,
        bound: int,
        answer: Callable[[Message], bytes | None] = lambda _: None,
        patience: float = GOODBYE_SECONDS,
    ) -> None:
        """`answer` is asked what to say to a message that is no ping; None: nothing.

        `patience` is how many seconds a peer may take to answer a close.
        """
        self.sent = 0
        """How many frames have been written, heartbeats included."""
        self.behind = False
        """Whether it was dropped because the peer did not read."""
        self.silent = False
        self.frozen = False
        self._bound = bound
        self._answer = answer
        self._outbox: deque[tuple[bytes, bool]] = deque()
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self.ended = asyncio.Event()
        """Set once nothing more passes."""
        self._farewell: tuple[int, str] | None = None
        self._websocket = web.WebSocketResponse(
            timeout=patience, compress=False, max_msg_size=LARGEST_MESSAGE
        )
        self._transport: asyncio.Transport | None = None

    # What it is sent

    def notify(self, frame: bytes, *, binary: bool = False) -> bool:
        """Send a notification; say whether it is on its way."""
        return not self.silent and self.put(frame, binary=binary)

    def put(self, frame: bytes, *, binary: bool = False) -> bool:
        """Send anything; say whether it is on its way."""
        if self.frozen or self._farewell is not None:
            return False
        if len(self._outbox) >= self._bound:
            self.behind = True
            self.cut()
            return False
        self._outbox.append((frame, binary))
        self._news.set()
        return True

    async def put_patiently(self, frame: bytes) -> None:
        """Send anything, once there is room for it."""
        while len(self._outbox) >= self._bound and self._farewell is None:
            self._room.clear()
            await self._room.wait()
        self.put(frame)

    # How it ends

    def close(self, code: int, reason: str = "", last: Iterable[bytes] = ()) -> None:
        """Send what is under way and `last`, then close."""
        if self._farewell is None:
            if not self.frozen:
                self._outbox.extend((frame, False) for frame in last)
            self._farewell = (code, reason)
            self._news.set()

    def cut(self) -> None:
        """Break the connection off: the peer gets a reset."""
        self._farewell = self._farewell or (TRY_AGAIN_LATER, "")
        self._outbox.clear()
        self._news.set()
        self._room.set()
        if self._transport is not None:
            raw = self._transport.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._transport.abort()

    def freeze(self) -> None:
        """Let nothing pass any more in either direction, though the connection stays."""
        self.frozen = True
        if self._transport is not None:
            self._transport.pause_reading()

    def silence(self) -> None:
        """Send no notifications any more; heartbeats go on."""
        self.silent = True

    # Its life

    async def run(self, request: web.Request) -> web.WebSocketResponse:
        """Serve the peer until either side ends it."""
        await self._websocket.prepare(request)
        self._transport = request.transport
        if self.frozen:
            self.freeze()
        jobs = [
            asyncio.create_task(self._write(), name="simulator.write"),
            asyncio.create_task(self._read(), name="simulator.read"),
        ]
        try:
            await asyncio.wait(jobs, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for job in jobs:
                job.cancel()
            await asyncio.gather(*jobs, return_exceptions=True)
            self._room.set()
            self.ended.set()
        for job in jobs:
            if not job.cancelled():
                job.result()
        code, reason = self._farewell or (1000, "")
        self._farewell = (code, reason)
        if self.frozen:
            self.cut()
        elif self._transport is not None and not self._transport.is_closing():
            await self._websocket.close(code=code, message=reason.encode())
        return self._websocket

    async def _write(self) -> None:
        """Send what is in the outbox, until it is empty and there is a farewell."""
        with contextlib.suppress(ConnectionError):
            while True:
                while self._outbox and not self.frozen:
                    frame, binary = self._outbox.popleft()
                    self._room.set()
                    kind = WSMsgType.BINARY if binary else WSMsgType.TEXT
                    await self._websocket.send_frame(frame, kind)
                    self.sent += 1
                if self._farewell is not None:
                    return
                self._news.clear()
                await self._news.wait()

    async def _read(self) -> None:
        async for message in self._websocket:
            if message.type in {WSMsgType.TEXT, WSMsgType.BINARY}:
                self._hear(message.data)

    def _hear(self, message: str | bytes) -> None:
        # What cannot be understood is ignored, as the real service ignores it.
        with contextlib.suppress(msgspec.DecodeError, RecursionError):
            said = msgspec.json.decode(message, type=Message)
            answer = PONG if said.get("message") == "ping" else self._answer(said)
            if answer is not None:
                self.put(answer)
