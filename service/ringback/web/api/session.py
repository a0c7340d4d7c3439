"""`GET /api/v1/session`: who asks, and what whoever shows callbacks needs to know once."""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

import msgspec
from litestar import Request, Response, get
from msgspec import UNSET, UnsetType

from ringback.web.api.answers import Answer, Answers
from ringback.web.api.asking import Nothing, read_query
from ringback.web.api.describing import describe
from ringback.web.visitors import LOOKING, Role, is_logged_in, visitor_of

__all__ = ["Place", "Session", "session_handlers"]


class Place(msgspec.Struct, frozen=True):
    """Which daemon this is."""

    version: str
    org: str
    platform_link: str | UnsetType = UNSET
    """Where the platform shows a conversation, with `{conversationId}` in it."""

    def link_to(self, conversation_id: str) -> str | UnsetType:
        """Say where the platform shows one conversation."""
        if self.platform_link is UNSET:
            return UNSET
        return self.platform_link.replace("{conversationId}", quote(conversation_id, safe=""))


class Session(Answer, kw_only=True):
    """Who asks and what they may see."""

    name: str
    role: Role
    logged_in: bool
    """Whether this is a browser's session, which can be ended at `/logout`."""
    masked: bool
    """Whether numbers and names are masked in the feed too."""
    version: str
    org: str
    platform_link: str | UnsetType = UNSET
    """Where the platform shows a conversation: put its id for `{conversationId}`."""
    queues: dict[str, str]
    """Names of queues by id, as far as known."""


def session_handlers(
    answers: Answers, place: Place, names: Callable[[], Mapping[str, str]]
) -> list[Any]:
    """Make the handler; `names` gives those of queues."""

    @get(
        "/api/v1/session",
        opt=describe(
            "Who asks, and what it takes to show callbacks",
            Session,
            may=LOOKING,
            problems=(400, 503),
        ),
    )
    async def session(request: Request[Any, Any, Any]) -> Response[bytes]:
        read_query(request, Nothing)
        visitor = visitor_of(request)
        body = Session(
            **answers.begin(),
            name=visitor.name,
            role=visitor.role,
            logged_in=is_logged_in(request),
            masked=visitor.role is not Role.OPERATOR,
            version=place.version,
            org=place.org,
            platform_link=place.platform_link,
            queues=dict(names()),
        )
        return answers.answer(request, body, ticking=True)

    return [session]
