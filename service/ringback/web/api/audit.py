"""`GET /api/v1/audit`: what people did, the newest first."""

from typing import Annotated, Any

import msgspec
from litestar import Request, Response, get
from msgspec import UNSET, Meta, UnsetType

from ringback.ports import Audit, Deed
from ringback.web.api.answers import Answer, Answers
from ringback.web.api.asking import read_query
from ringback.web.api.describing import describe
from ringback.web.visitors import ACTING

__all__ = ["audit_handlers"]


class AuditQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Which deeds."""

    who: Annotated[str, Meta(description="Of one person, by name.")] | None = None
    action: (
        Annotated[
            str,
            Meta(
                description="`acknowledge`, `silence`, `end_silence`, `bury`, `reload`,"
                " `disconnect`, `reveal`, `login` or `logout`."
            ),
        ]
        | None
    ) = None
    limit: Annotated[int, Meta(ge=1, le=1000, description="How many at the most.")] = 100
    cursor: (
        Annotated[int, Meta(ge=1, le=2**53, description="The `next` of the page before.")] | None
    ) = None

    def wants(self, deed: Deed) -> bool:
        """Whether a deed is meant."""
        return self.who in (None, deed.who) and self.action in (None, deed.action)


class AuditAnswer(Answer, kw_only=True):
    """What people did."""

    deeds: list[Deed]
    """The newest first."""
    next: int | UnsetType = UNSET
    """The `cursor` of the next page, if there is one."""


def audit_handlers(answers: Answers, trail: Audit) -> list[Any]:
    """Make the handler."""

    @get(
        "/api/v1/audit",
        opt=describe(
            "What people did, the newest first",
            AuditAnswer,
            may=ACTING,
            query=AuditQuery,
            problems=(400, 503),
        ),
    )
    async def audit(request: Request[Any, Any, Any]) -> Response[bytes]:
        query = read_query(request, AuditQuery)
        head = answers.begin()
        found = await trail.deeds(query.cursor, query.limit + 1, query.wants)
        shown = found[: query.limit]
        following = shown[-1].number if len(found) > len(shown) else UNSET
        return answers.private(AuditAnswer(**head, deeds=shown, next=following))

    return [audit]
