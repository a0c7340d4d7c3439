"""The platform's own state of a conversation: participants, their legs, and the legs' segments.

Every instant here is true time. Clock skew is a matter of showing it (`frames`).
"""

from dataclasses import dataclass, field
from datetime import datetime

from ringback.simulator.people import Customer, Queue

__all__ = ["CallbackLeg", "Conversation", "Leg", "Participant", "Request", "Segment", "VoiceLeg"]


@dataclass(slots=True)
class Segment:
    """One piece of a leg's time line."""

    kind: str
    started_at: datetime
    ended_at: datetime | None = None
    how_ended: str = "Disconnect"
    """`Disconnect` also while the segment is open: the platform says so."""
    disconnect_type: str | None = None


@dataclass(slots=True, kw_only=True)
class Request:
    """What was asked for, the same on every callback leg of one callback."""

    customer: Customer
    script_id: str
    timeout_seconds: int = 0
    skip_enabled: bool = True
    preview: dict[str, object] | None = None
    voicemail: dict[str, str] | None = None
    automated_config_id: str | None = None
    owner_id: str | None = None
    scheduled_at: datetime | None = None
    moves: list[tuple[datetime, datetime]] = field(default_factory=list)
    """Every time that it was scheduled for since it was asked for, and when that was said."""

    def schedule(self, instant: datetime, now: datetime) -> None:
        """Schedule it, for the first time or anew."""
        self.scheduled_at = instant
        self.moves.append((now, instant))

    def scheduled_as_of(self, instant: datetime) -> datetime | None:
        """Say what it was scheduled for at an earlier instant."""
        said = [to for at, to in self.moves if at <= instant]
        if said:
            return said[-1]
        return None if self.moves else self.scheduled_at


@dataclass(slots=True, kw_only=True)
class Leg:
    """One communication of one participant."""

    id: str
    state: str
    initial_state: str
    began_at: datetime
    peer_id: str | None = None
    hold_started_at: datetime | None = None
    connected_at: datetime | None = None
    connected_shown: bool = True
    """False while the platform has not yet put `connectedTime` into its frames."""
    ended_at: datetime | None = None
    disconnect_type: str | None = None
    segments: list[Segment] = field(default_factory=list)

    @property
    def live(self) -> bool:
        """Whether it has not ended."""
        return self.ended_at is None

    def enter(self, state: str, segment: str | None, now: datetime) -> None:
        """Go to another live state, which opens another segment."""
        self.state = state
        if state == "connected" and self.connected_at is None:
            self.connected_at = now
        if segment is not None:
            self._close_segment(now, segment)
            self.segments.append(Segment(segment, now))

    def hold(self, now: datetime) -> None:
        """Put it on hold."""
        self.hold_started_at = now
        self._close_segment(now, "Hold")
        self.segments.append(Segment("Hold", now))

    def retrieve(self, now: datetime) -> None:
        """Take it off hold."""
        self.hold_started_at = None
        self._close_segment(now, "Interact")
        self.segments.append(Segment("Interact", now))

    def end(self, now: datetime, disconnect_type: str, state: str = "disconnected") -> None:
        """End it for good; a leg never comes back."""
        if not self.live:
            return
        self.state = state
        self.hold_started_at = None
        self.ended_at = now
        self.connected_shown = True
        self.disconnect_type = disconnect_type
        self._close_segment(now, "Disconnect", disconnect_type)

    def _close_segment(
        self, now: datetime, how_ended: str, disconnect_type: str | None = None
    ) -> None:
        if self.segments and self.segments[-1].ended_at is None:
            last = self.segments[-1]
            last.ended_at, last.how_ended = now, how_ended
            last.disconnect_type = disconnect_type


@dataclass(slots=True, kw_only=True)
class CallbackLeg(Leg):
    """A participant's part in the callback."""

    request: Request
    alerted_at: datetime | None = None
    wrapup_code: str | None = None
    work_started_at: datetime | None = None
    work_ended_at: datetime | None = None


@dataclass(slots=True, kw_only=True)
class VoiceLeg(Leg):
    """A participant's part in a call. Each dial has its own."""

    direction: str
    sip_code: int | None = None
    """Why the far end did not take the call."""


@dataclass(slots=True, kw_only=True)
class Participant:
    """One party of a conversation."""

    id: str
    purpose: str
    joined_at: datetime
    queue: Queue | None = None
    user_id: str | None = None
    name: str | None = None
    attributes: dict[str, str] = field(default_factory=dict)
    callbacks: list[CallbackLeg] = field(default_factory=list)
    calls: list[VoiceLeg] = field(default_factory=list)

    @property
    def legs(self) -> list[Leg]:
        """All its communications."""
        return [*self.callbacks, *self.calls]

    @property
    def connected_at(self) -> datetime | None:
        """When its first communication connected."""
        return min((leg.connected_at for leg in self.legs if leg.connected_at), default=None)

    @property
    def ended_at(self) -> datetime | None:
        """When its last communication ended; None while one lives."""
        ends = [leg.ended_at for leg in self.legs]
        return max((end for end in ends if end), default=None) if None not in ends else None


@dataclass(slots=True, kw_only=True)
class Conversation:
    """What the platform knows of one conversation."""

    id: str
    started_at: datetime
    queue: Queue
    """The queue whose topics carry it now."""
    voice_on_customer: bool
    """Whether a dialled call's far end is the customer participant, or an external one."""
    participants: list[Participant] = field(default_factory=list)
    revision: int = 0
    """How many times it was published."""
    changed_at: datetime | None = None
    """When it was published last."""

    @property
    def has_callback(self) -> bool:
        """Whether the `.callbacks` topics carry it at all."""
        return any(participant.callbacks for participant in self.participants)

    @property
    def user_ids(self) -> list[str]:
        """The users who take or took part, without repetition, oldest first."""
        return list(dict.fromkeys(one.user_id for one in self.participants if one.user_id))
