"""What a receiver is told at once: alerts, each in its phase, and the incidents that they make."""

from datetime import datetime
from enum import StrEnum

import msgspec
from msgspec import UNSET

from ringback.core.events import AlertData

__all__ = ["Dead", "Item", "Message", "Phase", "place_of", "text_of"]


class Phase(StrEnum):
    """Where an alert is in its life."""

    FIRING = "firing"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


class Item(msgspec.Struct, array_like=True, gc=False):
    """One alert within a message."""

    alert: AlertData
    phase: Phase
    first: bool
    """Whether the receiver hears of it for the first time: if resolved, it came and went."""
    at: str
    """When that took effect."""
    queue: str | None
    """What its queue was called when it was first heard of, or its id: for good."""
    incident: str = ""
    """Which incident it belongs to."""


class Message(msgspec.Struct, array_like=True, gc=False):
    """What is sent at once. Stored before it is sent, so that it stays the same."""

    number: int
    """From 1, of this receiver."""
    made_at: datetime
    items: list[Item]
    opens: str | None = None
    """The incident of those alerts that it tells of for the first time: the first one's id."""
    acknowledges: list[str] = []
    """Incidents of which every alert that still fires was acknowledged."""
    closes: list[str] = []
    """Incidents of which no alert fires any more."""

    @property
    def digest(self) -> bool:
        """Whether it tells of more than one group."""
        return len({place_of(item.alert) for item in self.items}) > 1


class Dead(msgspec.Struct, array_like=True, gc=False):
    """A message that was given up."""

    message: Message
    why: str
    at: datetime
    tries: int


def place_of(alert: AlertData) -> tuple[str, str]:
    """Give the group of an alert: its rule, and its queue or source."""
    return alert.rule, text_of(alert, "queue_id") or text_of(alert, "source") or ""


def text_of(alert: AlertData, field: str) -> str | None:
    """Give a text of an alert, None if it is not known: some are about no callback, or no queue."""
    value = getattr(alert, field, UNSET)
    return value if isinstance(value, str) else None
