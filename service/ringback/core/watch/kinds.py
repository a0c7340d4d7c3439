"""What can be watched of a callback: for each kind one pure function, and where it applies.

A kind says since when its condition counts, and on which clock, or that it does not apply; how long
is too long is the rule's business. Conditions follow from the legs alone, so that nothing has to be
kept but when an alert began.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from ringback.core.clocks import Clock
from ringback.core.derivation import Cast, schedule_of, seen_dialled, voice_visible
from ringback.core.lifecycle import State
from ringback.core.records import Callback, Conversation
from ringback.core.snapshots import QueueSettings

__all__ = ["KINDS", "Begun", "Kind", "Sight"]


class Begun(NamedTuple):
    """Since when something counts, and on which clock that was read."""

    at: datetime
    clock: Clock


class Sight:
    """One callback as the rules see it."""

    __slots__ = ("callback", "cast", "conversation", "settings")

    def __init__(
        self, conversation: Conversation, cast: Cast, settings: Mapping[str, QueueSettings]
    ) -> None:
        self.conversation = conversation
        self.cast = cast
        self.callback: Callback = cast.callback
        self.settings = settings

    @property
    def queue(self) -> QueueSettings | None:
        """The settings of its queue, as far as known."""
        return self.settings.get(self.callback.queue_id or "")

    @property
    def customer_first(self) -> bool:
        """Whether its queue calls the customer before the agent."""
        queue = self.queue
        return queue is not None and queue.customer_first


class Kind(NamedTuple):
    """Something that can be watched."""

    summary: str
    """What is wrong, unless a rule says it better."""
    states: frozenset[State]
    """In which it can apply."""
    after: timedelta
    """How long is too long, unless a rule says otherwise."""
    begun: Callable[[Sight, float], Begun | None]
    """Since when it counts, of kinds that count at so many times; None when it does not apply."""


def _due_not_released(sight: Sight, _times: float) -> Begun | None:
    schedule = schedule_of(sight.cast)
    return None if schedule is None else Begun(schedule, Clock.PROVIDER)


def _connected_not_dialled(sight: Sight, _times: float) -> Begun | None:
    callback, agent = sight.callback, sight.cast.agent
    if not voice_visible(sight.cast) or callback.auto_dial is not None:
        return None
    if agent is None or seen_dialled(sight.cast, agent):
        return None
    return Begun(agent.connected_at or callback.since, Clock.CLOUD)


def _auto_dial_missed(sight: Sight, _times: float) -> Begun | None:
    dial, agent = sight.callback.auto_dial, sight.cast.agent
    if not voice_visible(sight.cast) or dial is None or dial.missed_at is None:
        return None
    if agent is None or seen_dialled(sight.cast, agent):
        return None
    return Begun(dial.missed_at, Clock.CLOUD)


KINDS: Mapping[str, Kind] = {
    "due_not_released": Kind(
        "due, and not released into the queue",
        frozenset({State.SCHEDULED}),
        timedelta(minutes=2),
        _due_not_released,
    ),
    "connected_not_dialled": Kind(
        "an agent has accepted, nothing is dialled and nothing will dial by itself",
        frozenset({State.CONNECTED, State.HELD}),
        timedelta(minutes=5),
        _connected_not_dialled,
    ),
    "auto_dial_missed": Kind(
        "the automatic call was due and is not seen",
        frozenset({State.AUTO_DIALING, State.CONNECTED, State.HELD}),
        timedelta(),
        _auto_dial_missed,
    ),
}
"""All there are, by name."""
