"""Errors as problem details (RFC 9457), without a word about what is inside."""

from http import HTTPStatus
from typing import Any

import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException

__all__ = ["answer_problem", "problem_body"]

log = structlog.get_logger(__name__)


def problem_body(status: int, detail: str | None = None) -> bytes:
    """Give the body of an error's answer, `application/problem+json`."""
    problem: dict[str, object] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
    }
    return msgspec.json.encode(problem | ({"detail": detail} if detail else {}))


def answer_problem(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Answer whatever a handler raises. What was not meant to be raised is logged, and is a 500."""
    detail, headers = None, {}
    if isinstance(error, HTTPException):
        status = error.status_code
        headers = dict(error.headers or {})
        detail = error.detail if error.detail != HTTPStatus(status).phrase else None
    else:
        status = 500
        log.error("web_request_failed", path=request.scope["path"], exc_info=error)
    return Response(
        problem_body(status, detail),
        status_code=status,
        headers=headers,
        media_type="application/problem+json",
    )
