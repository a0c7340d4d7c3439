"""What a handler may do with its connection beyond ASGI: cut it off, write frames as they are.

ASGI can only end a connection politely, which waits for a peer that takes nothing any more.
"""

import asyncio
from typing import Any

import h11
from litestar.types import Scope
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

from ringback.web.problems import problem_body
from ringback.web.shield import HEADERS

__all__ = ["Connection", "HttpProtocol", "SocketProtocol", "connection_of"]

KEY = "connection"


class Connection:
    """One connection of a client."""

    def __init__(self, transport: asyncio.Transport, writable: asyncio.Event) -> None:
        self._transport = transport
        self._writable = writable

    async def write(self, frames: bytes) -> None:
        """Write whole frames to a websocket, when there is room. Raises `ConnectionError`."""
        if not frames:
            return
        await self._writable.wait()
        if self._transport.is_closing():
            raise ConnectionResetError
        self._transport.write(frames)

    def abort(self) -> None:
        """Cut it off, whatever is still to be sent."""
        self._transport.abort()

    def abandon(self) -> None:
        """Cut it off if something is still to be sent."""
        if self._transport.get_write_buffer_size():
            self._transport.abort()


class HttpProtocol(H11Protocol):
    """Adds the connection to the scope of each request."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin."""
        super().connection_made(transport)
        ready = asyncio.Event()
        ready.set()
        self.app_state = self.app_state | {KEY: Connection(transport, ready)}

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP, which the application never sees."""
        body = problem_body(400, msg)
        headers = [
            *HEADERS.items(),
            (b"content-type", b"application/problem+json"),
            (b"content-length", b"%d" % len(body)),
            (b"connection", b"close"),
        ]
        response = h11.Response(status_code=400, headers=headers, reason=b"Bad Request")
        for event in (response, h11.Data(data=body), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()


class SocketProtocol(WebSocketsSansIOProtocol):
    """The same for a websocket."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        super().connection_made(transport)
        self.app_state = self.app_state | {KEY: Connection(self.transport, self.writable)}


def connection_of(scope: Scope) -> Connection:
    """Give the connection that a request came on."""
    state: dict[str, Any] = scope["state"]
    connection = state[KEY]
    assert isinstance(connection, Connection)  # noqa: S101  # nobody else sets it
    return connection
