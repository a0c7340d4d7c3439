"""A websocket connection that hears complete messages at a fraction of the usual cost.

`websockets` parses each frame with nested generators and hands it through a queue and a coroutine:
about 5 µs a message, twice what decoding it into structs takes. Nearly every frame of a
notification stream is one whole, unmasked, uncompressed message, and cutting those out of what
arrived takes about 1 µs. So that is done here, and everything else (the handshake, control frames,
fragments, whatever breaks the protocol or a limit) goes to the library frame by frame, which
answers pings, closes and rejects as ever. The property test feeds both the same bytes.

Text and binary messages are both handed on as bytes: the decoder judges them by their content,
and what is not UTF-8 is quarantined as binary there.
"""

import asyncio
import sys
from collections import deque
from typing import Any

from websockets.asyncio.client import ClientConnection
from websockets.frames import Frame, Opcode
from websockets.http11 import Request, Response
from websockets.protocol import State

__all__ = ["FrameConnection"]

HEAD_END = b"\r\n\r\n"
WHOLE_MESSAGES = frozenset({0x80 | Opcode.TEXT, 0x80 | Opcode.BINARY})
"""First bytes of frames that are a message of their own: FIN, no extension bits."""
DATA = frozenset({Opcode.CONT, Opcode.TEXT, Opcode.BINARY})
SHORT, LONG = 126, 127
"""Lengths that announce 16 and 64 bits of length (RFC 6455, 5.2)."""
HOLD = 1024
"""Messages waiting to be taken before reading from the network pauses."""


class FrameConnection(ClientConnection):
    """Pass it to `connect(create_connection=...)`; take `messages` whenever `arrived` gives true.

    Memory is bounded: one frame of `max_size`, plus `HOLD` messages, plus one read of the socket.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401  # the library's own
        super().__init__(*arguments, **options)
        self.messages: deque[bytes] = deque()
        """Complete messages, oldest first."""
        self.heard_at = self.loop.time()
        """When anything at all last arrived, on the loop's clock."""
        self.held = False
        """Whether reading is paused because nobody takes the messages."""
        self._head = b""  # the last bytes seen of the handshake response
        self._partial = bytearray()  # an incomplete frame
        self._needed = 0  # how long _partial has to be before it is looked at again
        self._fragments: bytearray | None = None
        self._waiter: asyncio.Future[None] | None = None

    async def arrived(self) -> bool:
        """Wait until `messages` is not empty; false when it is and the connection has ended."""
        while not self.messages:
            if self.protocol.state is not State.OPEN:
                return False
            if self.held:
                self.held = False
                self.heard_at = self.loop.time()
                self.transport.resume_reading()
            self._waiter = self.loop.create_future()
            await self._waiter
        return True

    def data_received(self, data: bytes) -> None:
        """Cut complete messages out of what arrived; leave the rest to the library."""
        self.heard_at = self.loop.time()
        if self.protocol.state is State.CONNECTING:
            data = self._handshake(data)
        elif self._partial:
            self._partial += data
            if len(self._partial) < self._needed:
                return
            data = bytes(self._partial)
            self._partial.clear()
        if data:
            self._cut(data)
        if len(self.messages) > HOLD and not self.held:
            self.held = True
            self.transport.pause_reading()
        self._wake()

    def process_event(self, event: Frame | Request | Response) -> None:
        """Join fragments; the library deals with everything else."""
        if not isinstance(event, Frame) or event.opcode not in DATA:
            super().process_event(event)
        elif self.protocol.state is State.OPEN:
            self._fragments = self._fragments or bytearray()
            self._fragments += event.data
            if event.fin:
                self.messages.append(bytes(self._fragments))
                self._fragments = None

    def eof_received(self) -> None:
        """End, as nothing follows."""
        super().eof_received()
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        """End, for whatever reason."""
        super().connection_lost(exc)
        self._wake()

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _handshake(self, data: bytes) -> bytes:
        """Give the library the response up to its end; return what follows it."""
        seen = self._head + data
        end = seen.find(HEAD_END)
        if end < 0:
            self._head = seen[-3:]
            super().data_received(data)
            return b""
        cut = end + len(HEAD_END) - len(self._head)
        super().data_received(data[:cut])
        return data[cut:]

    def _cut(self, data: bytes) -> None:
        """Take whole messages; give other frames to the library, one at a time, in order.

        The library's parser therefore always stands between two frames, and can take over for good
        where the connection is ending or has to.
        """
        take = self.messages.append
        most = self.protocol.max_message_size or sys.maxsize
        at, end = 0, len(data)
        ending = self.protocol.state is not State.OPEN
        while at < end and not ending:
            start, stop = _extent(data, at)
            if stop - start > most:
                break
            if stop > end:
                self._partial += data[at:]
                self._needed = stop - at
                return
            if data[at] in WHOLE_MESSAGES and self._fragments is None:
                take(data[start:stop])
            else:
                super().data_received(data[at:stop])
                ending = self.protocol.state is not State.OPEN
            at = stop
        if at < end:
            super().data_received(data[at:])


def _extent(data: bytes, at: int) -> tuple[int, int]:
    """Say where the payload of the frame at `at` starts and stops.

    Of an incomplete header only the end is known: both are that. A masked frame, which no server
    may send, has no end.
    """
    start = at + 2
    if len(data) < start:
        return start, start
    length = data[at + 1]
    if length >= SHORT:
        if length > LONG:
            return start, sys.maxsize
        start = at + (4 if length == SHORT else 10)
        if len(data) < start:
            return start, start
        length = int.from_bytes(data[at + 2 : start])
    return start, start + length
