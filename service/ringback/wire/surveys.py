"""The answers to bulk reads: queue observations, and details of conversations.

Observations tell of each waiting or active conversation which queue and agent it is with. Details
show sessions with their segments: a session is a leg, and its open segment says in which state it
is. They lag behind; up to when they know is judged by the latest instant that they show.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TypeVar

import msgspec

from ringback.core.clocks import NO_SKEW
from ringback.core.lifecycle import State
from ringback.core.snapshots import Medium, Role, Sighting, Snapshot, Span
from ringback.core.surveys import WITH_AGENT, Place, Survey
from ringback.errors import FrameError, FrameFault
from ringback.wire.tolerance import Json, pruned
from ringback.wire.translate import ROLES, utc
from ringback.wire.values import Time, Wire

__all__ = ["decode_survey"]

OBSERVED_LATE = timedelta(seconds=5)
"""How far observations may lag: they are kept up to date, but in the end they are analytics."""
KNOWN_AT_LAST = timedelta(seconds=45)
"""Details are taken to know what is older than this, even where nothing newer is to be seen. They
lag by seconds; how long at the most, the platform does not say."""


class Observed(Wire):
    """One conversation in a queue (`ObservationValue`)."""

    conversation_id: str | None = None
    user_id: str | None = None


class Observation(Wire):
    """One metric of one queue (`ObservationMetricData`)."""

    metric: str | None = None
    observations: list[Observed] | None = None


class Observations(Wire):
    """One queue (`QueueObservationDataContainer`)."""

    group: dict[str, str] | None = None
    data: list[Observation] | None = None


class ObservationsAnswer(Wire):
    """`POST /api/v2/analytics/queues/observations/query`."""

    results: list[Observations] | None = None


class Segment(Wire):
    """`AnalyticsConversationSegment`."""

    segment_type: str | None = None
    segment_start: Time = None
    segment_end: Time = None
    queue_id: str | None = None
    disconnect_type: str | None = None
    wrap_up_code: str | None = None


class Session(Wire):
    """`AnalyticsSession`."""

    session_id: str | None = None
    media_type: str | None = None
    direction: str | None = None
    peer_id: str | None = None
    callback_scheduled_time: Time = None
    timeout_seconds: int | None = None
    outbound_campaign_id: str | None = None
    segments: list[Segment] | None = None


class Attendee(Wire):
    """`AnalyticsParticipantWithoutAttributes`."""

    participant_id: str | None = None
    purpose: str | None = None
    user_id: str | None = None
    sessions: list[Session] | None = None


class Detail(Wire):
    """`AnalyticsConversationWithoutAttributes`."""

    conversation_id: str | None = None
    conversation_start: Time = None
    conversation_end: Time = None
    participants: list[Attendee] | None = None


class DetailsAnswer(Wire):
    """`POST /api/v2/analytics/conversations/details/query`."""

    conversations: list[Detail] | None = None


Answer = TypeVar("Answer", ObservationsAnswer, DetailsAnswer)

_MEDIA = {"callback": Medium.CALLBACK, "voice": Medium.VOICE}
_STATES = {
    "scheduled": "scheduled",
    "alert": "alerting",
    "contacting": "contacting",
    "dialing": "dialing",
    "interact": "connected",
    "callback": "connected",
    "delay": "connected",
    "hold": "connected",
    "ivr": "connected",
    "wrapup": "disconnected",
}
"""What an open segment says of its session."""
_ANSWERED = frozenset({"interact", "callback", "hold"})
_PLACES = {
    # An offered callback waits as well, until somebody accepts it.
    "oWaiting": frozenset({State.WAITING, State.ALERTING}),
    "oInteracting": WITH_AGENT,
}


def decode_survey(body: bytes, read_at: datetime, ahead: timedelta = NO_SKEW) -> Survey | None:
    """Read a bulk answer; None when it is of neither kind. Raises `FrameError`.

    `ahead` is how far the cloud clock, which tells how far details have come, runs ahead of ours.
    """
    try:
        answer = msgspec.json.decode(body)
        if not isinstance(answer, dict):
            return None
        if "results" in answer:
            return _observed(_converted(answer, ObservationsAnswer), read_at)
        if "conversations" in answer or "totalHits" in answer:
            return _detailed(_converted(answer, DetailsAnswer), read_at, ahead)
    except msgspec.ValidationError as error:
        raise FrameError(FrameFault.WRONG_TYPE, f"a bulk answer does not fit: {error}") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise FrameError(FrameFault.NOT_JSON, str(error)) from None
    except RecursionError:
        raise FrameError(FrameFault.TOO_DEEP, "arrays and objects nest too deeply") from None
    return None


def _converted(answer: Json, kind: type[Answer]) -> Answer:
    return msgspec.convert(pruned(answer) or {}, kind)


def _observed(answer: ObservationsAnswer, read_at: datetime) -> Survey:
    places: list[Place] = []
    for result in answer.results or ():
        group, data = result.group or {}, result.data or []
        if group.get("mediaType", "callback") != "callback":
            continue
        queue_id = group.get("queueId")
        for one in data:
            states = _PLACES.get(one.metric or "")
            if states is not None:
                places += [
                    Place(
                        seen.conversation_id,
                        states,
                        queue_id,
                        seen.user_id if states is WITH_AGENT else None,
                    )
                    for seen in one.observations or ()
                    if seen.conversation_id
                ]
    return Survey(read_at, read_at - OBSERVED_LATE, places=places)


def _detailed(answer: DetailsAnswer, read_at: datetime, ahead: timedelta) -> Survey:
    details = answer.conversations or []
    latest = max((at for detail in details for at in _instants(detail)), default=None)
    known = read_at - KNOWN_AT_LAST
    as_of = known if latest is None else min(max(latest - ahead, known), read_at)
    pictures = [
        Snapshot(detail.conversation_id, list(_sightings(detail)), True, read_at)  # noqa: FBT003  by position, as translate does
        for detail in details
        if detail.conversation_id
    ]
    return Survey(read_at, as_of if details else None, pictures=pictures)


def _instants(detail: Detail) -> Iterator[datetime]:
    for attendee in detail.participants or ():
        for session in attendee.sessions or ():
            for segment in session.segments or ():
                for time in (segment.segment_start, segment.segment_end):
                    if time is not None:
                        yield utc(time, "segmentStart")


def _sightings(detail: Detail) -> Iterator[Sighting]:
    for attendee in detail.participants or ():
        role = ROLES.get(attendee.purpose or "", Role.OTHER)
        for session in attendee.sessions or ():
            medium = _MEDIA.get(session.media_type or "")
            if medium is not None and attendee.participant_id:
                yield _sighting(attendee, session, role, medium)


def _sighting(attendee: Attendee, session: Session, role: Role, medium: Medium) -> Sighting:
    segments = session.segments or []
    last = segments[-1] if segments else Segment()
    ended = bool(segments) and (
        all(one.segment_end is not None for one in segments) or last.segment_type == "wrapup"
    )
    answered = next((one for one in segments if one.segment_type in _ANSWERED), None)
    held = not ended and last.segment_type == "hold"
    schedule = session.callback_scheduled_time
    ended_at = last.segment_start if last.segment_type == "wrapup" else last.segment_end
    return Sighting(
        attendee.participant_id or "",
        session.session_id,
        role,
        medium,
        "disconnected" if ended else _STATES.get(last.segment_type or ""),
        inbound=session.direction == "inbound",
        held=held,
        hold_started_at=_utc(last.segment_start) if held else None,
        connected_at=None if answered is None else _utc(answered.segment_start),
        ended_at=_utc(ended_at) if ended else None,
        scheduled_at=_utc(schedule),
        timeout_seconds=session.timeout_seconds,
        disconnect_type=last.disconnect_type,
        peer_id=session.peer_id,
        user_id=attendee.user_id,
        queue_id=next((one.queue_id for one in reversed(segments) if one.queue_id), None),
        preview=session.outbound_campaign_id is not None,
        holds=tuple(_holds(segments)) or None,
    )


def _holds(segments: list[Segment]) -> Iterator[Span]:
    for segment in segments:
        if segment.segment_type == "hold" and (start := _utc(segment.segment_start)) is not None:
            yield Span(start, _utc(segment.segment_end))


def _utc(time: Time) -> datetime | None:
    return None if time is None else utc(time, "segmentStart")
