"""Says what a message means, for people: never a number or a name of one."""

from collections.abc import Callable, Iterator, Sequence
from typing import Literal
from urllib.parse import quote, urlencode

import msgspec
from msgspec import UNSET

from ringback.core.events import AlertData
from ringback.core.watch.messages import Item, Message, Phase, place_of, text_of

__all__ = [
    "Fact",
    "Part",
    "Places",
    "Wording",
    "proof_of",
    "severity_of",
    "shortened",
    "worst_of",
]

MOST_LINES = 10
"""Alerts of one group that are told one by one; of the others there is a link."""
MOST_PARTS = 10
"""Groups of a digest that are."""
Severity = Literal["info", "warning", "critical"]
SEVERITIES: tuple[Severity, ...] = ("info", "warning", "critical")


class Places(msgspec.Struct, frozen=True):
    """Where things can be looked at."""

    org: str
    dashboard: Callable[[], str]
    """Gives the address of the dashboard, without a slash at its end."""
    platform: str | None
    """Where the platform shows a conversation, with `{conversationId}` in it."""

    def of_callback(self, alert: AlertData) -> str:
        """Say where the dashboard shows an alert."""
        callback_id = text_of(alert, "callback_id")
        asked = f"?{urlencode({'open': callback_id})}" if callback_id else ""
        return f"{self.dashboard()}/{asked}"

    def of_group(self, alert: AlertData) -> str:
        """Say where the dashboard shows all that an alert has happened to."""
        asked = {"alert": alert.rule}
        if alert.queue_id is not UNSET:
            asked["queue"] = alert.queue_id
        return f"{self.dashboard()}/?{urlencode(asked)}"

    def on_platform(self, alert: AlertData) -> str | None:
        """Say where the platform shows the conversation of an alert."""
        conversation_id = text_of(alert, "conversation_id")
        if self.platform is None or conversation_id is None:
            return None
        return self.platform.replace("{conversationId}", quote(conversation_id, safe=""))


class Fact(msgspec.Struct, frozen=True):
    """One thing to know of an alert."""

    name: str
    text: str


class Part(msgspec.Struct, frozen=True):
    """One group of a message."""

    title: str
    items: Sequence[Item]
    """Those that are told one by one."""
    more: int
    """How many others there are."""
    link: str
    """Where all are shown."""


class Wording:
    """Words the messages of one daemon."""

    def __init__(self, places: Places) -> None:
        self.places = places

    def title(self, message: Message) -> str:
        """Say in one line what has happened."""
        return self.title_of(message.items)

    def title_of(self, items: Sequence[Item]) -> str:
        """Say in one line what has happened to some alerts."""
        groups = _groups(items)
        if len(groups) == 1:
            return self._title(items)
        return f"Digest: {_counted(items)}, in {len(groups)} groups"

    def parts(self, message: Message) -> list[Part]:
        """Give the groups of a message, the worst first; `left_out` says how many are not here."""
        return [
            Part(
                self._title(items),
                items[:MOST_LINES],
                max(0, len(items) - MOST_LINES),
                self.places.of_group(items[0].alert),
            )
            for items in _groups(message.items)[:MOST_PARTS]
        ]

    @staticmethod
    def left_out(message: Message) -> int:
        """Say how many groups are only counted."""
        return max(0, len(_groups(message.items)) - MOST_PARTS)

    def line(self, item: Item) -> str:
        """Say in one line what one alert is about, without links."""
        alert = item.alert
        what = text_of(alert, "conversation_id") or self._where(alert)
        said = [f"{fact.name} {fact.text}" for fact in self.facts(item) if fact.name != "queue"]
        return f"{what}: {', '.join(said)}"

    def facts(self, item: Item) -> Iterator[Fact]:
        """Give what is known of an alert: where it is and since when, and what it rests on."""
        alert = item.alert
        if item.phase is Phase.RESOLVED:
            reason = "" if alert.reason is UNSET else f" ({alert.reason})"
            yield Fact("over since", f"{_time(item.at)}{reason}")
        elif item.phase is Phase.ACKNOWLEDGED:
            yield Fact("acknowledged", _time(item.at))
        if (state := text_of(alert, "state")) is not None:
            since = text_of(alert, "state_since")
            yield Fact("state", f"{state} since {_time(since)}" if since else state)
        if item.queue is not None:
            yield Fact("queue", item.queue)
        yield Fact("alarming since", _time(alert.since))
        yield Fact("proof", proof_of(alert))

    def _title(self, items: Sequence[Item]) -> str:
        alert, count = items[0].alert, len(items)
        phases = {(item.phase is Phase.RESOLVED, item.first) for item in items}
        lead = ""
        if phases == {(True, True)}:
            lead = "Over already: "
        elif all(over for over, _ in phases):
            lead = "Resolved: "
        elif all(item.phase is Phase.ACKNOWLEDGED and not item.first for item in items):
            lead = "Acknowledged: "
        elif len(phases) > 1:
            lead = f"{_counted(items)}: "
        if text_of(alert, "callback_id") is None:
            who = self._where(alert)
        else:
            who = f"{count} callbacks" if count > 1 else "A callback"
            if items[0].queue is not None:
                who += f" of queue {items[0].queue}"
        summaries = {item.alert.summary for item in items}
        return f"{lead}{who}: {alert.summary if len(summaries) == 1 else alert.rule}"

    def _where(self, alert: AlertData) -> str:
        source = text_of(alert, "source")
        return f"Source {source}" if source else alert.rule


def proof_of(alert: AlertData) -> str:
    """Say what an alert rests on."""
    proof = alert.proof
    if proof is UNSET:
        return "not stated"
    if proof.confirmed:
        return "confirmed by a read" + ("" if proof.time is UNSET else f" at {_time(proof.time)}")
    return "unconfirmed" + ("" if proof.why is UNSET else f": {proof.why}")


def severity_of(alert: AlertData) -> Severity:
    """Give how bad an alert is; what does not say so is a warning."""
    said = text_of(alert, "severity")
    return next((severity for severity in SEVERITIES if severity == said), "warning")


def worst_of(items: Sequence[Item]) -> Severity:
    """Give how bad the worst is of those that still fire; `info` if none does."""
    firing = [severity_of(item.alert) for item in items if item.phase is not Phase.RESOLVED]
    return max(firing, key=SEVERITIES.index, default="info")


def shortened(text: str, most: int) -> str:
    """Keep a text to so many characters."""
    return text if len(text) <= most else text[: most - 1] + "…"


def _groups(items: Sequence[Item]) -> list[list[Item]]:
    groups: dict[tuple[str, str], list[Item]] = {}
    for item in items:
        groups.setdefault(place_of(item.alert), []).append(item)
    return list(groups.values())


def _counted(items: Sequence[Item]) -> str:
    passed = sum(item.first and item.phase is Phase.RESOLVED for item in items)
    resolved = sum(item.phase is Phase.RESOLVED for item in items) - passed
    acknowledged = sum(item.phase is Phase.ACKNOWLEDGED and not item.first for item in items)
    counts = {
        "firing": len(items) - passed - resolved - acknowledged,
        "acknowledged": acknowledged,
        "resolved": resolved,
        "over already": passed,
    }
    return ", ".join(f"{count} {kind}" for kind, count in counts.items() if count)


def _time(instant: str) -> str:
    """Show an instant of an event to the second."""
    return f"{instant[:19]}Z"
