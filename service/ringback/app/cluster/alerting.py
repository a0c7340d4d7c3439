"""Composes who is told of alerts where several processes could tell, and one does at a time."""

from collections.abc import Awaitable, Callable, Coroutine, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, TextIO

from ringback.app.delivering import Delivery
from ringback.app.receivers import limits_of
from ringback.core.watch.notices import Notices
from ringback.ports import Audit, PartitionStore, Sink
from ringback.runtime.cluster.mirror import Mirror
from ringback.runtime.cluster.telling import Telling
from ringback.runtime.desk import Books
from ringback.runtime.readers import read_while_taken
from ringback.settings import Settings
from ringback.stores.jetstream.streams import steps_kept
from ringback.vitals.receivers import report_of_notices
from ringback.web.api.answers import Answers
from ringback.web.api.receivers import ReceiverReport, receivers_handlers
from ringback.web.api.silences import silences_handlers
from ringback.web.health import Check
from ringback.web.metrics import Measure

__all__ = ["Alerting"]


class Alerting:
    """The receivers of one organisation. `duty` is to be taken and given by whoever decides."""

    def __init__(
        self,
        settings: Settings,
        mirror: Mirror,
        *,
        open_store: Callable[[], Awaitable[PartitionStore]],
        out: TextIO,
        dashboard: Callable[[], str],
        sinks: Mapping[str, Sink] | None = None,
    ) -> None:
        """`open_store` opens the store of the partition in which receivers keep theirs.

        `sinks` are told by the same process as receivers are.
        """
        self._settings = settings
        self._mirror = mirror
        self._out = out
        self._dashboard = dashboard
        self._sinks = sinks or {}
        self._delivery: Delivery | None = None
        self.duty = Telling(
            mirror,
            open_store,
            self._make,
            drain_seconds=settings.shutdown.drain_seconds,
            keep=timedelta(hours=steps_kept(settings.store.keep_journal_hours)),
            beside=self._tell_sinks,
        )

    def handlers(self, answers: Answers, audit: Audit) -> list[Any]:
        """Give the handlers of silences and receivers: they do on every process."""
        return [
            *silences_handlers(answers, self._mirror, audit),
            *receivers_handlers(answers, self._reports, self._bury, audit, self._tells),
        ]

    def measures(self) -> Iterator[Measure]:
        """Give what receivers were told from here, in numbers."""
        delivery = self._telling()
        return iter(()) if delivery is None else delivery.measures()

    def checks(self) -> Iterator[Check]:
        """Say which of them take nothing."""
        delivery = self._telling()
        return iter(()) if delivery is None else delivery.checks()

    async def close(self) -> None:
        """Release the sinks. Nothing may be taken afterwards."""
        for sink in self._sinks.values():
            await sink.close()

    def _tell_sinks(self, books: Books) -> dict[str, Coroutine[None, None, None]]:
        return {
            f"sink {name}": read_while_taken(name, sink, self._mirror, books)
            for name, sink in self._sinks.items()
        }

    def _make(self, books: Books) -> Delivery:
        self._delivery = Delivery(
            self._settings,
            self._mirror,
            past=self._mirror,
            books=books,
            source=None,
            out=self._out,
            dashboard=self._dashboard,
        )
        return self._delivery

    def _telling(self) -> Delivery | None:
        return None if self.duty.team is None else self._delivery

    def _tells(self) -> bool:
        return self.duty.team is not None

    def _reports(self) -> Sequence[ReceiverReport]:
        delivery = self._telling()
        if delivery is not None:
            return delivery.reports()
        return [self._report(name) for name in self._settings.receivers]

    def _report(self, name: str) -> ReceiverReport:
        """Report as much as whoever tells a receiver has stored."""
        receiver = self._settings.receivers[name]
        notices = Notices(name, limits_of(receiver))
        kept = self._mirror.kept.items()
        rows = [row for row in kept if row[0].startswith(notices.prefix)]
        notices.restore(rows, self._mirror.clock.now())
        return report_of_notices(name, receiver.kind, notices)

    def _bury(self, name: str, number: int) -> bool:
        delivery = self._telling()
        return delivery is not None and delivery.bury(name, number)
