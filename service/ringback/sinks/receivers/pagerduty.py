"""PagerDuty, Events API v2: a message's new alerts are one incident there, whatever their number.

Its dedup key is the id of the first of these alerts. It is acknowledged when all of them are that
still fire, and resolved when none does. What came and went before it could be told is an incident
of severity `info` that is resolved at once: a record, which need not wake anybody.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from ringback.core.events import Time, rfc3339
from ringback.core.watch.messages import Item, Message, Phase
from ringback.errors import DeliveryError, DeliveryFault
from ringback.sinks.receivers.posting import Target
from ringback.sinks.receivers.wording import Wording, shortened, worst_of

__all__ = ["HOST", "PagerDuty", "events_of"]

HOST = "https://events.pagerduty.com"
PATH = "/v2/enqueue"
MOST_KEY = 255
MOST_SUMMARY = 1024
MOST_TOLD = 20
"""Alerts of an incident that are told one by one."""


class Link(msgspec.Struct):
    """Something to look at."""

    href: str
    text: str


class Details(msgspec.Struct):
    """What else there is to know."""

    alerts: list[str]
    more: int


class Payload(msgspec.Struct, omit_defaults=True):
    """What an incident is about."""

    summary: str
    source: str
    severity: Literal["critical", "warning", "info"]
    timestamp: Time
    custom_details: Details
    component: str | UnsetType = UNSET
    group: str | UnsetType = UNSET


class Event(msgspec.Struct, omit_defaults=True, kw_only=True):
    """One request."""

    routing_key: str
    event_action: Literal["trigger", "acknowledge", "resolve"]
    dedup_key: str
    payload: Payload | UnsetType = UNSET
    links: list[Link] | UnsetType = UNSET
    client: str | UnsetType = UNSET
    client_url: str | UnsetType = UNSET


class _Answer(msgspec.Struct):
    status: str


def events_of(message: Message, key: str, wording: Wording) -> Iterator[Event]:
    """Give the requests that tell of a message; sent twice they change nothing more."""
    touched = dict.fromkeys(item.incident for item in message.items)
    for incident in touched:
        items = [item for item in message.items if item.incident == incident]
        if incident == message.opens or (
            incident not in message.closes and any(one.phase is Phase.RESOLVED for one in items)
        ):
            yield _trigger(message, incident, items, key, wording)
        dedup_key = _short(incident)
        if incident in message.acknowledges:
            yield Event(routing_key=key, event_action="acknowledge", dedup_key=dedup_key)
        elif incident in message.closes:
            yield Event(routing_key=key, event_action="resolve", dedup_key=dedup_key)


class PagerDuty:
    """One integration of one service there."""

    refresh_seconds: float | None = None

    def __init__(self, target: Target, key: str, wording: Wording) -> None:
        """`key` is the integration's."""
        self._target = target
        self._key = key
        self._wording = wording

    async def deliver(self, message: Message) -> None:
        """Return when it has all of the message. Raises `DeliveryError`."""
        for event in events_of(message, self._key, self._wording):
            reply = await self._target.post(PATH, msgspec.json.encode(event), {})
            try:
                status = msgspec.json.decode(reply.body, type=_Answer).status
            except msgspec.DecodeError:
                status = ""
            if status != "success":
                raise DeliveryError(DeliveryFault.GARBAGE, "it does not answer as PagerDuty does")

    async def refresh(self, items: Iterable[Item]) -> None:
        """Nothing: it was told."""

    async def close(self) -> None:
        """Let the connection go."""
        await self._target.close()


def _trigger(
    message: Message, incident: str, items: Sequence[Item], key: str, wording: Wording
) -> Event:
    first = items[0]
    links = [Link(wording.places.of_callback(first.alert), "Ringback")]
    platform = wording.places.on_platform(first.alert)
    if platform is not None:
        links.append(Link(platform, "Genesys Cloud"))
    return Event(
        routing_key=key,
        event_action="trigger",
        dedup_key=_short(incident),
        payload=Payload(
            summary=shortened(wording.title_of(items), MOST_SUMMARY),
            source=f"ringback/{wording.places.org}",
            severity=worst_of(items),
            timestamp=rfc3339(message.made_at),
            custom_details=Details(
                [wording.line(item) for item in items[:MOST_TOLD]],
                max(0, len(items) - MOST_TOLD),
            ),
            component=first.queue or UNSET,
            group=first.alert.rule,
        ),
        links=links,
        client="Ringback",
        client_url=wording.places.of_group(first.alert),
    )


def _short(key: str) -> str:
    """Keep a key to what is allowed, and to itself."""
    if len(key) <= MOST_KEY:
        return key
    digest = hashlib.sha256(key.encode()).hexdigest()
    return f"{key[: MOST_KEY - 1 - len(digest)]}-{digest}"
