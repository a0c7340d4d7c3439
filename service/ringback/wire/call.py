"""The voice leg: `calls[]` of a generic participant, where the dialled call becomes visible."""

from msgspec import field

from ringback.wire.callback import Segment
from ringback.wire.problems import ErrorInfo
from ringback.wire.values import (
    AfterCallWork,
    CommunicationState,
    ConversationQueueMediaSettings,
    Direction,
    DisconnectType,
    OpenEnum,
    Time,
    Wire,
    Wrapup,
)

__all__ = [
    "Address",
    "Call",
    "DisconnectReason",
    "DisconnectReasonType",
    "Disposition",
    "DispositionTimeout",
    "FaxStatus",
    "RecordersState",
    "RecordingState",
]


class RecordingState(OpenEnum):
    """Whether the call is being recorded."""

    NONE = "none"
    ACTIVE = "active"
    PAUSED = "paused"


class DisconnectReasonType(OpenEnum):
    """Which standard a disconnect reason's code belongs to."""

    Q850 = "q850"
    SIP = "sip"


class DisconnectReason(Wire):
    """Why the telephone network says that the call ended."""

    type: DisconnectReasonType | None = None
    code: int | None = None
    phrase: str | None = None
    reason: str | None = None


class RecordersState(Wire):
    """The state of each recorder on the call."""

    adhoc_state: str | None = None
    customer_experience_state: str | None = None
    agent_experience_state: str | None = None
    snippet_state: str | None = None


class Address(Wire):
    """One end of the call, in several spellings. Personal data."""

    name: str | None = None
    name_raw: str | None = None
    address_normalized: str | None = None
    address_raw: str | None = None
    address_displayable: str | None = None


class FaxStatus(Wire):
    """Progress of a fax; never of a callback, but of the voice leg's class."""

    direction: str | None = None
    expected_pages: int | None = None
    active_page: int | None = None
    lines_transmitted: int | None = None
    bytes_transmitted: int | None = None
    baud_rate: int | None = None
    page_errors: int | None = None
    line_errors: int | None = None


class DispositionTimeout(Wire):
    """One detection timer: how long, and when it ran. The times are numbers, not instants."""

    timeout_ms: int | None = None
    timer_start_event: str | None = None
    """Answering machine detection only."""
    timer_start_time: float | None = None
    timer_end_time: float | None = None


class Disposition(Wire):
    """What call analysis found at the other end: a person, a machine, silence."""

    name: str | None = None
    analyzer: str | None = None
    amd_timeout: DispositionTimeout | None = None
    silent_call_timeout: DispositionTimeout | None = None


class Call(Wire):
    """One participant's voice leg; states and clocks are those of `Callback`."""

    id: str | None = None
    state: CommunicationState | None = None
    initial_state: CommunicationState | None = None
    segments: list[Segment] | None = None
    """REST only."""
    recording: bool | None = None
    recording_state: RecordingState | None = None
    recorders_state: RecordersState | None = None
    recording_id: str | None = None
    """REST only."""
    muted: bool | None = None
    confined: bool | None = None
    """This side is kept from hearing the others."""
    held: bool = False
    secure_pause: bool | None = None
    error_info: ErrorInfo | None = None
    disconnect_type: DisconnectType | None = None
    start_hold_time: Time = None
    """Cloud clock; absent when not held."""
    direction: Direction | None = None
    document_id: str | None = None
    self_address: Address | None = field(default=None, name="self")
    other_address: Address | None = field(default=None, name="other")
    provider: str | None = None
    script_id: str | None = None
    peer_id: str | None = None
    start_alerting_time: Time = None
    """Cloud clock. REST only."""
    connected_time: Time = None
    """Cloud clock."""
    disconnected_time: Time = None
    """Provider clock."""
    disconnect_reasons: list[DisconnectReason] | None = None
    fax_status: FaxStatus | None = None
    uui_data: str | None = None
    barged_time: Time = None
    """When a supervisor barged in, provider clock."""
    wrapup: Wrapup | None = None
    after_call_work: AfterCallWork | None = None
    after_call_work_required: bool | None = None
    agent_assistant_id: str | None = None
    queue_media_settings: ConversationQueueMediaSettings | None = None
    disposition: Disposition | None = None
    transfer_source: str | None = None
    public_ip_address: str | None = None
    client_ip_address: str | None = None
    """REST only."""
