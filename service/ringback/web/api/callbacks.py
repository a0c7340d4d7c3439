"""`GET /api/v1/callbacks`: the rows of the board, filtered, in order, page by page."""

import asyncio
import base64
import binascii
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from litestar import Request, Response, get
from litestar.exceptions import ClientException
from msgspec import UNSET, Meta, UnsetType

from ringback.core.lifecycle import State
from ringback.web.api.answers import Answer, Answers
from ringback.web.api.asking import read_query
from ringback.web.api.describing import describe
from ringback.web.board.looking import Cursor, Looking, Page, Sort, fits, look
from ringback.web.board.rows import Row
from ringback.web.visitors import LOOKING

__all__ = ["Callbacks", "CallbacksQuery", "callbacks_handlers"]

MOST_AT_ONCE = 5000
"""Rows that are looked through without a thread of their own: a few milliseconds."""
YEAR_SECONDS = 366 * 86_400

Text = Annotated[str, Meta(min_length=1, max_length=200, pattern="^[^,]*$")]
Texts = Annotated[tuple[Text, ...], Meta(max_length=200)]
SortText = Literal[
    "since",
    "-since",
    "scheduledTime",
    "-scheduledTime",
    "autoDialAt",
    "-autoDialAt",
    "offers",
    "-offers",
    "state",
    "-state",
    "queueId",
    "-queueId",
    "userId",
    "-userId",
    "waitSeconds",
    "-waitSeconds",
    "holdSeconds",
    "-holdSeconds",
    "callbackId",
    "-callbackId",
]


class CallbacksQuery(
    msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True, kw_only=True
):
    """What is asked for. Lists may be repeated or separated by commas."""

    state: Annotated[tuple[State, ...], Meta(max_length=20)] = ()
    queue: Annotated[Texts, Meta(description="Ids of queues.")] = ()
    agent: Annotated[Texts, Meta(description="Ids of agents.")] = ()
    alert: Annotated[Texts, Meta(description="Rules of alerts that are firing, or `any`.")] = ()
    unverified: bool | None = None
    older_than: (
        Annotated[float, Meta(ge=0, le=YEAR_SECONDS, description="Seconds in the present state.")]
        | None
    ) = None
    q: Annotated[str, Meta(max_length=200, description="A text in ids, queue names or rules.")] = ""
    sort: Annotated[SortText, Meta(description="With `-` in front: descending.")] = "since"
    limit: Annotated[int, Meta(ge=1, le=1000)] = 100
    cursor: Annotated[str, Meta(max_length=1000, description="`next` of a page.")] | None = None


class Callbacks(Answer, kw_only=True):
    """A page of callbacks that are open."""

    total: int
    """How many match, on all pages."""
    callbacks: list[Row]
    next: str | UnsetType = UNSET
    """Asks for the next page; absent on the last one."""


def callbacks_handlers(answers: Answers, names: Callable[[], Mapping[str, str]]) -> list[Any]:
    """Make the handler; `names` gives those of queues."""

    @get(
        "/api/v1/callbacks",
        opt=describe(
            "Callbacks that are open",
            Callbacks,
            query=CallbacksQuery,
            may=LOOKING,
            problems=(400, 503),
            cached=True,
        ),
    )
    async def callbacks(request: Request[Any, Any, Any]) -> Response[bytes]:
        query = read_query(request, CallbacksQuery)
        looking = _looking(query)
        head = answers.begin()
        ticking = looking.older_than is not None
        known = answers.known(request, head, ticking=ticking)
        if known is not None:
            return known
        rows = list(answers.board.rows.values())
        now = datetime.fromisoformat(head["now"])
        if len(rows) <= MOST_AT_ONCE:
            page = look(rows, looking, names(), now)
        else:
            page = await asyncio.to_thread(look, rows, looking, names(), now)
        return answers.answer(request, _body(head, page), ticking=ticking)

    return [callbacks]


def _body(head: dict[str, Any], page: Page) -> Callbacks:
    following = UNSET if page.next is None else _written(page.next)
    return Callbacks(**head, total=page.total, callbacks=list(page.rows), next=following)


def _looking(query: CallbacksQuery) -> Looking:
    sort = query.sort
    looking = Looking(
        state=query.state,
        queue=query.queue,
        agent=query.agent,
        alert=query.alert,
        unverified=query.unverified,
        older_than=query.older_than,
        q=query.q,
        sort=Sort(sort.removeprefix("-")),
        descending=sort.startswith("-"),
        limit=query.limit,
        after=None if query.cursor is None else _read(query.cursor),
    )
    if looking.after is not None and not fits(looking, looking.after):
        raise ClientException("cursor: it is of another sort")
    return looking


def _written(cursor: Cursor) -> str:
    return base64.urlsafe_b64encode(msgspec.json.encode(cursor)).decode().rstrip("=")


def _read(text: str) -> Cursor:
    try:
        data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        return msgspec.json.decode(data, type=Cursor)
    except (binascii.Error, ValueError):
        raise ClientException("cursor: it is none that was given out here") from None
