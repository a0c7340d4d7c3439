"""The alerts about sources: what is known of each, and the life of its alerts.

Their life is that of a callback's alerts, without proof: the daemon is the witness.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta

import msgspec

from ringback.core.events import Event
from ringback.core.gaps import Ledger
from ringback.core.records import Alarm
from ringback.core.telling import SUBJECT, tell_feed_alert
from ringback.core.watch.feed_kinds import (
    FEED_KINDS,
    MINUTE,
    WINDOW,
    Feed,
    FeedSight,
    Pulse,
    Span,
)
from ringback.core.watch.life import CHANGED, GONE
from ringback.core.watch.rules import Rule, RuleSet
from ringback.errors import AlertOver, AlertUnknown

__all__ = ["FEED", "Feeds"]

FEED = "~feed/"
"""Begins the keys of their rows; a conversation's id begins with no tilde."""
NOT_AT_ALL = timedelta()
ATTENTIVE = "source_silent"
"""The one kind that ends by any frame."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Feed).decode


class Feeds:
    """All sources. Keeps rows to be stored in `unsaved`."""

    def __init__(self, ledger: Ledger, rules: Callable[[], RuleSet]) -> None:
        """`rules` gives those in force."""
        self.feeds: dict[str, Feed] = {}
        """By the name of the source."""
        self.wake_at: datetime | None = None
        """When `look` next has something to do. Maybe too early, never too late."""
        self._ledger = ledger
        self._rules = rules
        self._unsaved: set[str] = set()
        self._stored: dict[str, datetime | None] = {}
        """When each was heard, as far as that was noted to be stored."""
        self._awaits_frame = False
        """Whether a frame ends an alert."""

    def restore(self, rows: Iterable[tuple[str, bytes]], now: datetime) -> None:
        """Take over rows, in whatever order."""
        for _, packed in rows:
            feed = _decode(packed)
            self.feeds[feed.name] = feed
            self.wake_at = now
            self._awaits_frame = True

    def mirror(self, key: str, packed: bytes | None) -> None:
        """Take over what another has made of a row."""
        self.feeds.pop(key.removeprefix(FEED), None)
        if packed is not None:
            feed = _decode(packed)
            self.feeds[feed.name] = feed

    def unsaved(self) -> dict[str, bytes]:
        """Give the rows that have changed since the last call."""
        changed, self._unsaved = self._unsaved, set()
        return {FEED + name: _encode(self.feeds[name]) for name in sorted(changed)}

    def firing(self) -> Iterator[tuple[Feed, Alarm]]:
        """Give every alert that fires."""
        for feed in self.feeds.values():
            for alarm in feed.alarms:
                if alarm.since is not None:
                    yield feed, alarm

    # What happens

    def connected(self, source: str, now: datetime) -> list[Event]:
        """A source hears, all or some of it."""
        self._feed(source).hears_since = now
        return self.look(now)

    def disconnected(self, source: str, now: datetime) -> list[Event]:
        """A source is blind, for all or some of it."""
        self._feed(source)
        return self.look(now)

    def heard(self, now: datetime) -> list[Event]:
        """A frame has told of a conversation."""
        for feed in self.feeds.values():
            feed.heard_at = now
        return self.look(now) if self._awaits_frame else []

    def undecodable(self, now: datetime, count: int = 1) -> list[Event]:
        """Frames could not be understood."""
        minute = now.replace(second=0, microsecond=0)
        for feed in self.feeds.values():
            counts = feed.undecodable
            counts[minute] = counts.get(minute, 0) + count
        self._unsaved.update(self.feeds)
        return self.look(now)

    def beats(self, source: str, pulse: Pulse, now: datetime) -> list[Event]:
        """Note what the core cannot see by itself."""
        feed = self._feed(source)
        if pulse != feed.pulse:
            feed.pulse, feed.pulse_at = pulse, now
            self._unsaved.add(source)
        return self.look(now)

    def alive(self, now: datetime) -> list[Event]:
        """Time goes on: let be stored when each source was heard."""
        for name, feed in self.feeds.items():
            if feed.heard_at != self._stored.get(name):
                self._stored[name] = feed.heard_at
                self._unsaved.add(name)
        return self.go_on(now)

    def go_on(self, now: datetime) -> list[Event]:
        """Do what time alone has brought about."""
        return [] if self.wake_at is None or self.wake_at > now else self.look(now)

    def set_back(self, now: datetime) -> None:
        """The clock was set back: what happened, happened until now."""
        for feed in self.feeds.values():
            feed.hears_since = _until(feed.hears_since, now)
            feed.heard_at = _until(feed.heard_at, now)
            feed.pulse_at = _until(feed.pulse_at, now)
            feed.undecodable = {at: count for at, count in feed.undecodable.items() if at <= now}
        self._unsaved.update(self.feeds)
        self.wake_at = now if self.feeds else None

    # What comes of it

    def look(self, now: datetime, *, adopting: bool = False) -> list[Event]:
        """Begin the alerts that are due, end those that are over; by other rules if `adopting`."""
        events: list[Event] = []
        wakes: list[datetime] = []
        self._awaits_frame = False
        for feed in self.feeds.values():
            for minute in [at for at in feed.undecodable if at + MINUTE + WINDOW <= now]:
                del feed.undecodable[minute]
            sight = FeedSight(feed, self._ledger.of(feed.name))
            for rule in self._rules().feed:
                events += self._judge(sight, rule, now, wakes, adopting=adopting)
            names = {rule.name for rule in self._rules().feed}
            for alarm in feed.alarms:
                if alarm.since is not None and alarm.rule not in names:
                    events.append(_end(feed, alarm, GONE, now))
        self._unsaved.update(event.partition for event in events)
        self.wake_at = min(wakes, default=None)
        return events

    def find(self, alert_id: str) -> tuple[Feed, Alarm] | None:
        """Give an alert that fires; None if it is about no source that is known.

        Raises `AlertUnknown` and `AlertOver`.
        """
        name, _, episode = alert_id.rpartition("/")
        subject, _, rule = name.rpartition("/")
        feed = self.feeds.get(subject.removeprefix(SUBJECT))
        if feed is None or not subject.startswith(SUBJECT):
            return None
        alarm = feed.alarm(rule)
        if alarm is None or not episode.isdecimal() or not 1 <= int(episode) <= alarm.episode:
            raise AlertUnknown(alert_id)
        if alarm.since is None or int(episode) != alarm.episode:
            raise AlertOver(alert_id)
        return feed, alarm

    def acknowledge(self, feed: Feed, alarm: Alarm, by: str, now: datetime) -> list[Event]:
        """Note, once, who has seen that an alert is firing."""
        if alarm.acknowledged_by is not None:
            return []
        alarm.acknowledged_by, alarm.acknowledged_at = by, now
        self._unsaved.add(feed.name)
        return [tell_feed_alert(feed.name, alarm, now, kind="acknowledged")]

    def _feed(self, source: str) -> Feed:
        feed = self.feeds.get(source)
        if feed is None:
            feed = self.feeds[source] = Feed(source)
            self._unsaved.add(source)
        return feed

    def _judge(
        self,
        sight: FeedSight,
        rule: Rule,
        now: datetime,
        wakes: list[datetime],
        *,
        adopting: bool,
    ) -> list[Event]:
        """Begin or end the alert of a rule, and note in `wakes` when it is to be judged anew."""
        feed, kind = sight.feed, FEED_KINDS[rule.kind]
        span = kind.span(sight, rule)
        if span is not None and span.end is not None and span.end <= now:
            span = None
        at = None if span is None else _alarming(rule, span)
        alarm = feed.alarm(rule.name)
        if alarm is None or alarm.since is None:
            if at is None:
                return []
            if at > now:
                wakes.append(at)
                return []
            begun = _begin(feed, rule, at, now)
            self._goes_on(rule, span, wakes)
            return [tell_feed_alert(feed.name, begun, now, kind="firing")]
        # Once reached is reached, but for another rule.
        if at is not None and (at <= now or not (adopting or at > alarm.since)):
            if alarm.over_at is not None:
                alarm.over_at = None
                self._unsaved.add(feed.name)
            self._goes_on(rule, span, wakes)
            return []
        alarm.over_at = alarm.over_at or now
        end = alarm.over_at + (rule.damping if alarm.damped else NOT_AT_ALL)
        if now < end:
            wakes.append(end)
            self._unsaved.add(feed.name)
            return []
        events = [_end(feed, alarm, CHANGED if adopting else kind.over, now)]
        if at is not None:
            wakes.append(at)
        return events

    def _goes_on(self, rule: Rule, span: Span | None, wakes: list[datetime]) -> None:
        """Note what ends an alert that fires."""
        self._awaits_frame |= rule.kind == ATTENTIVE
        if span is not None and span.end is not None:
            wakes.append(span.end)


def _alarming(rule: Rule, span: Span) -> datetime | None:
    long = rule.sustained if FEED_KINDS[rule.kind].amount else rule.after + rule.sustained
    return span.begin + long if rule.hours is None else rule.hours.later(span.begin, long)


def _begin(feed: Feed, rule: Rule, since: datetime, now: datetime) -> Alarm:
    alarm = feed.alarm(rule.name)
    if alarm is None:
        alarm = Alarm(rule.name)
        feed.alarms = [*feed.alarms, alarm]
    rule.begin(alarm, since, now)
    return alarm


def _end(feed: Feed, alarm: Alarm, reason: str, now: datetime) -> Event:
    event = tell_feed_alert(feed.name, alarm, now, kind="resolved", reason=reason)
    alarm.end(now)
    return event


def _until(at: datetime | None, now: datetime) -> datetime | None:
    return None if at is None else min(at, now)
