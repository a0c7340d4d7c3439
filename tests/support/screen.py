"""A client as the documentation tells to write one: a snapshot, then the feed from its position."""

import json
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import httpx

__all__ = ["Screen", "entries", "snapshot"]

API = "/api/v1"
FACTS = (
    *("queueId", "userId", "scheduledTime", "autoDialAt"),
    *("offers", "holdSeconds", "waitSeconds", "unverified"),
)
SAME_STATE = ("updated", "unverified", "verified")

Event = dict[str, Any]
Rows = dict[str, Event]


async def snapshot(web: httpx.AsyncClient, limit: int = 1000) -> tuple[int, Rows]:
    """Read all pages; give the position of the first, and the rows by id."""
    query: dict[str, Any] = {"limit": limit, "sort": "callbackId"}
    position = -1
    rows: Rows = {}
    while True:
        answer = await web.get(f"{API}/callbacks", params=query)
        answer.raise_for_status()
        page = answer.json()
        position = page["position"] if position < 0 else position
        rows |= {row["callbackId"]: row for row in page["callbacks"]}
        if "next" not in page:
            return position, rows
        query["cursor"] = page["next"]


async def entries(
    web: httpx.AsyncClient, after: int, query: str = ""
) -> AsyncIterator[tuple[int, Event]]:
    """Follow the feed from a position; give CloudEvents with theirs until the connection ends."""
    headers = {"last-event-id": str(after)}
    with suppress(httpx.TransportError):
        async with web.stream("GET", f"{API}/events{query}", headers=headers) as answer:
            assert answer.status_code == 200
            fields: dict[str, str] = {}
            async for line in answer.aiter_lines():
                if line:
                    name, _, value = line.partition(": ")
                    fields[name] = value
                    continue
                assert fields.get("event") != "reset", fields
                if "data" in fields and "event" not in fields:
                    yield int(fields["id"]), json.loads(fields["data"])
                fields = {}


class Screen:
    """Shows what it was told; it knows nothing of the daemon's own code."""

    def __init__(self, position: int, rows: Rows) -> None:
        self.position = position
        self.rows = rows
        self.dropped = 0
        """Events that the snapshot had in it already."""

    def take(self, position: int, event: Event) -> None:
        """Take in the next entry; there must be none between."""
        assert position == self.position + 1, f"{position} after {self.position}"
        self.position = position
        _, topic, kind, _ = event["type"].split(".")
        if topic == "callback":
            self._callback(kind, event)
        elif topic == "alert":
            self._alert(kind, event["data"])

    def _callback(self, kind: str, event: Event) -> None:
        data = event["data"]
        known = self.rows.get(data["callbackId"])
        if known is not None and event["sequence"] <= known["sequence"]:
            self.dropped += 1
        elif data["state"] == "disconnected":
            self.rows.pop(data["callbackId"], None)
        else:
            row = {name: data[name] for name in ("callbackId", "conversationId", "state")}
            row |= {name: data[name] for name in FACTS if name in data}
            row |= {"sequence": event["sequence"]}
            if known is not None and kind in SAME_STATE:
                row |= {name: known[name] for name in ("since", "clock") if name in known}
            else:
                row |= {"since": event["time"], "clock": data["clock"]["name"]}
            if known is not None and "alerts" in known:
                row["alerts"] = known["alerts"]
            self.rows[data["callbackId"]] = row

    def _alert(self, kind: str, data: Event) -> None:
        row = self.rows.get(data["callbackId"])
        if row is None:
            return
        alerts = {alert["alertId"]: alert for alert in row.pop("alerts", [])}
        known = alerts.pop(data["alertId"], None)
        if kind == "firing":
            alerts[data["alertId"]] = {name: data[name] for name in ("alertId", "rule", "since")}
        elif kind == "acknowledged" and known is not None:
            alerts[data["alertId"]] = known | {"acknowledged": True}
        if alerts:
            row["alerts"] = list(alerts.values())
