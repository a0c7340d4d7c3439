"""Shows a conversation as the platform does: both notification shapes, a REST read, a callback.

The habits of the real service are kept: absent rather than null, empty objects for unset
references, a stray `additionalProperties`, `howEnded` on open segments.
"""

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from ringback.simulator.conversations import CallbackLeg, Conversation, Leg, Participant, VoiceLeg

__all__ = [
    "Clocks",
    "JsonObject",
    "bare_callback",
    "envelope",
    "flat_body",
    "flat_frame",
    "generic_body",
    "generic_frame",
    "rest_callbacks",
    "rest_conversation",
    "stamp",
]

CORRELATIONS = uuid.UUID("6f3c2f0e-6f0d-4a0e-9b43-6f1f2f0a7c11")
PROVIDER = "PureCloud Callback"

JsonObject = dict[str, object]


@dataclass(frozen=True, slots=True)
class Clocks:
    """How far the platform's two clocks run ahead of true time."""

    cloud: timedelta = timedelta()
    provider: timedelta = timedelta()

    def on_cloud(self, instant: datetime | None) -> str | None:
        """Read `connectedTime`, `startHoldTime`, after-call work or a segment off the cloud."""
        return None if instant is None else stamp(instant + self.cloud)

    def on_provider(self, instant: datetime | None) -> str | None:
        """Read `disconnectedTime`, `callbackScheduledTime` or a participant's time."""
        return None if instant is None else stamp(instant + self.provider)


def stamp(instant: datetime) -> str:
    """Format an instant; whole seconds come without milliseconds."""
    precision = "milliseconds" if instant.microsecond else "seconds"
    return instant.isoformat(timespec=precision).replace("+00:00", "Z")


def generic_frame(conversation: Conversation, clocks: Clocks, topic: str) -> bytes:
    """Show it as on `v2.{users|routing.queues}.{id}.conversations`."""
    return envelope(conversation, topic, generic_body(conversation, clocks))


def flat_frame(conversation: Conversation, clocks: Clocks, topic: str) -> bytes:
    """Show it as on `v2.{users|routing.queues}.{id}.conversations.callbacks`: no voice legs."""
    return envelope(conversation, topic, flat_body(conversation, clocks))


def generic_body(conversation: Conversation, clocks: Clocks) -> msgspec.Raw:
    """Give what every topic of the generic shape carries."""
    body: JsonObject = {
        "id": conversation.id,
        "participants": [_participant(one, clocks) for one in conversation.participants],
        "recordingState": "none",
    }
    return msgspec.Raw(msgspec.json.encode(body))


def flat_body(conversation: Conversation, clocks: Clocks) -> msgspec.Raw:
    """Give what every topic of the flat shape carries."""
    return msgspec.Raw(msgspec.json.encode(_flat_body(conversation, clocks)))


def envelope(conversation: Conversation, topic: str, body: msgspec.Raw) -> bytes:
    """Put a body into the frame of a topic."""
    # Not unique: every frame of one change carries the same, and so does its repetition.
    correlation = uuid.uuid5(CORRELATIONS, f"{conversation.id}/{conversation.revision}")
    return msgspec.json.encode(
        {
            "topicName": topic,
            "version": "2",
            "eventBody": body,
            "metadata": {"CorrelationId": str(correlation)},
        }
    )


def rest_conversation(conversation: Conversation, clocks: Clocks) -> bytes:
    """Show it as `GET /api/v2/conversations/{id}` does: with segments, without an envelope."""
    ends = [one.ended_at for one in conversation.participants]
    ended_at = max((end for end in ends if end), default=None) if None not in ends else None
    return msgspec.json.encode(
        _present(
            id=conversation.id,
            startTime=clocks.on_provider(conversation.started_at),
            endTime=clocks.on_provider(ended_at),
            participants=[_rest_participant(one, clocks) for one in conversation.participants],
            recordingState="NONE",
            divisions=[],
            selfUri=f"/api/v2/conversations/{conversation.id}",
        )
    )


def rest_callbacks(conversation: Conversation, clocks: Clocks) -> bytes:
    """Show it as `GET /api/v2/conversations/callbacks/{id}` does: one media only, no segments."""
    uri = f"/api/v2/conversations/callbacks/{conversation.id}"
    return msgspec.json.encode(_flat_body(conversation, clocks) | {"selfUri": uri})


def bare_callback(leg: CallbackLeg, clocks: Clocks) -> bytes:
    """Show one callback leg alone, as the SDK's `Callback` model."""
    return msgspec.json.encode(_rest_callback(leg, clocks))


def _flat_body(conversation: Conversation, clocks: Clocks) -> JsonObject:
    on_the_phone = any(one.calls for one in conversation.participants)
    return _present(
        id=conversation.id,
        participants=[
            _flat_participant(one, clocks) for one in conversation.participants if one.callbacks
        ],
        otherMediaUris=[f"/api/v2/conversations/calls/{conversation.id}"] if on_the_phone else [],
    )


def _present(**fields: object) -> JsonObject:
    """Leave out what is not set."""
    return {name: value for name, value in fields.items() if value is not None}


def _participant(one: Participant, clocks: Clocks) -> JsonObject:
    return _present(
        id=one.id,
        connectedTime=clocks.on_provider(_shown_connected(one)),
        endTime=clocks.on_provider(one.ended_at),
        userId=one.user_id,
        name=one.name if one.purpose == "customer" else None,
        queueId=one.queue.id if one.queue else None,
        purpose=one.purpose,
        wrapupRequired=_worked(one),
        wrapupExpected=one.user_id is not None,
        wrapupPrompt="optional" if one.user_id else None,
        wrapup=_wrapup(one, clocks),
        startAcwTime=clocks.on_cloud(_work(one, "work_started_at")),
        endAcwTime=clocks.on_cloud(_work(one, "work_ended_at")),
        conversationRoutingData=_routing(one, {"language": {}}),
        alertingTimeoutMs=_alerting_timeout(one),
        attributes=one.attributes,
        calls=[_call(leg, clocks) for leg in one.calls] or None,
        callbacks=[_callback(leg, clocks) for leg in one.callbacks] or None,
        additionalProperties={},
    )


def _callback(leg: CallbackLeg, clocks: Clocks) -> JsonObject:
    request = leg.request
    return _present(
        state=leg.state,
        initialState=leg.initial_state,
        id=leg.id,
        held=leg.hold_started_at is not None,
        disconnectType=leg.disconnect_type,
        startHoldTime=clocks.on_cloud(leg.hold_started_at),
        dialerPreview=request.preview,
        voicemail=request.voicemail,
        callbackNumbers=[request.customer.number],
        callbackUserName=request.customer.name,
        scriptId=request.script_id,
        peerId=leg.peer_id,
        externalCampaign=False,
        skipEnabled=request.skip_enabled,
        provider=PROVIDER,
        timeoutSeconds=request.timeout_seconds,
        connectedTime=clocks.on_cloud(leg.connected_at if leg.connected_shown else None),
        disconnectedTime=clocks.on_provider(leg.ended_at),
        callbackScheduledTime=clocks.on_provider(request.scheduled_at),
        automatedCallbackConfigId=request.automated_config_id,
        wrapup=_wrapup_of(leg, clocks),
        afterCallWork=_after_call_work(leg, clocks),
        afterCallWorkRequired=False,
        callerIdName=request.customer.name,
        additionalProperties={},
    )


def _call(leg: VoiceLeg, clocks: Clocks) -> JsonObject:
    return _present(
        state=leg.state,
        initialState=leg.initial_state,
        id=leg.id,
        direction=leg.direction,
        held=leg.hold_started_at is not None,
        muted=False,
        confined=False,
        recording=False,
        disconnectType=leg.disconnect_type,
        disconnectReasons=[{"type": "sip", "code": leg.sip_code}] if leg.sip_code else None,
        startHoldTime=clocks.on_cloud(leg.hold_started_at),
        connectedTime=clocks.on_cloud(leg.connected_at),
        disconnectedTime=clocks.on_provider(leg.ended_at),
        peerId=leg.peer_id,
        provider="Edge",
        errorInfo={},
        additionalProperties={},
    )


def _flat_participant(one: Participant, clocks: Clocks) -> JsonObject:
    leg = one.callbacks[-1]
    request = leg.request
    return _present(
        id=one.id,
        name=one.name,
        address=request.customer.number if one.purpose == "customer" else None,
        startTime=clocks.on_provider(one.joined_at),
        connectedTime=clocks.on_cloud(leg.connected_at if leg.connected_shown else None),
        endTime=clocks.on_provider(leg.ended_at),
        startHoldTime=clocks.on_cloud(leg.hold_started_at),
        purpose=one.purpose,
        state=leg.state,
        initialState=leg.initial_state,
        disconnectType=leg.disconnect_type,
        held=leg.hold_started_at is not None,
        wrapupRequired=_worked(one),
        wrapupPrompt="optional" if one.user_id else None,
        user={"id": one.user_id, "name": one.name} if one.user_id else {},
        queue={"id": one.queue.id, "name": one.queue.name} if one.queue else {},
        team={},
        attributes=one.attributes,
        errorInfo={},
        script={"id": request.script_id},
        alertingTimeoutMs=_alerting_timeout(one),
        provider=PROVIDER,
        externalContact={},
        wrapup=_wrapup(one, clocks),
        conversationRoutingData=_routing(one, {"language": {}}),
        peer=leg.peer_id,
        startAcwTime=clocks.on_cloud(leg.work_started_at),
        endAcwTime=clocks.on_cloud(leg.work_ended_at),
        outboundPreview=request.preview,
        voicemail=request.voicemail,
        callbackNumbers=[request.customer.number],
        callbackUserName=request.customer.name,
        skipEnabled=request.skip_enabled,
        externalCampaign=False,
        timeoutSeconds=request.timeout_seconds,
        callbackScheduledTime=clocks.on_provider(request.scheduled_at),
        automatedCallbackConfigId=request.automated_config_id,
        additionalProperties={},
    )


def _rest_participant(one: Participant, clocks: Clocks) -> JsonObject:
    return _present(
        id=one.id,
        startTime=clocks.on_provider(one.joined_at),
        connectedTime=clocks.on_provider(_shown_connected(one)),
        endTime=clocks.on_provider(one.ended_at),
        name=one.name,
        userUri=f"/api/v2/users/{one.user_id}" if one.user_id else None,
        userId=one.user_id,
        queueId=one.queue.id if one.queue else None,
        queueName=one.queue.name if one.queue else None,
        purpose=one.purpose,
        wrapupRequired=_worked(one),
        wrapupPrompt="optional" if one.user_id else None,
        wrapup=_wrapup(one, clocks),
        startAcwTime=clocks.on_cloud(_work(one, "work_started_at")),
        endAcwTime=clocks.on_cloud(_work(one, "work_ended_at")),
        conversationRoutingData=_routing(one, {"skills": []}),
        alertingTimeoutMs=_alerting_timeout(one),
        attributes=one.attributes,
        calls=[_rest_call(leg, clocks) for leg in one.calls],
        callbacks=[_rest_callback(leg, clocks) for leg in one.callbacks],
        chats=[],
        cobrowsesessions=[],
        emails=[],
        messages=[],
        screenshares=[],
        socialExpressions=[],
        videos=[],
    )


def _rest_callback(leg: CallbackLeg, clocks: Clocks) -> JsonObject:
    shown = _callback(leg, clocks)
    del shown["additionalProperties"]
    return {
        **shown,
        "segments": _segments(leg, clocks),
        "direction": "outbound",
        **_present(startAlertingTime=clocks.on_cloud(leg.alerted_at)),
        "callerId": leg.request.customer.number,
    }


def _rest_call(leg: VoiceLeg, clocks: Clocks) -> JsonObject:
    shown = _call(leg, clocks)
    del shown["additionalProperties"], shown["errorInfo"]
    return {**shown, "segments": _segments(leg, clocks)}


def _segments(leg: Leg, clocks: Clocks) -> list[JsonObject]:
    # Segments lag state: a leg that alerts has none until the alerting ends.
    if leg.live and leg.state == "alerting":
        return []
    return [
        _present(
            startTime=clocks.on_cloud(segment.started_at),
            endTime=clocks.on_cloud(segment.ended_at),
            type=segment.kind,
            howEnded=segment.how_ended,
            disconnectType=segment.disconnect_type,
        )
        for segment in leg.segments
    ]


def _shown_connected(one: Participant) -> datetime | None:
    return one.connected_at if all(leg.connected_shown for leg in one.legs) else None


def _worked(one: Participant) -> bool:
    return one.purpose == "agent" and one.connected_at is not None


def _alerting_timeout(one: Participant) -> int | None:
    return one.queue.alerting_timeout_seconds * 1000 if one.user_id and one.queue else None


def _work(one: Participant, which: str) -> datetime | None:
    found: datetime | None = getattr(one.callbacks[-1], which) if one.callbacks else None
    return found


def _after_call_work(leg: CallbackLeg, clocks: Clocks) -> JsonObject | None:
    if leg.work_started_at is None:
        return None
    return _present(
        state="complete" if leg.work_ended_at else "pending",
        startTime=clocks.on_cloud(leg.work_started_at),
        endTime=clocks.on_cloud(leg.work_ended_at),
    )


def _wrapup(one: Participant, clocks: Clocks) -> JsonObject | None:
    return _wrapup_of(one.callbacks[-1], clocks) if one.callbacks else None


def _wrapup_of(leg: CallbackLeg, clocks: Clocks) -> JsonObject | None:
    if leg.wrapup_code is None:
        return None
    ended_at = leg.work_ended_at or leg.ended_at
    return _present(code=leg.wrapup_code, notes="", endTime=clocks.on_cloud(ended_at))


def _routing(one: Participant, extra: JsonObject) -> JsonObject | None:
    if one.purpose not in ("acd", "agent"):
        return None
    owner_id = one.callbacks[-1].request.owner_id if one.callbacks else None
    return _present(
        queue={"id": one.queue.id} if one.purpose == "acd" and one.queue else {},
        **extra,
        priority=0,
        scoredAgents=[{"agent": {"id": owner_id}, "score": 100}] if owner_id else None,
    )
