"""The application: liveness, readiness, metrics, and whatever handlers are added to them."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from litestar import Litestar, Request, Response, get
from litestar.types import ASGIApp, ControllerRouterHandler

from ringback.web.health import Health, Status, overall
from ringback.web.incoming import Incoming
from ringback.web.problems import answer_problem
from ringback.web.shield import LOOPBACK_NAMES, Shield

__all__ = ["create_app"]

MOST_BODY_BYTES = 64 * 1024

Expose = Callable[[str], tuple[bytes, str]]


def create_app(
    health: Health,
    metrics: Expose,
    *,
    hosts: frozenset[str] | None = LOOPBACK_NAMES,
    handlers: Sequence[ControllerRouterHandler] = (),
) -> ASGIApp:
    """Make the application for `WebServer`.

    `metrics` takes an `Accept` header and gives body and content type. `hosts` are the names that
    a request may be for, in lower case and without port; None allows any, which is not safe on
    loopback. `handlers` are Litestar's own kind.
    """
    inner = Litestar(
        route_handlers=[_livez, _readyz(health), _metrics(metrics), *handlers],
        exception_handlers={Exception: answer_problem},
        logging_config=None,
        # Its schema pages load scripts from other hosts.
        openapi_config=None,
        request_max_body_size=MOST_BODY_BYTES,
    )
    return Shield(Incoming(inner), hosts)


@get("/livez", media_type="text/plain", sync_to_thread=False)
def _livez() -> str:
    """Say that the event loop turns: nothing else, or an outage elsewhere would restart us."""
    return "ok\n"


def _readyz(health: Health) -> Any:  # noqa: ANN401  # a handler, whose type is the decorator's
    @get("/readyz", sync_to_thread=False)
    def readyz(request: Request[Any, Any, Any]) -> Response[bytes]:
        """Say whether to send anybody here, and what is wrong; with `?verbose` also what is not."""
        checks = health.checks()
        status = overall(checks)
        verbose = "verbose" in request.query_params
        shown = [check for check in checks if verbose or check.status is not Status.OK]
        body = {"status": status, "checks": shown}
        return Response(
            msgspec.json.encode(body),
            status_code=503 if status is Status.FAILED else 200,
            media_type="application/json",
        )

    return readyz


def _metrics(expose: Expose) -> Any:  # noqa: ANN401  # as above
    @get("/metrics", sync_to_thread=False)
    def metrics(request: Request[Any, Any, Any]) -> Response[bytes]:
        """Expose all numbers as Prometheus text, or as OpenMetrics."""
        body, content_type = expose(request.headers.get("accept", ""))
        return Response(body, headers={"content-type": content_type, "vary": "Accept"})

    return metrics
