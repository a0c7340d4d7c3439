"""Finds out which permissions the OAuth client has, by asking for something that changes nothing.

Topics are tried on a channel of its own, which is left empty; there is no way to remove one, so it
lapses by itself.
"""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from datetime import datetime

import msgspec

from ringback.errors import PlatformError, PlatformFault
from ringback.sources.findings import Finding, Level
from ringback.sources.genesys.client import RestClient, Urgency, read_as
from ringback.sources.genesys.disconnecting import DISCONNECT, PERMISSION
from ringback.sources.genesys.plan import MOST_TOPICS
from ringback.sources.genesys.queries import observations_query, open_query
from ringback.wire.rest import AvailableTopic, AvailableTopics, Channel, ChannelTopic, Subscriptions
from ringback.wire.topics import subject

__all__ = ["available_topics", "disconnects", "reads", "some", "try_topics"]

NOBODY = "00000000-0000-4000-8000-000000000000"
CHANNELS = "/api/v2/notifications/channels"
AVAILABLE = "/api/v2/notifications/availabletopics"
ROLES = (
    "give the OAuth client a role that has it, for the divisions of the queues, under Admin >"
    " Integrations > OAuth > Roles"
)
MOST_NAMED = 20


async def reads(client: RestClient, queue_ids: Sequence[str], now: datetime) -> list[Finding]:
    """Try what the comparison by REST reads, once each."""
    observations = observations_query(list(queue_ids[:1]) or [NOBODY])
    tries: list[tuple[str, str, Callable[[], Awaitable[object]]]] = [
        (
            "analytics:queueObservation:view",
            "to list the callbacks that wait in queues",
            lambda: client.request(
                "POST", "/api/v2/analytics/queues/observations/query", body=observations
            ),
        ),
        (
            "analytics:conversationDetail:view",
            "to find scheduled callbacks",
            lambda: client.request(
                "POST", "/api/v2/analytics/conversations/details/query", body=open_query(1, now)
            ),
        ),
        (
            "conversation:communication:view",
            "to read a conversation after a gap",
            lambda: client.request("GET", f"/api/v2/conversations/{NOBODY}"),
        ),
    ]
    return [await _permission(*each) for each in tries]


async def disconnects(client: RestClient) -> Finding:
    """Try what clean-up does, on a conversation that there is not."""
    path = DISCONNECT.replace("{id}", NOBODY)
    return await _permission(
        PERMISSION,
        "to disconnect conversations, as [cleanup] enabled lets operators",
        lambda: client.request("POST", path, name=DISCONNECT),
    )


async def _permission(name: str, why: str, ask: Callable[[], Awaitable[object]]) -> Finding:
    about = "permission"
    try:
        await ask()
    except PlatformError as error:
        match error.fault:
            case PlatformFault.FORBIDDEN:
                return Finding(Level.FAIL, about, f"{name} is missing; it is needed {why}", ROLES)
            case PlatformFault.NOT_FOUND:
                pass  # there is no such conversation, and the client may know it
            case _:
                return Finding(
                    Level.WARN, about, f"{name} cannot be told: {error.problem}", error.remedy
                )
    return Finding(Level.OK, about, f"{name}, {why}")


async def available_topics(client: RestClient, patterns: Sequence[str]) -> Finding:
    """Ask the platform what topics such as `v2.routing.queues.{id}.conversations` need."""
    about = "topics"
    query = {"expand": "requiresPermissions,permissionDetails,transports"}
    try:
        answer = await client.request("GET", AVAILABLE, query=query)
        listed = read_as(answer, AvailableTopics, f"GET {AVAILABLE}").entities
    except PlatformError as error:
        return Finding(
            Level.WARN, about, f"what they need cannot be told: {error.problem}", error.remedy
        )
    found = {topic.id: topic for topic in listed}
    missing = [pattern for pattern in patterns if pattern not in found]
    if missing:
        return Finding(
            Level.WARN,
            about,
            f"{', '.join(missing)} is not among those that the platform lists",
            "choose others in [genesys] topics, if it is rejected below",
        )
    said = [f"{pattern} needs {_needs(found[pattern])}" for pattern in patterns]
    return Finding(Level.OK, about, "; ".join(said))


def _needs(topic: AvailableTopic) -> str:
    names = list(topic.requires_permissions or ())
    for way in topic.permission_details or ():
        names.extend(way.permissions or ())
    return ", ".join(dict.fromkeys(names)) or "no permission"


async def try_topics(
    client: RestClient, topics: Sequence[str], names: dict[str, str]
) -> list[Finding]:
    """Subscribe to all topics, see which are rejected, and let them go again.

    `names` gives a queue's name by its id. Raises `PlatformError` when there is no channel.
    """
    answer = await client.request("POST", CHANNELS, urgency=Urgency.CHANNEL)
    channel = read_as(answer, Channel, f"POST {CHANNELS}")
    path, name = f"{CHANNELS}/{channel.id}/subscriptions", f"{CHANNELS}/{{id}}/subscriptions"
    judged: list[ChannelTopic] = []
    for begin in range(0, len(topics), MOST_TOPICS):
        asked = [{"id": topic} for topic in topics[begin : begin + MOST_TOPICS]]
        answer = await client.request(
            "PUT",
            path,
            body=msgspec.json.encode(asked),
            query={"ignoreErrors": "true"},
            urgency=Urgency.CHANNEL,
            name=name,
        )
        judged += read_as(answer, Subscriptions, f"PUT {name}").entities
    await client.request("DELETE", path, urgency=Urgency.CHANNEL, name=name)
    return list(_verdict(judged, len(topics), names))


def _verdict(judged: list[ChannelTopic], asked: int, names: dict[str, str]) -> Iterator[Finding]:
    about = "topics"
    rejected: dict[str, list[str]] = {}
    for topic in judged:
        if topic.rejected:
            about_queue = subject(topic.id or "")
            id_ = about_queue.id if about_queue is not None else topic.id or "?"
            rejected.setdefault(_why(topic), []).append(names.get(id_, id_))
    if not rejected:
        yield Finding(Level.OK, about, f"all {asked} are permitted")
    for why, queues in rejected.items():
        yield Finding(
            Level.FAIL,
            about,
            f"{len(queues)} of {asked} are rejected ({some(queues)}): {why}",
            ROLES,
        )


def _why(topic: ChannelTopic) -> str:
    if topic.missing_permissions:
        return f"{', '.join(sorted(topic.missing_permissions))} is missing"
    return " ".join((topic.rejection_reason or "the platform does not say why").split())[:200]


def some(names: Sequence[str], most: int = MOST_NAMED) -> str:
    """Name a bounded number of things."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")
