"""`GET /api/v1/summary`: how many callbacks are where, and how scheduled ones are served."""

import asyncio
from collections.abc import Callable, Mapping
from typing import Annotated, Any

import msgspec
from litestar import Request, Response, get
from msgspec import UNSET, Meta, UnsetType

from ringback.core.lifecycle import State
from ringback.web.api.answers import Answer, Answers
from ringback.web.api.asking import Nothing, read_query
from ringback.web.api.describing import describe
from ringback.web.board.counting import QueueCount, StateCount, count

__all__ = ["Summary", "summary_handlers"]


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
    """Of those, more than two minutes ago."""
    released: int
    """Released within the last `hours`."""
    in_time: int
    """Of those, no later than two minutes after their time."""
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


def summary_handlers(answers: Answers, names: Callable[[], Mapping[str, str]]) -> list[Any]:
    """Make the handler; `names` gives those of queues."""

    @get(
        "/api/v1/summary",
        opt=describe("Everything in numbers", Summary, problems=(400, 503), cached=True),
    )
    async def summary(request: Request[Any, Any, Any]) -> Response[bytes]:
        read_query(request, Nothing)
        head = answers.begin()
        known = answers.known(request, head, ticking=True)
        if known is not None:
            return known
        board = answers.board
        rows = list(board.rows.values())
        alarms = [alarm for alarm, _ in board.firing()]
        counts = await asyncio.to_thread(count, rows, names(), head["now"])
        body = Summary(
            **head,
            total=counts.total,
            states=counts.states,
            queues=counts.queues,
            scheduled=Scheduled(due=len(counts.overdue), late=0, released=0, in_time=0, hours=4),
            unverified=counts.unverified,
            alerts=AlertCounts(len(alarms), sum(one.acknowledged is not None for one in alarms)),
        )
        return answers.answer(request, body, ticking=True)

    return [summary]
