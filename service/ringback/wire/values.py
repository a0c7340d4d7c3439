"""The small types that every conversation shape shares: instants, enumerations, references.

Field names and values are the platform's. The REST and the notification form of a class differ in
a few fields; one struct carries the union of both, and every field may be absent. Enumerations
grow without notice, so a value that is not listed here is kept as it came (see `OpenEnum`).
"""

from collections import deque
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Self

import msgspec
from msgspec import Meta

__all__ = [
    "UNLISTED",
    "AfterCallWork",
    "AfterCallWorkState",
    "CommunicationState",
    "ConversationQueueMediaSettings",
    "ConversationRoutingData",
    "Direction",
    "DisconnectType",
    "FlaggedReason",
    "OpenEnum",
    "Reference",
    "ScoredAgent",
    "Time",
    "WholeSeconds",
    "Wire",
    "Wrapup",
]

Time = datetime | int | None
"""An instant as it came: ISO-8601 with or without milliseconds, or epoch milliseconds."""

WholeSeconds = Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)]
"""A 32-bit number of seconds, as the platform's swagger has it: safe to add to an instant."""

UNLISTED: deque[str] = deque(maxlen=1000)
"""Names of the enumerations that met a value they do not list, in order of meeting.

The one channel out of `_missing_`, which knows nothing of who is decoding: `decode.Decoder` empties
it after each frame. Bounded, for those who decode structs without a `Decoder`.
"""


class Wire(msgspec.Struct, gc=False, rename="camel", omit_defaults=True):
    """The base of all wire structs: camelCase names, unknown fields skipped, absent means None.

    They are trees, never cycles, so the garbage collector need not look at them.
    """


class OpenEnum(StrEnum):
    """An enumeration whose unlisted values survive as unregistered members of the same class."""

    @classmethod
    def _missing_(cls, value: object) -> Self | None:
        if not isinstance(value, str):
            return None
        UNLISTED.append(cls.__name__)
        member = str.__new__(cls, value)
        member._name_ = value
        member._value_ = value
        return member


class CommunicationState(OpenEnum):
    """The state of one communication, or of one flat participant. Not that of a conversation."""

    ALERTING = "alerting"
    DIALING = "dialing"
    CONTACTING = "contacting"
    OFFERING = "offering"
    CONNECTED = "connected"
    DISCONNECTED = "disconnected"
    TERMINATED = "terminated"
    SCHEDULED = "scheduled"
    UPLOADING = "uploading"
    CONVERTING = "converting"
    TRANSMITTING = "transmitting"
    PARKED = "parked"
    NONE = "none"


class Direction(OpenEnum):
    """Who began the communication."""

    INBOUND = "inbound"
    OUTBOUND = "outbound"


class DisconnectType(OpenEnum):
    """What ended a communication. `dnd` (events) and `donotdisturb` (REST) are one thing."""

    ENDPOINT = "endpoint"
    ENDPOINT_DND = "endpoint.dnd"
    ENDPOINT_DO_NOT_DISTURB = "endpoint.donotdisturb"
    CLIENT = "client"
    SYSTEM = "system"
    TIMEOUT = "timeout"
    TRANSFER = "transfer"
    TRANSFER_CONFERENCE = "transfer.conference"
    TRANSFER_CONSULT = "transfer.consult"
    TRANSFER_DND = "transfer.dnd"
    TRANSFER_DO_NOT_DISTURB = "transfer.donotdisturb"
    TRANSFER_FORWARD = "transfer.forward"
    TRANSFER_NO_ANSWER = "transfer.noanswer"
    TRANSFER_NOT_AVAILABLE = "transfer.notavailable"
    TRANSPORT_FAILURE = "transport.failure"
    ERROR = "error"
    PEER = "peer"
    OTHER = "other"
    SPAM = "spam"
    UNCALLABLE = "uncallable"
    INACTIVITY = "inactivity"
    SESSION_EXPIRED = "session.expired"
    TAKEOVER = "takeover"


class AfterCallWorkState(OpenEnum):
    """How far after-call work has come."""

    UNKNOWN = "unknown"
    SKIPPED = "skipped"
    PENDING = "pending"
    COMPLETE = "complete"
    NOT_APPLICABLE = "notApplicable"


class FlaggedReason(OpenEnum):
    """Why a participant flagged the interaction."""

    GENERAL = "general"


class Reference(Wire):
    """Another thing by id: `UriReference` in events, `DomainEntityRef` and its kin in REST."""

    id: str | None = None
    name: str | None = None
    self_uri: str | None = None
    date_division_updated: Time = None
    """Divisions only: when the entity joined the division."""


class ScoredAgent(Wire):
    """An agent that routing prefers, with a score up to 100; the owner of an owned callback."""

    agent: Reference | None = None
    score: int | None = None


class ConversationRoutingData(Wire):
    """How the conversation is routed."""

    queue: Reference | None = None
    language: Reference | None = None
    priority: int | None = None
    skills: list[Reference] | None = None
    skill_expression: str | None = None
    """REST only."""
    skill_expression_id: str | None = None
    scored_agents: list[ScoredAgent] | None = None
    label: str | None = None
    """REST only."""


class Wrapup(Wire):
    """The wrap-up that an agent gave. `notes` is free text and may name persons."""

    code: str | None = None
    name: str | None = None
    """REST only."""
    notes: str | None = None
    tags: list[str] | None = None
    duration_seconds: int | None = None
    end_time: Time = None
    provisional: bool | None = None
    """REST only."""


class AfterCallWork(Wire):
    """A communication's after-call work. Both times are cloud clock."""

    state: AfterCallWorkState | None = None
    start_time: Time = None
    end_time: Time = None


class ConversationQueueMediaSettings(Wire):
    """How the queue offers this communication (`QueueMediaSettings` in events)."""

    alerting_timeout_seconds: int | None = None
    """How long an agent is alerted before the offer is withdrawn."""
    auto_answer_alert_tone_seconds: float | None = None
    manual_answer_alert_tone_seconds: float | None = None
    enable_auto_answer: bool | None = None
