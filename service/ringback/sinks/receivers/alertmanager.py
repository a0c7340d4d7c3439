"""Prometheus Alertmanager, version 2 of its API: it groups, silences and passes on by itself.

It is told of an alert again and again while that fires, each time that it fires for a few minutes
more: so it forgets what nobody repeats, and learns anew what a restart of its own has made it
forget. What makes an alert the same are its labels; they never change while it fires.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

import msgspec
from msgspec import UNSET

from ringback.core.events import Time, rfc3339
from ringback.core.watch.messages import Item, Message, Phase, text_of
from ringback.errors import DeliveryError, DeliveryFault
from ringback.ports import Clock
from ringback.sinks.receivers.posting import Target
from ringback.sinks.receivers.wording import Wording, proof_of, severity_of

__all__ = ["Alertmanager"]

PATH = "/api/v2/alerts"
AT_ONCE = 500
AHEAD = timedelta(minutes=5)
"""For how long it believes what it was told."""
LABEL = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class Alert(msgspec.Struct, rename="camel"):
    """A `postableAlert`."""

    labels: dict[str, str]
    annotations: dict[str, str]
    starts_at: Time
    ends_at: Time
    generator_url: str = msgspec.field(name="generatorURL")


class Alertmanager:
    """One Alertmanager, or what speaks as one."""

    refresh_seconds: float | None = 60.0

    def __init__(self, target: Target, token: str, wording: Wording, clock: Clock) -> None:
        """Without a token none is sent."""
        self._target = target
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._wording = wording
        self._clock = clock

    async def deliver(self, message: Message) -> None:
        """Return when it has the message. Raises `DeliveryError`."""
        await self._post(message.items)

    async def refresh(self, items: Iterable[Item]) -> None:
        """Say what still fires. Raises `DeliveryError`."""
        rest = iter(items)
        while part := list(islice(rest, AT_ONCE)):
            await self._post(part)

    async def close(self) -> None:
        """Let the connection go."""
        await self._target.close()

    async def _post(self, items: Sequence[Item]) -> None:
        now = self._clock.now()
        body = msgspec.json.encode([self._alert(item, now) for item in items])
        reply = await self._target.post(PATH, body, self._headers)
        if reply.body.lstrip().startswith(b"<"):
            raise DeliveryError(DeliveryFault.GARBAGE, "it answers with a page: no Alertmanager")

    def _alert(self, item: Item, now: datetime) -> Alert:
        alert, places = item.alert, self._wording.places
        over = item.phase is Phase.RESOLVED
        return Alert(
            labels=self._labels(item),
            annotations=_given(
                {
                    "summary": alert.summary,
                    "alert_id": alert.alert_id,
                    "conversation_id": text_of(alert, "conversation_id"),
                    "state": text_of(alert, "state"),
                    "since": text_of(alert, "state_since"),
                    "proof": proof_of(alert),
                    "reason": text_of(alert, "reason") if over else None,
                    "dashboard": places.of_callback(alert),
                    "platform": places.on_platform(alert),
                }
            ),
            starts_at=alert.since,
            # The platform's clock may be behind ours: nothing ends before it begins.
            ends_at=max(item.at, alert.since) if over else rfc3339(now + AHEAD),
            generator_url=places.of_callback(alert),
        )

    def _labels(self, item: Item) -> dict[str, str]:
        alert = item.alert
        own = _given(
            {
                "alertname": alert.rule,
                "severity": severity_of(alert),
                "org": self._wording.places.org,
                "queue": item.queue,
                "callback_id": text_of(alert, "callback_id"),
                "source": text_of(alert, "source"),
            }
        )
        more: Any = {} if alert.labels is UNSET else alert.labels
        return {name: text for name, text in more.items() if LABEL.fullmatch(name)} | own


def _given(texts: Mapping[str, str | None]) -> dict[str, str]:
    return {name: text for name, text in texts.items() if text}
