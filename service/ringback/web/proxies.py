"""Who asks, where a proxy passes requests on: the proxy says, and nobody else is believed."""

from collections.abc import Callable, Sequence
from ipaddress import ip_address, ip_network
from typing import Any

from litestar.types import ASGIApp, Receive, Scope, Send
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from ringback.settings.platform import loopback
from ringback.web.heads import address_of
from ringback.web.problems import send_problem
from ringback.web.refusals import Refusal, Refusals

__all__ = ["Proxied", "trusting"]

PROBES = frozenset({"/livez", "/readyz"})
"""Whoever runs the machines asks these directly."""
PAST = "This server is reached through its proxy alone: see [web] proxies."


def trusting(proxies: Sequence[str]) -> Callable[[str], bool]:
    """Give what tells whether an address is one of theirs."""
    networks = [ip_network(each) for each in proxies]

    def trusts(address: str) -> bool:
        try:
            known = ip_address(address)
        except ValueError:
            return False
        return any(known in network for network in networks)

    return trusts


class Proxied:
    """An ASGI application around another: takes addresses and schemes from trusted proxies."""

    def __init__(
        self, app: ASGIApp, proxies: Sequence[str], refusals: Refusals, *, only: bool
    ) -> None:
        """`proxies` are addresses and networks; with `only`, who comes past them is refused."""
        self._app = app
        # uvicorn has ASGI types of its own.
        self._believing: Any = ProxyHeadersMiddleware(app, list(proxies))  # type: ignore[arg-type]
        self._trusts = trusting(proxies)
        self._refusals = refusals
        self._only = only

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or connection."""
        if self._trusts(address_of(scope)):
            await self._believing(scope, receive, send)
        elif not self._only or scope["path"] in PROBES or loopback(address_of(scope)):
            await self._app(scope, receive, send)
        else:
            self._refusals[Refusal.PROXY] += 1
            await send_problem(scope, send, 403, PAST)
