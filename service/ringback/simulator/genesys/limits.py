"""What the platform allows, and the counting of it."""

import asyncio
import math
from dataclasses import dataclass
from typing import Literal

from ringback.simulator.genesys.problems import throttled

__all__ = ["Allowance", "Limits"]

WINDOW_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Limits:
    """The platform's limits and habits, as they are by default; durations in seconds."""

    token_seconds: float = 86_400.0
    """A token lives for so long."""
    orphans: Literal["closed", "silenced"] = "closed"
    """What becomes of the channels of a token that has expired or is gone: they answer 404 and are
    closed, or they just bring nothing any more."""
    channel_seconds: float = 86_400.0
    """A channel lives for so long after it was made, or subscribed last."""
    channels: int = 20
    """Channels of a client; one more ends the one that was used longest ago."""
    gone_channel: Literal["refuses", "answers"] = "refuses"
    """To whoever connects to a channel that is gone: HTTP 404, or a socket with a 404 frame."""
    topics: int = 1_000
    """Topics of a channel; a combined one counts once."""
    topic_characters: int = 200
    requests_per_minute: int = 300
    """Requests that a token may make."""
    channels_per_minute: int = 60
    """Channels that a token may make."""
    heartbeat_seconds: float = 30.0
    closing_seconds: float = 60.0
    """From the announcement that a socket will be closed to its end."""
    outbox: int = 5_000
    """Frames that a socket may be behind; a slower reader is dropped."""
    details_lag_seconds: float = 8.0
    """How old the answers of the conversation detail query are."""
    details_days: int = 31
    """The longest interval that it takes."""
    observations: int = 10_000
    """Observations that a detail metric lists; beyond that only the oldest and newest are."""


class Allowance:
    """So many a minute, in windows that begin with the first request; on the loop's clock."""

    def __init__(self, most: int, key: str) -> None:
        """`key` names the limit in the refusal."""
        self.most = most
        self.key = key
        self.used = 0
        """How many were asked for in the present window, refused ones not counted."""
        self._until = -math.inf

    def take(self) -> None:
        """Use one; raises `Problem` when there is none left."""
        now = asyncio.get_running_loop().time()
        if now >= self._until:
            self.used, self._until = 0, now + WINDOW_SECONDS
        if self.used >= self.most:
            raise throttled(max(1, math.ceil(self._until - now)), self.key)
        self.used += 1
