"""Composes who is told of alerts: for each receiver its outbox, and what carries its messages."""

import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TextIO

from msgspec import UNSET

from ringback.app.showing import platform_link
from ringback.app.sources import queue_names
from ringback.core.events import AlertData
from ringback.core.watch.notices import Limits, Notices, known
from ringback.core.watch.silences import Matcher, Silence, Subject
from ringback.errors import AlertError, SettingsError
from ringback.ports import Audit, Clock, Receiver, Source, Store
from ringback.runtime.daemon import Daemon
from ringback.runtime.outbox import Outbox, Patience
from ringback.runtime.pipeline import Pipeline
from ringback.settings import ReceiverSettings, Settings
from ringback.settings.describing import listed
from ringback.settings.receivers import RECEIVERS
from ringback.sinks.output import Output
from ringback.sinks.receivers.alertmanager import Alertmanager
from ringback.sinks.receivers.email import Email, server_of
from ringback.sinks.receivers.pagerduty import HOST as PAGERDUTY
from ringback.sinks.receivers.pagerduty import PagerDuty
from ringback.sinks.receivers.posting import Target
from ringback.sinks.receivers.slack import Slack
from ringback.sinks.receivers.stdout import Lines
from ringback.sinks.receivers.targets import refuse_url
from ringback.sinks.receivers.teams import Teams
from ringback.sinks.receivers.webhook import Webhook, secrets_of
from ringback.sinks.receivers.wording import Places, Wording, severity_of
from ringback.sources.genesys.patterns import wild
from ringback.vitals.receivers import (
    checks_of_receivers,
    measures_of_receivers,
    report_of_receiver,
)
from ringback.web.api.answers import Answers
from ringback.web.api.receivers import ReceiverReport, receivers_handlers
from ringback.web.api.silences import silences_handlers
from ringback.web.health import Check
from ringback.web.metrics import Measure

__all__ = ["Delivery", "make_receiver", "refuse_bad_receivers"]

PAGERDUTY_KEY = 32
MAILBOX = re.compile(r"[^\s@,<>\"]+@[^\s@,<>\"]+")

Names = Callable[[], Mapping[str, str]]


class Delivery:
    """Every receiver of one daemon."""

    def __init__(
        self,
        settings: Settings,
        pipeline: Pipeline,
        *,
        store: Store,
        source: Source,
        out: TextIO,
        dashboard: Callable[[], str],
    ) -> None:
        """`dashboard` gives its address, without a slash at its end."""
        link = platform_link(settings)
        places = Places(
            settings.source.org,
            dashboard,
            None if link is UNSET else link,
        )
        names = partial(queue_names, source)
        self.tracker = pipeline.tracker
        """Whose silences count."""
        self._pipeline = pipeline
        self._kinds = {name: one.kind for name, one in settings.receivers.items()}
        wording = Wording(places)
        chance = random.Random()  # noqa: S311  # spreads retries, guards nothing
        self.outboxes = [
            Outbox(
                name,
                make_receiver(name, receiver, wording, pipeline.clock, out),
                Notices(
                    name,
                    _limits(receiver),
                    _wanted(receiver, names),
                    self._silenced,
                    queue_names=names,
                ),
                store=store,
                pipeline=pipeline,
                patience=Patience(give_up=receiver.give_up_seconds),
                chance=chance,
                fires=self._fires,
            )
            for name, receiver in settings.receivers.items()
        ]

    def join(self, daemon: Daemon) -> None:
        """Let the daemon run them."""
        for outbox in self.outboxes:
            daemon.remember(outbox.notices.prefix, outbox.restore)
            daemon.follow(f"receiver {outbox.name} hears", outbox.hear)
            daemon.follow(f"receiver {outbox.name} tells", outbox.tell)
            daemon.drain(outbox.drain)

    def measures(self) -> Iterator[Measure]:
        """Give what they were told, in numbers."""
        return measures_of_receivers(self.outboxes)

    def checks(self) -> Iterator[Check]:
        """Say which of them take nothing."""
        return checks_of_receivers(self.outboxes, self._pipeline.clock.now())

    def handlers(self, answers: Answers, audit: Audit) -> list[Any]:
        """Give the handlers of silences and receivers."""
        return [
            *silences_handlers(answers, self, audit),
            *receivers_handlers(answers, self._reports, self._bury, audit),
        ]

    def silence(
        self, matchers: Sequence[Matcher], until: datetime, by: str, comment: str
    ) -> Silence:
        """Let nobody be told of some alerts for a while. Raises `SilenceRefused`."""
        silence = self._pipeline.silence(matchers, until, by, comment)
        self._silences_changed()
        return silence

    def end_silence(self, silence_id: str, by: str) -> None:
        """End a silence before its time. Raises `SilenceUnknown`."""
        self._pipeline.end_silence(silence_id, by)
        self._silences_changed()

    async def committed(self) -> None:
        """Wait until all that was decided so far is committed."""
        await self._pipeline.committed()

    async def close(self) -> None:
        """Release what they hold."""
        for outbox in self.outboxes:
            await outbox.receiver.close()

    def _silences_changed(self) -> None:
        for outbox in self.outboxes:
            outbox.silences_changed()

    def _silenced(self, alert: AlertData, _: datetime) -> datetime | None:
        return self.tracker.silences.until(Subject.of(alert))

    def _fires(self, alert_id: str) -> bool:
        try:
            self.tracker.firing(alert_id)
        except AlertError:
            return False
        return True

    def _reports(self) -> list[ReceiverReport]:
        return [report_of_receiver(one, self._kinds[one.name]) for one in self.outboxes]

    def _bury(self, name: str, number: int) -> bool:
        return any(one.name == name and one.bury(number) for one in self.outboxes)


def refuse_bad_receivers(settings: Settings) -> None:
    """Raise `SettingsError` for what can be told of receivers without asking anybody."""
    for name, receiver in settings.receivers.items():
        path = f"{RECEIVERS}.{name}"
        if receiver.kind == "stdout" and settings.sinks.stdout != "off":
            raise SettingsError(
                f"{path}.kind", "standard output has the events: turn [sinks] stdout off for this"
            )
        private = receiver.allow_private
        with _naming(f"{path}.url"):
            if receiver.kind == "email":
                server_of(receiver.url.reveal(), allow_private=private)
            elif receiver.url:
                refuse_url(receiver.url.reveal(), allow_private=private)
        secret = receiver.secret.reveal()
        with _naming(f"{path}.secret"):
            if receiver.kind == "webhook":
                secrets_of(secret)
            elif receiver.kind == "pagerduty" and len(secret) != PAGERDUTY_KEY:
                raise ValueError(f"is no integration key, which has {PAGERDUTY_KEY} characters")
            elif not secret.isprintable():
                raise ValueError("holds line ends or the like: copy it anew")
        for key in ("sender", "to"):
            for address in listed(getattr(receiver, key)):
                if not MAILBOX.fullmatch(address):
                    raise SettingsError(f"{path}.{key}", f"{address!r} is no mail address")


@contextmanager
def _naming(path: str) -> Iterator[None]:
    """Say which option it is that something is wrong with."""
    try:
        yield
    except ValueError as error:
        raise SettingsError(path, str(error)) from None


def make_receiver(
    name: str, settings: ReceiverSettings, wording: Wording, clock: Clock, out: TextIO
) -> Receiver:
    """Make what carries the messages of one receiver, which is none of the bad ones."""
    secret = settings.secret.reveal()
    match settings.kind:
        case "stdout":
            return Lines(Output(out), wording)
        case "webhook":
            return Webhook(name, _target(settings, clock), secrets_of(secret), wording, clock)
        case "alertmanager":
            return Alertmanager(_target(settings, clock), secret, wording, clock)
        case "slack":
            return Slack(_target(settings, clock), wording)
        case "teams":
            return Teams(_target(settings, clock), wording)
        case "pagerduty":
            return PagerDuty(_target(settings, clock, PAGERDUTY), secret, wording)
        case "email":
            private = settings.allow_private
            return Email(
                name,
                server_of(settings.url.reveal(), allow_private=private),
                wording,
                sender=settings.sender,
                to=listed(settings.to),
                user=settings.user,
                password=secret,
                allow_private=private,
                timeout=settings.timeout_seconds,
            )


def _target(settings: ReceiverSettings, clock: Clock, usual: str = "") -> Target:
    return Target(
        settings.url.reveal() or usual,
        allow_private=settings.allow_private,
        timeout=settings.timeout_seconds,
        clock=clock,
    )


def _limits(settings: ReceiverSettings) -> Limits:
    if settings.kind == "alertmanager":  # which groups by itself
        return Limits(gather=timedelta(), most=0)
    return Limits(
        gather=timedelta(seconds=settings.group_seconds),
        most=settings.most_per_minute,
        acknowledged=settings.kind in {"webhook", "pagerduty", "stdout"},
    )


def _wanted(settings: ReceiverSettings, names: Names) -> Callable[[AlertData], bool]:
    """Make what says whether an alert is the receiver's business."""
    severities = frozenset(listed(settings.severities))
    rules = [wild(each) for each in listed(settings.rules)]
    queues = listed(settings.queues)
    ids = frozenset(each.removeprefix("id:") for each in queues if each.startswith("id:"))
    named = [wild(each) for each in queues if not each.startswith("id:")]

    def wanted(alert: AlertData) -> bool:
        if severities and severity_of(alert) not in severities:
            return False
        if rules and not any(rule.fullmatch(alert.rule) for rule in rules):
            return False
        queue_id = known(alert, "queue_id")
        if not queues or queue_id in ids:
            return True
        name = names().get(queue_id or "")
        return name is not None and any(pattern.fullmatch(name) for pattern in named)

    return wanted
