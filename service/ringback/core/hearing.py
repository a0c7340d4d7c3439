"""Which of several listeners hear what, and so what the one source that they are does not hear.

Each listener says what it hears, and that it is there. The source is blind for a topic only while
all are, and from the last moment on at which any of them surely heard it. Since a loss is found out
late, one may show that some time ago nobody heard: that is a gap as well, and told at once.

What it comes to is told as calls that bring the ledger to where it should be. They are worked out
against the ledger as it is, so it does not matter if some were carried out already.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec

from ringback.core.entries import NEVER
from ringback.core.gaps import Ledger
from ringback.core.listener import NO_LISTENER, Deafness, Group, Listener, Span, common

__all__ = ["HEARING", "SILENT", "SILENT_AFTER", "Call", "Hearing"]

HEARING = "~hearing"
"""Begins the keys of its rows: this one, and one for each listener behind a slash."""
SILENT_AFTER = timedelta(seconds=15)
"""A listener that says nothing for so long is blind since it last did."""
SILENT = "listener silent"
FORGOTTEN_AFTER = timedelta(hours=1)
"""A listener that says nothing for so long is not waited for any more."""
MOST_LISTENERS = 100


class _Said(msgspec.Struct, array_like=True, gc=False):
    """What is stored each time that a listener says it is there."""

    reached: datetime = NEVER
    """What is older than this was taken in."""
    spoke: dict[str, datetime] = {}


class Call(NamedTuple):
    """What the tracker is to be told: `Sources.connected` or `Sources.disconnected`."""

    hears: bool
    topics: Collection[str] = ()
    cause: str = ""
    since: datetime = NEVER


_encode = msgspec.msgpack.Encoder().encode
_decode_listener = msgspec.msgpack.Decoder(Listener).decode
_decode_said = msgspec.msgpack.Decoder(_Said).decode


_Loss = tuple[Collection[str], Span]
"""Which topics, none meaning all that are not named; and since when, and why."""

Loss = tuple[datetime, str]
"""When something was last heard, and why it is not now."""


class _Together(NamedTuple):
    """What all reports come to."""

    ears: Mapping[str, Deafness]
    topics: Mapping[str, Loss]
    """Those that none hears."""
    everything: Loss | None
    """All that are not named, if none hears them."""


class Hearing:
    """All listeners of one source. Hand it each report with `now`.

    What each gives are the calls that it leads to. Carry out each before asking for the next, and
    ask until there is none, since nothing is done before. Store what they have brought about before
    `unsaved`, or together with it: then a takeover that finds the one without the other makes good
    what is missing. A report that is older than what is known changes nothing.
    """

    def __init__(self, source: str, ledger: Ledger) -> None:
        self.source = source
        self._ledger = ledger
        self._listeners: dict[str, Listener] = {}
        self._said = _Said()
        self._known: _Together | None = None
        """What their reports come to; None once another has come."""
        self._missed: list[tuple[Call, datetime]] = []
        """Losses that were over when they were found out, and when each was."""
        self._unsaved: set[str] = set()

    def restore(self, rows: Iterable[tuple[str, bytes]]) -> None:
        """Take over rows, in whatever order."""
        self._known = None
        for key, packed in rows:
            if key == HEARING:
                self._said = _decode_said(packed)
            else:
                listener = _decode_listener(packed)
                self._listeners[listener.name] = listener

    def unsaved(self) -> dict[str, bytes | None]:
        """Give the rows that have changed since the last call, None for one that is to go."""
        changed, self._unsaved = self._unsaved, set()
        rows: dict[str, bytes | None] = {}
        for key in sorted(changed):
            listener = self._listeners.get(key.removeprefix(f"{HEARING}/"))
            if key == HEARING:
                rows[key] = _encode(self._said)
            else:
                rows[key] = None if listener is None else _encode(listener)
        return rows

    @property
    def hears(self) -> bool:
        """Whether any of them hears, be it not everything."""
        return self._together.everything is None

    @property
    def reads(self) -> bool:
        """Whether any of them can read conversations."""
        return any(listener.reads for listener in self._listeners.values())

    @property
    def followed(self) -> frozenset[str]:
        """The queues that any of them follows; empty: whatever there is."""
        named = [one.queues for one in self._listeners.values() if one.queues is not None]
        return frozenset().union(*named) if all(named) else frozenset()

    def next_deadline(self) -> datetime | None:
        """When one of them counts as blind unless it speaks before."""
        spoke = [self._said.spoke[one.name] for one in self._listeners.values() if not one.silent]
        return min(spoke) + SILENT_AFTER if spoke else None

    # What happens

    def connected(
        self, listener: str, topics: Collection[str], now: datetime, *, reads: bool = False
    ) -> Iterator[Call]:
        """A listener hears these topics, none meaning all that it has."""
        yield from self.go_on(now)
        one = self._speaks(listener, now)
        if one is not None:
            one.reads = reads
            # As for any source: what is blind for all is so until it hears all.
            for group in () if topics and one.groups[0].deaf else one.touched(topics):
                if group.deaf:
                    group.spans[-1].until = now
            self._changed(one, now)
            yield from self._calls(now)

    def disconnected(
        self,
        listener: str,
        cause: str,
        since: datetime | None,
        topics: Collection[str],
        now: datetime,
    ) -> Iterator[Call]:
        """A listener is blind for these topics since then; since it last spoke, if that is None."""
        yield from self.go_on(now)
        since = self._said.spoke.get(listener, NEVER) if since is None else min(since, now)
        one = self._speaks(listener, now)
        if one is not None:
            lost: list[_Loss] = []
            for group in one.touched(topics):
                last = group.spans[-1] if group.spans else None
                if last is not None and last.until is None:
                    if last.since == NEVER:
                        last.cause = cause
                        one.tried = one.tried or (None if since == NEVER else since)
                    continue
                heard_last = since if last is None or last.until is None else max(since, last.until)
                lost.append((group.topics, Span(heard_last, cause)))
                group.spans = [*group.spans, Span(heard_last, cause)]
            self._find_missed(one, lost, now)
            self._changed(one, now)
            yield from self._calls(now)

    def alive(self, listener: str, now: datetime) -> Iterator[Call]:
        """A listener is there, and what it last said holds."""
        yield from self.go_on(now)
        if self._speaks(listener, now) is not None:
            yield from self._calls(now)

    def follows(self, listener: str, queue_ids: Collection[str], now: datetime) -> Iterator[Call]:
        """A listener has the topics of these queues, none meaning whatever there is."""
        yield from self.go_on(now)
        one = self._speaks(listener, now)
        if one is not None:
            one.queues = frozenset(queue_ids)
            self._changed(one, now)
            yield from self._calls(now)

    def go_on(self, now: datetime) -> Iterator[Call]:
        """Do what time alone has brought about."""
        if now < self._said.reached:
            return
        for name, one in sorted(self._listeners.items()):
            spoke = self._said.spoke[name]
            if not one.silent and spoke + SILENT_AFTER <= now:
                one.silences = [*one.silences, Span(spoke, SILENT)]
                lost: list[_Loss] = [(group.topics, Span(spoke, SILENT)) for group in one.groups]
                self._find_missed(one, lost, now)
                self._changed(one, now)
                self._said.reached = now
                self._unsaved.add(HEARING)
        for name in self._forgettable(now):
            del self._listeners[name], self._said.spoke[name]
            self._known = None
            self._unsaved |= {HEARING, f"{HEARING}/{name}"}
        yield from self._calls(now)

    # What comes of it

    def _calls(self, now: datetime) -> Iterator[Call]:
        """Give what brings the ledger from where it is to where it should be."""
        missed, self._missed = self._missed, []
        ledger, source = self._ledger, self.source
        for call, until in missed:
            if self._knows(call, until):
                continue
            # Or it would be part of what lasts.
            lasting = ledger.open_gaps(source)
            if any(not gap.topics for gap in lasting):
                yield Call(hears=True)
            elif any(not set(gap.blind).isdisjoint(call.topics) for gap in lasting):
                yield Call(hears=True, topics=call.topics)
            if not call.hears:
                yield call
                yield Call(hears=True, topics=call.topics)
        gaps = ledger.open_gaps(source)
        whole = any(not gap.topics for gap in gaps)
        told = {topic for gap in gaps for topic in gap.blind}
        everything = self._together.everything
        if everything is not None:
            since, cause = everything
            if since == NEVER:
                tried = (one.tried for one in self._listeners.values() if one.tried)
                since = ledger.heard_until(source) or max(tried, default=NEVER)
            if since != NEVER and not whole:
                # What was lost before all was is not part of that.
                yield from self._losses(told, now, before=since)
                yield Call(hears=False, cause=cause, since=since)
            return
        if whole or not ledger.ever_heard(source):
            yield Call(hears=True)
            yield from self._losses(set(), now, renewed=told)
            return
        if ended := told - self._together.topics.keys():
            yield Call(hears=True, topics=sorted(ended))
        yield from self._losses(told, now)

    def _losses(
        self,
        told: set[str],
        now: datetime,
        *,
        before: datetime | None = None,
        renewed: Collection[str] = (),
    ) -> Iterator[Call]:
        """Give losses of topics that are not told, each with all that was lost with it."""
        begun: dict[tuple[datetime, str], list[str]] = {}
        topics = self._together.topics
        for topic in sorted(topics.keys() - told):
            lost, cause = topics[topic]
            since = now if lost == NEVER or topic in renewed else lost
            if before is None or since < before:
                begun.setdefault((since, cause), []).append(topic)
        for (since, cause), lost_then in begun.items():
            yield Call(hears=False, topics=lost_then, cause=cause, since=since)

    @property
    def _together(self) -> "_Together":
        if self._known is None:
            ears = {name: one.deafness() for name, one in self._listeners.items()}
            named = {topic for ear in ears.values() for topic in ear.named}
            topics = {topic: found for topic in named if (found := _blind(ears, topic))}
            self._known = _Together(ears, topics, _blind(ears, None))
        return self._known

    def _find_missed(self, one: Listener, lost: list[_Loss], now: datetime) -> None:
        """Find what nobody heard though it was believed of one that it did."""
        ears = self._together.ears
        others = [ear for name, ear in ears.items() if name != one.name]
        gaps = self._ledger.open_gaps(self.source)
        told = {topic: gap.since for gap in gaps for topic in gap.blind}
        told_whole = min((gap.since for gap in gaps if not gap.topics), default=None)
        of_all: set[datetime] = set()
        found: dict[tuple[datetime, datetime, str], list[str]] = {}
        earlier: list[str] = []
        for topics, span in lost:
            named: Collection[str] = topics
            if not topics:
                begins, began = _missing(others, None, span.since, now)
                of_all = set(begins)
                if told_whole is not None and began is not None and began < told_whole:
                    # What lasts began earlier than it seemed.
                    self._missed.append((Call(hears=True), now))
                self._missed += [
                    (Call(hears=False, cause=span.cause, since=begin), end)
                    for begin, end in sorted(begins.items())
                ]
                named = {topic for ear in others for topic in ear.named} - _topics_of(one)
            for topic in sorted(named):
                begins, began = _missing(others, topic, span.since, now)
                if topic in told and began is not None and began < told[topic]:
                    earlier.append(topic)
                for begin, end in begins.items():
                    if begin not in of_all:
                        found.setdefault((begin, end, span.cause), []).append(topic)
        if earlier:
            self._missed.append((Call(hears=True, topics=earlier), now))
        for (begin, end, cause), topics in sorted(found.items()):
            call = Call(hears=False, topics=topics, cause=cause, since=begin)
            self._missed.append((call, end))

    def _knows(self, call: Call, until: datetime) -> bool:
        return any(
            gap.since == call.since
            and gap.topics == list(call.topics)
            and (gap.until is None or gap.until >= until)
            for gap in self._ledger.of(self.source)
        )

    def _speaks(self, listener: str, now: datetime) -> Listener | None:
        """Note that one has spoken; None if that is older than what is known of it."""
        if now < self._said.reached:
            return None
        self._said.reached = now
        one = self._listeners.get(listener)
        if one is None:
            one = Listener(listener, [Group([], [Span(NEVER, NO_LISTENER)])])
            self._listeners[listener] = one
            self._known = None
            self._unsaved.add(f"{HEARING}/{listener}")
        if one.silences and one.silences[-1].until is None:
            one.silences[-1].until = now
            self._changed(one, now)
        self._said.spoke[listener] = now
        self._unsaved.add(HEARING)
        return one

    def _changed(self, one: Listener, now: datetime) -> None:
        one.tidy(now)
        self._known = None
        self._unsaved.add(f"{HEARING}/{one.name}")

    def _forgettable(self, now: datetime) -> list[str]:
        oldest_first = sorted(self._said.spoke, key=self._said.spoke.__getitem__)
        too_many = len(oldest_first) - MOST_LISTENERS
        return [
            name
            for place, name in enumerate(oldest_first)
            if self._listeners[name].silent
            and (place < too_many or self._said.spoke[name] + FORGOTTEN_AFTER <= now)
        ]


def _blind(ears: Mapping[str, Deafness], topic: str | None) -> Loss | None:
    """Give when a topic was last heard, and why it is not now; None if it is."""
    last, cause = NEVER, NO_LISTENER
    for ear in ears.values():
        spans = ear.of(topic)
        if not spans or spans[-1].until is not None:
            return None
        if spans[-1].since >= last:
            last, cause = spans[-1].since, spans[-1].cause
    return last, cause


def _missing(
    others: Iterable[Deafness], topic: str | None, since: datetime, now: datetime
) -> tuple[dict[datetime, datetime], datetime | None]:
    """Give when others did not hear either: from when to when, if that is over; and what lasts."""
    pieces = [(since, now)]
    for ear in others:
        pieces = common(pieces, ear.of(topic), now)
    over = {begin: end for begin, end in pieces if end < now}
    return over, next((begin for begin, end in pieces if end == now), None)


def _topics_of(one: Listener) -> set[str]:
    return {topic for group in one.groups for topic in group.topics}
