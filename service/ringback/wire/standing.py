"""How a stream stands: as its servers are asked, and as `ringback status` tells it."""

from datetime import datetime

import msgspec

__all__ = ["StreamStanding"]


class StreamStanding(msgspec.Struct, frozen=True):
    """One stream or bucket as its servers know it."""

    name: str
    messages: int
    bytes: int
    first: datetime | None
    """When its first message came that is kept; None while it has none."""
    last: datetime | None
    replicas: int
    """On how many servers it is to be kept."""
    leader: str
    """Empty: it has none."""
    behind: list[str]
    """Servers that have not all of it, or are not there."""
