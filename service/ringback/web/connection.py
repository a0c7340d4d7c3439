"""What a handler may do with its connection beyond ASGI: cut it off, write frames as they are.

ASGI can only end a connection politely, which waits for a peer that takes nothing any more.
"""

import asyncio
from typing import Any

from litestar.types import Scope
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

__all__ = ["Connection", "SocketProtocol", "connection_of", "keep_connection"]

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


class SocketProtocol(WebSocketsSansIOProtocol):
    """Adds the connection to the scope of a websocket."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        super().connection_made(transport)
        self.app_state = keep_connection(self.app_state, Connection(self.transport, self.writable))


def keep_connection(state: dict[str, Any], connection: Connection) -> dict[str, Any]:
    """Give a state of requests with the connection that they come on."""
    return state | {KEY: connection}


def connection_of(scope: Scope) -> Connection:
    """Give the connection that a request came on."""
    state: dict[str, Any] = scope["state"]
    connection = state[KEY]
    assert isinstance(connection, Connection)  # noqa: S101  # nobody else sets it
    return connection
