"""`/api/v1/alerts`: what is firing, and acknowledging it."""

from typing import Any

import msgspec
from litestar import Request, Response, get
from msgspec import UNSET, UnsetType

from ringback.core.events import Time
from ringback.core.lifecycle import State
from ringback.core.watch import RULES
from ringback.web.api.answers import Answer, Answers
from ringback.web.api.asking import read_query
from ringback.web.api.summary import Nothing
from ringback.web.board.rows import Acknowledged, Alarm, Row

__all__ = ["Alert", "Alerts", "alerts_handlers"]

SUMMARIES = {rule.name: rule.summary for rule in RULES}


class Alert(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True, kw_only=True):
    """An alert that is firing, and where its callback is now."""

    alert_id: str
    rule: str
    summary: str
    callback_id: str
    conversation_id: str
    state: State
    state_since: Time
    since: Time
    """When the condition reached its threshold."""
    queue_id: str | UnsetType = UNSET
    user_id: str | UnsetType = UNSET
    acknowledged: Acknowledged | None = None


class Alerts(Answer, kw_only=True):
    """All that are firing, the longest first."""

    alerts: list[Alert]


def alerts_handlers(answers: Answers) -> list[Any]:
    """Make the handlers."""

    @get("/api/v1/alerts")
    async def alerts(request: Request[Any, Any, Any]) -> Response[bytes]:
        """Give what is firing."""
        read_query(request, Nothing)
        head = answers.begin()
        known = answers.known(request, head)
        if known is not None:
            return known
        found = [_alert(alarm, row) for alarm, row in answers.board.firing()]
        found.sort(key=lambda one: (one.since, one.alert_id))
        return answers.answer(request, Alerts(**head, alerts=found))

    return [alerts]


def _alert(alarm: Alarm, row: Row) -> Alert:
    told = alarm.alert
    return Alert(
        alert_id=told.alert_id,
        rule=told.rule,
        summary=SUMMARIES.get(told.rule, told.rule),
        callback_id=row.callback_id,
        conversation_id=row.conversation_id,
        state=row.state,
        state_since=row.since,
        since=told.since,
        queue_id=row.queue_id,
        user_id=row.user_id,
        acknowledged=alarm.acknowledged,
    )
