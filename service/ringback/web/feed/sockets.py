"""`GET /api/v1/feed`: the journal over a websocket, one CloudEvent a message."""

from typing import Any

from litestar import WebSocket, get, websocket
from litestar.exceptions import HTTPException

from ringback.web.connection import connection_of
from ringback.web.feed.feed import Feed
from ringback.web.feed.following import Ending, follow
from ringback.web.feed.portions import as_frames
from ringback.web.feed.reader import Reader, Turn
from ringback.web.feed.wishes import start_of
from ringback.web.problems import send_problem
from ringback.web.visitors import LOOKING, Role, roles, visitor_of

__all__ = ["sockets_handlers"]

GOING_AWAY = 1001
TAKE_A_NEW_SNAPSHOT = 4409


def sockets_handlers(feed: Feed) -> list[Any]:
    """Make the handler."""

    @websocket("/api/v1/feed", opt=roles(LOOKING))
    async def sockets(socket: WebSocket[Any, Any, Any]) -> None:
        """Follow the journal, from after a position."""
        try:
            wish, after = start_of(socket)
            masked = visitor_of(socket).role is Role.VIEWER
            position = feed.journal.position if after is None else after
            reader = Reader("websocket", wish, position, masked=masked)
            with feed.reading(reader):
                await _serve(feed, reader, socket)
        except HTTPException as error:
            await send_problem(
                socket.scope, socket.send, error.status_code, error.detail, error.headers
            )

    @get("/api/v1/feed", opt=roles(LOOKING))
    async def plain() -> None:
        """Say what this address is for."""
        raise HTTPException(
            "This is a websocket; the same comes as Server-Sent Events from /api/v1/events.",
            status_code=426,
            headers={"upgrade": "websocket"},
        )

    return [sockets, plain]


async def _serve(feed: Feed, reader: Reader, socket: WebSocket[Any, Any, Any]) -> None:
    connection = connection_of(socket.scope)

    def form(turn: Turn) -> bytes:
        return turn.portion.formed(as_frames, masked=reader.masked) if turn.portion.told else b""

    async def gone() -> None:
        # Whatever it says is not listened to.
        while (await socket.receive())["type"] != "websocket.disconnect":
            pass

    await socket.accept()
    ending = await follow(feed, reader, form, connection.write, gone)
    match ending:
        case Ending.RETENTION | Ending.AHEAD:
            await socket.close(TAKE_A_NEW_SNAPSHOT, f"take a new snapshot: {ending.reason}")
        case Ending.CLOSED:
            await socket.close(GOING_AWAY, "the daemon stops")
        case Ending.STALLED:
            connection.abort()
        case Ending.GONE:
            # The server may have said goodbye in our place, to somebody who does not listen.
            connection.abandon()
