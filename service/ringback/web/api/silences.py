"""`/api/v1/silences`: what receivers are not told of for a while."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, Protocol

import msgspec
from litestar import Request, Response, delete, get, post
from litestar.exceptions import ClientException, NotFoundException
from msgspec import UNSET, Meta

from ringback.core.events import Time, rfc3339
from ringback.core.tracker import Tracker
from ringback.core.watch.silences import LABEL, MATCHED, MOST_MATCHERS, Matcher, Silence, Subject
from ringback.errors import SilenceRefused, SilenceUnknown
from ringback.ports import Audit
from ringback.web.api.answers import Answer, Answers
from ringback.web.api.asking import Nothing, read_body, read_query
from ringback.web.api.describing import describe
from ringback.web.board.alarms import Alarm
from ringback.web.visitors import ACTING, LOOKING, facts_of, visitor_of

__all__ = ["Silencing", "silences_handlers", "subject_of"]

FIELD = rf"^({'|'.join(sorted(MATCHED))}|{LABEL.replace('.', '[.]')}.+)$"


class MatcherBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What one of an alert's fields must say."""

    field: Annotated[str, Meta(pattern=FIELD, max_length=200)]
    """`rule`, `severity`, `queue` (its id), `callback` (or its conversation), `source`, or
    `label.<name>`."""
    value: Annotated[str, Meta(min_length=1, max_length=500)]
    prefix: bool = False
    """Whether the field may go on after it."""


class SilenceBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What nobody is to be told of: alerts to which all matchers apply."""

    matchers: Annotated[list[MatcherBody], Meta(min_length=1, max_length=MOST_MATCHERS)]
    until: Annotated[datetime, Meta(tz=True)]
    """At most a year ahead."""
    comment: Annotated[str, Meta(max_length=500)] = ""


class SilenceShown(msgspec.Struct, frozen=True, kw_only=True):
    """A silence, and what it is good for."""

    id: str
    matchers: list[MatcherBody]
    since: Time
    until: Time
    by: str
    comment: str
    alerts: int
    """How many that fire now it applies to."""


class SilencesShown(Answer, kw_only=True):
    """All that are in force, the one that ends first first."""

    silences: list[SilenceShown]


class SilenceAnswer(Answer, kw_only=True):
    """One silence."""

    silence: SilenceShown


class Silencing(Protocol):
    """Whoever decides on silences."""

    @property
    def tracker(self) -> Tracker:
        """All that is known."""

    async def silence(
        self, matchers: Sequence[Matcher], until: datetime, by: str, comment: str
    ) -> Silence:
        """Let nobody be told of some alerts for a while. Raises `SilenceRefused`."""

    async def end_silence(self, silence_id: str, by: str) -> None:
        """End a silence before its time. Raises `SilenceUnknown`."""

    async def committed(self) -> None:
        """Wait until all that was decided so far is committed."""


def silences_handlers(answers: Answers, deciding: Silencing, audit: Audit) -> list[Any]:
    """Make the handlers."""
    silences = deciding.tracker.silences

    def firing() -> list[Subject]:
        return [subject_of(alarm) for alarm in answers.board.alarms.values()]

    def shown(silence: Silence, firing: Sequence[Subject]) -> SilenceShown:
        return SilenceShown(
            id=silence.id,
            matchers=[MatcherBody(one.field, one.value, one.prefix) for one in silence.matchers],
            since=rfc3339(silence.since),
            until=rfc3339(silence.until),
            by=silence.by,
            comment=silence.comment,
            alerts=sum(silence.applies(subject) for subject in firing),
        )

    @get(
        "/api/v1/silences",
        opt=describe("Silences in force", SilencesShown, may=LOOKING, problems=(400, 503)),
    )
    async def all_silences(request: Request[Any, Any, Any]) -> Response[bytes]:
        read_query(request, Nothing)
        fire = firing()
        body = SilencesShown(**answers.begin(), silences=[shown(one, fire) for one in silences])
        return answers.answer(request, body, ticking=True)

    @post(
        "/api/v1/silences",
        status_code=200,
        opt=describe(
            "Tell nobody of some alerts for a while; they fire and are shown all the same",
            SilenceAnswer,
            body=SilenceBody,
            may=ACTING,
            problems=(400, 409, 415, 503),
        ),
    )
    async def silence(request: Request[Any, Any, Any]) -> Response[bytes]:
        read_query(request, Nothing)
        asked = await read_body(request, SilenceBody)
        head = answers.begin()
        who = visitor_of(request).name
        matchers = [Matcher(one.field, one.value, one.prefix) for one in asked.matchers]
        try:
            until = _utc(asked.until)
            silences.refuse(matchers, until, answers.now())
            said = " ".join(f"{one.field}={one.value}{'*' * one.prefix}" for one in matchers)
            subject = f"{said} until {rfc3339(until)}"
            await audit.note(who, "silence", subject, **facts_of(request))
            made = await deciding.silence(matchers, until, who, asked.comment)
        except SilenceRefused as error:
            # The body is as described; it does not go with the present.
            raise ClientException(str(error), status_code=409) from None
        await deciding.committed()
        return answers.private(SilenceAnswer(**head, silence=shown(made, firing())))

    @delete(
        "/api/v1/silences/{silence_id:str}",
        status_code=200,
        opt=describe(
            "End a silence before its time: what it held back and still fires is told",
            SilenceAnswer,
            may=ACTING,
            problems=(400, 404, 503),
        ),
    )
    async def end_silence(request: Request[Any, Any, Any]) -> Response[bytes]:
        read_query(request, Nothing)
        silence_id = request.path_params["silence_id"]
        head = answers.begin()
        who = visitor_of(request).name
        try:
            ended = silences.get(silence_id)
            await audit.note(who, "end_silence", silence_id, **facts_of(request))
            await deciding.end_silence(silence_id, who)
        except SilenceUnknown as error:
            raise NotFoundException(str(error)) from None
        await deciding.committed()
        return answers.private(SilenceAnswer(**head, silence=shown(ended, firing())))

    return [all_silences, silence, end_silence]


def subject_of(alarm: Alarm) -> Subject:
    """Give what of an alert on the board can be matched."""
    told, place = alarm.told, alarm.place
    return Subject(
        rule=alarm.alert.rule,
        severity="" if told.severity is UNSET else told.severity,
        queue="" if place.queue_id is UNSET else place.queue_id,
        callback=place.callback_id,
        conversation=place.conversation_id,
        source=place.source,
        labels={} if told.labels is UNSET else told.labels,
    )


def _utc(instant: datetime) -> datetime:
    """Raise `SilenceRefused` for an instant at the end of time."""
    try:
        return instant.astimezone(UTC)
    except OverflowError:
        raise SilenceRefused("until: it lies beyond all calendars") from None
