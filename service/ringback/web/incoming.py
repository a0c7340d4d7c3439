"""Requests as handlers take them: HEAD as GET without its body, any id as one part of a path.

A callback is called what its platform calls it, so an id may hold slashes; the router would take
them for more parts. A part of the path therefore arrives with `%` and `/` still escaped, and
`part_of` gives it as it was meant.
"""

from typing import Any, TypeGuard
from urllib.parse import quote, unquote

from litestar import Request
from litestar.types import ASGIApp, HTTPScope, Message, Receive, Scope, Send

__all__ = ["Incoming", "part_of"]

UNESCAPED = "".join(chr(code) for code in range(128) if chr(code) not in "%/")


class Incoming:
    """An ASGI application around another."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or connection."""
        if _is_http(scope):
            scope["path"] = "/".join(map(_escaped, scope["raw_path"].decode("latin-1").split("/")))
            if scope["method"] == "HEAD":
                await _serve_head(self._app, scope, receive, send)
            else:
                await self._app(scope, receive, _allowing_head(send))
        else:
            await self._app(scope, receive, send)


def part_of(request: Request[Any, Any, Any], name: str) -> str:
    """Give one part of the path, as it was meant."""
    return unquote(request.path_params[name])


def _is_http(scope: Scope) -> TypeGuard[HTTPScope]:
    """Whether it is a request, and not a websocket."""
    return scope["type"] == "http"  # type: ignore[comparison-overlap]  # its values are texts


def _escaped(part: str) -> str:
    text = unquote(part)
    return quote(text, safe=UNESCAPED) if "%" in text or "/" in text else text


async def _serve_head(app: ASGIApp, scope: HTTPScope, receive: Receive, send: Send) -> None:
    """End the answer where its body would begin, which of the feed has no end."""
    ended = False

    async def receive_or_go() -> Any:  # noqa: ANN401  # as ASGI has it
        return {"type": "http.disconnect"} if ended else await receive()

    async def send_head(message: Message) -> None:
        nonlocal ended
        if message["type"] == "http.response.start":
            ended = True
            await send(message)
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    as_get: Any = {**scope, "method": "GET"}
    await app(as_get, receive_or_go, _allowing_head(send_head))


def _allowing_head(send: Send) -> Send:
    """Let answers that say what is allowed say this too."""

    async def allowing(message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] in (204, 405):
            message["headers"] = [
                (name, _allowed(value) if name == b"allow" else value)
                for name, value in message["headers"]
            ]
        await send(message)

    return allowing


def _allowed(methods: bytes) -> bytes:
    """Add HEAD where there is GET; the router counts websockets among the methods."""
    given = [each for each in methods.split(b", ") if each != b"websocket"]
    return b", ".join([b"HEAD", *given] if b"GET" in given else given)
