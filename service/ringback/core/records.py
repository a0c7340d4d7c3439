"""What is known of each callback and its conversation, and its packed form.

At rest a conversation is bytes, in memory as in the store: a million of them cost what they weigh,
the collector of garbage has nothing to walk, and a restart only has to read them. Fields may be
appended, with a default; never removed, moved or given another type.
"""

from datetime import datetime

import msgspec

from ringback.core.clocks import Clock
from ringback.core.legs import Leg
from ringback.core.lifecycle import State

__all__ = [
    "TOMBSTONE",
    "Alarm",
    "AutoDial",
    "Callback",
    "Conversation",
    "Moves",
    "Tombstone",
    "Voicemail",
    "is_buried",
    "is_over",
    "pack",
    "stage_of",
    "unpack",
]

TOMBSTONE = "tombstone"
"""The stage of a conversation of which only the tombstone is left."""


class AutoDial(msgspec.Struct, array_like=True, gc=False):
    """The automatic call for one agent leg. Armed, due and missed are separate facts."""

    participant_id: str
    """Whose connect it counts from; another agent's arms anew."""
    deadline: datetime
    """Cloud clock."""
    due: bool = False
    """The deadline has passed and was acted on."""
    missed_at: datetime | None = None
    """When it was missed: due, and no voice leg appeared in time."""
    by_queue: bool = False
    """Whether the queue's settings armed it, and not the callback's own timeout."""


class Moves(msgspec.Struct, array_like=True, gc=False):
    """How often a callback was moved to another time."""

    times: int
    at: datetime
    """When it was last seen to have been; daemon's clock."""


class Voicemail(msgspec.Struct, array_like=True, gc=False):
    """The voicemail that asked for a callback."""

    status: str
    """Of its upload, as it came."""
    since: datetime
    """When that was first seen; daemon's clock."""


class Alarm(msgspec.Struct, array_like=True, gc=False):
    """The state of one rule for one callback."""

    rule: str
    episode: int = 0
    """How often it has fired; the number in the alert's identity."""
    since: datetime | None = None
    """When the threshold was reached; None while it is not firing."""
    acknowledged_by: str | None = None
    """Who has seen that it is firing."""
    acknowledged_at: datetime | None = None
    kind: str = ""
    """What it was told with as it fired, like the next three: its rule may change or go."""
    severity: str = "warning"
    summary: str = ""
    labels: dict[str, str] = {}
    fired_at: datetime | None = None
    """When that was told; daemon's clock, like what follows."""
    read_at: datetime | None = None
    """When the read was sent that has confirmed it."""
    unproved: str | None = None
    """Why nothing has, if so."""
    resolved_at: datetime | None = None
    """When it last ended."""
    damped: bool = False
    """Whether it fired again so soon after its end that it is not to end at once."""
    over_at: datetime | None = None
    """Since when its condition is over though it is firing."""

    def end(self, now: datetime) -> None:
        """It is not firing any more."""
        self.since = self.over_at = None
        self.damped = False
        self.resolved_at = now


class Callback(msgspec.Struct, array_like=True, gc=False):
    """One request to be called back."""

    ordinal: int
    """Which callback of its conversation, from 1."""
    state: State
    since: datetime
    """When the state took effect."""
    first_seen_at: datetime
    sequence: int = 0
    """Of the last event emitted."""
    legs: list[Leg] = []
    queue_id: str | None = None
    """As last told, like the next three."""
    user_id: str | None = None
    offers: int = 0
    scheduled_at: datetime | None = None
    released: bool = False
    """Whether it ever left `scheduled` without ending."""
    waited_seconds: float = 0.0
    """Closed spells of waiting for an agent."""
    waiting_since: datetime | None = None
    """The open spell."""
    waiting_clock: Clock = Clock.OBSERVER
    """Which clock that was read from."""
    wait_mixed: bool = False
    """Whether a closed spell was read from two clocks."""
    wait_negative: bool = False
    """Whether a closed spell would have been negative."""
    auto_dial: AutoDial | None = None
    alarms: list[Alarm] = []
    automated: bool = False
    """An `automatedCallbackConfigId` was seen."""
    preview: bool = False
    outcome: str | None = None
    """Set at the end."""
    ended_at: datetime | None = None
    """When it ended, as far as told; provider clock."""
    anomalous: bool = False
    """Something happened to it after its end."""
    contact: tuple[str, ...] = ()
    visible_with: str | None = None
    """The participant id of the agent whose connect was shown by a snapshot that shows voice legs.

    On the `.callbacks` topics they are invisible; what is not seen there proves nothing.
    """
    unverified: bool = False
    """Whether it was told that a gap has touched it, and nothing has confirmed it since."""
    since_clock: Clock | None = None
    """Which clock `since` was read from; None in records of older versions."""
    voicemail: Voicemail | None = None
    owner_id: str | None = None
    """The one agent whom it is meant for."""
    campaign_id: str | None = None
    alerting_timeout_ms: int | None = None
    """How long an agent is alerted, as last shown."""
    moves: Moves | None = None
    """None while it was never moved to another time."""
    unverified_at: datetime | None = None
    """Since when it is `unverified`; daemon's clock."""
    usual_wait: int | None = None
    """Seconds that its queue's callbacks waited, as it began to wait; None when not known."""
    numbers: int = 0
    """How many of `contact` are numbers: the first ones."""

    def id_in(self, conversation_id: str) -> str:
        """Give the callback's id: the conversation's for the first, `<id>.<ordinal>` afterwards."""
        return conversation_id if self.ordinal == 1 else f"{conversation_id}.{self.ordinal}"

    def alarm(self, rule: str) -> Alarm | None:
        """Give the alarm of a rule that has ever fired."""
        for alarm in self.alarms:
            if alarm.rule == rule:
                return alarm
        return None

    @property
    def open(self) -> bool:
        """Whether it has not ended."""
        return self.state is not State.DISCONNECTED


class Tombstone(msgspec.Struct, array_like=True, gc=False):
    """What outlives the records of a conversation, so that a late frame starts nothing anew."""

    ordinal: int
    """The last callback's."""
    sequence: int
    """The last callback's last."""
    customers: list[str]
    """Participant and communication ids of every customer leg."""
    until: datetime
    """When it may be forgotten."""


class Conversation(msgspec.Struct, array_like=True, gc=False):
    """A conversation that holds, or held, callbacks."""

    stage: str
    """First, so that it can be read alone: the state of its latest open callback, else
    `disconnected`, else `tombstone`."""
    id: str
    callbacks: list[Callback] = []
    confirmed_at: datetime | None = None
    """When a snapshot last changed something."""
    tombstone: Tombstone | None = None
    forget_at: datetime | None = None
    """When the records of an ended conversation become a tombstone."""


class _Head(msgspec.Struct, array_like=True, gc=False):
    stage: str


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Conversation).decode
_decode_head = msgspec.msgpack.Decoder(_Head).decode
_BURIED = _encode(TOMBSTONE)
_OVER = (_encode(State.DISCONNECTED.value), _BURIED)
"""As they follow the array's header, which is one byte."""


def pack(conversation: Conversation) -> bytes:
    """Give the at-rest form."""
    return _encode(conversation)


def unpack(packed: bytes) -> Conversation:
    """Give back what `pack` made, by this version or an older one."""
    return _decode(packed)


def is_over(packed: bytes) -> bool:
    """Whether all of a packed conversation has ended. Reads nothing: looks at its first bytes."""
    return packed.startswith(_OVER, 1)


def is_buried(packed: bytes) -> bool:
    """Whether only the tombstone of a packed conversation is left; as cheap."""
    return packed.startswith(_BURIED, 1)


def stage_of(packed: bytes) -> str:
    """Read only the stage of a packed conversation; a tenth of the cost of unpacking it."""
    return _decode_head(packed).stage
