"""All that the terminal knows of a contact centre, kept up to date by what the feed tells.

The fold is that of the daemon's own board: what comes twice is told apart by its sequence.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import msgspec

from ringback.terminal.answers import Alert, ByWhom, Row, Source, ToldEvent

__all__ = ["Known"]

CALLBACK = "ringback.callback."
ALERT = "ringback.alert."
NO_STATE = frozenset({"updated", "unverified", "verified"})
"""What is told of a callback that stays in its state."""
ENDED = "disconnected"


class Known:
    """Open callbacks, alerts that are firing, and sources.

    `version` grows with every change: whoever shows it knows whether there is anything to do.
    """

    def __init__(self) -> None:
        self.rows: dict[str, Row] = {}
        self.alerts: dict[str, Alert] = {}
        self.sources: Sequence[Source] = ()
        self.version = 0
        self._alerts_of: dict[str, dict[str, Alert]] = {}

    def replace(
        self, rows: Iterable[Row], alerts: Iterable[Alert], sources: Sequence[Source]
    ) -> None:
        """Put a new snapshot in the place of all that was known."""
        self.rows = {row.callback_id: row for row in rows}
        self.alerts = {}
        self._alerts_of = {}
        for alert in alerts:
            self._keep(alert)
        self.sources = sources
        self.version += 1

    def hear_of(self, sources: Sequence[Source]) -> None:
        """Take what a heartbeat says of the sources."""
        self.sources = sources
        self.version += 1

    def alerts_of(self, callback_id: str) -> Sequence[Alert]:
        """Give the alerts of one callback."""
        found = self._alerts_of.get(callback_id)
        return tuple(found.values()) if found else ()

    def silence(self, until: Mapping[str, datetime | None]) -> None:
        """Take until when nobody is told of each alert: no event says so."""
        for alert in list(self.alerts.values()):
            silenced = until.get(alert.alert_id)
            if silenced != alert.silenced_until:
                self._keep(msgspec.structs.replace(alert, silenced_until=silenced))
                self.version += 1

    def apply(self, event: ToldEvent) -> None:
        """Take one event."""
        kind = event.type.rsplit(".", 2)[-2] if event.type.count(".") > 1 else ""
        if event.type.startswith(CALLBACK):
            self._callback(kind, event)
        elif event.type.startswith(ALERT):
            self._alert(kind, event)

    def _callback(self, kind: str, event: ToldEvent) -> None:
        data, sequence = event.data, int(event.sequence)
        before = self.rows.get(data.callback_id)
        if kind == "anomaly" or (before is not None and sequence <= before.sequence):
            return
        self.version += 1
        if data.state == ENDED:
            self.rows.pop(data.callback_id, None)
            return
        entered = kind not in NO_STATE or before is None
        self.rows[data.callback_id] = Row(
            callback_id=data.callback_id,
            conversation_id=data.conversation_id,
            state=data.state,
            since=event.time if entered or before is None else before.since,
            clock=data.clock.name if entered or before is None else before.clock,
            queue_id=data.queue_id,
            user_id=data.user_id,
            scheduled_time=data.scheduled_time,
            auto_dial_at=data.auto_dial_at,
            offers=data.offers,
            hold_seconds=data.hold_seconds,
            wait_seconds=data.wait_seconds,
            sequence=sequence,
            unverified=data.unverified,
        )

    def _alert(self, kind: str, event: ToldEvent) -> None:
        data = event.data
        before = self.alerts.get(data.alert_id)
        self.version += 1
        if kind == "resolved":
            if before is not None:
                del self.alerts[before.alert_id]
                others = self._alerts_of.get(before.callback_id, {})
                others.pop(before.alert_id, None)
                if not others:
                    self._alerts_of.pop(before.callback_id, None)
        elif kind == "acknowledged":
            if before is not None:
                seen = ByWhom(by=data.by, time=event.time)
                self._keep(msgspec.structs.replace(before, acknowledged=seen))
        elif kind == "firing":
            self._keep(
                Alert(
                    alert_id=data.alert_id,
                    rule=data.rule,
                    severity=data.severity,
                    summary=data.summary,
                    proof=data.proof,
                    source=data.source,
                    state=data.state,
                    callback_id=data.callback_id,
                    conversation_id=data.conversation_id,
                    since=data.since or event.time,
                    queue_id=data.queue_id,
                    user_id=data.user_id,
                    acknowledged=None if before is None else before.acknowledged,
                )
            )

    def _keep(self, alert: Alert) -> None:
        self.alerts[alert.alert_id] = alert
        if not alert.callback_id:
            return  # it is about a source
        self._alerts_of.setdefault(alert.callback_id, {})[alert.alert_id] = alert
