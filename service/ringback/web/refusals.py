"""Why requests are refused, and how often that happens."""

from collections import Counter
from enum import StrEnum

__all__ = ["Refusal", "Refusals"]


class Refusal(StrEnum):
    """Why a request or a connection goes no further."""

    CONNECTIONS = "connections"
    """There are as many as there may be."""
    SLOW_HEAD = "slow_head"
    SLOW_BODY = "slow_body"
    SLOW_READER = "slow_reader"
    """An answer is not taken."""
    MALFORMED = "malformed"
    """It is no HTTP, or its head is too large."""
    PROXY = "proxy"
    """It comes past the proxy."""
    HOST = "host"
    ORIGIN = "origin"
    UNKNOWN = "unknown"
    """Nobody knows who asks."""
    THROTTLED = "throttled"
    ROLE = "role"


Refusals = Counter[Refusal]
"""How often each."""
