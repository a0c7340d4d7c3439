"""From wire structs to the core's words: one `Sighting` a leg, one `Snapshot` a conversation.

The two shapes name the same things differently; nothing beyond this module knows that. This runs
for every leg of every frame, so it trades a little length for speed: structs are built by position,
and what is rare is in functions of its own.
"""

from datetime import UTC, datetime, timedelta

from ringback.core.clocks import EPOCH
from ringback.core.snapshots import Medium, Role, Sighting, Snapshot, Span
from ringback.errors import FrameError, FrameFault
from ringback.wire.call import Call
from ringback.wire.callback import Callback, DialerPreview, Segment
from ringback.wire.conversations import CallbackConversation, Conversation
from ringback.wire.participants import CallbackMediaParticipant, Participant
from ringback.wire.privacy import Contact
from ringback.wire.values import (
    CommunicationState,
    ConversationRoutingData,
    Direction,
    Time,
    Wrapup,
)

__all__ = ["Translator"]

YEARS = range(1970, 9000)
"""What counts as an instant. Within these, any 32-bit number of seconds can be added or taken."""
LATEST = (datetime(YEARS.stop, 1, 1, tzinfo=UTC) - EPOCH) // timedelta(milliseconds=1)
INBOUND = Direction.INBOUND
ENDED = frozenset({CommunicationState.DISCONNECTED, CommunicationState.TERMINATED})
CALLBACK = Medium.CALLBACK
VOICE = Medium.VOICE
FULL_SCORE = 100
LONGEST_ALERTING = 86_400_000
NO_CALLBACK = Callback()
NO_PARTICIPANT = CallbackMediaParticipant()
NO_PREVIEW = DialerPreview()
ROLES = {
    "customer": Role.CUSTOMER,
    "external": Role.EXTERNAL,
    "acd": Role.ACD,
    "agent": Role.AGENT,
    "user": Role.AGENT,
}


class Translator:
    """Translates decoded conversations. Raises `FrameError` where an id or a time is no good."""

    def __init__(self, contact: Contact) -> None:
        self._contact = contact

    def generic(self, conversation: Conversation, read_at: datetime | None) -> Snapshot | None:
        """Translate a generic conversation; None when it has neither callback nor voice leg.

        A participant gives one sighting per callback, then one per call. What a communication lacks
        comes from its participant: agent, queue, wrap-up, start of after-call work and, with care
        (see `left`), the end. One with voice legs alone may go on from a callback that is known.
        """
        sightings: list[Sighting] = []
        for participant in conversation.participants or ():
            if participant.callbacks:
                self._callbacks(participant, sightings)
            if participant.calls:
                add_calls(participant, sightings)
        conversation_id = known(conversation.id, "the conversation")
        if not sightings:
            return None
        return Snapshot(conversation_id, sightings, shows_voice=True, read_at=read_at)

    def flat(self, conversation: CallbackConversation, read_at: datetime | None) -> Snapshot | None:
        """Translate a flat conversation: every participant is a leg. None when it has none."""
        sightings = [
            self._participant(participant)
            for participant in conversation.participants or ()
            if participant.id or participant != NO_PARTICIPANT
        ]
        conversation_id = known(conversation.id, "the conversation")
        if not sightings:
            return None
        return Snapshot(conversation_id, sightings, shows_voice=False, read_at=read_at)

    def bare(self, callback: Callback, read_at: datetime | None) -> Snapshot:
        """Translate a callback without a conversation: its own only leg, under its own id."""
        callback_id = known(callback.id, "the callback")
        alone = Participant(id=callback_id)
        sighting = self._callback(callback, alone, callback_id, Role.SOLE)
        return Snapshot(callback_id, [sighting], shows_voice=False, read_at=read_at)

    def _callbacks(self, participant: Participant, sightings: list[Sighting]) -> None:
        role = ROLES.get(participant.purpose or "")
        for callback in participant.callbacks or ():
            if callback.id or callback != NO_CALLBACK:
                participant_id = participant.id or known(None, "a participant with callbacks")
                leg_role = role or unlisted_role(
                    participant.purpose, participant.user_id, callback.peer_id, callback
                )
                sightings.append(self._callback(callback, participant, participant_id, leg_role))

    def _callback(
        self, callback: Callback, participant: Participant, participant_id: str, role: Role
    ) -> Sighting:
        hold, connected = callback.start_hold_time, callback.connected_time
        ended, scheduled = callback.disconnected_time, callback.callback_scheduled_time
        alerted, work, preview = (
            callback.start_alerting_time,
            callback.after_call_work,
            callback.dialer_preview,
        )
        if ended is None and participant.end_time is not None:
            ended = left(participant, callback)
        worked = None if work is None else work.start_time
        if worked is None:
            worked = participant.start_acw_time
        wrapup, joint_wrapup = callback.wrapup, participant.wrapup
        routing, voicemail = participant.conversation_routing_data, callback.voicemail
        return Sighting(
            participant_id,
            callback.id,
            role,
            CALLBACK,
            callback.state,
            callback.direction is INBOUND,
            callback.held,
            None if hold is None or not callback.held else utc(hold, "startHoldTime"),
            None if connected is None else utc(connected, "connectedTime"),
            None if ended is None else utc(ended, "disconnectedTime"),
            None if scheduled is None else utc(scheduled, "callbackScheduledTime"),
            None if alerted is None else utc(alerted, "startAlertingTime"),
            None if worked is None else utc(worked, "startAcwTime"),
            callback.timeout_seconds,
            callback.disconnect_type,
            callback.peer_id,
            participant.user_id,
            participant.queue_id or routed_queue(routing),
            None if wrapup is joint_wrapup else wrapup_code(wrapup, joint_wrapup),
            bool(callback.automated_callback_config_id),
            preview is not None and preview != NO_PREVIEW,
            holds(callback.segments) if callback.segments else None,
            ()
            if self._contact.hidden
            else self._contact.emitted(callback.callback_numbers, callback.callback_user_name),
            None if routing is None else owner(routing),
            None if voicemail is None else voicemail.upload_status,
            None if preview is None else preview.campaign_id,
            None
            if participant.alerting_timeout_ms is None
            else alerting_timeout(participant.alerting_timeout_ms),
            self._contact.numbers,
        )

    def _participant(self, participant: CallbackMediaParticipant) -> Sighting:
        hold, connected = participant.start_hold_time, participant.connected_time
        ended, scheduled = participant.end_time, participant.callback_scheduled_time
        alerted, worked = participant.start_alerting_time, participant.start_acw_time
        user, queue, preview = participant.user, participant.queue, participant.outbound_preview
        user_id = None if user is None else user.id
        queue_id = None if queue is None else queue.id
        routing, voicemail = participant.conversation_routing_data, participant.voicemail
        return Sighting(
            participant.id or known(None, "a participant"),
            None,
            ROLES.get(participant.purpose or "")
            or unlisted_role(participant.purpose, user_id, participant.peer, participant),
            CALLBACK,
            participant.state,
            participant.direction is INBOUND,
            participant.held,
            None if hold is None or not participant.held else utc(hold, "startHoldTime"),
            None if connected is None else utc(connected, "connectedTime"),
            None if ended is None else utc(ended, "endTime"),
            None if scheduled is None else utc(scheduled, "callbackScheduledTime"),
            None if alerted is None else utc(alerted, "startAlertingTime"),
            None if worked is None else utc(worked, "startAcwTime"),
            participant.timeout_seconds,
            participant.disconnect_type,
            participant.peer,
            user_id,
            queue_id or routed_queue(routing),
            None if participant.wrapup is None else participant.wrapup.code,
            bool(participant.automated_callback_config_id),
            preview is not None and preview != NO_PREVIEW,
            None,
            ()
            if self._contact.hidden
            else self._contact.emitted(
                participant.callback_numbers, participant.callback_user_name
            ),
            None if routing is None else owner(routing),
            None if voicemail is None else voicemail.upload_status,
            None if preview is None else preview.campaign_id,
            None
            if participant.alerting_timeout_ms is None
            else alerting_timeout(participant.alerting_timeout_ms),
            self._contact.numbers,
        )


def add_calls(participant: Participant, sightings: list[Sighting]) -> None:
    """Add one sighting per voice leg. Wrap-up and after-call work are taken from the leg alone."""
    participant_id = participant.id or known(None, "a participant with calls")
    role = ROLES.get(participant.purpose or "") or unlisted_role(
        participant.purpose, participant.user_id, "", None
    )
    for call in participant.calls or ():
        hold, connected, ended = call.start_hold_time, call.connected_time, call.disconnected_time
        alerted, work, wrapup = call.start_alerting_time, call.after_call_work, call.wrapup
        if ended is None and participant.end_time is not None:
            ended = left(participant, call)
        worked = None if work is None else work.start_time
        sightings.append(
            Sighting(
                participant_id,
                call.id,
                role,
                VOICE,
                call.state,
                call.direction is INBOUND,
                call.held,
                None if hold is None or not call.held else utc(hold, "startHoldTime"),
                None if connected is None else utc(connected, "connectedTime"),
                None if ended is None else utc(ended, "disconnectedTime"),
                None,
                None if alerted is None else utc(alerted, "startAlertingTime"),
                None if worked is None else utc(worked, "afterCallWork.startTime"),
                None,
                call.disconnect_type,
                call.peer_id,
                participant.user_id,
                participant.queue_id or routed_queue(participant.conversation_routing_data),
                None if wrapup is None else wrapup.code,
                False,  # noqa: FBT003  by position, for speed: automated
                False,  # noqa: FBT003  by position, for speed: preview
                holds(call.segments) if call.segments else None,
            )
        )


def known(id_: str | None, what: str) -> str:
    """Give an id that must be there. Raises `FrameError` when it is absent or empty."""
    if not id_:
        raise FrameError(FrameFault.NO_ID, f"{what} has no id")
    return id_


def utc(time: Time, name: str) -> datetime:
    """Give an instant as an aware UTC datetime: epoch milliseconds converted, naive taken as UTC.

    Raises `FrameError` outside of the years 1970 to 8999; `name` is the field, for its message.
    """
    if isinstance(time, datetime):
        if time.tzinfo is UTC and time.year in YEARS:
            return time
        if time.tzinfo is None:
            time = time.replace(tzinfo=UTC)
        # A day off either end is safe to convert, whatever the offset.
        if 1 < time.year < YEARS.stop:
            time = time.astimezone(UTC)
            if time.year in YEARS:
                return time
    elif time is not None and 0 <= time < LATEST:
        return EPOCH + timedelta(milliseconds=time)
    raise FrameError(FrameFault.WRONG_TYPE, f"{name} is outside the years 1970 to 8999")


def left(participant: Participant, communication: Callback | Call) -> Time:
    """Give the participant's end if it is this communication's too, else None.

    A participant ends with all its communications, so its end is proof only for one that says it
    has ended itself, or that is the last one open: while another still lives, the end must belong
    to something else, and ending this leg too early could not be undone.
    """
    if communication.state in ENDED:
        return participant.end_time
    for other in (*(participant.callbacks or ()), *(participant.calls or ())):
        if (
            other is not communication
            and other.disconnected_time is None
            and other.state not in ENDED
        ):
            return None
    return participant.end_time


def unlisted_role(
    purpose: str | None,
    user_id: str | None,
    peer_id: str | None,
    leg: Callback | CallbackMediaParticipant | None,
) -> Role:
    """Tell the role of a purpose that is absent, in other case, or of no concern.

    Without a purpose: agents have a user; the customer's leg is the one that others have as peer
    and has none itself; of the rest only the ACD's leg is created `scheduled`.
    """
    if purpose:
        return ROLES.get(purpose.lower(), Role.OTHER)
    if user_id:
        return Role.AGENT
    if peer_id is None:
        return Role.CUSTOMER
    scheduled = CommunicationState.SCHEDULED
    if leg is not None and scheduled in {leg.state, leg.initial_state}:
        return Role.ACD
    return Role.OTHER


def routed_queue(routing: ConversationRoutingData | None) -> str | None:
    """Give the queue that routing names, for participants that name none."""
    return None if routing is None or routing.queue is None else routing.queue.id


def owner(routing: ConversationRoutingData) -> str | None:
    """Give the one agent whom a callback waits for: routing names no other, and with full score.

    Nothing else on the wire tells that a callback is owned.
    """
    scored = routing.scored_agents
    if not scored or len(scored) > 1 or scored[0].score != FULL_SCORE or scored[0].agent is None:
        return None
    return scored[0].agent.id


def alerting_timeout(milliseconds: int) -> int | None:
    """Give how long an agent is alerted, if that makes sense."""
    return milliseconds if 0 < milliseconds <= LONGEST_ALERTING else None


def wrapup_code(own: Wrapup | None, joint: Wrapup | None) -> str | None:
    """Give the communication's wrap-up code, else its participant's."""
    code = None if own is None else own.code
    return code if code or joint is None else joint.code


def holds(segments: list[Segment]) -> tuple[Span, ...]:
    """Give the hold segments. An empty list never comes here: segments lag, it proves nothing."""
    return tuple(
        Span(
            utc(segment.start_time, "segments[].startTime"),
            None if segment.end_time is None else utc(segment.end_time, "segments[].endTime"),
        )
        for segment in segments
        if segment.start_time is not None and segment.type and segment.type.lower() == "hold"
    )
