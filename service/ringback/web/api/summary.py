"""`GET /api/v1/summary`: how many callbacks are where, and how scheduled ones are served."""

import asyncio
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any

import msgspec
from litestar import Request, Response, get
from msgspec import UNSET, Meta, UnsetType

from ringback.core.events import rfc3339
from ringback.core.lifecycle import State
from ringback.web.api.answers import Answer, Answers
from ringback.web.api.asking import Nothing, read_query
from ringback.web.api.describing import describe
from ringback.web.board.counting import QueueCount, StateCount, count
from ringback.web.board.trends import Trends
from ringback.web.visitors import LOOKING

__all__ = ["Summary", "summary_handlers"]


HOURS = 4
"""For the service level; as the dashboard's charts."""


class AlertCounts(msgspec.Struct, frozen=True):
    """How many alerts there are."""

    firing: int
    acknowledged: int
    """Of those that are firing."""


class Scheduled(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True, kw_only=True):
    """How callbacks for a certain time are served."""

    due: int
    """Their time has come, and they are not released."""
    late: int
    """Of those, longer ago than the grace of two minutes, or as it is set."""
    released: int
    """Released within the last `hours`."""
    in_time: int
    """Of those, no later than that grace."""
    service_level: Annotated[float, Meta(ge=0, le=1)] | UnsetType = UNSET
    """The share released in time of those released and those late."""
    hours: int


class Summary(Answer, kw_only=True):
    """Everything in numbers."""

    total: int
    states: dict[State, StateCount]
    queues: list[QueueCount]
    scheduled: Scheduled
    unverified: int
    alerts: AlertCounts


def summary_handlers(
    answers: Answers,
    names: Callable[[], Mapping[str, str]],
    trends: Callable[[], Trends],
    grace: timedelta,
) -> list[Any]:
    """Make the handler; `names` gives those of queues.

    A scheduled callback is late once its time has been over for longer than `grace`.
    """

    @get(
        "/api/v1/summary",
        opt=describe(
            "Everything in numbers", Summary, may=LOOKING, problems=(400, 503), cached=True
        ),
    )
    async def summary(request: Request[Any, Any, Any]) -> Response[bytes]:
        read_query(request, Nothing)
        head = answers.begin()
        known = answers.known(request, head, ticking=True)
        if known is not None:
            return known
        board = answers.board
        alarms = board.alarms.values()
        now = datetime.fromisoformat(head["now"])
        counts = await asyncio.to_thread(count, list(board.rows.values()), names(), head["now"])
        body = Summary(
            **head,
            total=counts.total,
            states=counts.states,
            queues=counts.queues,
            scheduled=_scheduled(counts.overdue, trends(), now, grace),
            unverified=counts.unverified,
            alerts=AlertCounts(len(alarms), sum(one.acknowledged is not None for one in alarms)),
        )
        return answers.answer(request, body, ticking=True)

    return [summary]


def _scheduled(
    overdue: Sequence[str], trends: Trends, now: datetime, grace: timedelta
) -> Scheduled:
    late = bisect_left(overdue, rfc3339(now - grace))
    _, minutes = trends.last(HOURS * 60, now)
    released = sum(minute.released for minute in minutes)
    in_time = sum(minute.in_time for minute in minutes)
    return Scheduled(
        due=len(overdue),
        late=late,
        released=released,
        in_time=in_time,
        service_level=round(in_time / (released + late), 4) if released + late else UNSET,
        hours=HOURS,
    )
