"""The conversation detail query: it lags behind, and its pages shift while they are read."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Annotated, Literal

import msgspec
from aiohttp import web

from ringback.simulator.centre import ContactCentre
from ringback.simulator.conversations import Conversation
from ringback.simulator.frames import JsonObject
from ringback.simulator.genesys.filters import Filter, check, matches
from ringback.simulator.genesys.limits import Limits
from ringback.simulator.genesys.mischief import Mischief
from ringback.simulator.genesys.pictures import draw, ended_at, segments
from ringback.simulator.genesys.problems import bad_request
from ringback.simulator.genesys.requests import TOKEN, answer, read_body

__all__ = ["DetailCalls"]

SEGMENT_DIMENSIONS = frozenset(
    {
        "agentOwned",
        "callbackScheduledTime",
        "direction",
        "disconnectType",
        "mediaType",
        "purpose",
        "queueId",
        "segmentEnd",
        "segmentType",
        "sessionId",
        "userId",
        "wrapUpCode",
    }
)
CONVERSATION_DIMENSIONS = frozenset(
    {"conversationEnd", "conversationId", "conversationStart", "originatingDirection"}
)


class Paging(msgspec.Struct):
    """Which page is asked for."""

    page_size: Annotated[int, msgspec.Meta(ge=1, le=100)] = msgspec.field(
        name="pageSize", default=25
    )
    page_number: Annotated[int, msgspec.Meta(ge=1)] = msgspec.field(name="pageNumber", default=1)


class DetailQuery(msgspec.Struct, rename="camel"):
    """What is asked."""

    interval: str
    order: Literal["asc", "desc"] = "asc"
    order_by: Literal["conversationStart", "conversationEnd"] = "conversationStart"
    paging: Paging = msgspec.field(default_factory=Paging)
    segment_filters: list[Filter] = []
    conversation_filters: list[Filter] = []


class DetailCalls:
    """Answers the query, from what was so a while ago."""

    def __init__(self, centre: ContactCentre, limits: Limits, mischief: Mischief) -> None:
        """Look at that centre."""
        self._centre = centre
        self._limits = limits
        self._mischief = mischief
        self._pictures: dict[str, tuple[int, JsonObject]] = {}
        """Pictures by conversation, with the revision that they show."""

    def routes(self) -> Iterator[web.RouteDef]:
        """Give the call and where it is."""
        yield web.post("/api/v2/analytics/conversations/details/query", self._query)

    async def _query(self, request: web.Request) -> web.Response:
        request[TOKEN].need("analytics:conversationDetail:view")
        query = await read_body(request, DetailQuery)
        for each in query.segment_filters:
            check(each, SEGMENT_DIMENSIONS)
        for each in query.conversation_filters:
            check(each, CONVERSATION_DIMENSIONS)
        first, last = self._interval(query.interval)
        as_of = self._centre.now - timedelta(seconds=self._limits.details_lag_seconds)
        found = [
            (key, picture)
            for one in self._centre.conversations(ended_after=as_of if _only_open(query) else None)
            if first <= one.started_at < last and one.started_at <= as_of
            if (key := self._key(query, one, as_of)) is not None
            if (picture := self._matching(query, one, as_of)) is not None
        ]
        found.sort(key=lambda one: one[0], reverse=query.order == "desc")
        skip = (query.paging.page_number - 1) * query.paging.page_size
        skip = max(0, skip + self._mischief.shift(query.paging.page_number))
        page = [picture for _, picture in found[skip : skip + query.paging.page_size]]
        shown: JsonObject = {"conversations": page} if page else {}
        return answer(shown | {"totalHits": len(found)})

    def _interval(self, text: str) -> tuple[datetime, datetime]:
        try:
            first, last = (datetime.fromisoformat(each) for each in text.split("/"))
            longest = timedelta(days=self._limits.details_days)
            fine = timedelta() < last - first <= longest
        except (ValueError, TypeError):
            raise bad_request("The interval {text} is invalid.", text=text) from None
        if not fine:
            raise bad_request(
                "The interval {text} must be longer than nothing and no longer than {days} days.",
                text=text,
                days=str(self._limits.details_days),
            )
        return first, last

    def _key(self, query: DetailQuery, one: Conversation, as_of: datetime) -> str | None:
        """Give what to sort a conversation by; None when it is not to be shown."""
        end = ended_at(one, as_of)
        facts = {
            "conversationId": one.id,
            "conversationStart": one.started_at.isoformat(),
            "conversationEnd": end and end.isoformat(),
            "originatingDirection": "inbound",
        }
        if not all(matches(each, facts) for each in query.conversation_filters):
            return None
        return f"{facts[query.order_by] or 'open'} {one.id}"

    def _matching(
        self, query: DetailQuery, one: Conversation, as_of: datetime
    ) -> JsonObject | None:
        """Draw it; None when it is not to be shown. Each filter may match another segment."""
        picture = self._picture(one, as_of)
        if not query.segment_filters:
            return picture
        facts = list(segments(picture))
        for each in query.segment_filters:
            if not any(matches(each, one) for one in facts):
                return None
        return picture

    def _picture(self, one: Conversation, as_of: datetime) -> JsonObject:
        revision, picture = self._pictures.get(one.id, (-1, {}))
        if revision == one.revision:
            return picture
        picture = draw(one, self._centre.clocks, as_of)
        if one.changed_at is not None and one.changed_at <= as_of:
            self._pictures[one.id] = one.revision, picture
            while len(self._pictures) > self._centre.options.remember + self._centre.live:
                del self._pictures[next(iter(self._pictures))]
        return picture


def _only_open(query: DetailQuery) -> bool:
    """Whether it plainly asks for what has not ended, so that the rest need not be looked at."""
    return any(
        not each.clauses
        and [(one.dimension, one.operator) for one in each.predicates]
        == [("conversationEnd", "notExists")]
        for each in query.conversation_filters
    )
