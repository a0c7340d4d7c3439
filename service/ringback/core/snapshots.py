"""What comes in: the facts of one frame or one read, in the core's own words.

Wire shapes differ in names and nesting; they all become these structs. Every instant is an aware
UTC `datetime` exactly as the platform reported it, never corrected for skew. `None` means that the
frame did not say.
"""

from datetime import datetime
from enum import StrEnum

import msgspec

__all__ = ["Medium", "QueueSettings", "Role", "Sighting", "Snapshot", "Span"]


class Role(StrEnum):
    """Whose leg it is: the participant's `purpose`, as far as the life cycle tells them apart."""

    CUSTOMER = "customer"
    EXTERNAL = "external"
    """Somebody outside: the dialled customer's voice leg often belongs to such a participant."""
    ACD = "acd"
    AGENT = "agent"
    """`agent` or `user`."""
    SOLE = "sole"
    """The only leg of a bare `Callback`: the agent's, and the customer's for schedule and end."""
    OTHER = "other"
    """`dialer`, `ivr`, `workflow`, `voicemail` and whatever the platform adds."""


class Medium(StrEnum):
    """Which of the two kinds of communication a leg is."""

    CALLBACK = "callback"
    VOICE = "voice"


class Span(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """An interval of one leg's time line; `end` is None while it is open."""

    start: datetime
    end: datetime | None = None
    mixed: bool = False
    """Whether the end was read from another clock than the start."""
    negative: bool = False
    """Whether the end was told to lie before the start, so that the length is 0."""


class Sighting(msgspec.Struct, frozen=True, gc=False, kw_only=False):
    """One leg as one snapshot shows it."""

    participant_id: str
    communication_id: str | None
    """None in the flat (`.callbacks` topic) shape, which carries none."""
    role: Role
    medium: Medium = Medium.CALLBACK
    state: str | None = None
    """As it came, known to the schema or not."""
    inbound: bool = False
    held: bool = False
    hold_started_at: datetime | None = None
    """Cloud clock; only while held."""
    connected_at: datetime | None = None
    """Cloud clock."""
    ended_at: datetime | None = None
    """Provider clock: `disconnectedTime`, or `endTime` in the flat shape."""
    scheduled_at: datetime | None = None
    """Provider clock."""
    alerted_at: datetime | None = None
    """Cloud clock; REST reads only."""
    work_started_at: datetime | None = None
    """Cloud clock: when after-call work began."""
    timeout_seconds: int | None = None
    """Seconds from the agent's connect to the automatic call; 0 disables."""
    disconnect_type: str | None = None
    """As it came; four spellings exist."""
    peer_id: str | None = None
    user_id: str | None = None
    queue_id: str | None = None
    wrapup_code: str | None = None
    automated: bool = False
    """An `automatedCallbackConfigId` is present: the platform places this callback by itself."""
    preview: bool = False
    """A dialer preview; its `scheduled_at` is not to be trusted."""
    holds: tuple[Span, ...] | None = None
    """Hold segments, oldest first; None where the frame carries no segments for this leg."""
    contact: tuple[str, ...] = ()
    """What privacy lets through of the numbers and the name, in emitted form; else empty."""
    owner_id: str | None = None
    """The one agent whom routing names for it."""
    voicemail: str | None = None
    """The upload status of the voicemail that asked for it, as it came; None without one."""
    campaign_id: str | None = None
    """The campaign whose preview it is."""
    alerting_timeout_ms: int | None = None
    """How long this agent is alerted before the offer is withdrawn."""
    numbers: int = 0
    """How many of `contact` are numbers: the first ones."""


class Snapshot(msgspec.Struct, frozen=True, gc=False):
    """All that one frame, or one REST read, says about one conversation."""

    conversation_id: str
    """For a bare `Callback`, its own id."""
    sightings: list[Sighting]
    """In the order of the frame."""
    shows_voice: bool
    """Whether voice legs would be visible: true for the generic shape and REST conversations."""
    read_at: datetime | None = None
    """When a REST read was sent, on the daemon's clock; None for a notification."""


class QueueSettings(msgspec.Struct, frozen=True, gc=False):
    """What the core needs of a queue's settings for callbacks; never on the notification wire.

    Stored by the names of its fields: others may be added, with a default.
    """

    queue_id: str
    auto_dial_seconds: int | None = None
    """`autoDialDelaySeconds` when `enableAutoDialAndEnd` is on, else None."""
    customer_first: bool = False
    """`mode` is `CustomerFirst`."""
    alerting_timeout_seconds: int | None = None
    """How long an agent is alerted before the offer is withdrawn."""
    owned_hours: int | None = None
    """How long a callback waits for the agent who owns it; None where none is owned."""
    division_id: str | None = None
    """The division that the queue, and so its callbacks, belong to."""
    name: str | None = None
    """As people call it; nothing is decided by it."""
