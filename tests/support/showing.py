"""Serves the page with a made-up centre behind the API and the feed, as the contract has them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from typing import Any

from litestar import Request, Response, delete, get, post
from litestar.response import Stream

from ringback.core.events import rfc3339
from ringback.web.app import create_app
from ringback.web.dashboard.pages import pages
from ringback.web.health import Check
from ringback.web.metrics import Metrics
from ringback.web.server import WebServer
from support.board import QUEUES, Centre, instant

__all__ = ["life", "showing", "surround"]


def handlers(centre: Centre) -> list[Any]:
    """Give the API."""

    def answer(body: dict[str, Any]) -> Response[Any]:
        if centre.failing is not None:
            problem = {"title": "Service Unavailable", "detail": "The board is loading."}
            return Response(problem, status_code=centre.failing)
        return Response({"position": centre.position, "now": instant()} | body)

    @get("/api/v1/session")
    async def session() -> Response[Any]:
        return answer({"name": "local", "role": centre.role, "org": "acme", "queues": QUEUES})

    @get("/api/v1/callbacks")
    async def callbacks(request: Request[Any, Any, Any]) -> Response[Any]:
        limit = int(request.query_params.get("limit", 100))
        cursor = request.query_params.get("cursor", "")
        wanted = sorted(each for each in centre.rows if each > cursor)
        shown = [centre.rows[each] for each in wanted[:limit]]
        following = {"next": wanted[limit - 1]} if len(wanted) > limit else {}
        return answer({"total": len(centre.rows), "callbacks": shown} | following)

    @get("/api/v1/callbacks/{callback:str}")
    async def one(request: Request[Any, Any, Any]) -> Response[Any]:
        row = centre.rows.get(request.path_params["callback"])
        if row is None:
            return Response({"title": "Not Found"}, status_code=404)
        return answer(life(row))

    return [session, callbacks, one, *_others(centre, answer), *_around(centre, answer)]


def _others(centre: Centre, answer: Callable[[dict[str, Any]], Response[Any]]) -> list[Any]:
    @get("/api/v1/alerts")
    async def alerts() -> Response[Any]:
        return answer({"alerts": list(centre.alerts.values())})

    @post("/api/v1/alerts/acknowledge")
    async def acknowledge(request: Request[Any, Any, Any]) -> Response[Any]:
        data = await request.json()
        alert = centre.alerts[data["alertId"]]
        centre.acknowledged.append(data["alertId"])
        alert["acknowledged"] = {"by": "local", "time": instant()}
        await centre.tell("ringback.alert.acknowledged.v1", alert | {"by": "local"})
        return answer({})

    @get("/api/v1/sources")
    async def sources() -> Response[Any]:
        return answer({"sources": centre.sources})

    @get("/api/v1/summary")
    async def summary() -> Response[Any]:
        return answer({"total": len(centre.rows), "scheduled": {"late": 1, "serviceLevel": 0.94}})

    @get("/api/v1/trends")
    async def trends() -> Response[Any]:
        return answer(_trends(centre))

    @get("/api/v1/events")
    async def events(request: Request[Any, Any, Any]) -> Stream:
        after = int(request.query_params.get("after", centre.position))
        return Stream(centre.follow(after), media_type="text/event-stream")

    return [alerts, acknowledge, sources, summary, trends, events]


def surround(centre: Centre) -> None:
    """Give a centre a rule, a silence, and a receiver that fails."""
    centre.rules = {
        "rules": [
            {
                "name": "gold_is_late",
                "kind": "due_not_released",
                "severity": "critical",
                "summary": "a gold customer's callback is due and not released",
                "afterSeconds": 90,
                "forSeconds": 3600,
                "times": 1,
                "where": {"queues": ["queue-1"], "automated": False},
                "hours": {
                    "days": ["mon", "tue"],
                    "from": "08:00",
                    "until": "18:00",
                    "timeZone": "Europe/Berlin",
                },
                "firing": 2,
            }
        ],
        "problem": "rules.toml: rule 3: after: it is no time",
    }
    centre.silences = [
        {
            "id": "1",
            "matchers": [
                {"field": "rule", "value": "waiting_too_long", "prefix": False},
                {"field": "queue", "value": "queue-7", "prefix": False},
            ],
            "since": instant(-60),
            "until": instant(3600),
            "by": "olga",
            "comment": "the queue is closed today",
            "alerts": 0,
        }
    ]
    centre.receivers = [
        {
            "name": "night",
            "kind": "slack",
            "sent": 3,
            "failures": {"status": 5},
            "untold": 4,
            "heldBack": 0,
            "failingSince": instant(-300),
            "problem": "it answered 500",
            "deadLetters": [
                {
                    "number": 7,
                    "made": instant(-4000),
                    "givenUp": instant(-300),
                    "tries": 12,
                    "why": "it answered 404",
                    "alerts": [
                        {
                            "alertId": "00000004-0000/auto_dial_missed/1",
                            "status": "firing",
                            "first": True,
                            "at": instant(-4000),
                        }
                    ],
                    "alertCount": 1,
                }
            ],
        }
    ]


def _around(centre: Centre, answer: Callable[[dict[str, Any]], Response[Any]]) -> list[Any]:
    @get("/api/v1/rules")
    async def rules() -> Response[Any]:
        return answer(centre.rules)

    @get("/api/v1/silences")
    async def silences() -> Response[Any]:
        return answer({"silences": centre.silences})

    @post("/api/v1/silences")
    async def silence(request: Request[Any, Any, Any]) -> Response[Any]:
        made = {"id": str(len(centre.silences)), "since": instant(), "by": "local", "alerts": 1}
        centre.silences.append(made | await request.json())
        return answer({"silence": centre.silences[-1]})

    @delete("/api/v1/silences/{name:str}", status_code=200)
    async def end_silence(request: Request[Any, Any, Any]) -> Response[Any]:
        name = request.path_params["name"]
        centre.silences = [each for each in centre.silences if each["id"] != name]
        return answer({})

    @get("/api/v1/receivers")
    async def receivers() -> Response[Any]:
        return answer({"receivers": centre.receivers})

    @delete("/api/v1/receivers/{name:str}/dead/{number:int}", status_code=200)
    async def bury(request: Request[Any, Any, Any]) -> Response[Any]:
        asked = request.path_params
        for each in centre.receivers:
            if each["name"] == asked["name"]:
                letters = each["deadLetters"]
                each["deadLetters"] = [one for one in letters if one["number"] != asked["number"]]
        return answer({})

    return [rules, silences, silence, end_silence, receivers, bury]


def life(row: dict[str, Any]) -> dict[str, Any]:
    """Give one callback with a past of some states, and everything that there can be beside."""
    since = datetime.fromisoformat(row["since"])
    past = [("scheduled", 200), ("waiting", 300), ("alerting", 40), ("connected", 45)]
    past = [each for each in past if each[0] != row["state"]]
    begin = since - timedelta(seconds=sum(seconds for _, seconds in past))
    first = begin

    def at(seconds: float) -> str:
        return rfc3339(first + timedelta(seconds=seconds))

    states: list[dict[str, Any]] = []
    for state, seconds in past:
        end = begin + timedelta(seconds=seconds)
        told = {"state": state, "from": rfc3339(begin), "until": rfc3339(end), "seconds": seconds}
        states.append(told | {"clock": "cloud", "cause": "notification"})
        begin = end
    states.append({"state": row["state"], "from": row["since"], "clock": "cloud", "cause": "timer"})
    return {
        "callback": row,
        "firstSeen": states[0]["from"],
        "states": states,
        "complete": True,
        "legs": [
            {
                "participantId": "participant-1",
                "medium": "callback",
                "role": "agent",
                "phase": "connected",
                "userId": "agent-001",
                "connectedTime": at(540),
                "holds": [{"from": at(550), "until": at(575), "seconds": 25}],
            }
        ],
        "offers": [
            {"userId": "agent-002", "from": at(440), "until": at(460), "result": "no_answer"},
            {"userId": "agent-001", "from": at(500), "until": at(540), "result": "accepted"},
        ],
        "holds": {"total": 25, "longest": 25},
        "deadlines": [
            {"kind": "scheduled", "at": at(200), "clock": "provider", "state": "passed"},
            {"kind": "auto_dial", "at": at(600), "clock": "cloud", "state": "passed"},
            {
                "kind": "talking_too_long",
                "at": instant(300),
                "clock": "cloud",
                "severity": "critical",
                "state": "armed",
            },
        ],
        "gaps": [
            {"id": "gap-1", "source": "main", "from": at(350), "until": at(380), "cause": "cut"}
        ],
        "alerts": [
            {
                "alertId": f"{row['callbackId']}/auto_dial_missed/1",
                "rule": "auto_dial_missed",
                "severity": "warning",
                "summary": "The automatic call was due and never came.",
                "proof": {"confirmed": True, "by": "read", "time": at(614)},
                "since": at(615),
            }
        ],
        "events": [
            {
                "position": 7,
                "id": f"{row['callbackId']}/1",
                "type": f"ringback.callback.{row['state']}.v1",
                "time": row["since"],
                "cause": "timer",
                "reasons": ["auto_dial_armed"],
            }
        ],
        "link": "https://apps.example.com/directory/#/engage/admin/interactions/1",
    }


@asynccontextmanager
async def showing(centre: Centre, port: int = 0) -> AsyncIterator[str]:
    """Serve the page and a centre on a real port; give the address."""

    class Well:
        def checks(self) -> list[Check]:
            return []

    app = create_app(Well(), Metrics(list, "0").expose, handlers=[*pages(), *handlers(centre)])
    server = WebServer(app, host="127.0.0.1", port=port, drain=1)
    address = f"http://127.0.0.1:{server.bind()}"
    task = asyncio.create_task(server.run())
    centre.open = True
    try:
        yield address
    finally:
        centre.open = False
        await centre.wake()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def _trends(centre: Centre) -> dict[str, Any]:
    chance = centre.random
    waiting = [20]
    for _ in range(centre.minutes - 1):
        waiting.append(max(0, waiting[-1] + chance.randint(-2, 2)))
    return {
        "stepSeconds": 60,
        "from": instant(-centre.minutes * 60),
        "waiting": waiting,
        "oldestSeconds": [each * 13 for each in waiting],
        "offers": [chance.randint(0, 9) for _ in waiting],
        "missed": [int(chance.random() > 0.97) for _ in waiting],
        "ended": [chance.randint(0, 9) for _ in waiting],
    }
