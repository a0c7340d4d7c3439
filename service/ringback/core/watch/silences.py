"""Silences: alerts that nobody is told of for a while, because somebody said so.

A silenced alert fires, is shown and is resolved as any other; only receivers are not told of it.
When the silence ends and it still fires, they are.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta

import msgspec
from msgspec import UNSET

from ringback.core.events import AlertData
from ringback.errors import SilenceRefused, SilenceUnknown

__all__ = [
    "LABEL",
    "MATCHED",
    "MOST_MATCHERS",
    "SILENCE",
    "Matcher",
    "Silence",
    "Silences",
    "Subject",
]

SILENCE = "~silence/"
"""Begins the keys of its rows; a conversation's id begins with no tilde."""
LABEL = "label."
"""Begins the field of a rule's label: `label.team`."""
MOST = 500
MOST_MATCHERS = 20
LONGEST = timedelta(days=366)


class Matcher(msgspec.Struct, array_like=True, frozen=True):
    """What one of an alert's fields must say."""

    field: str
    """`rule`, `severity`, `queue` (its id), `callback` (or its conversation), `source`, or
    `label.<name>`."""
    value: str
    prefix: bool = False
    """Whether the field may go on after it."""


class Silence(msgspec.Struct, array_like=True, frozen=True):
    """Alerts to which all of its matchers apply. Fields may be appended, never moved."""

    id: str
    matchers: tuple[Matcher, ...]
    since: datetime
    until: datetime
    by: str
    comment: str = ""

    def applies(self, subject: "Subject") -> bool:
        """Whether it is about an alert."""
        return all(_applies(matcher, subject) for matcher in self.matchers)


class Subject(msgspec.Struct, frozen=True):
    """As much of an alert as can be matched."""

    rule: str
    severity: str = ""
    queue: str = ""
    callback: str = ""
    conversation: str = ""
    source: str = ""
    labels: dict[str, str] = {}

    @classmethod
    def of(cls, alert: AlertData) -> "Subject":
        """Take it of an alert's event."""
        texts = {
            name: value
            for name, field in FIELDS.items()
            if isinstance(value := getattr(alert, field, UNSET), str)
        }
        return cls(rule=alert.rule, labels={} if alert.labels is UNSET else alert.labels, **texts)

    def texts(self, field: str) -> tuple[str, ...]:
        """Give what a field says, in one or two ways."""
        if field.startswith(LABEL):
            return (self.labels.get(field.removeprefix(LABEL), ""),)
        if field == "callback":
            return self.callback, self.conversation
        return (getattr(self, field),)


FIELDS = {
    "severity": "severity",
    "queue": "queue_id",
    "callback": "callback_id",
    "conversation": "conversation_id",
    "source": "source",
}
MATCHED = frozenset({"rule", "severity", "queue", "callback", "source"})
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Silence).decode


class Silences:
    """All that are in force. Keeps rows to be stored in `unsaved`."""

    def __init__(self) -> None:
        self.changes = 0
        """How often something has changed, in this process."""
        self.changed: Callable[[], None] = _nobody
        """Called whenever something has."""
        self._silences: dict[str, Silence] = {}
        self._unsaved: dict[str, bytes | None] = {}

    def __iter__(self) -> Iterator[Silence]:
        """Give all, the one that ends first first."""
        return iter(sorted(self._silences.values(), key=lambda one: (one.until, one.id)))

    def restore(self, rows: Iterable[tuple[str, bytes]]) -> None:
        """Take over rows, in whatever order."""
        for _, packed in rows:
            silence = _decode(packed)
            self._silences[silence.id] = silence
            self.changes += 1

    def mirror(self, key: str, packed: bytes | None) -> None:
        """Take over what another has made of a row."""
        silence_id = key.removeprefix(SILENCE)
        before = self._silences.pop(silence_id, None)
        after = None if packed is None else _decode(packed)
        if after is not None:
            self._silences[silence_id] = after
        if after != before:
            self._change()

    def unsaved(self) -> dict[str, bytes | None]:
        """Give the rows that have changed since the last call, None for one that is to go."""
        changed, self._unsaved = self._unsaved, {}
        return changed

    def begin(
        self,
        matchers: Sequence[Matcher],
        until: datetime,
        by: str,
        comment: str,
        now: datetime,
        *,
        silence_id: str = "",
    ) -> Silence:
        """Silence what all of the matchers apply to. Raises `SilenceRefused`.

        One that was given its id elsewhere is begun but once.
        """
        if silence_id in self._silences:
            return self._silences[silence_id]
        self.refuse(matchers, until, now)
        name = silence_id or self._name(now)
        silence = Silence(name, tuple(matchers), now, until, by, comment)
        self._keep(silence)
        return silence

    def refuse(self, matchers: Sequence[Matcher], until: datetime, now: datetime) -> None:
        """Raise `SilenceRefused` for a silence that means nothing, or too much."""
        _refuse(matchers, until, now)
        if len(self._silences) >= MOST:
            raise SilenceRefused(f"there are {MOST} silences already; end some")

    def end(self, silence_id: str) -> Silence:
        """End a silence before its time. Raises `SilenceUnknown`."""
        silence = self.get(silence_id)
        self._drop(silence)
        return silence

    def get(self, silence_id: str) -> Silence:
        """Give one that is in force. Raises `SilenceUnknown`."""
        silence = self._silences.get(silence_id)
        if silence is None:
            raise SilenceUnknown(silence_id)
        return silence

    def next_end(self) -> datetime | None:
        """When the first of them ends."""
        silences = self._silences
        return min(silence.until for silence in silences.values()) if silences else None

    def expire(self, now: datetime) -> None:
        """End those whose time has come."""
        for silence in [one for one in self._silences.values() if one.until <= now]:
            self._drop(silence)

    def until(self, subject: Subject) -> datetime | None:
        """Say until when nobody is told of an alert; None if it is not silenced."""
        return max(
            (one.until for one in self._silences.values() if one.applies(subject)), default=None
        )

    def _name(self, now: datetime) -> str:
        """Name a silence by its instant, so that a replay gives it the same name."""
        name = first = f"{now:%Y%m%dT%H%M%S}{now.microsecond // 1000:03}Z"
        number = 1
        while name in self._silences:
            number += 1
            name = f"{first}-{number}"
        return name

    def _keep(self, silence: Silence) -> None:
        self._silences[silence.id] = silence
        self._unsaved[SILENCE + silence.id] = _encode(silence)
        self._change()

    def _drop(self, silence: Silence) -> None:
        del self._silences[silence.id]
        self._unsaved[SILENCE + silence.id] = None
        self._change()

    def _change(self) -> None:
        self.changes += 1
        self.changed()


def _nobody() -> None:
    """Nobody is told."""


def _applies(matcher: Matcher, subject: Subject) -> bool:
    texts = [text for text in subject.texts(matcher.field) if text]
    if matcher.prefix:
        return any(text.startswith(matcher.value) for text in texts)
    return matcher.value in texts


def _refuse(matchers: Sequence[Matcher], until: datetime, now: datetime) -> None:
    """Raise `SilenceRefused` for a silence that means nothing, or too much."""
    if not matchers:
        raise SilenceRefused("it would silence everything; give at least one matcher")
    if len(matchers) > MOST_MATCHERS:
        raise SilenceRefused(f"it has more than {MOST_MATCHERS} matchers; make several silences")
    for matcher in matchers:
        known = matcher.field in MATCHED or matcher.field.removeprefix(LABEL) not in {
            "",
            matcher.field,
        }
        if not known:
            fields = ", ".join((*sorted(MATCHED), "label.<name>"))
            raise SilenceRefused(f"{matcher.field!r} cannot be matched; allowed: {fields}")
        if not matcher.value:
            raise SilenceRefused(f"the value for {matcher.field} is empty; give one")
    if until <= now:
        raise SilenceRefused("it would be over already; give an instant that is to come")
    if until > now + LONGEST:
        raise SilenceRefused(f"it would last for more than {LONGEST.days} days; end it earlier")
