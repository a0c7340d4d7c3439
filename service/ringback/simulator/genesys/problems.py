"""How the platform refuses: one JSON shape for every error of the API, another for the login's."""

from collections.abc import Mapping

import msgspec
from aiohttp import web

__all__ = [
    "LoginProblem",
    "Problem",
    "bad_request",
    "forbidden",
    "not_found",
    "throttled",
    "unauthorized",
]


class Problem(Exception):
    """A request that is refused."""

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """`message` may hold `{name}` for each of `params`, as the platform's does."""
        shown = message
        for name, value in (params or {}).items():
            shown = shown.replace(f"{{{name}}}", value)
        super().__init__(shown)
        self.status = status
        self.code = code
        self.template = message
        self.params = dict(params or {})
        self.headers = dict(headers or {})

    def response(self, context_id: str) -> web.Response:
        """Give it as the platform would."""
        body = {
            "message": str(self),
            "code": self.code,
            "status": self.status,
            "messageWithParams": self.template,
            "messageParams": self.params,
            "contextId": context_id,
            "details": [],
            "errors": [],
        }
        return web.Response(
            status=self.status,
            body=msgspec.json.encode(body),
            content_type="application/json",
            headers=self.headers,
        )


class LoginProblem(Problem):
    """A login that is refused."""

    def response(self, context_id: str) -> web.Response:  # noqa: ARG002  # the login has none
        """Give it as the login host would."""
        text = str(self)
        body = {"error": self.code, "description": text, "error_description": text}
        return web.Response(
            status=self.status, body=msgspec.json.encode(body), content_type="application/json"
        )


def bad_request(message: str, **params: str) -> Problem:
    """Refuse what cannot be meant."""
    return Problem(400, "bad.request", message, params=params)


def unauthorized() -> Problem:
    """Refuse a token that is not, or no longer, good."""
    return Problem(401, "bad.credentials", "Invalid login credentials.")


def forbidden(permission: str) -> Problem:
    """Refuse for want of a permission, by its name."""
    return Problem(
        403,
        "missing.any.permissions",
        "Unable to perform the requested action. You must have at least one of the following"
        " permissions assigned: {permissions}",
        params={"permissions": f"[{permission}]"},
    )


def not_found(what: str, which: str) -> Problem:
    """Refuse what there is not."""
    return Problem(404, "not.found", f"The {what} {{id}} could not be found.", params={"id": which})


def throttled(seconds: int, key: str) -> Problem:
    """Refuse what comes too fast; `seconds` until it may be tried again."""
    return Problem(
        429,
        "too.many.requests",
        "Rate limit exceeded the maximum. Retry the request in [{seconds}] seconds",
        params={"seconds": str(seconds), "limit": key},
        headers={"Retry-After": str(seconds)},
    )
