"""One callback's life with everything that there can be in it, and how the terminal draws it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from ringback.core.events import rfc3339
from ringback.terminal.drawing import Around
from ringback.terminal.lives import Life
from ringback.terminal.scale import Signs
from ringback.terminal.timeline import timeline

__all__ = ["NOW", "QUEUE", "around", "drawn", "life_of", "rich_life"]

NOW = datetime(2026, 11, 25, 14, 6, 30, tzinfo=UTC)
QUEUE = "7b1e22d0-0000-4000-8000-000000000001"
AGENTS = ("f00ba400-0000-4000-8000-000000000002", "866ba0d6-0000-4000-8000-000000000003")
CONVERSATION = "3f2a91c7-aaaa-4000-8000-000000000004"


def at(text: str) -> str:
    """Give a time of that day."""
    return f"2026-11-25T{text}.000Z"


def spell(state: str, began: str, until: str | None = None, **facts: Any) -> dict[str, Any]:
    told: dict[str, Any] = {
        "state": state,
        "from": at(began),
        "clock": "cloud",
        "cause": "notification",
    }
    if until is not None:
        long = datetime.fromisoformat(at(until)) - datetime.fromisoformat(at(began))
        told |= {"until": at(until), "seconds": long / timedelta(seconds=1)}
    return told | facts


def rich_life(**facts: Any) -> dict[str, Any]:
    """Give a callback that was scheduled, offered twice, held once, and is not dialled."""
    life: dict[str, Any] = {
        "position": 1234,
        "now": rfc3339(NOW),
        "callback": {
            "callbackId": CONVERSATION,
            "conversationId": CONVERSATION,
            "state": "auto_dialing",
            "since": at("14:05:52"),
            "clock": "cloud",
            "queueId": QUEUE,
            "userId": AGENTS[1],
            "scheduledTime": at("13:55:00"),
            "autoDialAt": at("14:05:52"),
            "offers": 2,
            "holdSeconds": 25.0,
            "waitSeconds": 300.0,
            "sequence": 9,
            "unverified": True,
            "contact": ["…67"],
            "anything": "new",
        },
        "firstSeen": at("12:10:00"),
        "states": [
            spell("scheduled", "12:10:00", "13:55:21", clock="provider", mixed=True),
            spell("waiting", "13:55:21", "14:00:21", trigger="release", cause="reconcile"),
            spell("alerting", "14:00:21", "14:05:07", trigger="alert"),
            spell("connected", "14:05:07", "14:05:52", skipped=["waiting", "alerting"]),
            spell("auto_dialing", "14:05:52", cause="timer", lateSeconds=2.5),
        ],
        "complete": False,
        "legs": [
            {
                "participantId": "p-1",
                "medium": "callback",
                "role": "customer",
                "phase": "connected",
                "queueId": QUEUE,
                "connectedTime": at("13:55:21"),
                "holds": [],
            },
            {
                "participantId": "p-2",
                "medium": "callback",
                "role": "agent",
                "phase": "ended",
                "userId": AGENTS[0],
                "endedTime": at("14:00:41"),
                "holds": [],
            },
            {
                "participantId": "p-3",
                "medium": "callback",
                "role": "agent",
                "phase": "connected",
                "userId": AGENTS[1],
                "connectedTime": at("14:05:07"),
                "holds": [{"from": at("14:05:10"), "until": at("14:05:35"), "seconds": 25}],
            },
        ],
        "offers": [
            {
                "userId": AGENTS[0],
                "from": at("14:00:21"),
                "until": at("14:00:41"),
                "result": "no_answer",
            },
            {
                "userId": AGENTS[1],
                "from": at("14:04:50"),
                "until": at("14:05:07"),
                "result": "accepted",
            },
        ],
        "holds": {"total": 25.0, "longest": 25.0},
        "deadlines": [
            {"kind": "scheduled", "at": at("13:55:00"), "clock": "provider", "state": "passed"},
            {"kind": "auto_dial", "at": at("14:05:52"), "clock": "cloud", "state": "passed"},
            {"kind": "auto_dial_missed", "at": at("14:06:47"), "clock": "cloud", "state": "armed"},
            {
                "kind": "connected_not_dialled",
                "at": at("14:15:07"),
                "clock": "cloud",
                "state": "armed",
            },
        ],
        "gaps": [
            {
                "id": "g-1",
                "source": "main",
                "from": at("13:57:51"),
                "until": at("13:58:21"),
                "cause": "connection_lost",
            }
        ],
        "alerts": [
            {
                "alertId": f"{CONVERSATION}/due_not_released/1",
                "rule": "due_not_released",
                "summary": "due, and not released into the queue",
                "since": at("13:55:10"),
                "until": at("13:55:21"),
                "reason": "released",
            },
            {
                "alertId": f"{CONVERSATION}/auto_dial_missed/1",
                "rule": "auto_dial_missed",
                "severity": "critical",
                "summary": "an automatic call was due and never came",
                "proof": {"confirmed": True, "by": "read", "time": at("14:06:05")},
                "since": at("14:06:07"),
                "acknowledged": {"by": "anna", "time": at("14:06:20")},
            },
        ],
        "events": [
            {
                "position": 7,
                "id": f"{CONVERSATION}/7",
                "type": "ringback.callback.updated.v1",
                "time": at("14:05:08"),
                "cause": "notification",
                "reasons": ["auto_dial_armed"],
            },
            {
                "position": 8,
                "id": f"{CONVERSATION}/8",
                "type": "ringback.callback.auto_dialing.v1",
                "time": at("14:05:52"),
                "cause": "timer",
            },
            {
                "position": 9,
                "id": f"{CONVERSATION}/9",
                "type": "ringback.callback.unverified.v1",
                "time": at("14:06:10"),
                "cause": "timer",
            },
        ],
        "link": f"https://apps.example.com/directory/#/engage/admin/interactions/{CONVERSATION}",
    }
    return life | facts


def life_of(told: dict[str, Any]) -> Life:
    """Read it as the terminal does."""
    return msgspec.json.decode(msgspec.json.encode(told), type=Life)


def around(**facts: Any) -> Around:
    """Give what is known beside it."""
    known: dict[str, Any] = {"queues": {QUEUE: "Support"}, "zone": UTC}
    return Around(**(known | facts))


def drawn(told: dict[str, Any], width: int = 80, *, ascii_only: bool = False, **facts: Any) -> str:
    """Draw it as plain text."""
    life = life_of(told)
    signs = Signs.ascii() if ascii_only else Signs()
    lines = timeline(life, life.now, width, around(signs=signs, **facts))
    return "".join(f"{each.plain.rstrip()}\n" for each in lines)
