"""A made-up contact centre: its rows, alerts and sources, and a journal of what happens to them.

`support.showing` serves it as the API and the feed. It is for what a real daemon cannot be brought
to at will: a blind source, a journal that lost its beginning, a failing API.
"""

import asyncio
import json
import random
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

from ringback.core.events import rfc3339

__all__ = ["QUEUES", "STATES", "Centre", "instant"]

STATES = (
    "scheduled",
    "waiting",
    "alerting",
    "connected",
    "auto_dialing",
    "dialing",
    "talking",
    "held",
    "after_call_work",
)
QUEUES = {f"queue-{number}": f"Queue {number}" for number in range(8)}
HEARTBEAT_SECONDS = 0.5


class Centre:
    """Rows, alerts, sources and the journal. Each change is an event at the next position."""

    def __init__(self, count: int = 0, *, role: str = "operator", seed: int = 1) -> None:
        self.rows: dict[str, dict[str, Any]] = {}
        self.alerts: dict[str, dict[str, Any]] = {}
        self.sources: list[dict[str, Any]] = [{"name": "main", "kind": "genesys", "hears": True}]
        self.silences: list[dict[str, Any]] = []
        self.receivers: list[dict[str, Any]] = []
        self.rules: dict[str, Any] = {"rules": []}
        self.journal: list[tuple[int, dict[str, Any]]] = []
        self.first = 0
        self.position = 0
        self.role = role
        self.failing: int | None = None
        """The status of every answer of the API, while that is set."""
        self.acknowledged: list[str] = []
        self.readers = 0
        self.minutes = 240
        """How many the charts know."""
        self.beating = True
        """Whether the feed says what it has come to."""
        self.open = True
        """Whether the feed goes on."""
        self.random = random.Random(seed)
        self._news = asyncio.Condition()
        for number in range(count):
            state = STATES[number % len(STATES)]
            self._add(f"{number:08x}-0000-4000-8000-000000000000", state, age=float(number % 1800))

    async def enter(self, callback: str, state: str, **facts: Any) -> None:
        """Move a callback, or have it appear."""
        row = self.rows.get(callback) or self._add(callback, state)
        row |= {"state": state, "since": instant(), "sequence": row["sequence"] + 1} | facts
        row.pop("unverified", None)
        await self.tell(f"ringback.callback.{state}.v1", row)

    async def end(self, callback: str) -> None:
        """End a callback."""
        row = self.rows.pop(callback)
        row |= {"state": "disconnected", "sequence": row["sequence"] + 1}
        await self.tell("ringback.callback.disconnected.v1", row)

    async def doubt(self, callback: str) -> None:
        """Make a callback unverified."""
        row = self.rows[callback]
        row |= {"unverified": True, "sequence": row["sequence"] + 1}
        await self.tell("ringback.callback.unverified.v1", row)

    async def fire(
        self, callback: str, rule: str = "connected_not_dialled", age: float = 0, **facts: Any
    ) -> str:
        """Raise an alert."""
        row = self.rows[callback]
        return await self._raise(
            {
                "alertId": f"{callback}/{rule}/1",
                "rule": rule,
                "summary": "An agent accepted the callback and nobody dials.",
                "callbackId": callback,
                "conversationId": row["conversationId"],
                "state": row["state"],
                "stateSince": row["since"],
                "since": instant(-age),
                "queueId": row["queueId"],
            }
            | facts
        )

    async def fire_of_source(self, rule: str = "source_blind", **facts: Any) -> str:
        """Raise an alert about the source."""
        return await self._raise(
            {
                "alertId": f"source:main/{rule}/1",
                "rule": rule,
                "summary": "The source hears nothing.",
                "source": "main",
                "since": instant(),
            }
            | facts
        )

    async def _raise(self, alert: dict[str, Any]) -> str:
        self.alerts[alert["alertId"]] = alert
        await self.tell("ringback.alert.firing.v1", alert)
        return str(alert["alertId"])

    async def resolve(self, alert: str) -> None:
        """End an alert."""
        await self.tell("ringback.alert.resolved.v1", self.alerts.pop(alert) | {"reason": "moved"})

    async def blind(self, since: str | None = None) -> None:
        """Have the source hear nothing, or hear again."""
        hears: dict[str, Any] = {"hears": since is None}
        source = self.sources[0] | hears
        source.pop("blindSince", None)
        self.sources = [source | ({"blindSince": since} if since else {})]
        await self.wake()

    async def wake(self) -> None:
        """Have every reader look."""
        async with self._news:
            self._news.notify_all()

    def forget(self) -> None:
        """Lose the journal so far, as retention does."""
        self.first = self.position
        self.journal.clear()

    def _add(self, callback: str, state: str, age: float = 0) -> dict[str, Any]:
        number = len(self.rows)
        row: dict[str, Any] = {
            "callbackId": callback,
            "conversationId": callback.replace("0000-4000", "1111-4111"),
            "state": state,
            "since": instant(-age),
            "clock": "cloud",
            "queueId": f"queue-{number % len(QUEUES)}",
            "offers": number % 3,
            "holdSeconds": float(number % 5 * 10),
            "waitSeconds": age if state == "waiting" else float(number % 400),
            "sequence": 1,
        }
        if state not in {"scheduled", "waiting"}:
            row["userId"] = f"agent-{number % 40:03d}"
        if state == "scheduled":
            row["scheduledTime"] = instant(600.0 - age)
        if state == "connected":
            row["autoDialAt"] = instant(45)
        self.rows[callback] = row
        return row

    async def tell(self, kind: str, data: dict[str, Any]) -> None:
        """Put an event into the journal."""
        self.position += 1
        event = {
            "specversion": "1.0",
            "id": f"event/{self.position}",
            "source": "/orgs/local",
            "type": kind,
            "subject": data.get("callbackId", "source:main"),
            "time": instant(),
            "data": data | {"observedTime": instant(), "clock": {"name": "cloud"}},
        }
        if ".callback." in kind:
            event["sequence"] = data["sequence"]
        self.journal.append((self.position, event))
        await self.wake()

    async def follow(self, after: int) -> AsyncIterator[bytes]:
        """Give the feed from a position on."""
        self.readers += 1
        loop = asyncio.get_running_loop()
        try:
            if after < self.first or after > self.position:
                yield _message("reset", {"position": self.position, "reason": "it is gone"})
                return
            beat = 0.0
            while self.open:
                news = self.journal[after - self.first :]
                if news:
                    yield b"".join(_message(None, event, at) for at, event in news)
                    after = news[-1][0]
                if self.beating and loop.time() >= beat:
                    beat = loop.time() + HEARTBEAT_SECONDS
                    body = {"position": after, "now": instant(), "sources": self.sources}
                    yield _message("heartbeat", body, after)
                async with self._news:
                    with suppress(TimeoutError):
                        await asyncio.wait_for(self._news.wait(), HEARTBEAT_SECONDS)
                        beat = 0.0
        finally:
            self.readers -= 1


def _message(name: str | None, body: dict[str, Any], position: int | None = None) -> bytes:
    head = f"event: {name}\n" if name else ""
    at = f"id: {position}\n" if position is not None else ""
    return f"{head}{at}data: {json.dumps(body)}\n\n".encode()


def instant(seconds: float = 0) -> str:
    """Say when that many seconds from now is."""
    return rfc3339(datetime.now(UTC) + timedelta(seconds=seconds))
