"""Whether a source hears, and since when it does not: the events of sources and of gaps."""

from datetime import datetime

import msgspec
from msgspec import UNSET

from ringback.core.events import Event, SourceData, rfc3339

__all__ = ["Hearing"]


class Hearing:
    """One source's ear. It begins deaf."""

    def __init__(self, source: str, now: datetime, cause: str = "start") -> None:
        self.source = source
        self.deaf_since: datetime | None = now
        self._cause = cause
        self._told = False

    def connected(self, now: datetime) -> list[Event]:
        """The source hears. Ends the gap that was open."""
        since, self.deaf_since = self.deaf_since, None
        if since is None:
            return []
        events = [self._event("connected", now, now, UNSET, UNSET)]
        if self._told:
            events.append(self._event("gap_closed", since, now, self._cause, rfc3339(now)))
        self._told = False
        return events

    def disconnected(self, cause: str, now: datetime) -> list[Event]:
        """The source is blind. Opens a gap, once for each blind interval."""
        events = []
        if self.deaf_since is None:
            self.deaf_since = now
            self._cause = cause
            events.append(self._event("disconnected", now, now, cause, UNSET))
        if not self._told:
            self._told = True
            self._cause = cause
            events.append(self._event("gap_opened", self.deaf_since, now, cause, UNSET))
        return events

    def _event(
        self,
        kind: str,
        since: datetime,
        now: datetime,
        cause: str | msgspec.UnsetType,
        until: str | msgspec.UnsetType,
    ) -> Event:
        gap = kind.startswith("gap")
        at = rfc3339(now if kind == "gap_closed" else since)
        return Event(
            id=f"{self.source}/{rfc3339(since)}/{kind}",
            type=f"ringback.source.{kind}.v1",
            subject=self.source,
            time=at,
            data=SourceData(
                source_name=self.source,
                cause=cause,
                blind_from=rfc3339(since) if gap else UNSET,
                blind_until=until,
                observed_time=rfc3339(now),
            ),
            partition=self.source,
        )
