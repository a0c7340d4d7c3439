"""Any web service: one JSON object a message, signed as Standard Webhooks describes."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from ringback.core.events import AlertProof, Time, rfc3339
from ringback.core.watch.messages import Item, Message, text_of
from ringback.ports import Clock
from ringback.sinks.receivers.posting import Target
from ringback.sinks.receivers.wording import Wording, severity_of

__all__ = ["Webhook", "payload_of", "secrets_of"]

PREFIX = "whsec_"
LEAST_BYTES, MOST_BYTES = 24, 64
"""Of a key, as Standard Webhooks has it."""


TEXTS = (
    "kind",
    "callback_id",
    "conversation_id",
    "source",
    "state",
    "state_since",
    "queue_id",
    "user_id",
    "reason",
)
"""Passed on as they are."""


class Told(msgspec.Struct, rename="camel", omit_defaults=True, kw_only=True):
    """One alert."""

    alert_id: str
    status: str
    """`firing`, `acknowledged` or `resolved`."""
    first: bool
    """Whether this is the first that is told of it; if resolved, it came and went."""
    at: Time
    rule: str
    severity: str
    summary: str
    kind: str | UnsetType = UNSET
    callback_id: str | UnsetType = UNSET
    conversation_id: str | UnsetType = UNSET
    source: str | UnsetType = UNSET
    state: str | UnsetType = UNSET
    state_since: Time | UnsetType = UNSET
    since: Time
    queue_id: str | UnsetType = UNSET
    queue: str | UnsetType = UNSET
    """Its name."""
    user_id: str | UnsetType = UNSET
    reason: str | UnsetType = UNSET
    labels: dict[str, str] | UnsetType = UNSET
    proof: AlertProof | UnsetType = UNSET
    dashboard: str
    platform: str | UnsetType = UNSET


class Payload(msgspec.Struct, rename="camel"):
    """A message."""

    org: str
    message: int
    digest: bool
    title: str
    alerts: list[Told]


class Body(msgspec.Struct):
    """What is posted."""

    type: str
    timestamp: Time
    data: Payload


def payload_of(message: Message, wording: Wording) -> bytes:
    """Give a message as JSON; the same message gives the same bytes."""
    data = Payload(
        org=wording.places.org,
        message=message.number,
        digest=message.digest,
        title=wording.title(message),
        alerts=[_told(item, wording) for item in message.items],
    )
    return msgspec.json.encode(Body("ringback.alerts.v1", rfc3339(message.made_at), data))


def secrets_of(text: str) -> Sequence[bytes]:
    """Read the keys, of which there are several while one replaces another.

    Raises `ValueError`, which says what is wrong without quoting it.
    """
    keys = []
    for each in text.split():
        try:
            key = base64.b64decode(each.removeprefix(PREFIX), validate=True)
        except binascii.Error:
            raise ValueError(f"is not {PREFIX} and base64 behind it") from None
        if not LEAST_BYTES <= len(key) <= MOST_BYTES:
            raise ValueError(f"holds {len(key)} bytes; allowed: {LEAST_BYTES} to {MOST_BYTES}")
        keys.append(key)
    return keys


class Webhook:
    """Posts messages to one address."""

    refresh_seconds: float | None = None

    def __init__(
        self, name: str, target: Target, keys: Sequence[bytes], wording: Wording, clock: Clock
    ) -> None:
        """Without keys nothing is signed."""
        self._name = name.replace(".", "-")
        self._target = target
        self._keys = keys
        self._wording = wording
        self._clock = clock

    async def deliver(self, message: Message) -> None:
        """Return when it has the message. Raises `DeliveryError`."""
        body = payload_of(message, self._wording)
        made = int(message.made_at.timestamp() * 1000)
        name = f"{self._name}-{message.number}-{made}"
        moment = str(int(self._clock.now().timestamp()))
        headers = {"webhook-id": name, "webhook-timestamp": moment}
        if self._keys:
            signed = f"{name}.{moment}.".encode() + body
            headers["webhook-signature"] = " ".join(_sign(key, signed) for key in self._keys)
        await self._target.post("", body, headers)

    async def refresh(self, items: Iterable[Item]) -> None:
        """Nothing: it was told."""

    async def close(self) -> None:
        """Let the connection go."""
        await self._target.close()


def _sign(key: bytes, signed: bytes) -> str:
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()


def _told(item: Item, wording: Wording) -> Told:
    alert, places = item.alert, wording.places
    texts: dict[str, Any] = {name: text_of(alert, name) or UNSET for name in TEXTS}
    return Told(
        **texts,
        alert_id=alert.alert_id,
        status=item.phase.value,
        first=item.first,
        at=item.at,
        rule=alert.rule,
        severity=severity_of(alert),
        summary=alert.summary,
        since=alert.since,
        queue=item.queue or UNSET,
        labels=alert.labels,
        proof=alert.proof,
        dashboard=places.of_callback(alert),
        platform=places.on_platform(alert) or UNSET,
    )
