"""What one receiver is told, and when: alerts gathered into messages.

Alerts of one rule and queue that change within a few seconds are one message. There are at most so
many messages a minute; what is beyond is gathered and told in one digest as soon as there may be
another. One message is under way at a time, and what changes meanwhile waits, so a receiver that
was away is told how things stand, and of what came and went, instead of all that happened. Each
step changes rows that are stored with it (`unsaved`): nothing is lost, and a message that is sent
once more after a crash is the same one, with the same number.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime, timedelta

import msgspec
from msgspec import UNSET

from ringback.core.events import AlertData
from ringback.core.watch.gathering import Place, Waiting
from ringback.core.watch.incidents import Incidents
from ringback.core.watch.messages import Dead, Item, Message, Phase, place_of, text_of
from ringback.core.watch.pace import Pace

__all__ = ["RECEIVERS", "Limits", "Notices"]

RECEIVERS = "~receiver/"
"""Begins the keys of all receivers' rows; a conversation's id begins with no tilde."""
MOST_ITEMS = 1000
"""Alerts in one message; the others go into the next."""
MOST_DEAD = 100
"""Dead letters kept; the oldest go."""
SEVERITIES = ("critical", "warning", "info")
"""The worst first."""


class Limits(msgspec.Struct, frozen=True):
    """How a receiver wants to be told."""

    gather: timedelta = timedelta(seconds=5)
    """How long the first alert of a group waits for others."""
    most: int = 6
    """Messages in any minute; 0: no limit, and then all that is due is one message."""
    acknowledged: bool = False
    """Whether it makes a difference to the receiver that somebody has seen an alert."""


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


_encode = msgspec.msgpack.Encoder().encode
_known = msgspec.msgpack.Decoder(_Known).decode
_counts = msgspec.msgpack.Decoder(_Counts).decode
_message = msgspec.msgpack.Decoder(Message).decode
_dead = msgspec.msgpack.Decoder(Dead).decode


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
        self._waiting = Waiting(limits.gather)
        self._under_way: dict[str, Item] = {}
        self._incidents = Incidents()
        self._number = 0
        self._pace = Pace(limits.most)
        self._unsaved: dict[str, bytes | None] = {}

    @property
    def waiting(self) -> int:
        """How many alerts there is something to tell of, that is not under way."""
        return len(self._waiting)

    @property
    def untold(self) -> int:
        """The same, with what is under way."""
        return self.waiting + len(self._under_way)

    @property
    def held(self) -> int:
        """How many alerts are held back by silences."""
        return len(self._waiting.held)

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
                    self._number = counts.number
                    self._pace.restore(counts.times)
                case _:  # of a later version
                    continue
        self.dead = dict(sorted(self.dead.items()))
        if self.message is not None:
            self._under_way = {item.alert.alert_id: item for item in self.message.items}
            self._number = max(self._number, self.message.number)
            for key, item in self._under_way.items():
                # It has arrived, and that was not stored as a whole: it is told once more.
                self._alerts.setdefault(key, _known_of(item))
        for key, known in self._alerts.items():
            if known.incident:
                self._incidents.join(known.incident, key)
            if key not in self._under_way:
                self._queue(key, known, now)

    def unsaved(self) -> dict[str, bytes | None]:
        """Give the rows that have changed since the last call, None for one that is to go.

        They may be stored one after the other, and not all of them: what is done with a message is
        done once its own row is, which is the last.
        """
        changed, self._unsaved = self._unsaved, {}
        message = f"{self.prefix}message"
        if message in changed:
            changed[message] = changed.pop(message)
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
        for key in list(self._waiting):
            self._queue(key, self._alerts[key], now)

    def next_at(self) -> datetime | None:
        """When there is something to do, if nothing else happens."""
        wakes = list(self._waiting.held.values())
        if self.message is None:
            wakes += [
                max(at, self._pace.free_at(critical=self._critical(place)))
                for place, at in self._waiting.due_at().items()
            ]
        return min(wakes, default=None)

    def compose(self, now: datetime) -> Message | None:
        """Make the next message, if one is due and may be sent. It is under way from then on."""
        if any(until <= now for until in self._waiting.held.values()):
            self.recheck(now)
        if self.message is not None:
            return None
        due = [place for place, at in self._waiting.due_at().items() if at <= now]
        if not due:
            return None
        due.sort(key=self._urgency)
        room = self._pace.room(now, critical=self._critical(due[0]))
        if room == 0:
            return None
        if room is not None and len(due) <= room:
            due = due[:1]
        return self._make([key for place in due for key in self._waiting.keys(place)], now)

    def may_try_at(self) -> datetime:
        """When the message that is under way may be tried again: each attempt counts."""
        return self._pace.free_at(critical=True)

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
            elif item.first and item.phase is Phase.RESOLVED:
                self._forget(key)  # the dead letter has all of it
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
        states = self._incidents.phases((item.incident for item in items), self._phase_then)
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
            self._incidents.part(known.incident, key)
        if incident:
            self._incidents.join(incident, key)
        known = msgspec.structs.replace(known, incident=incident)
        self._keep(key, known)
        return known

    def _item(self, key: str) -> Item:
        known = self._alerts[key]
        return Item(
            known.alert, known.phase, known.told is None, known.at, known.queue, known.incident
        )

    def _queue_of(self, alert: AlertData) -> str | None:
        queue_id = text_of(alert, "queue_id")
        return queue_id and self._queue_names().get(queue_id, queue_id)

    def _phase_then(self, key: str) -> Phase | None:
        """Say what is known of an alert once the message that is under way has arrived."""
        item = self._under_way.get(key)
        return self._alerts[key].told if item is None else item.phase

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

    def _queue(self, key: str, one: _Known, now: datetime) -> None:
        """Let an alert wait to be told, if there is anything to tell."""
        place = place_of(one.alert)
        if not self._news(one):
            self._waiting.leave(key, place)
            return
        # Of what was told the end is told as well, silenced or not.
        until = self._silenced_until(one.alert, now) if one.told is None else None
        if until is None:
            self._waiting.add(key, place, now)
        else:
            self._waiting.hold(key, place, until)

    def _silenced_until(self, alert: AlertData, now: datetime) -> datetime | None:
        until = self._silent(alert, now)
        return until if until is not None and until > now else None

    def _news(self, known: _Known) -> bool:
        if known.told is None or known.phase is Phase.RESOLVED:
            return True
        return self._limits.acknowledged and known.phase is not known.told

    def _leave(self, key: str) -> None:
        self._waiting.leave(key, place_of(self._alerts[key].alert))

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
            self._incidents.part(known.incident, key)

    def _urgency(self, place: Place) -> tuple[int, datetime]:
        """Order groups: the worst first, then the one that has waited longest."""
        worst = min(_rank(self._alerts[key]) for key in self._waiting.keys(place))
        return worst, self._waiting.since(place)

    def _critical(self, place: Place) -> bool:
        return self._urgency(place)[0] == 0

    def _count(self, now: datetime) -> None:
        self._pace.count(now)
        counts = _Counts(self._number, self._pace.times)
        self._unsaved[f"{self.prefix}counts"] = _encode(counts)


def _known_of(item: Item) -> _Known:
    told = None if item.first else Phase.FIRING
    return _Known(item.alert, item.phase, item.at, told, item.incident, item.queue)


def _rank(one: _Known) -> int:
    """Order alerts by how bad they are; what does not say so is a warning."""
    if one.phase is Phase.RESOLVED:
        return len(SEVERITIES)
    severity = text_of(one.alert, "severity")
    return SEVERITIES.index(severity if severity in SEVERITIES else "warning")


def _as_of(before: AlertData, after: AlertData) -> AlertData:
    """Give the latest of an alert, with what only its beginning said."""
    kept = {
        name: value
        for name in ("labels", "proof", "late_seconds")
        if getattr(after, name) is UNSET and (value := getattr(before, name)) is not UNSET
    }
    return msgspec.structs.replace(after, **kept)
