"""The application: liveness, readiness, metrics, and whatever handlers are added to them."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from litestar import Litestar, Request, Response, get
from litestar.types import ASGIApp, ControllerRouterHandler

from ringback.web.access.access import OpenAccess
from ringback.web.access.gate import Admitting, Gate, make_guard
from ringback.web.access.origins import Origins
from ringback.web.heads import LOOPBACK_NAMES
from ringback.web.health import Health, Status, overall
from ringback.web.incoming import Incoming
from ringback.web.problems import answer_problem
from ringback.web.proxies import Proxied
from ringback.web.refusals import Refusals
from ringback.web.shield import Shield
from ringback.web.visitors import SCRAPING, is_stranger, roles

__all__ = ["Reach", "create_app"]

MOST_BODY_BYTES = 64 * 1024

Expose = Callable[[str], tuple[bytes, str]]


class Reach(msgspec.Struct, frozen=True):
    """How the server is reached."""

    names: frozenset[str] = LOOPBACK_NAMES
    """What a request may be for, in lower case and without port."""
    addresses: bool = False
    """Whether any address will do as well, as it must where it can be reached from elsewhere."""
    proxies: Sequence[str] = ()
    """Addresses and networks of those who pass requests on."""
    encrypted: bool = False
    """Whether it speaks TLS itself."""


def create_app(
    health: Health,
    metrics: Expose,
    *,
    access: Admitting | None = None,
    reach: Reach = Reach(),  # noqa: B008  # never changes
    refusals: Refusals | None = None,
    handlers: Sequence[ControllerRouterHandler] = (),
) -> ASGIApp:
    """Make the application for `WebServer`.

    `metrics` takes an `Accept` header and gives body and content type. `access` says who may come
    in, by default everybody: that is for loopback alone. What is refused is counted in `refusals`.
    `handlers` are Litestar's own kind.
    """
    refusals = Counter() if refusals is None else refusals
    inner = Litestar(
        route_handlers=[_livez, _readyz(health), _metrics(metrics), *handlers],
        exception_handlers={Exception: answer_problem},
        guards=[make_guard(refusals)],
        logging_config=None,
        # Its schema pages load scripts from other hosts.
        openapi_config=None,
        request_max_body_size=MOST_BODY_BYTES,
    )
    origins = Origins(reach.names - LOOPBACK_NAMES)
    app: ASGIApp = Gate(Incoming(inner), access or OpenAccess(), origins, refusals)
    if reach.proxies:
        past = reach.encrypted or not reach.addresses
        app = Proxied(app, reach.proxies, refusals, only=not past)
    return Shield(app, reach.names, refusals, addresses=reach.addresses)


@get("/livez", media_type="text/plain", sync_to_thread=False, opt=roles(None))
def _livez() -> str:
    """Say that the event loop turns: nothing else, or an outage elsewhere would restart us."""
    return "ok\n"


def _readyz(health: Health) -> Any:  # noqa: ANN401  # a handler, whose type is the decorator's
    @get("/readyz", sync_to_thread=False, opt=roles(None))
    def readyz(request: Request[Any, Any, Any]) -> Response[bytes]:
        """Say whether to send anybody here, and what is wrong; with `?verbose` also what is not."""
        checks = health.checks()
        status = overall(checks)
        verbose = "verbose" in request.query_params
        shown = [check for check in checks if verbose or check.status is not Status.OK]
        # What is wrong inside is nothing for strangers; a load balancer asks for the status alone.
        body = {"status": status} | ({} if is_stranger(request) else {"checks": shown})
        return Response(
            msgspec.json.encode(body),
            status_code=503 if status is Status.FAILED else 200,
            media_type="application/json",
        )

    return readyz


def _metrics(expose: Expose) -> Any:  # noqa: ANN401  # as above
    @get("/metrics", sync_to_thread=False, opt=roles(SCRAPING))
    def metrics(request: Request[Any, Any, Any]) -> Response[bytes]:
        """Expose all numbers as Prometheus text, or as OpenMetrics."""
        body, content_type = expose(request.headers.get("accept", ""))
        return Response(body, headers={"content-type": content_type, "vary": "Accept"})

    return metrics
