"""A conversation as analytics shows it, as it was at some instant: sessions and segments.

Everything in a conversation carries its times, so that an earlier picture can be drawn at any time.
"""

from collections.abc import Iterator
from datetime import datetime

from ringback.simulator.conversations import (
    CallbackLeg,
    Conversation,
    Leg,
    Participant,
    Segment,
    VoiceLeg,
)
from ringback.simulator.frames import Clocks, JsonObject
from ringback.simulator.genesys.queues import division_id

__all__ = ["draw", "ended_at", "segments"]

DISCONNECTS = {
    "endpoint.dnd": "dndEndpoint",
    "transfer.conference": "conferenceTransfer",
    "transfer.consult": "consultTransfer",
    "transfer.dnd": "dndTransfer",
    "transfer.forward": "forwardTransfer",
    "transfer.noanswer": "noAnswerTransfer",
    "transfer.notavailable": "notAvailableTransfer",
    "transport.failure": "transportFailure",
}
"""How analytics spells those that it spells differently."""


def draw(conversation: Conversation, clocks: Clocks, as_of: datetime) -> JsonObject:
    """Draw all that had happened by `as_of` (true time)."""
    ended = ended_at(conversation, as_of)
    participants = [
        {**_participant(one), "sessions": sessions}
        for one in conversation.participants
        if (sessions := [_session(one, leg, clocks, as_of) for leg in _legs(one, as_of)])
    ]
    return {
        "conversationId": conversation.id,
        "conversationStart": clocks.on_provider(conversation.started_at),
        **({"conversationEnd": clocks.on_provider(ended)} if ended else {}),
        "originatingDirection": "inbound",
        "divisionIds": [division_id(conversation.queue.division)],
        "participants": participants,
    }


def ended_at(conversation: Conversation, as_of: datetime) -> datetime | None:
    """Say when it ended, if it had by then."""
    ends = [one.ended_at for one in conversation.participants]
    if not ends or None in ends:
        return None
    latest = max(end for end in ends if end)
    return latest if latest <= as_of else None


def segments(picture: JsonObject) -> Iterator[JsonObject]:
    """Give the facts of every segment, with those of its session and its participant."""
    for one in _each(picture, "participants"):
        of_participant = {"purpose": one["purpose"], "userId": one.get("userId")}
        for session in _each(one, "sessions"):
            for segment in _each(session, "segments"):
                yield {**of_participant, **session, **segment}


def _each(holder: JsonObject, name: str) -> list[JsonObject]:
    found = holder[name]
    return found if isinstance(found, list) else []


def _legs(one: Participant, as_of: datetime) -> list[Leg]:
    return [leg for leg in one.legs if leg.began_at <= as_of]


def _participant(one: Participant) -> JsonObject:
    shown: JsonObject = {"participantId": one.id, "purpose": one.purpose}
    if one.name:
        shown["participantName"] = one.name
    if one.user_id:
        shown["userId"] = one.user_id
    return shown


def _session(one: Participant, leg: Leg, clocks: Clocks, as_of: datetime) -> JsonObject:
    shown: JsonObject = {
        "sessionId": leg.id,
        "mediaType": "callback" if isinstance(leg, CallbackLeg) else "voice",
        "direction": leg.direction if isinstance(leg, VoiceLeg) else "inbound",
        "provider": "PureCloud Callback" if isinstance(leg, CallbackLeg) else "Edge",
    }
    if leg.peer_id:
        shown["peerId"] = leg.peer_id
    if isinstance(leg, CallbackLeg):
        request = leg.request
        scheduled_at = request.scheduled_as_of(as_of)
        shown |= {
            "callbackNumbers": [request.customer.number],
            "callbackUserName": request.customer.name,
            "skipEnabled": request.skip_enabled,
            "timeoutSeconds": request.timeout_seconds,
            "scriptId": request.script_id,
            "agentOwned": request.owner_id is not None,
        }
        if scheduled_at is not None:
            shown["callbackScheduledTime"] = clocks.on_provider(scheduled_at)
    shown["segments"] = list(_segments(one, leg, clocks, as_of))
    return shown


def _segments(one: Participant, leg: Leg, clocks: Clocks, as_of: datetime) -> Iterator[JsonObject]:
    queue = {"queueId": one.queue.id} if one.queue and one.purpose != "customer" else {}
    for segment in leg.segments:
        if segment.started_at <= as_of:
            yield {**_segment(one, leg, segment, clocks, as_of), **queue}
    if isinstance(leg, CallbackLeg) and leg.work_started_at and leg.work_started_at <= as_of:
        work: JsonObject = {
            "segmentType": "wrapup",
            "segmentStart": clocks.on_cloud(leg.work_started_at),
            "conference": False,
        }
        if leg.work_ended_at and leg.work_ended_at <= as_of:
            work |= {
                "segmentEnd": clocks.on_cloud(leg.work_ended_at),
                "wrapUpCode": leg.wrapup_code,
            }
        yield {**work, **queue}


def _segment(
    one: Participant, leg: Leg, segment: Segment, clocks: Clocks, as_of: datetime
) -> JsonObject:
    shown: JsonObject = {
        "segmentType": _kind(one, leg, segment),
        "segmentStart": clocks.on_cloud(segment.started_at),
        "conference": False,
    }
    if segment.ended_at is not None and segment.ended_at <= as_of:
        shown["segmentEnd"] = clocks.on_cloud(segment.ended_at)
        if segment.disconnect_type is not None:
            kind = segment.disconnect_type
            shown["disconnectType"] = DISCONNECTS.get(kind, kind)
    return shown


def _kind(one: Participant, leg: Leg, segment: Segment) -> str:
    kind = segment.kind.lower()
    if kind == "interact" and isinstance(leg, CallbackLeg) and one.user_id is not None:
        # What an agent has is the callback; the call beside it is what interacts.
        return "callback"
    if kind == "dialing" and leg.initial_state == "contacting":
        return "contacting"
    return kind
