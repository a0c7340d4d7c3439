"""`/api/v1/cleanup`: what is stuck for sure, and ending it, each as it was seen and no other.

Looking is a dry run. Acting takes the mark that the dry run gave of each conversation, so that
nothing is touched that has changed since.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal, Protocol

import msgspec
from litestar import Request, Response, get, post
from litestar.exceptions import ClientException
from msgspec import UNSET, Meta, UnsetType

from ringback.core.derivation import Cast
from ringback.core.events import AlertProof, Seconds, Time, rfc3339
from ringback.core.lifecycle import State
from ringback.core.records import Conversation
from ringback.core.telling import proof_of
from ringback.core.watch.zombies import Zombie, mark_of
from ringback.web.api.answers import Answer, Answers
from ringback.web.api.asking import Nothing, read_body, read_query
from ringback.web.api.describing import describe
from ringback.web.api.session import Place
from ringback.web.board.board import Board
from ringback.web.visitors import ACTING, facts_of, visitor_of

__all__ = ["Cleaning", "Outcome", "Result", "cleanup_handlers"]

MOST_AT_ONCE = 20

Id = Annotated[str, Meta(min_length=1, max_length=500)]
Result = Literal[
    "disconnected", "left_alone", "refused", "unread", "over_limit", "not_noted", "unknown"
]


class ZombieAlert(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """An alert that says so."""

    alert_id: str
    rule: str
    kind: str
    severity: str
    summary: str
    since: Time
    """When the condition reached its threshold."""
    proof: AlertProof


class ZombieRow(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True, kw_only=True):
    """A callback that is stuck, and what its conversation's end would end."""

    conversation_id: str
    callback_id: str
    seen: str
    """A mark of how the conversation is now: give it back to have it disconnected."""
    state: State
    state_since: Time
    age_seconds: Seconds
    """Since then."""
    queue_id: str | UnsetType = UNSET
    user_id: str | UnsetType = UNSET
    live_calls: int
    """Calls that were dialled and have not ended, as far as known."""
    alerts: list[ZombieAlert]
    why_not: str | UnsetType = UNSET
    """Why it must not be disconnected; absent: it may."""
    link: str | UnsetType = UNSET
    """Where the platform shows it."""


class Zombies(Answer, kw_only=True):
    """What is stuck, the longest first."""

    action: str
    """What would be sent to the platform for each."""
    kinds: list[str]
    """The kinds of alerts that count."""
    per_minute: int
    left: int
    """How many may be disconnected now."""
    total: int
    """How many there are; those that are not listed are younger."""
    zombies: list[ZombieRow]


class ZombiesQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How many."""

    limit: Annotated[int, Meta(ge=1, le=1000, description="How many at the most.")] = 100


class Chosen(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """A conversation that is to be disconnected."""

    conversation_id: Id
    seen: Annotated[str, Meta(min_length=1, max_length=100)]
    """The mark that it was seen with."""


class Disconnect(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """What is to be disconnected, one after the other."""

    conversations: Annotated[list[Chosen], Meta(min_length=1, max_length=MOST_AT_ONCE)]


class Outcome(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True, kw_only=True):
    """What became of one."""

    conversation_id: str
    result: Result
    """`disconnected`: the platform has accepted it. `left_alone`: it is not as it was seen, or must
    not be disconnected. `refused`: by the platform. `unread`: it could not be read once more.
    `over_limit`: of a minute. `not_noted`: the audit trail cannot be written. With all but the
    first nothing was done, but after `unknown`, when the platform did not answer."""
    why: str = ""


class Disconnected(Answer, kw_only=True):
    """What became of each, in the order in which they were given."""

    left: int
    """How many may be disconnected now."""
    results: list[Outcome]


class Cleaning(Protocol):
    """Whoever finds zombies and ends them."""

    kinds: Sequence[str]
    per_minute: int
    action: str
    """What is sent to the platform."""
    unable: str | None
    """Why nothing can be disconnected at all."""

    def zombies(self, conversation_ids: Iterable[str]) -> list[tuple[Conversation, Zombie]]:
        """Give what is stuck of these conversations."""

    async def left(self) -> int:
        """Say how many may be disconnected now."""

    async def disconnect(
        self, conversation_id: str, seen: str, who: str, facts: dict[str, str]
    ) -> Outcome:
        """End one, if it is still as it was seen."""


def cleanup_handlers(answers: Answers, cleaning: Cleaning, place: Place) -> list[Any]:
    """Make the handlers."""

    @get(
        "/api/v1/cleanup",
        opt=describe(
            "A dry run: callbacks that are confirmed to be stuck, and what would be done",
            Zombies,
            may=ACTING,
            query=ZombiesQuery,
            problems=(400, 409, 503),
        ),
    )
    async def cleanup(request: Request[Any, Any, Any]) -> Response[bytes]:
        query = read_query(request, ZombiesQuery)
        head = answers.begin()
        _refuse(cleaning)
        stuck = _stuck(answers.board, cleaning.kinds)
        left = await cleaning.left()
        now = datetime.fromisoformat(head["now"])
        body = Zombies(
            **head,
            action=cleaning.action,
            kinds=list(cleaning.kinds),
            per_minute=cleaning.per_minute,
            left=left,
            total=len(stuck),
            zombies=[_row(*one, place, now) for one in cleaning.zombies(stuck[: query.limit])],
        )
        return answers.private(body)

    @post(
        "/api/v1/cleanup",
        status_code=200,
        opt=describe(
            "Disconnect conversations, each only if it is still as it was seen",
            Disconnected,
            may=ACTING,
            body=Disconnect,
            problems=(400, 409, 415, 503),
        ),
    )
    async def disconnect(request: Request[Any, Any, Any]) -> Response[bytes]:
        read_query(request, Nothing)
        chosen = (await read_body(request, Disconnect)).conversations
        answers.begin()
        _refuse(cleaning)
        if len({one.conversation_id for one in chosen}) < len(chosen):
            raise ClientException("conversations: one is given more than once")
        who, facts = visitor_of(request).name, facts_of(request)
        results = [
            await cleaning.disconnect(one.conversation_id, one.seen, who, facts) for one in chosen
        ]
        left = await cleaning.left()
        return answers.private(Disconnected(**answers.begin(), left=left, results=results))

    return [cleanup, disconnect]


def _refuse(cleaning: Cleaning) -> None:
    if cleaning.unable is not None:
        raise ClientException(cleaning.unable, status_code=409)


def _stuck(board: Board, kinds: Sequence[str]) -> list[str]:
    """Give the conversations that alerts of some kinds are about, the longest first."""
    alarms = [alarm for alarm in board.alarms.values() if alarm.told.kind in kinds]
    alarms.sort(key=lambda alarm: alarm.alert.since)
    rows = (board.rows.get(alarm.place.callback_id) for alarm in alarms)
    return list(dict.fromkeys(row.conversation_id for row in rows if row is not None))


def _row(conversation: Conversation, zombie: Zombie, place: Place, now: datetime) -> ZombieRow:
    callback = zombie.callback
    callback_id = callback.id_in(conversation.id)
    return ZombieRow(
        conversation_id=conversation.id,
        callback_id=callback_id,
        seen=mark_of(conversation),
        state=callback.state,
        state_since=rfc3339(callback.since),
        age_seconds=max(0.0, round((now - callback.since).total_seconds(), 3)),
        queue_id=callback.queue_id or UNSET,
        user_id=callback.user_id or UNSET,
        live_calls=sum(leg.live for leg in Cast(callback).calls),
        alerts=[
            ZombieAlert(
                alert_id=f"{callback_id}/{alarm.rule}/{alarm.episode}",
                rule=alarm.rule,
                kind=alarm.kind,
                severity=alarm.severity,
                summary=alarm.summary,
                since=rfc3339(alarm.since or callback.since),
                proof=proof_of(alarm),
            )
            for alarm in zombie.alarms
        ],
        why_not=zombie.why_not or UNSET,
        link=place.link_to(conversation.id),
    )
