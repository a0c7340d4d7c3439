"""What rules look at, and what a kind of rule is made of."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol

from ringback.core.clocks import Clock
from ringback.core.derivation import Cast
from ringback.core.lifecycle import State
from ringback.core.records import Callback, Conversation
from ringback.core.snapshots import QueueSettings
from ringback.core.watch.contacts import Contacts

__all__ = ["NOT_AT_ALL", "OPEN", "Begun", "Kind", "Limits", "Sight", "state_began"]

NOT_AT_ALL = timedelta()
OPEN = frozenset(State) - {State.DISCONNECTED}
"""Every state but the last."""


class Begun(NamedTuple):
    """Since when something counts, and on which clock that was read."""

    at: datetime
    clock: Clock
    least: timedelta = NOT_AT_ALL
    """A threshold of the callback's own; the rule's counts where it is longer."""


class Limits(Protocol):
    """What a rule says of how long is too long, or how often."""

    @property
    def after(self) -> timedelta:
        """How long."""

    @property
    def times(self) -> float:
        """How often, or how many times as much."""


class Sight:
    """One callback as the rules see it."""

    __slots__ = ("callback", "cast", "contacts", "conversation", "settings")

    def __init__(
        self,
        conversation: Conversation,
        cast: Cast,
        settings: Mapping[str, QueueSettings],
        contacts: Contacts,
    ) -> None:
        self.conversation = conversation
        self.cast = cast
        self.callback: Callback = cast.callback
        self.settings = settings
        self.contacts = contacts

    @property
    def queue(self) -> QueueSettings | None:
        """The settings of its queue, as far as known."""
        return self.settings.get(self.callback.queue_id or "")

    @property
    def customer_first(self) -> bool:
        """Whether its queue calls the customer before the agent."""
        queue = self.queue
        return queue is not None and queue.customer_first

    @property
    def division_id(self) -> str | None:
        """The division that its queue belongs to, as far as known."""
        queue = self.queue
        return None if queue is None else queue.division_id


class Kind(NamedTuple):
    """Something that can be watched."""

    summary: str
    """What is wrong, unless a rule says it better."""
    states: frozenset[State]
    """In which it can apply."""
    after: timedelta
    """How long is too long, unless a rule says otherwise."""
    begun: Callable[[Sight, Limits], Begun | None]
    """Since when it counts; None when it does not apply."""
    times: float = 1
    """Of kinds that count, or compare: how often, or how many times as much."""
    ahead: bool = False
    """Whether it is about what is to come: `after` is how long before then."""
    over: str | None = None
    """Why it is over, where that is no change of state."""


def state_began(callback: Callback) -> Begun:
    """Give since when a callback has been where it is."""
    return Begun(callback.since, callback.since_clock or Clock.OBSERVER)
