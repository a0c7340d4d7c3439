"""`GET /api/v1/trends`: the last hours, one number a minute."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any

import msgspec
from litestar import Request, Response, get
from msgspec import Meta

from ringback.core.clocks import EPOCH
from ringback.core.events import Seconds, Time, rfc3339
from ringback.web.api.answers import Answer, Answers
from ringback.web.api.asking import read_query
from ringback.web.api.describing import describe
from ringback.web.board.trends import MINUTE, MOST_HOURS, Trends
from ringback.web.visitors import LOOKING

__all__ = ["trends_handlers"]


class TrendsQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is asked for."""

    hours: Annotated[int, Meta(ge=1, le=MOST_HOURS)] = 4


class TrendsAnswer(Answer, kw_only=True):
    """One number a minute, oldest first, the minute that lasts at the end.

    There are fewer of them when the journal does not go back as far.
    """

    step_seconds: int
    began: Time = msgspec.field(name="from")
    """When the first minute began."""
    complete: bool
    """False while the journal is still being read for what was before the daemon's start."""
    waiting: list[int]
    """Callbacks that waited at the minute's end."""
    oldest_seconds: list[Seconds]
    """How long the one had waited then that had waited longest."""
    offers: list[int]
    missed: list[int]
    """Automatic calls that did not come."""
    ended: list[int]


def trends_handlers(answers: Answers, known: Callable[[], tuple[Trends, bool]]) -> list[Any]:
    """Make the handler; `known` gives the trends, and whether they are complete."""

    @get(
        "/api/v1/trends",
        opt=describe(
            "The last hours, minute by minute",
            TrendsAnswer,
            query=TrendsQuery,
            may=LOOKING,
            problems=(400, 503),
            cached=True,
        ),
    )
    async def trends(request: Request[Any, Any, Any]) -> Response[bytes]:
        query = read_query(request, TrendsQuery)
        head = answers.begin()
        same = answers.known(request, head, ticking=True)
        if same is not None:
            return same
        found, complete = known()
        first, minutes = found.last(query.hours * 60, datetime.fromisoformat(head["now"]))
        body = TrendsAnswer(
            **head,
            step_seconds=60,
            began=rfc3339(EPOCH + first * MINUTE),
            complete=complete,
            waiting=[one.waiting for one in minutes],
            oldest_seconds=[one.oldest_seconds for one in minutes],
            offers=[one.offers for one in minutes],
            missed=[one.missed for one in minutes],
            ended=[one.ended for one in minutes],
        )
        return answers.answer(request, body, ticking=True)

    return [trends]
