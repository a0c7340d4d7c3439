"""Composes who is told of alerts: for each receiver its outbox, and what carries its messages."""

import random
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, TextIO

from msgspec import UNSET

from ringback.app.receivers import limits_of, make_receiver, wanted_by
from ringback.app.showing import platform_link
from ringback.app.sources import names_of_queues
from ringback.core.events import AlertData
from ringback.core.watch.notices import Notices
from ringback.core.watch.silences import Subject
from ringback.errors import AlertError
from ringback.ports import Audit, Past, Source
from ringback.runtime.daemon import Daemon
from ringback.runtime.desk import Books, Desk
from ringback.runtime.outbox import Outbox, Patience
from ringback.settings import Settings
from ringback.sinks.receivers.wording import Places, Wording
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

__all__ = ["Delivery"]


class Delivery:
    """Every receiver of one daemon."""

    def __init__(
        self,
        settings: Settings,
        desk: Desk,
        *,
        past: Past,
        books: Books,
        source: Source | None,
        out: TextIO,
        dashboard: Callable[[], str],
    ) -> None:
        """`books` are where receivers keep theirs; `dashboard` gives its address without a slash.

        `source` is this process's; None: only others listen.
        """
        link = platform_link(settings)
        places = Places(
            settings.source.org,
            dashboard,
            None if link is UNSET else link,
        )
        names = names_of_queues(desk, source)
        self._tracker = desk.tracker
        self._tracker.silences.changed = self._silences_changed
        self._desk = desk
        self._kinds = {name: one.kind for name, one in settings.receivers.items()}
        wording = Wording(places)
        chance = random.SystemRandom()
        self.outboxes = [
            Outbox(
                name,
                make_receiver(name, receiver, wording, desk.clock, out),
                Notices(
                    name,
                    limits_of(receiver),
                    wanted_by(receiver, names),
                    self._silenced,
                    queue_names=names,
                ),
                past=past,
                books=books,
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
        return checks_of_receivers(self.outboxes, self._desk.clock.now())

    def handlers(self, answers: Answers, audit: Audit) -> list[Any]:
        """Give the handlers of silences and receivers."""
        return [
            *silences_handlers(answers, self._desk, audit),
            *receivers_handlers(answers, self.reports, self.bury, audit),
        ]

    async def close(self) -> None:
        """Release what they hold."""
        self._tracker.silences.changed = _nothing
        for outbox in self.outboxes:
            await outbox.receiver.close()

    def _silences_changed(self) -> None:
        for outbox in self.outboxes:
            outbox.silences_changed()

    def _silenced(self, alert: AlertData, _: datetime) -> datetime | None:
        return self._tracker.silences.until(Subject.of(alert))

    def _fires(self, alert_id: str) -> bool:
        try:
            self._tracker.alerts.firing(alert_id)
        except AlertError:
            return False
        return True

    def reports(self) -> list[ReceiverReport]:
        """Report on each of them."""
        return [report_of_receiver(one, self._kinds[one.name]) for one in self.outboxes]

    def bury(self, name: str, number: int) -> bool:
        """Let a dead letter go; whether there was one."""
        return any(one.name == name and one.bury(number) for one in self.outboxes)


def _nothing() -> None:
    """Nobody is told any more."""
