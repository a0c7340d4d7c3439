"""The gate: nobody gets further who may not come in, whatever there is behind it.

It stands before the router and lets strangers pass to a few paths, exactly as they are written
here. What a role may do is decided by the route, after the router has understood the path.
"""

from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager
from http import HTTPStatus
from typing import Any, Protocol
from urllib.parse import quote

from litestar.connection import ASGIConnection
from litestar.exceptions import NotAuthorizedException, PermissionDeniedException
from litestar.handlers import BaseRouteHandler
from litestar.types import ASGIApp, Receive, Scope, Send

from ringback.web.access.access import Admission
from ringback.web.access.origins import Origins
from ringback.web.heads import header
from ringback.web.problems import send_problem
from ringback.web.refusals import Refusal, Refusals
from ringback.web.visitors import ACTING, is_stranger, visitor_of

__all__ = ["ADMISSION", "OPEN", "Admitting", "Gate", "make_guard"]

OPEN = frozenset({"/livez", "/readyz", "/login"})
"""Paths for strangers."""
ADMISSION = "admission"
LONGEST_NEXT = 2000

Guard = Callable[[ASGIConnection[Any, Any, Any, Any], BaseRouteHandler], Awaitable[None]]


class Admitting(Protocol):
    """Knows visitors."""

    def admit(self, scope: Any) -> Admission | None:  # noqa: ANN401  # a scope of any kind
        """Say who asks, None for a stranger."""

    def refuse(self, scope: Any) -> int:  # noqa: ANN401  # as above
        """Note that a stranger is turned away; give how many seconds they have to wait."""

    def staying(self, admission: Admission, scope: Any) -> AbstractContextManager[None]:  # noqa: ANN401  # as above
        """Note that somebody is being served, for as long as it takes."""


def make_guard(refusals: Refusals) -> Guard:
    """Make what lets only those use a route whose role allows it."""

    # A plain function would be run in a thread, for every request.
    async def guard(
        connection: ASGIConnection[Any, Any, Any, Any], handler: BaseRouteHandler
    ) -> None:
        allowed = handler.opt.get("roles", ACTING)
        if allowed is None:
            return
        if is_stranger(connection):
            refusals[Refusal.UNKNOWN] += 1
            raise NotAuthorizedException
        if visitor_of(connection).role not in allowed:
            refusals[Refusal.ROLE] += 1
            raise PermissionDeniedException(f"This takes the role {' or '.join(sorted(allowed))}.")

    return guard


class Gate:
    """An ASGI application around another."""

    def __init__(
        self, app: ASGIApp, access: Admitting, origins: Origins, refusals: Refusals
    ) -> None:
        self._app = app
        self._access = access
        self._origins = origins
        self._refusals = refusals

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or connection."""
        admission = self._access.admit(scope)
        by_cookie = admission is not None and admission.session is not None
        if self._origins.foreign(scope, by_cookie=by_cookie):
            self._refusals[Refusal.ORIGIN] += 1
            await send_problem(scope, send, 403, "This was sent by a page from elsewhere.")
        elif admission is not None:
            await self._admit(admission, scope, receive, send)
        elif scope["path"] in OPEN:
            await self._app(scope, receive, send)
        elif _goes_to_a_page(scope):
            await _send_to_login(scope, send)
        else:
            await self._turn_away(scope, send)

    async def _admit(
        self, admission: Admission, scope: Scope, receive: Receive, send: Send
    ) -> None:
        state = scope.setdefault("state", {})
        state["visitor"] = admission.visitor
        state["logged_in"] = admission.session is not None
        state[ADMISSION] = admission
        with self._access.staying(admission, scope):
            await self._app(scope, receive, send)

    async def _turn_away(self, scope: Scope, send: Send) -> None:
        wait = self._access.refuse(scope)
        if wait:
            self._refusals[Refusal.THROTTLED] += 1
            await send_problem(
                scope, send, 429, "Too many wrong tokens.", {"retry-after": str(wait)}
            )
            return
        self._refusals[Refusal.UNKNOWN] += 1
        await send_problem(
            scope,
            send,
            HTTPStatus.UNAUTHORIZED,
            "Who asks? Send a token as Authorization: Bearer …, or log in at /login.",
            {"www-authenticate": 'Bearer realm="ringback"'},
        )


def _goes_to_a_page(scope: Any) -> bool:  # noqa: ANN401  # any scope
    if scope["type"] != "http" or scope["method"] not in ("GET", "HEAD"):
        return False
    if scope["path"].startswith("/api/"):
        return False
    return "text/html" in (header(scope, b"accept") or "")


async def _send_to_login(scope: Any, send: Send) -> None:  # noqa: ANN401  # any scope
    query = scope["query_string"]
    wished = quote(scope["path"]) + (f"?{query.decode('latin-1')}" if query else "")
    following = f"?next={quote(wished, safe='')}" if len(wished) <= LONGEST_NEXT else ""
    headers = [(b"location", f"/login{following}".encode("latin-1")), (b"content-length", b"0")]
    await send({"type": "http.response.start", "status": 303, "headers": headers})
    await send({"type": "http.response.body", "body": b"", "more_body": False})
