"""Makes of settings those who are told of alerts, and refuses what can never work."""

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import TextIO

from ringback.core.events import AlertData
from ringback.core.watch.messages import text_of
from ringback.core.watch.notices import Limits
from ringback.errors import SettingsError
from ringback.ports import Clock, Receiver
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
from ringback.sinks.receivers.wording import Wording, severity_of
from ringback.sources.genesys.patterns import wild

__all__ = ["PAGERDUTY", "limits_of", "make_receiver", "refuse_bad_receivers", "wanted_by"]

PAGERDUTY_KEY = 32
MAILBOX = re.compile(r"[^\s@,<>\"]+@[^\s@,<>\"]+")

Names = Callable[[], Mapping[str, str]]


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


def limits_of(settings: ReceiverSettings) -> Limits:
    """Say how much a receiver wants to be told."""
    if settings.kind == "alertmanager":  # which groups by itself
        return Limits(gather=timedelta(), most=0)
    return Limits(
        gather=timedelta(seconds=settings.group_seconds),
        most=settings.most_per_minute,
        acknowledged=settings.kind in {"webhook", "pagerduty", "stdout"},
    )


def wanted_by(settings: ReceiverSettings, names: Names) -> Callable[[AlertData], bool]:
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
        queue_id = text_of(alert, "queue_id")
        if not queues or queue_id in ids:
            return True
        name = names().get(queue_id or "")
        return name is not None and any(pattern.fullmatch(name) for pattern in named)

    return wanted
