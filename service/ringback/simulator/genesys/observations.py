"""The queue observation query: what waits, rings and is worked on in each queue just now."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

import msgspec
from aiohttp import web

from ringback.simulator.centre import ContactCentre
from ringback.simulator.conversations import CallbackLeg, Conversation, Leg, Participant
from ringback.simulator.frames import stamp
from ringback.simulator.genesys.filters import Filter, check, matches
from ringback.simulator.genesys.limits import Limits
from ringback.simulator.genesys.problems import bad_request
from ringback.simulator.genesys.requests import TOKEN, answer, read_body

__all__ = ["ObservationCalls"]

STATES = {
    "oWaiting": "waiting",
    "oAlerting": "alerting",
    "oInteracting": "interacting",
}
OTHERS = frozenset(
    {
        "oActiveUsers",
        "oLongestInteracting",
        "oLongestWaiting",
        "oMemberUsers",
        "oOffQueueUsers",
        "oOnQueueUsers",
        "oUserPresences",
        "oUserRoutingStatuses",
    }
)
"""Metrics that may be asked for, and are not given here."""
DIMENSIONS = frozenset({"mediaType", "queueId"})
MEDIA = ("callback", "voice")


class ObservationQuery(msgspec.Struct):
    """What is asked."""

    filter: Filter
    metrics: list[str]
    detail_metrics: list[str] = msgspec.field(name="detailMetrics", default_factory=list)


@dataclass(slots=True)
class Sighting:
    """Something that is in a state now."""

    since: datetime
    conversation: Conversation
    participant: Participant
    leg: Leg

    def shown(self) -> dict[str, object]:
        """Give it as an observation."""
        shown: dict[str, object] = {
            "observationDate": stamp(self.since),
            "conversationId": self.conversation.id,
            "sessionId": self.leg.id,
            "routingPriority": 0,
            "direction": "inbound",
        }
        if self.participant.name:
            shown["participantName"] = self.participant.name
        if self.participant.user_id:
            shown["userId"] = self.participant.user_id
        return shown


@dataclass(slots=True)
class Group:
    """One medium of one queue."""

    queue_id: str
    media: str
    seen: dict[str, list[Sighting]] = field(
        default_factory=lambda: {state: [] for state in STATES.values()}
    )


class ObservationCalls:
    """Answers the query, from what is so at that moment."""

    def __init__(self, centre: ContactCentre, limits: Limits) -> None:
        """Look at that centre."""
        self._centre = centre
        self._limits = limits

    def routes(self) -> Iterator[web.RouteDef]:
        """Give the call and where it is."""
        yield web.post("/api/v2/analytics/queues/observations/query", self._query)

    async def _query(self, request: web.Request) -> web.Response:
        token = request[TOKEN]
        token.need("analytics:queueObservation:view")
        query = await read_body(request, ObservationQuery)
        check(query.filter, DIMENSIONS)
        _check_metrics(query)
        groups = {
            (queue.id, media): Group(queue.id, media)
            for queue in self._centre.queues
            for media in MEDIA
            if queue.id not in token.client.hidden_queues
            and matches(query.filter, {"queueId": queue.id, "mediaType": media})
        }
        for queue_id, media, state, sighting in sightings(self._centre.conversations(ended=False)):
            group = groups.get((queue_id, media))
            if group is not None:
                group.seen[state].append(sighting)
        return answer({"results": [self._shown(group, query) for group in groups.values()]})

    def _shown(self, group: Group, query: ObservationQuery) -> dict[str, object]:
        data = []
        for metric in dict.fromkeys([*query.metrics, *query.detail_metrics]):
            if metric not in STATES:
                continue
            seen = sorted(group.seen[STATES[metric]], key=lambda one: one.since)
            shown: dict[str, object] = {"metric": metric, "stats": {"count": len(seen)}}
            if metric in query.detail_metrics:
                kept = self._truncated(seen)
                shown["truncated"] = len(kept) < len(seen)
                shown["observations"] = [one.shown() for one in kept]
            data.append(shown)
        return {"group": {"queueId": group.queue_id, "mediaType": group.media}, "data": data}

    def _truncated(self, seen: list[Sighting]) -> list[Sighting]:
        """Keep the oldest and the newest when there are too many."""
        most = self._limits.observations
        if len(seen) <= most:
            return seen
        return seen[: most - most // 2] + seen[len(seen) - most // 2 :]


def sightings(
    conversations: Iterable[Conversation],
) -> Iterator[tuple[str, str, str, Sighting]]:
    """Give everything that is in a state, with its queue, its medium and that state."""
    for conversation in conversations:
        for one in conversation.participants:
            if one.queue is None:
                continue
            for leg in one.legs:
                media = "callback" if isinstance(leg, CallbackLeg) else "voice"
                state = _state(one, leg)
                if state is not None:
                    since = leg.connected_at or leg.began_at
                    yield one.queue.id, media, state, Sighting(since, conversation, one, leg)


def _state(one: Participant, leg: Leg) -> str | None:
    """Say which state a leg is in, if it counts at all."""
    if not leg.live:
        return None
    if one.user_id is None:
        # A scheduled callback is not in the queue before it is due.
        waits = one.purpose in {"acd", "dialer"} and leg.state == "connected"
        return "waiting" if waits else None
    if leg.state in {"alerting", "offering"}:
        return "alerting"
    return "interacting"


def _check_metrics(query: ObservationQuery) -> None:
    if not query.metrics:
        raise bad_request("At least one metric is required.")
    for metric in (*query.metrics, *query.detail_metrics):
        if metric not in STATES and metric not in OTHERS:
            raise bad_request("The metric {name} is not supported.", name=metric)
