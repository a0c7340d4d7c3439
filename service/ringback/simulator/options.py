"""What a simulated contact centre is like."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from ringback.errors import SettingsError
from ringback.simulator.kinds import Kind

__all__ = ["Options"]

FEWEST_QUEUES = 3
"""One of each `kinds.Profile`."""


@dataclass(frozen=True, slots=True)
class Options:
    """What the contact centre is like."""

    arrivals_per_minute: float = 15.0
    """Callbacks asked for, on average, at speed 1."""
    queues: int = 6
    """At least 3: one agent first, one that dials by itself, one customer first."""
    agents: int = 40
    mix: Mapping[Kind, float] | None = None
    """Weights of the kinds; kinds that are left out do not occur. None: the usual mix."""
    max_live: int = 60
    """Nobody asks for a callback while this many conversations are live."""
    speed: float = 1.0
    """Shortens people's pauses, and never a timer that a tracker also counts."""
    stuck_seconds: float = 900.0
    """How long what is stuck stays so, about; no speed shortens it."""
    warm_up: timedelta = timedelta(minutes=2)
    """How long the centre has been open at its start; what lives then is sent first."""
    remember: int = 1000
    """How many ended conversations are kept, with their truth; older ones are forgotten."""
    cloud_skew: timedelta = timedelta(milliseconds=20)
    """How far the cloud clock runs ahead of true time."""
    provider_skew: timedelta = timedelta(milliseconds=-70)
    """How far the provider clock runs ahead of true time."""
    generic: bool = True
    """Send the generic shape (`...conversations`)."""
    flat: bool = True
    """Send the flat shape (`...conversations.callbacks`)."""
    user_topics: bool = False
    """Send on the topics of the users who take part as well as on the queue's."""

    def __post_init__(self) -> None:
        """Refuse what cannot be played."""
        checks = (
            ("queues", self.queues >= FEWEST_QUEUES, f"at least {FEWEST_QUEUES}"),
            ("agents", self.agents >= 1, "at least 1"),
            ("arrivals_per_minute", self.arrivals_per_minute > 0, "more than 0"),
            ("max_live", self.max_live >= 1, "at least 1"),
            ("speed", self.speed > 0, "more than 0"),
        )
        for name, fine, allowed in checks:
            if not fine:
                raise SettingsError(f"simulator.{name}", f"must be {allowed}")
