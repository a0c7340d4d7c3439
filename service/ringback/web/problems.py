"""Errors as problem details (RFC 9457), without a word about what is inside."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException
from litestar.types import Send

from ringback.errors import AuditError, EngineSilent

__all__ = ["answer_problem", "problem_body", "send_problem"]

log = structlog.get_logger(__name__)


def problem_body(status: int, detail: str | None = None) -> bytes:
    """Give the body of an error's answer, `application/problem+json`."""
    problem: dict[str, object] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
    }
    return msgspec.json.encode(problem | ({"detail": detail} if detail else {}))


async def send_problem(
    scope: Any,  # noqa: ANN401  # of a request or of a websocket's handshake
    send: Send,
    status: int,
    detail: str,
    headers: Mapping[str, str] | None = None,
) -> None:
    """Answer before any handler is asked."""
    prefix = "websocket.http" if scope["type"] == "websocket" else "http"
    body = problem_body(status, detail)
    given = {
        "content-type": "application/problem+json",
        "content-length": str(len(body)),
    } | dict(headers or {})
    start: Any = {
        "type": f"{prefix}.response.start",
        "status": status,
        "headers": [(name.encode(), value.encode()) for name, value in given.items()],
    }
    rest: Any = {"type": f"{prefix}.response.body", "body": body, "more_body": False}
    await send(start)
    await send(rest)


def answer_problem(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Answer whatever a handler raises. What was not meant to be raised is logged, and is a 500."""
    detail, headers = None, {}
    if isinstance(error, HTTPException):
        status = error.status_code
        headers = dict(error.headers or {})
        detail = error.detail if error.detail != HTTPStatus(status).phrase else None
    elif isinstance(error, AuditError):
        status = 503
        detail = "It cannot be noted who did this, so it was not done: see /readyz."
    elif isinstance(error, EngineSilent):
        status, detail = 503, str(error)
    else:
        status = 500
        log.error("web_request_failed", path=request.scope["path"], exc_info=error)
    return Response(
        problem_body(status, detail),
        status_code=status,
        headers=headers,
        media_type="application/problem+json",
    )
