"""What there is to say of those who are told of alerts: metrics, checks and reports."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

import msgspec
from msgspec import UNSET

from ringback.core.events import rfc3339
from ringback.core.watch.messages import Dead
from ringback.core.watch.notices import Notices
from ringback.errors import DeliveryFault
from ringback.runtime.outbox import Outbox
from ringback.vitals.measuring import counter, gauge
from ringback.web.api.receivers import DeadAlert, DeadLetter, ReceiverReport
from ringback.web.health import Check, Status
from ringback.web.metrics import Measure

__all__ = [
    "checks_of_receivers",
    "measures_of_receivers",
    "report_of_notices",
    "report_of_receiver",
]

MOST_SHOWN = 50
"""Alerts of one dead letter."""
PATIENCE = timedelta(minutes=1)
"""How long a receiver may fail before that is worth a word."""


def measures_of_receivers(outboxes: Sequence[Outbox]) -> Iterator[Measure]:
    """Give every number there is."""
    for outbox in outboxes:
        name, notices = outbox.name, outbox.notices
        yield counter(
            "messages_sent", "Messages that a receiver has taken.", outbox.sent, receiver=name
        )
        for fault in DeliveryFault:
            yield counter(
                "message_failures",
                "Attempts to tell a receiver that failed, by why.",
                outbox.failures[fault],
                receiver=name,
                reason=fault.value,
            )
        yield counter(
            "messages_dead",
            "Messages that were given up and put aside as dead letters.",
            outbox.given_up,
            receiver=name,
        )
        yield gauge("dead_letters", "Dead letters that are kept.", len(notices.dead), receiver=name)
        yield gauge(
            "alerts_untold",
            "Alerts of which a receiver is still to be told something.",
            notices.untold,
            receiver=name,
        )
        yield gauge(
            "alerts_held_back", "Alerts that silences hold back.", notices.held, receiver=name
        )
        yield gauge(
            "receiver_failing",
            "1 while a receiver does not take what it is told.",
            outbox.failing_since is not None,
            receiver=name,
        )


def checks_of_receivers(outboxes: Sequence[Outbox], now: datetime) -> Iterator[Check]:
    """Say which receivers do not take what they are told."""
    for outbox in outboxes:
        since = outbox.failing_since
        if since is not None and now - since >= PATIENCE:
            yield Check(
                f"receiver {outbox.name}",
                Status.DEGRADED,
                f"takes nothing since {rfc3339(since)}: {outbox.problem}",
            )


def report_of_receiver(outbox: Outbox, kind: str) -> ReceiverReport:
    """Report on one receiver."""
    since = outbox.failing_since
    return msgspec.structs.replace(
        report_of_notices(outbox.name, kind, outbox.notices),
        sent=outbox.sent,
        failures={fault.value: count for fault, count in outbox.failures.items()},
        failing_since=UNSET if since is None else rfc3339(since),
        problem=outbox.problem or UNSET,
    )


def report_of_notices(name: str, kind: str, notices: Notices) -> ReceiverReport:
    """Report on a receiver that another process tells: as much as is stored."""
    return ReceiverReport(
        name=name,
        kind=kind,
        sent=0,
        failures={},
        untold=notices.untold,
        held_back=notices.held,
        dead_letters=[_letter(dead) for dead in notices.dead.values()],
    )


def _letter(dead: Dead) -> DeadLetter:
    message = dead.message
    return DeadLetter(
        number=message.number,
        made=rfc3339(message.made_at),
        given_up=rfc3339(dead.at),
        tries=dead.tries,
        why=dead.why,
        alerts=[
            DeadAlert(
                alert_id=item.alert.alert_id,
                status=item.phase.value,
                first=item.first,
                at=item.at,
            )
            for item in message.items[:MOST_SHOWN]
        ],
        alert_count=len(message.items),
    )
