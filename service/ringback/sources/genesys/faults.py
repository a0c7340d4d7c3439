"""What a status other than 2xx means, in words that say what to do and hold nothing secret."""

from ringback.errors import PlatformError, PlatformFault
from ringback.sources.genesys.exchange import Reply
from ringback.wire.rest import problem

__all__ = ["fault_of", "name_of", "not_the_platform"]

SERVER_ERRORS = 500
REDIRECTS = range(300, 400)
LONGEST_SAID = 300
LONGEST_WORD = 30
"""Characters of a path's segment that is no id."""


def name_of(method: str, path: str) -> str:
    """Give method and path without ids, as errors and metrics name a request.

    >>> name_of("GET", "/api/v2/conversations/4c9e3b52-0000-4000-8000-000000000000")
    'GET /api/v2/conversations/{id}'
    """
    segments = path.partition("?")[0].split("/")
    return f"{method} {'/'.join('{id}' if _is_id(each) else each for each in segments)}"


def fault_of(reply: Reply, name: str, path: str, secrets: tuple[str, ...]) -> PlatformError:
    """Give the error for an answer that is not 2xx. What holds one of `secrets` is not quoted."""
    status = reply.answer.status
    if status >= SERVER_ERRORS:
        return PlatformError(
            PlatformFault.SERVER,
            name,
            f"the platform answers HTTP {status}",
            "it is tried again; see the status page of Genesys Cloud if it stays so",
            status,
        )
    body = reply.answer.body.strip()
    if status in REDIRECTS or (body and not body.startswith(b"{")):
        return not_the_platform(name, reply)
    said = _said(reply.answer.body, path, secrets)
    match status:
        case 401:
            return PlatformError(
                PlatformFault.UNAUTHORIZED,
                name,
                "a fresh token is refused, too",
                "check that the OAuth client is not revoked, and that [genesys] region is its own",
                status,
            )
        case 403:
            return PlatformError(
                PlatformFault.FORBIDDEN,
                name,
                f"a permission is missing{said}",
                "give the OAuth client a role that has it, for the divisions of the queues, under"
                " Admin > Integrations > OAuth > Roles",
                status,
            )
        case 404 | 410:
            return PlatformError(
                PlatformFault.NOT_FOUND, name, f"there is none{said}", "it may be gone", status
            )
        case 408:
            return PlatformError(
                PlatformFault.TIMED_OUT,
                name,
                "the platform gave up waiting (HTTP 408)",
                "it is tried again",
                status,
            )
        case 413:
            return PlatformError(
                PlatformFault.TOO_LARGE,
                name,
                "the request is larger than the platform takes",
                "report it, with the number of queues",
                status,
            )
        case 429:
            return PlatformError(
                PlatformFault.THROTTLED,
                name,
                "still too many requests after waiting as asked",
                "lower [genesys] requests_per_minute, as others use this client too",
                status,
            )
        case _:
            return PlatformError(
                PlatformFault.REFUSED,
                name,
                f"the platform refuses it (HTTP {status}){said}",
                "report it, if the words do not say what to change",
                status,
            )


def not_the_platform(name: str, reply: Reply) -> PlatformError:
    """Say that something else than Genesys Cloud must have answered."""
    kind = reply.content_type.partition(";")[0].strip().lower()
    said = {"text/html": "HTML", "": "something that is not JSON"}.get(kind, "other than JSON")
    return PlatformError(
        PlatformFault.NOT_JSON,
        name,
        f"answered by {said} (HTTP {reply.answer.status}), so something between answers instead of"
        " Genesys Cloud",
        "check the proxy (HTTPS_PROXY), a captive portal, and [genesys] login_url and api_url",
        reply.answer.status,
    )


def _is_id(segment: str) -> bool:
    if segment == "v2":
        return False
    return len(segment) > LONGEST_WORD or any(character.isdigit() for character in segment)


def _said(body: bytes, path: str, secrets: tuple[str, ...]) -> str:
    """Quote the platform's own words, without the ids of the request in them."""
    error = problem(body)
    if error is None or not error.message:
        return ""
    words = " ".join(error.message.split())
    for id_ in filter(_is_id, path.partition("?")[0].split("/")):
        words = words.replace(id_, "…")
    if any(secret in words for secret in secrets if secret):
        return ""
    shown = words if len(words) <= LONGEST_SAID else f"{words[:LONGEST_SAID]}…"
    return f": {shown}"
