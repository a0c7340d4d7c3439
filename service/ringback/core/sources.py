"""What happens to sources: each hears or is blind, tells, beats, and may be alarming itself."""

from collections.abc import Collection
from datetime import datetime

from ringback.core.changes import Change, changes_of
from ringback.core.conversations import Conversations
from ringback.core.events import Event
from ringback.core.present import Present
from ringback.core.records import Alarm
from ringback.core.repair import Repair
from ringback.core.watch.feed_kinds import Feed, Pulse
from ringback.core.watch.feeds import FEED, Feeds
from ringback.core.watch.proofs import Proofs

__all__ = ["Sources"]


class Sources:
    """The sources of one tracker: their gaps are in `repair`, all else is in `feeds`."""

    def __init__(
        self,
        present: Present,
        repair: Repair,
        feeds: Feeds,
        proofs: Proofs,
        conversations: Conversations,
    ) -> None:
        self._present = present
        self._repair = repair
        self._feeds = feeds
        self._proofs = proofs
        self._conversations = conversations

    def connected(self, source: str, topics: Collection[str], now: datetime) -> list[Change]:
        """A source hears these topics, none meaning all."""
        self._present.go_on(now)
        changes = self._of_gaps(self._repair.connected(source, topics, now))
        changes += self._of_feeds(self._feeds.connected(source, now))
        held = self._proofs.heard_again()
        return changes + [self._conversations.keep_anew(key, now) for key in held]

    def disconnected(
        self, source: str, cause: str, since: datetime, topics: Collection[str], now: datetime
    ) -> list[Change]:
        """A source is blind for these topics, none meaning all, since then."""
        self._present.go_on(now)
        changes = self._of_gaps(self._repair.disconnected(source, cause, since, topics, now))
        return changes + self._of_feeds(self._feeds.disconnected(source, now))

    def missed(
        self, source: str, part: str, cause: str, since: datetime, now: datetime
    ) -> list[Change]:
        """A part of what a source has heard since then was lost before it got here."""
        self._present.go_on(now)
        return self._of_gaps(self._repair.missed(source, part, cause, since, now))

    def alive(self, source: str, now: datetime) -> list[Change]:
        """Note that a source hears, for a restart to know when it ceased to."""
        self._present.go_on(now)
        self._repair.ledger.alive(source, now)
        return self._of_gaps([]) + self._of_feeds(self._feeds.alive(now))

    def heard(self, now: datetime) -> list[Change]:
        """Note that a frame has told of a conversation, whatever it has told."""
        events = self._feeds.heard(now)
        return self._of_feeds(events) if events else []

    def undecodable(self, now: datetime, count: int = 1) -> list[Change]:
        """Note that frames could not be understood."""
        return self._of_feeds(self._feeds.undecodable(now, count))

    def beats(self, source: str, pulse: Pulse, now: datetime) -> list[Change]:
        """Note of a source what cannot be seen from here."""
        self._present.go_on(now)
        return self._of_feeds(self._feeds.beats(source, pulse, now))

    def fire_due(self, now: datetime) -> list[Change]:
        """Do what time alone has brought about."""
        return self._of_gaps([]) + self._of_feeds(self._feeds.go_on(now))

    def adopt(self, now: datetime) -> list[Change]:
        """Do what other rules bring about by being in force."""
        return self._of_feeds(self._feeds.look(now, adopting=True))

    def acknowledge(self, feed: Feed, alarm: Alarm, by: str, now: datetime) -> list[Change]:
        """Note, once, who has seen that an alert about a source is firing."""
        return self._of_feeds(self._feeds.acknowledge(feed, alarm, by, now))

    def _of_gaps(self, events: list[Event]) -> list[Change]:
        """Give the ledger's rows that have changed, the events with the first of them."""
        return changes_of(self._repair.unsaved(), events)

    def _of_feeds(self, events: list[Event]) -> list[Change]:
        """Give the rows of sources that have changed, each with its events."""
        return [
            Change(key, packed, None, [one for one in events if FEED + one.partition == key])
            for key, packed in self._feeds.unsaved().items()
        ]
