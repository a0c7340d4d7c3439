"""The containers: a conversation in its two shapes, and the envelope that brings it."""

from ringback.wire.participants import CallbackMediaParticipant, Participant
from ringback.wire.values import OpenEnum, Reference, Time, Wire

__all__ = [
    "CallbackConversation",
    "CallbackNotification",
    "Conversation",
    "ConversationDivisionMembership",
    "ConversationNotification",
    "Transfer",
    "TransferDestination",
    "TransferInitiator",
    "TransferState",
    "TransferType",
]


class TransferState(OpenEnum):
    """How far a transfer has come; REST capitalises what events do not."""

    PENDING = "pending"
    ACTIVE = "active"
    COMPLETE = "complete"
    CANCELED = "canceled"
    FAILED = "failed"
    TIMEOUT = "timeout"
    UNKNOWN = "unknown"
    REST_PENDING = "Pending"
    REST_ACTIVE = "Active"
    REST_COMPLETE = "Complete"
    REST_CANCELED = "Canceled"
    REST_FAILED = "Failed"
    REST_TIMEOUT = "Timeout"
    REST_UNKNOWN = "Unknown"


class TransferType(OpenEnum):
    """With or without a word between the agents; REST capitalises."""

    ATTENDED = "attended"
    UNATTENDED = "unattended"
    REST_ATTENDED = "Attended"
    REST_UNATTENDED = "Unattended"


class TransferInitiator(Wire):
    """Who began a transfer."""

    user_id: str | None = None


class TransferDestination(Wire):
    """Where a transfer goes."""

    user_id: str | None = None
    address: str | None = None


class Transfer(Wire):
    """One of the conversation's last transfers (`TransferResponse`)."""

    id: str | None = None
    state: TransferState | None = None
    date_issued: Time = None
    initiator: TransferInitiator | None = None
    modified_by: Reference | None = None
    destination: TransferDestination | None = None
    transfer_type: TransferType | None = None


class ConversationDivisionMembership(Wire):
    """A division that may see the conversation, and what put it there."""

    division: Reference | None = None
    entities: list[Reference] | None = None


class Conversation(Wire):
    """A generic conversation, as a notification or as `GET /api/v2/conversations/{id}` has it.

    It has no state of its own that can be read: that follows from the participants.
    """

    id: str | None = None
    name: str | None = None
    """REST only."""
    start_time: Time = None
    """REST only."""
    end_time: Time = None
    """REST only."""
    conversation_ids: list[str] | None = None
    """REST only."""
    max_participants: int | None = None
    participants: list[Participant] | None = None
    recent_transfers: list[Transfer] | None = None
    recording_state: str | None = None
    state: str | None = None
    """REST only, and always empty on reads."""
    address: str | None = None
    external_tag: str | None = None
    utilization_label_id: str | None = None
    access_attributes: list[str] | None = None
    secure_pause: bool | None = None
    inactivity_timeout: Time = None
    associated_conversation: Reference | None = None
    consultation_conversations: list[Reference] | None = None
    divisions: list[ConversationDivisionMembership] | None = None
    self_uri: str | None = None
    """REST only."""


class CallbackConversation(Wire):
    """The callback view of a conversation: `...conversations.callbacks` topics and their REST twin.

    `other_media_uris` is the only trace of the dialled call.
    """

    id: str | None = None
    name: str | None = None
    participants: list[CallbackMediaParticipant] | None = None
    other_media_uris: list[str] | None = None
    address: str | None = None
    recent_transfers: list[Transfer] | None = None
    """REST only."""
    utilization_label_id: str | None = None
    access_attributes: list[str] | None = None
    inactivity_timeout: Time = None
    divisions: list[ConversationDivisionMembership] | None = None
    self_uri: str | None = None
    """REST only."""


class ConversationNotification(Wire):
    """The envelope around a generic conversation; its other fields are not needed."""

    event_body: Conversation | None = None


class CallbackNotification(Wire):
    """The envelope around a flat conversation."""

    event_body: CallbackConversation | None = None
