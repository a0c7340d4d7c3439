"""What one receiver is told, and when: alerts gathered into messages.

Alerts of one rule and queue that change within a few seconds are one message. There are at most so
many messages a minute; what is beyond is gathered and told in one digest as soon as there may be
another. One message is under way at a time, and what changes meanwhile waits, so a receiver that
was away is told how things stand, and of what came and went, instead of all that happened. Each
step changes rows that are stored with it (`unsaved`): nothing is lost, and a message that is sent
once more after a crash is the same one, with the same number.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from enum import StrEnum

import msgspec
from msgspec import UNSET

from ringback.core.entries import NEVER
from ringback.core.events import AlertData

__all__ = [
    "RECEIVERS",
    "Dead",
    "Item",
    "Limits",
    "Message",
    "Notices",
    "Phase",
    "known",
    "place_of",
]

RECEIVERS = "~receiver/"
"""Begins the keys of all receivers' rows; a conversation's id begins with no tilde."""
MINUTE = timedelta(minutes=1)
MOST_ITEMS = 500
"""Alerts in one message; the others go into the next."""
MOST_DEAD = 100
"""Dead letters kept; the oldest go."""
SEVERITIES = ("critical", "warning", "info")
"""The worst first."""


class Phase(StrEnum):
    """Where an alert is in its life."""

    FIRING = "firing"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


class Limits(msgspec.Struct, frozen=True):
    """How a receiver wants to be told."""

    gather: timedelta = timedelta(seconds=5)
    """How long the first alert of a group waits for others."""
    most: int = 6
    """Messages in any minute; 0: no limit, and then all that is due is one message."""
    acknowledged: bool = False
    """Whether it makes a difference to the receiver that somebody has seen an alert."""


class Item(msgspec.Struct, array_like=True, gc=False):
    """One alert within a message."""

    alert: AlertData
    phase: Phase
    first: bool
    """Whether the receiver hears of it for the first time: if resolved, it came and went."""
    at: str
    """When that took effect."""
    queue: str | None
    """What its queue was called when it was first heard of, or its id: for good."""
    incident: str = ""
    """Which incident it belongs to."""


class Message(msgspec.Struct, array_like=True, gc=False):
    """What is sent at once. Stored before it is sent, so that it stays the same."""

    number: int
    """From 1, of this receiver."""
    made_at: datetime
    items: list[Item]
    opens: str | None = None
    """The incident of those alerts that it tells of for the first time: the first one's id."""
    acknowledges: list[str] = []
    """Incidents of which every alert that still fires was acknowledged."""
    closes: list[str] = []
    """Incidents of which no alert fires any more."""

    @property
    def digest(self) -> bool:
        """Whether it tells of more than one group."""
        return len({place_of(item.alert) for item in self.items}) > 1


class Dead(msgspec.Struct, array_like=True, gc=False):
    """A message that was given up."""

    message: Message
    why: str
    at: datetime
    tries: int


class _Known(msgspec.Struct, array_like=True, gc=False):
    """One alert as far as the receiver is concerned."""

    alert: AlertData
    phase: Phase
    at: str
    """When it came to be in that phase."""
    told: Phase | None = None
    """What the receiver knows of."""
    incident: str = ""
    """The message that told of it first; empty: none did."""
    queue: str | None = None
    """What its queue was called."""


class _Counts(msgspec.Struct, array_like=True, gc=False):
    """What is stored of the receiver itself."""

    number: int = 0
    times: list[datetime] = []


class _Group:
    """Alerts of one rule and place that wait."""

    def __init__(self, since: datetime) -> None:
        self.since = since
        self.ids: dict[str, None] = {}


_encode = msgspec.msgpack.Encoder().encode
_known = msgspec.msgpack.Decoder(_Known).decode
_counts = msgspec.msgpack.Decoder(_Counts).decode
_message = msgspec.msgpack.Decoder(Message).decode
_dead = msgspec.msgpack.Decoder(Dead).decode


def place_of(alert: AlertData) -> tuple[str, str]:
    """Give the group of an alert: its rule, and its queue or source."""
    return alert.rule, known(alert, "queue_id") or known(alert, "source") or ""


def known(alert: AlertData, field: str) -> str | None:
    """Give a text of an alert, None if it is not known: some are about no callback, or no queue."""
    value = getattr(alert, field, UNSET)
    return value if isinstance(value, str) else None


class Notices:
    """All that one receiver was told, and is to be told."""

    def __init__(
        self,
        name: str,
        limits: Limits,
        wanted: Callable[[AlertData], bool] = lambda _: True,
        silent: Callable[[AlertData, datetime], datetime | None] = lambda *_: None,
        queue_names: Callable[[], Mapping[str, str]] = dict,
    ) -> None:
        """`wanted` says what is the receiver's business, `silent` until when one is silenced."""
        self.message: Message | None = None
        """The one that is under way."""
        self.dead: dict[int, Dead] = {}
        """Messages that were given up, by number."""
        self.silenced = 0
        """Alerts that came and went while they were silenced."""
        self.prefix = f"{RECEIVERS}{name}/"
        """Begins the keys of its rows."""
        self._limits = limits
        self._wanted = wanted
        self._silent = silent
        self._queue_names = queue_names
        self._alerts: dict[str, _Known] = {}
        self._groups: dict[tuple[str, str], _Group] = {}
        self._held: dict[str, datetime] = {}
        """Those that are silenced, and until when."""
        self._under_way: dict[str, Item] = {}
        self._incidents: dict[str, set[str]] = {}
        self._number = 0
        self._times: deque[datetime] = deque()
        self._unsaved: dict[str, bytes | None] = {}

    @property
    def waiting(self) -> int:
        """How many alerts there is something to tell of, that is not under way."""
        return sum(len(group.ids) for group in self._groups.values())

    @property
    def untold(self) -> int:
        """The same, with what is under way."""
        return self.waiting + len(self._under_way)

    @property
    def held(self) -> int:
        """How many alerts are held back by silences."""
        return len(self._held)

    def open(self) -> Iterator[Item]:
        """Give every alert that the receiver knows to be firing, and that does."""
        for key, one in self._alerts.items():
            if one.told and one.phase is not Phase.RESOLVED and key not in self._under_way:
                yield self._item(key)

    def restore(self, rows: Iterable[tuple[str, bytes]], now: datetime) -> None:
        """Take over what was stored."""
        for key, packed in rows:
            kind, _, name = key.removeprefix(self.prefix).partition("/")
            match kind:
                case "alert":
                    self._alerts[name] = _known(packed)
                case "dead":
                    self.dead[int(name)] = _dead(packed)
                case "message":
                    self.message = _message(packed)
                case "counts":
                    counts = _counts(packed)
                    self._number, self._times = counts.number, deque(counts.times)
                case _:  # of a later version
                    continue
        self.dead = dict(sorted(self.dead.items()))
        if self.message is not None:
            self._under_way = {item.alert.alert_id: item for item in self.message.items}
        for key, known in self._alerts.items():
            if known.incident:
                self._incidents.setdefault(known.incident, set()).add(key)
            if key not in self._under_way:
                self._queue(key, known, now)

    def unsaved(self) -> dict[str, bytes | None]:
        """Give the rows that have changed since the last call, None for one that is to go."""
        changed, self._unsaved = self._unsaved, {}
        return changed

    def take(
        self, phase: Phase, alert: AlertData, at: str, now: datetime, *, past: bool = False
    ) -> None:
        """Take in what has become of an alert, and when.

        `past` is what was long over when the receiver came to be: of that, only what still fires
        concerns it.
        """
        key = alert.alert_id
        known = self._alerts.get(key)
        if known is None:
            if phase is Phase.RESOLVED or not self._wanted(alert):
                return
            known = _Known(alert, phase, at, queue=self._queue_of(alert))
        else:
            known = msgspec.structs.replace(
                known, alert=_as_of(known.alert, alert), phase=phase, at=at
            )
        self._keep(key, known)
        if key in self._under_way:
            return
        if phase is Phase.RESOLVED and known.told is None:
            silent = self._silenced_until(alert, now) is not None
            if past or silent:
                self.silenced += silent
                self._forget(key)
                return
        self._queue(key, known, now)

    def recheck(self, now: datetime) -> None:
        """Look again at what is silenced, after silences have changed or ended."""
        waiting = [key for group in self._groups.values() for key in group.ids]
        for key in [*self._held, *waiting]:
            self._queue(key, self._alerts[key], now)

    def next_at(self) -> datetime | None:
        """When there is something to do, if nothing else happens."""
        wakes = list(self._held.values())
        if self.message is None:
            wakes += [
                max(
                    group.since + self._limits.gather, self._free_at(critical=self._critical(place))
                )
                for place, group in self._groups.items()
            ]
        return min(wakes, default=None)

    def compose(self, now: datetime) -> Message | None:
        """Make the next message, if one is due and may be sent. It is under way from then on."""
        if any(until <= now for until in self._held.values()):
            self.recheck(now)
        if self.message is not None:
            return None
        due = [
            place
            for place, group in self._groups.items()
            if group.since + self._limits.gather <= now
        ]
        if not due:
            return None
        due.sort(key=self._urgency)
        if self._limits.most:
            room = self._room(now, critical=self._critical(due[0]))
            if room <= 0:
                return None
            if len(due) <= room:
                due = due[:1]
        return self._make([key for place in due for key in self._groups[place].ids], now)

    def may_try_at(self) -> datetime:
        """When the message that is under way may be tried again: each attempt counts."""
        return self._free_at(critical=True)

    def tried(self, now: datetime) -> None:
        """Count another attempt."""
        self._count(now)

    def delivered(self, now: datetime) -> None:
        """The message that is under way has arrived."""
        for key, item in self._settle():
            self._tell(key, item, now)

    def give_up(self, why: str, tries: int, now: datetime, *, again: bool) -> Dead:
        """Put the message that is under way aside.

        `again`: what the receiver should know by then is told by another; else it counts as told.
        """
        assert self.message is not None  # noqa: S101  # or there is nothing to give up
        dead = Dead(self.message, why, now, tries)
        self.dead[dead.message.number] = dead
        self._unsaved[f"{self.prefix}dead/{dead.message.number}"] = _encode(dead)
        for number in list(self.dead)[: max(0, len(self.dead) - MOST_DEAD)]:
            self.bury(number)
        for key, item in self._settle():
            known = self._alerts[key]
            if not again:
                self._tell(key, item, now)
            elif item.first and known.phase is Phase.RESOLVED:
                self._forget(key)  # the dead letter has it
            else:
                if item.first:
                    known = self._join(key, "")
                self._queue(key, known, now)
        return dead

    def bury(self, number: int) -> bool:
        """Let a dead letter go; whether there was one."""
        found = self.dead.pop(number, None)
        if found is not None:
            self._unsaved[f"{self.prefix}dead/{number}"] = None
        return found is not None

    def forget_unless(self, fires: Callable[[str], bool], at: str, now: datetime) -> None:
        """Resolve what does not fire any more, after some of what was told has gone unheard."""
        for key, known in list(self._alerts.items()):
            if known.phase is not Phase.RESOLVED and not fires(key):
                over = msgspec.structs.replace(known.alert, reason="over")
                self.take(Phase.RESOLVED, over, at, now)

    def _make(self, keys: list[str], now: datetime) -> Message:
        keys = keys[:MOST_ITEMS]
        new = [key for key in keys if self._alerts[key].told is None]
        for key in new:
            self._join(key, new[0])
        for key in keys:
            self._leave(key)
        items = [self._item(key) for key in keys]
        self._under_way = dict(zip(keys, items, strict=True))
        self._number += 1
        touched = dict.fromkeys(self._alerts[key].incident for key in self._under_way)
        states = {incident: self._state_of(incident) for incident in touched}
        self.message = Message(
            self._number,
            now,
            items,
            opens=new[0] if new else None,
            acknowledges=[one for one, phase in states.items() if phase is Phase.ACKNOWLEDGED],
            closes=[one for one, phase in states.items() if phase is Phase.RESOLVED],
        )
        self._unsaved[f"{self.prefix}message"] = _encode(self.message)
        self._count(now)
        return self.message

    def _join(self, key: str, incident: str) -> _Known:
        """Let an alert belong to an incident, or to none."""
        known = self._alerts[key]
        if known.incident:
            self._part(key, known.incident)
        if incident:
            self._incidents.setdefault(incident, set()).add(key)
        known = msgspec.structs.replace(known, incident=incident)
        self._keep(key, known)
        return known

    def _part(self, key: str, incident: str) -> None:
        others = self._incidents[incident]
        others.discard(key)
        if not others:
            del self._incidents[incident]

    def _item(self, key: str) -> Item:
        known = self._alerts[key]
        return Item(
            known.alert, known.phase, known.told is None, known.at, known.queue, known.incident
        )

    def _queue_of(self, alert: AlertData) -> str | None:
        queue_id = known(alert, "queue_id")
        return queue_id and self._queue_names().get(queue_id, queue_id)

    def _state_of(self, incident: str) -> Phase:
        """Say how an incident is once the message that is under way has arrived."""
        phases = {
            item.phase if (item := self._under_way.get(key)) else self._alerts[key].told
            for key in self._incidents[incident]
        }
        for phase in (Phase.FIRING, Phase.ACKNOWLEDGED):
            if phase in phases:
                return phase
        return Phase.RESOLVED

    def _settle(self) -> list[tuple[str, Item]]:
        """Let no message be under way any more; give what was in it."""
        items, self._under_way = list(self._under_way.items()), {}
        self.message = None
        self._unsaved[f"{self.prefix}message"] = None
        return items

    def _tell(self, key: str, item: Item, now: datetime) -> None:
        """Note that the receiver knows of an alert."""
        if item.phase is Phase.RESOLVED:
            self._forget(key)
            return
        known = msgspec.structs.replace(self._alerts[key], told=item.phase)
        self._keep(key, known)
        self._queue(key, known, now)

    def _queue(self, key: str, known: _Known, now: datetime) -> None:
        """Let an alert wait to be told, if there is anything to tell."""
        place = place_of(known.alert)
        if not self._news(known):
            self._leave(key)
            return
        # Of what was told the end is told as well, silenced or not.
        until = self._silenced_until(known.alert, now) if known.told is None else None
        if until is not None:
            self._leave(key)
            self._held[key] = until
            return
        self._held.pop(key, None)
        self._groups.setdefault(place, _Group(now)).ids[key] = None

    def _silenced_until(self, alert: AlertData, now: datetime) -> datetime | None:
        until = self._silent(alert, now)
        return until if until is not None and until > now else None

    def _news(self, known: _Known) -> bool:
        if known.told is None or known.phase is Phase.RESOLVED:
            return True
        return self._limits.acknowledged and known.phase is not known.told

    def _leave(self, key: str) -> None:
        self._held.pop(key, None)
        place = place_of(self._alerts[key].alert)
        group = self._groups.get(place)
        if group is not None:
            group.ids.pop(key, None)
            if not group.ids:
                del self._groups[place]

    def _keep(self, key: str, known: _Known) -> None:
        before = self._alerts.get(key)
        if before is not None and place_of(before.alert) != place_of(known.alert):
            self._leave(key)
        self._alerts[key] = known
        self._unsaved[f"{self.prefix}alert/{key}"] = _encode(known)

    def _forget(self, key: str) -> None:
        self._leave(key)
        known = self._alerts.pop(key)
        self._unsaved[f"{self.prefix}alert/{key}"] = None
        if known.incident:
            self._part(key, known.incident)

    def _urgency(self, place: tuple[str, str]) -> tuple[int, datetime]:
        """Order groups: the worst first, then the one that has waited longest."""
        group = self._groups[place]
        return min(_rank(self._alerts[key]) for key in group.ids), group.since

    def _critical(self, place: tuple[str, str]) -> bool:
        return self._urgency(place)[0] == 0

    def _room(self, now: datetime, *, critical: bool) -> int:
        """Say how many messages may be sent now."""
        while self._times and self._times[0] + MINUTE <= now:
            self._times.popleft()
        while self._times and self._times[-1] > now:  # the clock was set back
            self._times.pop()
        return self._most(critical=critical) - len(self._times)

    def _free_at(self, *, critical: bool) -> datetime:
        """Say when there is room, as things stand."""
        most = self._most(critical=critical)
        full = self._limits.most > 0 and len(self._times) >= most
        return self._times[-most] + MINUTE if full else NEVER

    def _most(self, *, critical: bool) -> int:
        """One of the messages of a minute is kept for what is critical."""
        most = self._limits.most
        return most if critical or most == 1 else most - 1

    def _count(self, now: datetime) -> None:
        if self._limits.most:
            self._times.append(now)
            while len(self._times) > self._limits.most:
                self._times.popleft()
        counts = _Counts(self._number, list(self._times))
        self._unsaved[f"{self.prefix}counts"] = _encode(counts)


def _rank(one: _Known) -> int:
    severity = known(one.alert, "severity")
    if severity not in SEVERITIES or one.phase is Phase.RESOLVED:
        return len(SEVERITIES)
    return SEVERITIES.index(severity)


def _as_of(before: AlertData, after: AlertData) -> AlertData:
    """Give the latest of an alert, with what only its beginning said."""
    kept = {
        name: value
        for name in ("labels", "proof", "late_seconds")
        if getattr(after, name) is UNSET and (value := getattr(before, name)) is not UNSET
    }
    return msgspec.structs.replace(after, **kept)
