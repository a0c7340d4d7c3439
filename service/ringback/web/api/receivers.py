"""`/api/v1/receivers`: how those are who are told of alerts, and what could not be told."""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from litestar import Request, Response, delete, get
from litestar.exceptions import ClientException, NotFoundException
from msgspec import UNSET, UnsetType

from ringback.core.events import Time
from ringback.ports import Audit
from ringback.web.api.answers import Answer, Answers
from ringback.web.api.asking import Nothing, read_query
from ringback.web.api.describing import describe
from ringback.web.visitors import ACTING, LOOKING, facts_of, visitor_of

__all__ = ["DeadAlert", "DeadLetter", "ReceiverReport", "receivers_handlers"]


class DeadAlert(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """An alert that a message would have told of."""

    alert_id: str
    status: str
    """`firing`, `acknowledged` or `resolved`."""
    first: bool
    """Whether the receiver had not heard of it before; if resolved, it came and went."""
    at: Time


class DeadLetter(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """A message that was given up."""

    number: int
    made: Time
    given_up: Time
    tries: int
    why: str
    alerts: list[DeadAlert]
    """The first of them."""
    alert_count: int


class ReceiverReport(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True, kw_only=True):
    """One receiver, since the start of this process."""

    name: str
    kind: str
    sent: int
    """Messages that it has taken."""
    failures: dict[str, int]
    """Attempts that failed, by why."""
    untold: int
    """Alerts of which it is still to be told something."""
    held_back: int
    """Alerts that silences hold back."""
    failing_since: Time | UnsetType = UNSET
    problem: str | UnsetType = UNSET
    """Why the last attempt failed."""
    dead_letters: list[DeadLetter]
    """Messages that were given up, over restarts too, the oldest first."""


class Receivers(Answer, kw_only=True):
    """All there are."""

    receivers: Sequence[ReceiverReport]


def receivers_handlers(
    answers: Answers,
    reports: Callable[[], Sequence[ReceiverReport]],
    bury: Callable[[str, int], bool],
    audit: Audit,
    tells: Callable[[], bool] = lambda: True,
) -> list[Any]:
    """Make the handlers; `bury` lets a receiver's dead letter go, and says whether it was there.

    `tells` says whether it is this process that tells receivers.
    """

    @get(
        "/api/v1/receivers",
        opt=describe("Who is told of alerts", Receivers, may=LOOKING, problems=(400, 503)),
    )
    async def receivers(request: Request[Any, Any, Any]) -> Response[bytes]:
        read_query(request, Nothing)
        body = Receivers(**answers.begin(), receivers=reports())
        return answers.answer(request, body, ticking=True)

    @delete(
        "/api/v1/receivers/{name:str}/dead/{number:str}",
        status_code=200,
        opt=describe(
            "Let a dead letter go that somebody has looked at",
            Receivers,
            may=ACTING,
            problems=(400, 404, 409, 503),
        ),
    )
    async def bury_letter(request: Request[Any, Any, Any]) -> Response[bytes]:
        read_query(request, Nothing)
        name, number = request.path_params["name"], request.path_params["number"]
        head = answers.begin()
        found = [
            letter.number
            for receiver in reports()
            if receiver.name == name
            for letter in receiver.dead_letters
            if str(letter.number) == number
        ]
        if not found:
            raise NotFoundException(f"There is no dead letter {number} of a receiver {name}.")
        if not tells():
            raise ClientException("Another process tells receivers: ask that one.", status_code=409)
        who = visitor_of(request).name
        await audit.note(who, "bury", f"{name}/{number}", **facts_of(request))
        bury(name, found[0])
        return answers.private(Receivers(**head, receivers=reports()))

    return [receivers, bury_letter]
