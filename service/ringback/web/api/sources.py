"""`GET /api/v1/sources`: what the daemon listens to, what it has not heard, and what mends that."""

from collections.abc import Callable, Sequence
from typing import Any, Literal

import msgspec
from litestar import Request, Response, get
from msgspec import UNSET, UnsetType

from ringback.core.events import Seconds, Time
from ringback.web.api.answers import Answer, Answers
from ringback.web.api.asking import Nothing, read_query
from ringback.web.api.describing import describe
from ringback.web.visitors import LOOKING

__all__ = ["ChannelReport", "GapReport", "ReadsReport", "SourceReport", "sources_handlers"]


class ChannelReport(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True, kw_only=True):
    """One notification channel."""

    state: Literal["hears", "replaced", "blind"]
    """`replaced`: it hears, and its successor is being prepared."""
    topics: int
    age_seconds: Seconds
    """Since it was made."""
    heard_seconds: Seconds
    """Since its last message, a heartbeat included."""
    conversation_seconds: Seconds
    """Since its last message about a conversation."""


class ReadsReport(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True, kw_only=True):
    """What is read by REST to make gaps good. All but `wanted` is since the daemon's start."""

    wanted: int
    """Conversations that are to be read."""
    done: int | UnsetType = UNSET
    """Conversations read singly."""
    surveys: int | UnsetType = UNSET
    """Times that everything was compared."""
    failed: dict[str, int] = {}
    """Reads that failed, by why."""


class GapReport(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True, kw_only=True):
    """A time in which a source was blind."""

    id: str
    began: Time = msgspec.field(name="from")
    until: Time | UnsetType = UNSET
    cause: str
    topics: list[str]
    """What was not heard, at most 100 of them; none: all that the source has."""
    topic_count: int
    touched: int
    """Conversations that it has left unverified."""
    unverified: int
    """Those that still are."""
    repaired_by: dict[str, int]
    """How many were confirmed or corrected, by what."""
    repaired_at: Time | UnsetType = UNSET
    """When none was left."""


class SourceReport(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True, kw_only=True):
    """One source."""

    name: str
    kind: str
    hears: bool
    """Whether it hears all that it is to hear."""
    blind_since: Time | UnsetType = UNSET
    """Since when it does not."""
    last_frame: Time | UnsetType = UNSET
    """When the last frame came."""
    problems: list[str]
    """What keeps it from working as it should, each with what to do."""
    queues: int | UnsetType = UNSET
    """Queues that are listened to."""
    topics: int | UnsetType = UNSET
    """Topics that are listened to."""
    topics_rejected: int | UnsetType = UNSET
    """Topics that the platform does not permit."""
    channels: list[ChannelReport] | UnsetType = UNSET
    reads: ReadsReport | UnsetType = UNSET
    gaps: list[GapReport]
    """The latest first."""


class Sources(Answer, kw_only=True):
    """All sources."""

    lag: int
    """Journal entries that are committed and not shown yet."""
    sources: list[SourceReport]


def sources_handlers(
    answers: Answers,
    reports: Callable[[], Sequence[SourceReport]],
    position: Callable[[], int],
) -> list[Any]:
    """Make the handler; `position` gives the journal's."""

    @get(
        "/api/v1/sources",
        opt=describe(
            "What is listened to, and how well",
            Sources,
            may=LOOKING,
            problems=(400, 503),
            cached=True,
        ),
    )
    async def sources(request: Request[Any, Any, Any]) -> Response[bytes]:
        read_query(request, Nothing)
        head = answers.begin()
        known = answers.known(request, head, ticking=True)
        if known is not None:
            return known
        lag = max(0, position() - head["position"])
        body = Sources(**head, lag=lag, sources=list(reports()))
        return answers.answer(request, body, ticking=True)

    return [sources]
