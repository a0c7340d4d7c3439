"""`GET /api/v1/session`: who asks, and what whoever shows callbacks needs to know once."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from litestar import Request, Response, get

from ringback.web.api.answers import Answer, Answers
from ringback.web.api.asking import read_query
from ringback.web.api.summary import Nothing
from ringback.web.visitors import Role, visitor_of

__all__ = ["Place", "Session", "session_handlers"]


class Place(msgspec.Struct, frozen=True):
    """Which daemon this is."""

    version: str
    org: str
    platform_link: str | None = None
    """Where the platform shows a conversation, with `{conversationId}` in it."""


class Session(Answer, kw_only=True):
    """Who asks and what they may see."""

    name: str
    role: Role
    masked: bool
    """Whether numbers and names are masked in the feed too."""
    version: str
    org: str
    platform_link: str | None = None
    """Where the platform shows a conversation: put its id for `{conversationId}`."""
    queues: dict[str, str]
    """Names of queues by id, as far as known."""


def session_handlers(
    answers: Answers, place: Place, names: Callable[[], Mapping[str, str]]
) -> list[Any]:
    """Make the handler; `names` gives those of queues."""

    @get("/api/v1/session")
    async def session(request: Request[Any, Any, Any]) -> Response[bytes]:
        """Say who asks."""
        read_query(request, Nothing)
        visitor = visitor_of(request)
        body = Session(
            **answers.begin(),
            name=visitor.name,
            role=visitor.role,
            masked=visitor.role is not Role.OPERATOR,
            version=place.version,
            org=place.org,
            platform_link=place.platform_link,
            queues=dict(names()),
        )
        return answers.answer(request, body, ticking=True)

    return [session]
