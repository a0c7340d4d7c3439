"""`/api/v1/rules`: what is watched, and reading it anew."""

from collections import Counter
from datetime import timedelta
from typing import Annotated, Any, Literal, Protocol

import msgspec
from litestar import Request, Response, get, post
from litestar.exceptions import ClientException
from msgspec import UNSET, Meta, UnsetType

from ringback.core.events import Seconds
from ringback.core.watch.hours import WEEK, Hours
from ringback.core.watch.rules import Filter, Rule, RuleSet
from ringback.errors import SettingsError
from ringback.ports import Audit
from ringback.web.api.answers import Answer, Answers
from ringback.web.api.asking import Nothing, read_query
from ringback.web.api.describing import describe
from ringback.web.visitors import ACTING, LOOKING, facts_of, visitor_of

__all__ = ["rules_handlers"]


class Where(msgspec.Struct, rename="camel", omit_defaults=True, kw_only=True):
    """Which callbacks a rule is for: those that fulfil all of it."""

    queues: list[str] = []
    """Ids."""
    automated: bool | None = None
    preview: bool | None = None
    customer_first: bool | None = None
    voicemail: bool | None = None
    divisions: list[str] = []
    """Ids."""
    campaigns: list[str] = []
    """Ids."""


class OpeningHours(msgspec.Struct, rename="camel", omit_defaults=True, kw_only=True):
    """When a rule's clock runs."""

    days: list[str]
    """`mon` to `sun`."""
    opens: str = msgspec.field(name="from")
    closes: str = msgspec.field(name="until")
    """At or before `from`: on the next day."""
    time_zone: str
    closed: list[str] = []
    """Dates on which they do not begin."""


class RuleReport(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True, kw_only=True):
    """One rule that is in force."""

    name: str
    kind: str
    """What it watches."""
    severity: Literal["info", "warning", "critical"]
    summary: str
    after_seconds: Seconds
    for_seconds: Seconds
    times: float
    labels: dict[str, str] = {}
    where: Where | UnsetType = UNSET
    hours: OpeningHours | UnsetType = UNSET
    proof: bool
    while_blind: Literal["hold", "mark"]
    damping_seconds: Seconds
    lasts_seconds: Seconds
    firing: Annotated[int, Meta(ge=0)]
    """How many of its alerts are firing."""


class Rules(Answer, kw_only=True):
    """All rules that are in force."""

    rules: list[RuleReport]
    problem: str | UnsetType = UNSET
    """Why the latest version of the file is not."""


class Reloading(Protocol):
    """Whoever reads the rules."""

    trouble: str | None

    @property
    def rules(self) -> RuleSet:
        """Those in force."""

    async def reload(self, by: str) -> None:
        """Read them anew and put them in force. Raises `SettingsError`, and changes nothing."""


def rules_handlers(answers: Answers, reloading: Reloading, audit: Audit) -> list[Any]:
    """Make the handlers."""

    def report(head: dict[str, Any]) -> Rules:
        firing = Counter(alarm.alert.rule for alarm in answers.board.alarms.values())
        return Rules(
            **head,
            rules=[_report(rule, firing[rule.name]) for rule in reloading.rules.rules],
            problem=reloading.trouble or UNSET,
        )

    @get(
        "/api/v1/rules",
        opt=describe(
            "The rules that are in force", Rules, may=LOOKING, problems=(400, 503), cached=True
        ),
    )
    async def rules(request: Request[Any, Any, Any]) -> Response[bytes]:
        read_query(request, Nothing)
        head = answers.begin()
        known = answers.known(request, head, ticking=True)
        return known or answers.answer(request, report(head), ticking=True)

    @post(
        "/api/v1/rules/reload",
        status_code=200,
        opt=describe(
            "Read the file of rules anew; if anything is wrong with it those in force stay",
            Rules,
            may=ACTING,
            problems=(400, 409, 503),
        ),
    )
    async def reload(request: Request[Any, Any, Any]) -> Response[bytes]:
        read_query(request, Nothing)
        head = answers.begin()
        who = visitor_of(request).name
        await audit.note(who, "reload", "rules", **facts_of(request))
        try:
            await reloading.reload(who)
        except SettingsError as error:
            raise ClientException(str(error), status_code=409) from None
        return answers.private(report(head))

    return [rules, reload]


def _report(rule: Rule, firing: int) -> RuleReport:
    return RuleReport(
        name=rule.name,
        kind=rule.kind,
        severity=rule.severity.value,
        summary=rule.summary,
        after_seconds=_seconds(rule.after),
        for_seconds=_seconds(rule.sustained),
        times=rule.times,
        labels=rule.labels,
        where=UNSET if rule.where == Filter() else _where(rule.where),
        hours=UNSET if rule.hours is None else _hours(rule.hours),
        proof=rule.proof,
        while_blind=rule.while_blind,
        damping_seconds=_seconds(rule.damping),
        lasts_seconds=_seconds(rule.lasts),
        firing=firing,
    )


def _where(where: Filter) -> Where:
    return Where(
        queues=sorted(where.queues),
        automated=where.automated,
        preview=where.preview,
        customer_first=where.customer_first,
        voicemail=where.voicemail,
        divisions=sorted(where.divisions),
        campaigns=sorted(where.campaigns),
    )


def _hours(hours: Hours) -> OpeningHours:
    return OpeningHours(
        days=[day for number, day in enumerate(WEEK) if number in hours.days],
        opens=f"{hours.opens:%H:%M}",
        closes=f"{hours.closes:%H:%M}",
        time_zone=str(hours.zone),
        closed=[day.isoformat() for day in sorted(hours.closed)],
    )


def _seconds(span: timedelta) -> float:
    return span.total_seconds()
