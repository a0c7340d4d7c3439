"""`GET /api/v1/events`: the journal as Server-Sent Events."""

from functools import partial
from typing import Any

import msgspec
from litestar import Request, get
from litestar.types import ASGIApp, Receive, Scope, Send

from ringback.web.api.describing import describe
from ringback.web.connection import connection_of
from ringback.web.feed.feed import Feed
from ringback.web.feed.following import Ending, follow
from ringback.web.feed.portions import as_events
from ringback.web.feed.reader import Reader, Turn
from ringback.web.feed.wishes import FeedQuery, start_of
from ringback.web.visitors import LOOKING, Role, visitor_of

__all__ = ["events_handlers"]

RETRY_MILLISECONDS = 2000
HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    # Proxies that gather answers before they pass them on take this for a wish not to.
    (b"x-accel-buffering", b"no"),
]


def events_handlers(feed: Feed) -> list[Any]:
    """Make the handler."""

    @get(
        "/api/v1/events",
        opt=describe(
            "The journal as it grows: CloudEvents as Server-Sent Events",
            may=LOOKING,
            query=FeedQuery,
            problems=(400, 503),
            media_type="text/event-stream",
            headers={"Last-Event-ID": "The position of the last entry that is known."},
        ),
    )
    async def events(request: Request[Any, Any, Any]) -> ASGIApp:
        """Follow the journal, from after a position."""
        wish, after = start_of(request)
        masked = visitor_of(request).role is Role.VIEWER
        position = feed.journal.position if after is None else after
        return _Stream(feed, Reader("events", wish, position, masked=masked))

    return [events]


class _Stream:
    """One answer that goes on."""

    def __init__(self, feed: Feed, reader: Reader) -> None:
        self._feed = feed
        self._reader = reader

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        feed, reader = self._feed, self._reader

        async def write(formed: bytes) -> None:
            await _send(send, formed)

        async def gone() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass

        with feed.reading(reader):
            await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
            await _send(send, b"retry: %d\n\n" % RETRY_MILLISECONDS)
            ending = await follow(feed, reader, partial(_formed, reader), write, gone)
            if ending in (Ending.RETENTION, Ending.AHEAD):
                await _send(send, _reset(feed, ending))
            if ending is Ending.STALLED:
                connection_of(scope).abort()
                await gone()
            elif ending is not Ending.GONE:
                await _send(send, b"", more=False)


async def _send(send: Send, body: bytes, *, more: bool = True) -> None:
    await send({"type": "http.response.body", "body": body, "more_body": more})


def _formed(reader: Reader, turn: Turn) -> bytes:
    told = turn.portion.formed(as_events, masked=reader.masked) if turn.portion.told else b""
    if turn.beat is None:
        return told
    return told + b"event: heartbeat\nid: %d\ndata: %b\n\n" % (turn.portion.upto, turn.beat)


def _reset(feed: Feed, ending: Ending) -> bytes:
    # Without an id: who does not heed it is told again, instead of going on with a hole.
    body = msgspec.json.encode({"position": feed.position, "reason": ending.reason})
    return b"event: reset\ndata: %b\n\n" % body
