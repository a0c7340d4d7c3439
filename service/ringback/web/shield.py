"""What every answer passes through: the `Host` header is checked, security headers are added.

It stands around the whole application, so that it also covers what the router itself answers.
"""

from typing import Any

from litestar.types import ASGIApp, Message, Receive, Scope, Send

from ringback.web.heads import bare_host, header, is_address
from ringback.web.problems import send_problem
from ringback.web.refusals import Refusal, Refusals

__all__ = ["HEADERS", "Shield"]

MISDIRECTED = "This server does not go by the name in the Host header: see [web] names."
STARTS = ("http.response.start", "websocket.http.response.start")

HEADERS = {
    b"content-security-policy": b"default-src 'none'; base-uri 'none'; form-action 'none';"
    b" frame-ancestors 'none'",
    b"cross-origin-opener-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
    b"permissions-policy": b"camera=(), geolocation=(), microphone=()",
    b"referrer-policy": b"no-referrer",
    b"x-content-type-options": b"nosniff",
    b"x-frame-options": b"DENY",
    b"cache-control": b"no-store",
}
"""Added where a handler has not set its own: a page sets a wider policy for itself."""
HEADERS_OVER_TLS = {b"strict-transport-security": b"max-age=31536000"}


class Shield:
    """An ASGI application around another.

    A request that names any host but those of `names` is answered 421: a page elsewhere could have
    its own name resolve to this machine and read what is served here (DNS rebinding). Ports are not
    compared: a tunnel may well end on another one. With `addresses` any address will do as well,
    since it takes a name to rebind.
    """

    def __init__(
        self, app: ASGIApp, names: frozenset[str], refusals: Refusals, *, addresses: bool = False
    ) -> None:
        self._app = app
        self._names = names
        self._refusals = refusals
        self._addresses = addresses

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or connection."""
        protected = _protected(send, encrypted=scope.get("scheme") in ("https", "wss"))
        if self._knows(scope):
            await self._app(scope, receive, protected)
        else:
            self._refusals[Refusal.HOST] += 1
            await send_problem(scope, protected, 421, MISDIRECTED)

    def _knows(self, scope: Scope) -> bool:
        host = bare_host(header(scope, b"host") or "")
        if not host:
            return False
        return host in self._names or (self._addresses and is_address(host))


def _protected(send: Send, *, encrypted: bool) -> Send:
    headers = HEADERS | (HEADERS_OVER_TLS if encrypted else {})

    async def protected(message: Message) -> None:
        if message["type"] in STARTS:
            start: Any = message
            present = {name.lower() for name, _ in start["headers"]}
            added = [item for item in headers.items() if item[0] not in present]
            start["headers"] = [*start["headers"], *added]
        await send(message)

    return protected
