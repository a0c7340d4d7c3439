"""What every answer passes through: the `Host` header is checked, security headers are added.

It stands around the whole application, so that it also covers what the router itself answers.
"""

import re
from ipaddress import ip_address

from litestar.types import ASGIApp, Message, Receive, Scope, Send

from ringback.web.problems import problem_body

__all__ = ["HEADERS", "LOOPBACK_NAMES", "Shield", "is_loopback"]

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
"""What a browser on this machine calls this machine."""

HOST = re.compile(r"(?:\[(?P<bracketed>[^\]]*)\]|(?P<plain>[^:\[\]]*))(?::\d*)?")

HEADERS = {
    b"content-security-policy": b"default-src 'none'; base-uri 'none'; form-action 'none';"
    b" frame-ancestors 'none'",
    b"cross-origin-opener-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
    b"referrer-policy": b"no-referrer",
    b"x-content-type-options": b"nosniff",
    b"cache-control": b"no-store",
}
"""Added where a handler has not set its own: a page sets a wider policy for itself."""


def is_loopback(host: str) -> bool:
    """Say whether binding `host` is reachable from this machine alone."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


class Shield:
    """An ASGI application around another.

    With `hosts`, a request that names any other host is answered 421: a page elsewhere could have
    its own name resolve to 127.0.0.1 and read what is served here (DNS rebinding). Ports are not
    compared: a tunnel may well end on another one.
    """

    def __init__(self, app: ASGIApp, hosts: frozenset[str] | None) -> None:
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or connection."""
        kind: str = scope["type"]
        if kind == "lifespan":
            await self._app(scope, receive, send)
        elif self._hosts is None or _host(scope) in self._hosts:
            await self._app(scope, receive, _protected(send))
        elif kind == "websocket":
            await send({"type": "websocket.close", "code": 1008, "reason": "unknown host"})
        else:
            await _misdirect(_protected(send))


def _host(scope: Scope) -> str | None:
    named = [value for name, value in scope["headers"] if name == b"host"]
    if len(named) != 1:
        return None
    matched = HOST.fullmatch(named[0].decode("latin-1").lower())
    return matched and (matched["bracketed"] or matched["plain"])


async def _misdirect(send: Send) -> None:
    body = problem_body(421, "This server does not go by the name in the Host header.")
    headers = [
        (b"content-type", b"application/problem+json"),
        (b"content-length", b"%d" % len(body)),
    ]
    await send({"type": "http.response.start", "status": 421, "headers": headers})
    await send({"type": "http.response.body", "body": body, "more_body": False})


def _protected(send: Send) -> Send:
    async def protected(message: Message) -> None:
        if message["type"] == "http.response.start":
            present = {name.lower() for name, _ in message["headers"]}
            added = [item for item in HEADERS.items() if item[0] not in present]
            message["headers"] = [*message["headers"], *added]
        await send(message)

    return protected
