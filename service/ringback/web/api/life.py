"""`/api/v1/callbacks/{id}`: all that is known of one callback, and what each fact rests on."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any, Protocol

from litestar import Request, Response, get, post
from litestar.exceptions import NotFoundException

from ringback.core.derivation import Cast
from ringback.core.gaps import Gap
from ringback.core.policy import Policy
from ringback.core.tracker import Tracker
from ringback.ports import Audit, Entry
from ringback.web.api.answers import Answer, Answers
from ringback.web.api.asking import Nothing, read_query
from ringback.web.api.describing import describe
from ringback.web.api.session import Place
from ringback.web.api.timeline.life import Life, life_of
from ringback.web.incoming import part_of
from ringback.web.visitors import ACTING, LOOKING, facts_of, visitor_of
from ringback.wire.cloudevents import decode_known

__all__ = ["Decided", "life_handlers"]

MOST_EVENTS = 2000
UNKNOWN = "There is no callback of this id, or it is not kept any more."

History = Callable[[str, int], Awaitable[Sequence[Entry]]]


class Decided(Protocol):
    """Whoever decides; what it knows may be ahead of what is committed."""

    @property
    def tracker(self) -> Tracker:
        """All that is known."""

    def gaps_about(self, conversation_id: str) -> list[Gap]:
        """Give the gaps that may have touched a conversation, oldest first."""

    async def committed(self) -> None:
        """Wait until all that was decided so far is committed."""


class Revealed(Answer, kw_only=True):
    """Numbers and names in clear, as far as they are kept."""

    contact: list[str]


def life_handlers(
    answers: Answers,
    decided: Decided,
    history: History,
    *,
    policy: Policy,
    place: Place,
    audit: Audit,
) -> list[Any]:
    """Make the handlers; `history` gives the journal's entries about a callback."""
    tracker = decided.tracker

    @get(
        "/api/v1/callbacks/{callback_id:str}",
        opt=describe(
            "One callback, open or ended, with its timeline",
            Life,
            may=LOOKING,
            problems=(400, 404, 503),
            cached=True,
        ),
    )
    async def callback(request: Request[Any, Any, Any]) -> Response[bytes]:
        read_query(request, Nothing)
        callback_id = part_of(request, "callback_id")
        head = answers.begin()
        known = answers.known(request, head, ticking=True)
        if known is not None:
            return known
        found = tracker.conversations.find(callback_id)
        if found is None:
            raise NotFoundException(UNKNOWN)
        now = datetime.fromisoformat(head["now"])
        await decided.committed()
        entries = await history(callback_id, MOST_EVENTS)
        decoded = [(entry.position, decode_known(entry.body)) for entry in entries]
        told = [(position, event) for position, event in decoded if event is not None]
        gaps = decided.gaps_about(found[0].id)
        life = life_of(
            *found,
            told,
            gaps=gaps,
            alarming=tracker.alarming(found[0], Cast(found[1])),
            policy=policy,
            skews=tracker.skews,
            now=now,
        )
        body = Life(**head, **life, link=place.link_to(found[0].id))
        return answers.answer(request, body, ticking=True)

    @post(
        "/api/v1/callbacks/{callback_id:str}/reveal",
        status_code=200,
        opt=describe(
            "The numbers and names of one callback in clear; it is noted who asked",
            Revealed,
            may=ACTING,
            problems=(400, 404, 503),
        ),
    )
    async def reveal(request: Request[Any, Any, Any]) -> Response[bytes]:
        read_query(request, Nothing)
        callback_id = part_of(request, "callback_id")
        head = answers.begin()
        found = tracker.conversations.find(callback_id)
        if found is None:
            raise NotFoundException(UNKNOWN)
        await decided.committed()
        await audit.note(visitor_of(request).name, "reveal", callback_id, **facts_of(request))
        return answers.private(Revealed(**head, contact=list(found[1].contact)))

    return [callback, reveal]
