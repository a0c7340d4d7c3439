"""The routing calls of the API: queues and divisions."""

import uuid
from collections.abc import Iterator

from aiohttp import web

from ringback.simulator.centre import ContactCentre
from ringback.simulator.genesys.problems import not_found
from ringback.simulator.genesys.requests import TOKEN, answer, page_of
from ringback.simulator.people import Queue

__all__ = ["QueueCalls", "division_id"]

DIVISIONS = uuid.UUID("a1f2e0a5-2b52-49ab-9f0e-6f4d2d5b0c6b")


def division_id(name: str) -> str:
    """Give the id of the division of that name."""
    return str(uuid.uuid5(DIVISIONS, name))


class QueueCalls:
    """Answers what is asked of queues."""

    def __init__(self, centre: ContactCentre) -> None:
        """Show the queues that the centre has at that time."""
        self._centre = centre

    def routes(self) -> Iterator[web.RouteDef]:
        """Give the calls and where they are."""
        yield web.get("/api/v2/routing/queues", self._list)
        yield web.get("/api/v2/routing/queues/{id}", self._read)
        yield web.get("/api/v2/authorization/divisions", self._list_divisions)

    async def _list(self, request: web.Request) -> web.Response:
        return answer(page_of(request, [_queue(one) for one in self._seen(request)]))

    async def _read(self, request: web.Request) -> web.Response:
        for queue in self._seen(request):
            if queue.id == request.match_info["id"]:
                return answer(_queue(queue))
        raise not_found("queue", request.match_info["id"])

    async def _list_divisions(self, request: web.Request) -> web.Response:
        request[TOKEN].need("authorization:division:view")
        names = sorted({queue.division for queue in self._centre.queues} | {"Home"})
        return answer(
            page_of(
                request, [{**_division(name), "homeDivision": name == "Home"} for name in names]
            )
        )

    def _seen(self, request: web.Request) -> list[Queue]:
        token = request[TOKEN]
        token.need("routing:queue:view")
        seen = [one for one in self._centre.queues if one.id not in token.client.hidden_queues]
        return sorted(seen, key=lambda queue: queue.name)


def _division(name: str) -> dict[str, object]:
    found = division_id(name)
    return {"id": found, "name": name, "selfUri": f"/api/v2/authorization/divisions/{found}"}


def _queue(queue: Queue) -> dict[str, object]:
    dials = queue.auto_dial_seconds is not None
    callback: dict[str, object] = {
        "enableAutoAnswer": False,
        "alertingTimeoutSeconds": queue.alerting_timeout_seconds,
        "serviceLevel": {"percentage": 0.8, "durationMs": 1_800_000},
        "mode": "CustomerFirst" if queue.customer_first else "AgentFirst",
        "enableAutoDialAndEnd": dials,
        "autoDialDelaySeconds": queue.auto_dial_seconds if dials else 300,
        "autoEndDelaySeconds": 300,
    }
    if queue.customer_first:
        callback |= {
            "pacingModifier": 1.0,
            "maxRetryCount": 0,
            "retryDelaySeconds": 1_800,
            "liveVoiceReactionType": "TransferToQueue",
            "answeringMachineReactionType": "HangUp",
        }
    return {
        "id": queue.id,
        "name": queue.name,
        "division": _division(queue.division),
        "memberCount": 0,
        "mediaSettings": {"callback": callback, "call": {"alertingTimeoutSeconds": 8}},
        "agentOwnedRouting": {
            "enableAgentOwnedCallbacks": queue.owned_hours is not None,
            "maxOwnedCallbackHours": queue.owned_hours or 24,
            "maxOwnedCallbackDelayHours": 720,
        },
        "selfUri": f"/api/v2/routing/queues/{queue.id}",
    }
