"""The ledger of gaps: when each source was blind, for what, why, and what repaired it.

Frames are at most once, so what happened in a gap is only known from what comes afterwards. A
source that never heard begins deaf. A gap is of named topics, or of all that a source has.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable
from datetime import datetime, timedelta

import msgspec
from msgspec import UNSET

from ringback.core.events import Event, SourceData, rfc3339

__all__ = ["LEDGER", "MOST_TOPICS_TOLD", "SOURCE", "Gap", "Ledger", "decode_gap"]

LEDGER = "~gap/"
"""Begins the keys of the ledger's rows; a conversation's id begins with no tilde."""
SOURCE = "~source/"
QUEUES = "v2.routing.queues."
MOST_GAPS = 1000
"""Closed gaps kept; the oldest go."""
MOST_TOPICS_TOLD = 100


class Gap(msgspec.Struct, array_like=True, gc=False):
    """One interval in which a source was blind. Fields may be appended, never moved."""

    id: str
    """`<source>/<since>`, with a number after it where two began at once.

    With `/<part>` after that, where only a part of what a source has heard was lost.
    """
    source: str
    since: datetime
    """The last moment at which the source surely heard, on the daemon's clock."""
    cause: str
    topics: list[str]
    """As the platform names them, one by one; empty: all that the source has."""
    blind: list[str]
    """Those that are not heard again yet."""
    until: datetime | None = None
    """When all of it was heard again."""
    touched: int = 0
    """Conversations that it has left unverified, as it ended."""
    unverified: int = 0
    """Those that still are. Counted anew after a restart, which is a gap of its own."""
    repaired_by: dict[str, int] = {}
    """How many were confirmed or corrected by a `notification`, a `read`, a `survey`."""
    repaired_at: datetime | None = None
    """When none was left. None too where a restart came before: its gap then has them all."""

    @property
    def queues(self) -> frozenset[str]:
        """The queues that its topics are about; empty: any, as where a topic is about a user."""
        found = [queue_of(topic) for topic in self.topics]
        return frozenset() if None in found else frozenset(filter(None, found))


class _Ear(msgspec.Struct, array_like=True, gc=False):
    """What is stored of a source."""

    name: str
    heard_until: datetime | None = None
    """The latest moment at which it was known to hear."""
    heard: bool = False
    """Whether it has heard since the start of this process; stored all the same."""


_encode_gap = msgspec.msgpack.Encoder().encode
decode_gap = msgspec.msgpack.Decoder(Gap).decode
"""Unpack a row of the ledger."""
_decode_ear = msgspec.msgpack.Decoder(_Ear).decode


def queue_of(topic: str) -> str | None:
    """Give the id of the queue that a topic is about: `v2.routing.queues.{id}...`."""
    if not topic.lower().startswith(QUEUES):
        return None
    return topic[len(QUEUES) :].partition("?")[0].partition(".")[0] or None


class Ledger:
    """Every source's ear, and the gaps there were. Keeps rows to be stored in `unsaved`."""

    def __init__(self) -> None:
        self.gaps: dict[str, Gap] = {}
        """By id, oldest first."""
        self.opened: Counter[str] = Counter()
        """How many gaps have begun in this process, by cause."""
        self.blind_time = timedelta()
        """How long the gaps were that ended in this process."""
        self._ears: dict[str, _Ear] = {}
        self._unsaved: dict[str, bytes | None] = {}
        self._restored: set[str] = set()
        """Gaps that lasted as this process began, and whose doubts are to be cast anew."""

    def restore(self, rows: Iterable[tuple[str, bytes]], *, carry_on: bool = False) -> None:
        """Take over rows, some or all, in whatever order.

        With `carry_on` another process has had them until now, and sources went on hearing.
        """
        for key, packed in rows:
            self._restore(key, packed, carry_on=carry_on)
        self._sort()

    def _restore(self, key: str, packed: bytes, *, carry_on: bool) -> None:
        if key.startswith(LEDGER):
            gap = decode_gap(packed)
            gap.unverified = 0
            self.gaps[gap.id] = gap
            if gap.until is None and not carry_on:
                self._restored.add(gap.id)
        elif key.startswith(SOURCE):
            ear = _decode_ear(packed)
            ear.heard = ear.heard and carry_on
            self._ears[ear.name] = ear

    def mirror(self, key: str, packed: bytes | None) -> None:
        """Take over what another has made of a row; what it hears is heard."""
        if key.startswith(SOURCE):
            name = key.removeprefix(SOURCE)
            self._ears.pop(name, None)
            if packed is not None:
                self._ears[name] = _decode_ear(packed)
        elif packed is None:
            self.gaps.pop(key.removeprefix(LEDGER), None)
        elif key.startswith(LEDGER):
            gap = decode_gap(packed)
            latest = next(reversed(self.gaps.values()), gap)
            self.gaps[gap.id] = gap
            if gap.since < latest.since:
                self.gaps = dict(sorted(self.gaps.items(), key=lambda item: item[1].since))

    def unsaved(self) -> dict[str, bytes | None]:
        """Give the rows that have changed since the last call, None for one that is to go."""
        changed, self._unsaved = self._unsaved, {}
        return changed

    def heard_until(self, source: str) -> datetime | None:
        """When a source was last known to hear, by an earlier process too; None for a new one."""
        ear = self._ears.get(source)
        return None if ear is None else ear.heard_until

    def ever_heard(self, source: str) -> bool:
        """Whether a source has heard anything in this process."""
        ear = self._ears.get(source)
        return ear is not None and ear.heard

    def of(self, source: str) -> list[Gap]:
        """Give the gaps of a source, oldest first."""
        return [gap for gap in self.gaps.values() if gap.source == source]

    def open_gaps(self, source: str | None = None) -> list[Gap]:
        """Give the gaps that last, of one source or of all."""
        return [
            gap for gap in self.gaps.values() if gap.until is None and source in (None, gap.source)
        ]

    def blind_since(self, source: str) -> datetime | None:
        """Say when the earliest gap of a source began that lasts; None while all is heard."""
        return min((gap.since for gap in self.open_gaps(source)), default=None)

    def hears_all(self, source: str) -> bool:
        """Whether a source hears, and nothing is missing."""
        ear = self._ears.get(source)
        return ear is not None and ear.heard and not self.open_gaps(source)

    def alive(self, source: str, now: datetime) -> None:
        """Note that a source hears, so that a restart knows when it ceased to."""
        ear = self._ears.get(source)
        if ear is not None and ear.heard and not any(not g.topics for g in self.open_gaps(source)):
            ear.heard_until = now
            self._unsaved[SOURCE + source] = _encode_gap(ear)

    def connected(
        self,
        source: str,
        topics: Collection[str],
        now: datetime,
        touch: Callable[[Gap], int],
    ) -> list[Event]:
        """The source hears these topics, none meaning all.

        `touch` is told of each gap that ends by that, and gives how many callbacks it has left
        unverified.
        """
        ear = self._ears.setdefault(source, _Ear(source))
        whole_before = self.hears_all(source)
        heard = [gap for gap in self.open_gaps(source) if _hear(gap, topics)]
        for gap in heard:
            self.save(gap)
        closed = [gap for gap in heard if not gap.blind]
        for gap in closed:
            gap.until = now
            gap.touched = touch(gap)
            self.blind_time += max(now - gap.since, timedelta())
            self.save(gap)
        ear.heard = True
        self.alive(source, now)
        events = [_gap_event(gap, "gap_closed", now) for gap in closed]
        if self.hears_all(source) and not whole_before:
            # A source begins but once to hear without having been deaf.
            ended = closed[-1].id if closed else f"{source}/{rfc3339(now)}.0"
            data = SourceData(source_name=source, observed_time=rfc3339(now))
            events.insert(0, _event(source, f"{ended}/connected", "connected", now, data))
        self._forget()
        return events

    def disconnected(
        self, source: str, cause: str, since: datetime, topics: Collection[str], now: datetime
    ) -> tuple[Gap | None, list[Event]]:
        """The source is blind; give the gap that begins, None when it is part of one that lasts.

        One that lasted before a restart and still does is given once.
        """
        since = min(since, now)
        ear = self._ears.setdefault(source, _Ear(source))
        lasting = self.open_gaps(source)
        whole = next((gap for gap in lasting if not gap.topics), None)
        if whole is not None:
            again = whole.id in self._restored
            self._restored.discard(whole.id)
            return whole if again else None, []
        known = {topic for gap in lasting for topic in gap.blind}
        blind = [topic for topic in dict.fromkeys(topics) if topic not in known]
        if topics and not blind:
            return None, []
        heard_all = self.hears_all(source)
        gap = Gap(self._name(source, since), source, since, cause, blind, list(blind))
        events = []
        if heard_all:
            data = SourceData(source_name=source, cause=cause, observed_time=rfc3339(now))
            events.append(_event(source, f"{gap.id}/disconnected", "disconnected", since, data))
        latest = next(reversed(self.gaps.values()), gap)
        self.gaps[gap.id] = gap
        if since < latest.since:  # one that was noticed late
            self._sort()
        self.opened[cause] += 1
        self.save(gap)
        if not topics:
            ear.heard_until = since
            self._unsaved[SOURCE + source] = _encode_gap(ear)
        return gap, [*events, _gap_event(gap, "gap_opened", now)]

    def missed(
        self,
        source: str,
        part: str,
        cause: str,
        since: datetime,
        now: datetime,
        *,
        touch: Callable[[Gap], int],
    ) -> list[Event]:
        """A part of what a source has heard since then was lost afterwards: a gap that is over."""
        since = min(since, now)
        gap = Gap(self._name(source, since, f"/{part}"), source, since, cause, [], [])
        self.gaps[gap.id] = gap
        self.opened[cause] += 1
        opened = _gap_event(gap, "gap_opened", now)
        gap.until = now
        gap.touched = touch(gap)
        self.blind_time += now - since
        self.save(gap)
        self._forget()
        return [opened, _gap_event(gap, "gap_closed", now)]

    def save(self, gap: Gap) -> None:
        """Let a gap that has changed be stored, if it is kept still."""
        if gap.id in self.gaps:
            self._unsaved[LEDGER + gap.id] = _encode_gap(gap)

    def _sort(self) -> None:
        """Put the gaps in order; the names of those that began at once get longer."""
        gaps = sorted(self.gaps.values(), key=lambda gap: (gap.since, len(gap.id), gap.id))
        self.gaps = {gap.id: gap for gap in gaps}

    def _name(self, source: str, since: datetime, part: str = "") -> str:
        first = f"{source}/{rfc3339(since)}"
        name = first + part
        number = 1
        while name in self.gaps:
            number += 1
            name = f"{first}.{number}{part}"
        return name

    def _forget(self) -> None:
        closed = [gap.id for gap in self.gaps.values() if gap.until is not None]
        for gap_id in closed[: max(0, len(closed) - MOST_GAPS)]:
            del self.gaps[gap_id]
            self._unsaved[LEDGER + gap_id] = None


def _hear(gap: Gap, topics: Collection[str]) -> bool:
    """Let a gap hear topics again, none meaning all; whether that changes or ends it."""
    if not topics:
        gap.blind = []
        return True
    heard = set(topics)
    blind = [topic for topic in gap.blind if topic not in heard]
    changed = len(blind) < len(gap.blind)
    gap.blind = blind
    return changed


def _gap_event(gap: Gap, kind: str, now: datetime) -> Event:
    closed = gap.until is not None
    data = SourceData(
        source_name=gap.source,
        cause=gap.cause,
        blind_from=rfc3339(gap.since),
        blind_until=rfc3339(gap.until) if gap.until is not None else UNSET,
        topics=gap.topics[:MOST_TOPICS_TOLD] or UNSET,
        topic_count=len(gap.topics) or UNSET,
        touched=gap.touched if closed else UNSET,
        observed_time=rfc3339(now),
    )
    return _event(gap.source, f"{gap.id}/{kind}", kind, gap.until or gap.since, data)


def _event(source: str, event_id: str, kind: str, at: datetime, data: SourceData) -> Event:
    return Event(
        id=event_id,
        type=f"ringback.source.{kind}.v1",
        subject=source,
        time=rfc3339(at),
        data=data,
        partition=source,
    )
