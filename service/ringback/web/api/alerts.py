"""`/api/v1/alerts`: what is firing, and acknowledging it."""

from contextlib import suppress
from typing import Annotated, Any, Protocol

import msgspec
from litestar import Request, Response, get, post
from litestar.exceptions import ClientException, NotFoundException
from msgspec import UNSET, Meta, UnsetType

from ringback.core.events import AlertProof, Time, rfc3339
from ringback.core.lifecycle import State
from ringback.core.watch.silences import Silences
from ringback.errors import AlertError, AlertOver, AlertUnknown
from ringback.ports import Audit
from ringback.web.api.answers import Answer, Answers
from ringback.web.api.asking import Nothing, read_body, read_query
from ringback.web.api.describing import describe
from ringback.web.api.life import Decided
from ringback.web.api.silences import subject_of
from ringback.web.board.alarms import Acknowledged, Alarm, seen_by
from ringback.web.visitors import ACTING, LOOKING, facts_of, visitor_of

__all__ = ["Alert", "Alerts", "alerts_handlers"]


class Alert(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True, kw_only=True):
    """An alert that is firing, and where its callback is now: it may have ended.

    One about a source has no callback.
    """

    alert_id: str
    rule: str
    kind: str | UnsetType = UNSET
    """What the rule watches. Like severity and proof, earlier versions have not told it."""
    severity: str | UnsetType = UNSET
    """`info`, `warning` or `critical`."""
    summary: str
    labels: dict[str, str] | UnsetType = UNSET
    proof: AlertProof | UnsetType = UNSET
    callback_id: str | UnsetType = UNSET
    conversation_id: str | UnsetType = UNSET
    state: State | UnsetType = UNSET
    state_since: Time | UnsetType = UNSET
    source: str | UnsetType = UNSET
    """The source that it is about, if it is about one."""
    since: Time
    """When the condition reached its threshold."""
    queue_id: str | UnsetType = UNSET
    user_id: str | UnsetType = UNSET
    acknowledged: Acknowledged | UnsetType = UNSET
    silenced_until: Time | UnsetType = UNSET
    """Until then no receiver is told of it."""


class Alerts(Answer, kw_only=True):
    """All that are firing, the longest first."""

    alerts: list[Alert]


class Acknowledge(msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True):
    """Which alert somebody has seen."""

    alert_id: Annotated[str, Meta(min_length=1, max_length=500)]


class Seen(Answer, kw_only=True):
    """An alert that somebody has seen."""

    alert_id: str
    acknowledged: Acknowledged


class Acknowledging(Decided, Protocol):
    """Whoever decides on alerts."""

    async def acknowledge(self, alert_id: str, by: str) -> None:
        """Note who has seen that an alert is firing. Raises `AlertError`."""


def alerts_handlers(answers: Answers, deciding: Acknowledging, audit: Audit) -> list[Any]:
    """Make the handlers."""

    @get(
        "/api/v1/alerts",
        opt=describe(
            "Alerts that are firing", Alerts, may=LOOKING, problems=(400, 503), cached=True
        ),
    )
    async def alerts(request: Request[Any, Any, Any]) -> Response[bytes]:
        read_query(request, Nothing)
        head = answers.begin()
        silences = deciding.tracker.silences
        state = str(silences.changes)
        known = answers.known(request, head, state=state)
        if known is not None:
            return known
        found = [_alert(alarm, silences) for alarm in answers.board.alarms.values()]
        found.sort(key=lambda one: (one.since, one.alert_id))
        return answers.answer(request, Alerts(**head, alerts=found), state=state)

    @post(
        "/api/v1/alerts/acknowledge",
        status_code=200,
        opt=describe(
            "Note that one has seen an alert; the first who has stays",
            Seen,
            body=Acknowledge,
            may=ACTING,
            problems=(400, 404, 409, 415, 503),
        ),
    )
    async def acknowledge(request: Request[Any, Any, Any]) -> Response[bytes]:
        read_query(request, Nothing)
        alert_id = (await read_body(request, Acknowledge)).alert_id
        head = answers.begin()
        who = visitor_of(request).name
        tracker = deciding.tracker
        try:
            seen = seen_by(tracker.alerts.firing(alert_id))
            await audit.note(who, "acknowledge", alert_id, **facts_of(request))
            await deciding.acknowledge(alert_id, who)
        except AlertUnknown as error:
            raise NotFoundException(str(error)) from None
        except AlertOver as error:
            raise ClientException(str(error), status_code=409) from None
        await deciding.committed()
        with suppress(AlertError):  # it may be over by now
            seen = seen or seen_by(tracker.alerts.firing(alert_id))
        seen = seen or Acknowledged(who, head["now"])
        return answers.private(Seen(**head, alert_id=alert_id, acknowledged=seen))

    return [alerts, acknowledge]


def _alert(alarm: Alarm, silences: Silences) -> Alert:
    alert, told, place = alarm.alert, alarm.told, alarm.place
    silenced = silences.until(subject_of(alarm))
    return Alert(
        alert_id=alert.alert_id,
        rule=alert.rule,
        kind=told.kind,
        severity=told.severity,
        summary=told.summary,
        labels=told.labels,
        proof=told.proof,
        callback_id=place.callback_id or UNSET,
        conversation_id=place.conversation_id or UNSET,
        state=State(place.state) if place.state else UNSET,
        state_since=place.state_since or UNSET,
        source=place.source or UNSET,
        since=alert.since,
        queue_id=place.queue_id,
        user_id=place.user_id,
        acknowledged=UNSET if alarm.acknowledged is None else alarm.acknowledged,
        silenced_until=UNSET if silenced is None else rfc3339(silenced),
    )
