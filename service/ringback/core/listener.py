"""What one listener has heard of what, and when it has not.

Spans are remembered, since a loss is found out late and it matters then who else heard.
"""

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec

from ringback.core.entries import NEVER
from ringback.core.gaps import queue_of

__all__ = ["NO_LISTENER", "Deafness", "Group", "Listener", "Span", "common"]

NO_LISTENER = "no listener"
REMEMBERED = timedelta(days=1)
"""How long ago one may turn out to have been deaf, for others to be asked what they heard."""
MOST_SPANS = 200
"""Of one group of topics; the oldest go."""


class Span(msgspec.Struct, array_like=True, gc=False):
    """From when to when something was not heard; at both ends it surely was."""

    since: datetime
    """`NEVER`: it was never heard before."""
    cause: str
    until: datetime | None = None


class Group(msgspec.Struct, array_like=True, gc=False):
    """Topics that a listener has heard and not heard alike."""

    topics: list[str]
    """None: all that are in no other group."""
    spans: list[Span]
    """In order."""

    @property
    def deaf(self) -> bool:
        """Whether these are not heard now."""
        return bool(self.spans) and self.spans[-1].until is None


class Listener(msgspec.Struct, array_like=True, gc=False):
    """What is known of one. Fields may be appended, never moved."""

    name: str
    groups: list[Group]
    """The first is of all other topics."""
    silences: list[Span] = []
    """When nothing came from it."""
    reads: bool = False
    queues: frozenset[str] | None = None
    """Those whose topics it has; empty: whatever there is; None: it has not said."""
    tried: datetime | None = None
    """Of one that has never heard: since when it could have."""

    @property
    def silent(self) -> bool:
        """Whether it is, or hears nothing in any case."""
        return self.groups[0].deaf or (bool(self.silences) and self.silences[-1].until is None)

    def deafness(self) -> "Deafness":
        """Give what says when each topic was not heard."""
        rest, *others = self.groups
        named = {}
        for group in others:
            named.update(dict.fromkeys(group.topics, _joined([*group.spans, *self.silences])))
        return Deafness(_joined([*rest.spans, *self.silences]), named, self.queues)

    def touched(self, topics: Collection[str]) -> list[Group]:
        """Give groups that together are just these topics, none meaning all."""
        if not topics:
            return self.groups
        rest, left, found = self.groups[0], dict.fromkeys(topics), []
        for group in self.groups[1:]:
            within = dict.fromkeys(topic for topic in group.topics if topic in left)
            for topic in within:
                del left[topic]
            if len(within) == len(group.topics):
                found.append(group)
            elif within:
                group.topics = [topic for topic in group.topics if topic not in within]
                found.append(self._begin(within, group))
        if left:
            found.append(self._begin(left, rest))
        return found

    def _begin(self, topics: Iterable[str], like: Group) -> Group:
        """Begin a group of topics that were heard like another's until now."""
        group = Group(list(topics), _copied(like.spans))
        self.groups = [*self.groups, group]
        return group

    def tidy(self, now: datetime) -> None:
        """Forget what is long ago, and let topics be one group again that are alike."""
        limit = now - REMEMBERED
        self.silences = _lately(self.silences, limit)
        alike: dict[bytes, Group] = {}
        for group in self.groups:
            group.spans = _lately(group.spans, limit)
            first = alike.setdefault(_encode(group.spans), group)
            if first is not group and first.topics:
                first.topics = [*first.topics, *group.topics]
        self.groups = list(alike.values())


class Deafness(NamedTuple):
    """When a listener did not hear, as it is known now."""

    rest: list[Span]
    """Of all topics that it has not named."""
    named: dict[str, list[Span]]
    queues: frozenset[str] | None

    def of(self, topic: str | None) -> list[Span]:
        """Give when a topic was not heard, None standing for those that nobody has named."""
        if topic is None:
            return self.rest
        if self.queues:
            queue = queue_of(topic)
            if queue is not None and queue not in self.queues:
                return [Span(NEVER, NO_LISTENER)]
        return self.named.get(topic, self.rest)


_encode = msgspec.msgpack.Encoder().encode


def _copied(spans: list[Span]) -> list[Span]:
    return [Span(span.since, span.cause, span.until) for span in spans]


def _lately(spans: list[Span], limit: datetime) -> list[Span]:
    kept = [span for span in spans if span.until is None or span.until > limit]
    return kept[-MOST_SPANS:]


def _joined(spans: list[Span]) -> list[Span]:
    """Give spans that do not overlap; between two that only touch, it was heard for a moment."""
    joined: list[Span] = []
    for span in sorted(spans, key=lambda span: span.since):
        last = joined[-1] if joined else None
        if last is None or (last.until is not None and last.until <= span.since):
            joined.append(Span(span.since, span.cause, span.until))
        elif last.until is not None:
            last.until = None if span.until is None else max(last.until, span.until)
    return joined


def common(
    pieces: list[tuple[datetime, datetime]], spans: list[Span], now: datetime
) -> list[tuple[datetime, datetime]]:
    """Give what of pieces lies in spans."""
    found = []
    for begin, end in pieces:
        for span in spans:
            first, last = max(begin, span.since), min(end, span.until or now)
            if first < last:
                found.append((first, last))
    return found
