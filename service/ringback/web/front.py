"""What is reached of a process before it knows anything: how it is, and that it is about to be."""

from typing import Any

from litestar.types import ASGIApp, Receive, Scope, Send

from ringback.web.problems import send_problem

__all__ = ["Front"]

HEALTH = frozenset({"/livez", "/readyz", "/healthz", "/metrics"})
RETRY = {"retry-after": "2"}


class Front:
    """Answers of health alone until there is something to show."""

    def __init__(self, health: ASGIApp) -> None:
        self._health = health
        self.app: ASGIApp | None = None
        """What is shown, once it is there."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request to whoever can answer it."""
        found: Any = scope
        if self.app is not None:
            await self.app(scope, receive, send)
        elif found["type"] not in {"http", "websocket"} or found["path"] in HEALTH:
            await self._health(scope, receive, send)
        else:
            await send_problem(scope, send, 503, "it is starting: /readyz says what for", RETRY)
