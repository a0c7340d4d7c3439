"""The seed's model, whole: one participant's callback leg, with everything that hangs on it.

Sources: the model document of the .NET SDK (`Callback`), the Python SDK 269's `Callback`,
`ConversationEventTopicCallback` and its queue twin. Events lack `segments` and
`start_alerting_time`, everything else is common. Two clocks: *cloud* is stamped by the conversation
service, *provider* by the component named in `provider`; they need not agree.
"""

from ringback.wire.values import (
    AfterCallWork,
    CommunicationState,
    ConversationQueueMediaSettings,
    Direction,
    DisconnectType,
    OpenEnum,
    Time,
    WholeSeconds,
    Wire,
    Wrapup,
)

__all__ = [
    "Callback",
    "DialerPreview",
    "PhoneNumberColumn",
    "Segment",
    "UploadStatus",
    "Voicemail",
]


class UploadStatus(OpenEnum):
    """Whether a voicemail's recording can be played; only `complete` can."""

    PENDING = "pending"
    COMPLETE = "complete"
    FAILED = "failed"
    TIMEOUT = "timeout"
    NONE = "none"


class Segment(Wire):
    """One activity in a leg's time line. REST only; all but the times are free strings."""

    start_time: Time = None
    end_time: Time = None
    """Absent while open. Only this proves an end: open segments already say how they ended."""
    type: str | None = None
    """`Scheduled`, `Alert`, `Interact`, `Hold` and others; the case varies."""
    how_ended: str | None = None
    disconnect_type: str | None = None


class PhoneNumberColumn(Wire):
    """A column of a contact list that holds a phone number."""

    column_name: str | None = None
    type: str | None = None
    callable_time_column_name: str | None = None
    """REST only."""


class DialerPreview(Wire):
    """What the dialer shows an agent before the call (`outboundPreview` in the flat shape)."""

    id: str | None = None
    contact_id: str | None = None
    contact_list_id: str | None = None
    campaign_id: str | None = None
    phone_number_columns: list[PhoneNumberColumn] | None = None
    callback_auto_answer: bool | None = None
    """REST only."""


class Voicemail(Wire):
    """The voicemail that asked for this callback."""

    id: str | None = None
    upload_status: UploadStatus | None = None


class Callback(Wire):
    """One participant's callback leg. Fields stand in the order of the wire: that decodes fastest.

    A leg that is `connected` does not mean that anybody talks: the customer's leg is connected
    while it waits in the queue, the agent's as soon as the agent accepts.
    """

    state: CommunicationState | None = None
    """The connection state of this communication alone."""
    initial_state: CommunicationState | None = None
    """The state in which this communication was created."""
    id: str | None = None
    """Globally unique id of the communication; not the conversation's id."""
    segments: list[Segment] | None = None
    """The leg's time line, oldest first. REST only; it lags behind `state`."""
    direction: Direction | None = None
    """Often absent on the wire."""
    held: bool = False
    """On hold: this side hears silence. `state` stays `connected`."""
    disconnect_type: DisconnectType | None = None
    """Why the communication ended; absent until then."""
    start_hold_time: Time = None
    """When the present hold began, cloud clock; absent when not held."""
    dialer_preview: DialerPreview | None = None
    """Present on preview callbacks of a campaign."""
    voicemail: Voicemail | None = None
    """Present on callbacks that a voicemail asked for."""
    callback_numbers: list[str] | None = None
    """The numbers that may be dialled. Personal data."""
    callback_user_name: str | None = None
    """Who asked to be called. Personal data."""
    script_id: str | None = None
    """UUID of the agent's script."""
    peer_id: str | None = None
    """The matching leg: the customer's communication id."""
    external_campaign: bool | None = None
    """The dialling is done outside the platform."""
    skip_enabled: bool = False
    """The agent may skip this callback."""
    provider: str | None = None
    """The component that runs this communication and stamps its provider clock."""
    timeout_seconds: WholeSeconds | None = None
    """Seconds until the platform places the call by itself; 0 disables that."""
    start_alerting_time: Time = None
    """When it first alerted, cloud clock. REST only."""
    connected_time: Time = None
    """When this communication connected, cloud clock."""
    disconnected_time: Time = None
    """When this communication left the conversation, provider clock."""
    callback_scheduled_time: Time = None
    """When it is scheduled, provider clock; absent means at once. Not to be trusted on previews."""
    automated_callback_config_id: str | None = None
    """The configuration that places this callback without an agent; absent on ordinary ones."""
    wrapup: Wrapup | None = None
    after_call_work: AfterCallWork | None = None
    """After-call work of this communication, cloud clock."""
    after_call_work_required: bool | None = None
    """Of meaning only where agents ask for after-call work."""
    caller_id: str | None = None
    """The number shown to the customer, E.164."""
    caller_id_name: str | None = None
    """The name shown to the customer."""
    queue_media_settings: ConversationQueueMediaSettings | None = None
