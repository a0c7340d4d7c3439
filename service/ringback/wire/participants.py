"""The two unrelated forms of a participant.

*Generic*: legs hang below the participant, in `callbacks` and `calls`. *Flat*: the participant is
the callback leg, and some things have other names (`peer` for `peerId`, `outboundPreview` for
`dialerPreview`, `endTime` for `disconnectedTime`, `user{id}` for `userId`, `script{id}`).
"""

from msgspec import Raw

from ringback.wire.call import Call
from ringback.wire.callback import Callback, DialerPreview, Voicemail
from ringback.wire.problems import ErrorInfo
from ringback.wire.values import (
    CommunicationState,
    ConversationQueueMediaSettings,
    ConversationRoutingData,
    Direction,
    DisconnectType,
    FlaggedReason,
    OpenEnum,
    Reference,
    Time,
    WholeSeconds,
    Wire,
    Wrapup,
)

__all__ = [
    "CallbackMediaParticipant",
    "JourneyAction",
    "JourneyActionMap",
    "JourneyContext",
    "JourneyCustomer",
    "JourneyCustomerSession",
    "Participant",
    "ScreenRecordingState",
]

ABSENT = Raw()


class ScreenRecordingState(OpenEnum):
    """Whether the agent's screen is being recorded."""

    REQUESTED = "requested"
    ACTIVE = "active"
    PAUSED = "paused"
    STOPPED = "stopped"
    ERROR = "error"
    TIMEOUT = "timeout"


class JourneyCustomer(Wire):
    """The customer as the journey knows them."""

    id: str | None = None
    id_type: str | None = None


class JourneyCustomerSession(Wire):
    """The customer's session on a site."""

    id: str | None = None
    type: str | None = None


class JourneyActionMap(Wire):
    """The rule that began an action."""

    id: str | None = None
    version: int | None = None


class JourneyAction(Wire):
    """What the journey did to bring the customer here."""

    id: str | None = None
    action_map: JourneyActionMap | None = None


class JourneyContext(Wire):
    """Where in the customer's journey this began."""

    customer: JourneyCustomer | None = None
    customer_session: JourneyCustomerSession | None = None
    triggering_action: JourneyAction | None = None


class Participant(Wire):
    """A generic participant: of `...conversations` topics and of a REST conversation.

    Media that are neither callback nor voice stay undecoded (`Raw`): nothing here depends on them,
    so a change in their schema must not cost us a frame, nor their bulk any time.
    """

    id: str | None = None
    start_time: Time = None
    """REST only."""
    connected_time: Time = None
    """Provider clock, unlike a communication's."""
    end_time: Time = None
    """Provider clock: when the participant left, with all communications."""
    name: str | None = None
    """Personal data."""
    user_uri: str | None = None
    """REST only."""
    user_id: str | None = None
    """The agent."""
    external_contact_id: str | None = None
    external_contact_initial_division_id: str | None = None
    external_organization_id: str | None = None
    queue_id: str | None = None
    queue_name: str | None = None
    """REST only."""
    group_id: str | None = None
    team_id: str | None = None
    purpose: str | None = None
    """The role: `customer`, `external`, `acd`, `agent`, `user`, `dialer`, `ivr`, `workflow`..."""
    participant_type: str | None = None
    """REST only."""
    consult_participant_id: str | None = None
    address: str | None = None
    """Personal data."""
    ani: str | None = None
    """REST only. Personal data, as `ani_name`."""
    ani_name: str | None = None
    dnis: str | None = None
    """REST only."""
    locale: str | None = None
    """REST only."""
    wrapup_required: bool | None = None
    wrapup_expected: bool | None = None
    wrapup_prompt: str | None = None
    wrapup_timeout_ms: int | None = None
    wrapup_skipped: bool | None = None
    """REST only."""
    wrapup: Wrapup | None = None
    start_acw_time: Time = None
    """After-call work began, cloud clock."""
    end_acw_time: Time = None
    conversation_routing_data: ConversationRoutingData | None = None
    alerting_timeout_ms: int | None = None
    """Milliseconds that an agent is alerted before the offer is withdrawn."""
    monitored_participant_id: str | None = None
    screen_monitored_participant_id: str | None = None
    coached_participant_id: str | None = None
    barged_participant_id: str | None = None
    media_roles: list[str] | None = None
    screen_recording_state: ScreenRecordingState | None = None
    flagged_reason: FlaggedReason | None = None
    attributes: dict[str, str] | None = None
    """Set by flows and scripts; may hold personal data."""
    calls: list[Call] | None = None
    callbacks: list[Callback] | None = None
    chats: Raw = ABSENT
    cobrowsesessions: Raw = ABSENT
    emails: Raw = ABSENT
    messages: Raw = ABSENT
    internal_messages: Raw = ABSENT
    screen_monitorings: Raw = ABSENT
    screenshares: Raw = ABSENT
    social_expressions: Raw = ABSENT
    videos: Raw = ABSENT
    workflow: Raw = ABSENT
    evaluations: Raw = ABSENT
    """REST only."""


class CallbackMediaParticipant(Wire):
    """A flat participant: of `...conversations.callbacks` topics and of the REST callback view.

    There is no communication id, and the dialled call is not in it.
    """

    id: str | None = None
    name: str | None = None
    """Personal data."""
    address: str | None = None
    """Personal data."""
    start_time: Time = None
    start_alerting_time: Time = None
    """REST only."""
    connected_time: Time = None
    end_time: Time = None
    """The leg's end: `disconnectedTime` of the generic shape."""
    start_hold_time: Time = None
    purpose: str | None = None
    state: CommunicationState | None = None
    initial_state: CommunicationState | None = None
    """Events only."""
    direction: Direction | None = None
    disconnect_type: DisconnectType | None = None
    held: bool = False
    wrapup_required: bool | None = None
    wrapup_prompt: str | None = None
    user: Reference | None = None
    queue: Reference | None = None
    team: Reference | None = None
    attributes: dict[str, str] | None = None
    error_info: ErrorInfo | None = None
    script: Reference | None = None
    wrapup_timeout_ms: int | None = None
    wrapup_skipped: bool | None = None
    alerting_timeout_ms: int | None = None
    provider: str | None = None
    external_contact: Reference | None = None
    external_contact_initial_division_id: str | None = None
    external_organization: Reference | None = None
    wrapup: Wrapup | None = None
    conversation_routing_data: ConversationRoutingData | None = None
    peer: str | None = None
    """The matching leg: `peerId` of the generic shape."""
    screen_recording_state: str | None = None
    """Events only."""
    flagged_reason: FlaggedReason | None = None
    journey_context: JourneyContext | None = None
    start_acw_time: Time = None
    end_acw_time: Time = None
    resume_time: Time = None
    park_time: Time = None
    media_roles: list[str] | None = None
    queue_media_settings: ConversationQueueMediaSettings | None = None
    """Events only."""
    outbound_preview: DialerPreview | None = None
    """`dialerPreview` of the generic shape."""
    voicemail: Voicemail | None = None
    callback_numbers: list[str] | None = None
    """Personal data."""
    callback_user_name: str | None = None
    """Personal data."""
    skip_enabled: bool = False
    external_campaign: bool | None = None
    timeout_seconds: WholeSeconds | None = None
    """Seconds until the platform places the call by itself; 0 disables that."""
    callback_scheduled_time: Time = None
    """Provider clock; absent means at once."""
    automated_callback_config_id: str | None = None
