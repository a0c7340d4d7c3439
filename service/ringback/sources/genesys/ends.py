"""Why a channel does not hear, each reason by name: in the ledger of gaps, in logs and metrics."""

from enum import StrEnum
from typing import NamedTuple

from ringback.errors import PlatformError, PlatformFault
from ringback.sources.socket import Cause, Ending

__all__ = ["End", "Ended", "ended_by", "refused_by"]

NOT_FOUND = 404


class End(StrEnum):
    """Why a channel ended, or never came to hear. A closed set, so that it can label a metric."""

    CLOSING = "closed as announced"
    """The platform closed the socket after `socket_closing`, before a successor was there."""
    CLOSED = "closed by the server"
    LOST = "connection lost"
    """It broke without a closing handshake."""
    HALF_OPEN = "half-open"
    """Nothing comes at all, and pings are not answered, though the connection stands."""
    SILENT = "silent"
    """The protocol's pings are answered, by something between, but not even heartbeats come."""
    UNSUBSCRIBED = "no longer subscribed"
    """The platform says that its topics go to another."""
    TOKEN_REVOKED = "token revoked"  # noqa: S105  # not a password
    TOKEN_ENDED = "token ended"  # noqa: S105  # likewise
    """The channel is gone, and so is the token that made it."""
    GONE = "channel gone"
    """The platform does not know it, and it is not known why."""
    EVICTED = "evicted by another client"
    """It is gone before its time: too many channels of the same OAuth client."""
    EXPIRED = "channel expired"
    TOO_LARGE = "frame too large"
    PROTOCOL = "protocol error"
    REFUSED = "handshake refused"
    UNREACHABLE = "unreachable"
    PROXY = "proxy unusable"
    TLS = "tls failed"
    TIMED_OUT = "connecting timed out"
    NOT_MADE = "channel not made"
    """The request for one failed."""
    NOT_SUBSCRIBED = "not subscribed"
    """The request for its topics failed."""
    NO_PLACE = "no channel left"
    """Other processes use the rest of those that the platform allows."""
    UNPROVEN = "no sign of life"
    """Connected and subscribed, but not even a ping was answered."""


class Ended(NamedTuple):
    """One channel's end."""

    end: End
    phrase: str
    """The end with the code that belongs to it, from a bounded set."""
    trouble: PlatformError | None = None
    """What the platform said to a request, where that was the end of it."""

    @classmethod
    def plainly(cls, end: End) -> "Ended":
        """Give an end that has nothing more to say."""
        return cls(end, end.value)


_OF_SOCKET = {
    Cause.UNREACHABLE: End.UNREACHABLE,
    Cause.PROXY: End.PROXY,
    Cause.TLS: End.TLS,
    Cause.TIMED_OUT: End.TIMED_OUT,
    Cause.REJECTED: End.REFUSED,
    Cause.CLOSED: End.CLOSED,
    Cause.LOST: End.LOST,
    Cause.SILENT: End.HALF_OPEN,
    Cause.TOO_LARGE: End.TOO_LARGE,
    Cause.PROTOCOL: End.PROTOCOL,
}


def ended_by(ending: Ending) -> Ended:
    """Name the end of a socket, or that it could not be opened."""
    end = _OF_SOCKET[ending.cause]
    if end is End.REFUSED:
        if ending.code == NOT_FOUND:
            return Ended.plainly(End.GONE)
        return Ended(end, f"{end}: HTTP {ending.code}" if ending.code else end)
    return Ended(end, f"{end}: {ending.code}" if ending.code else end)


def refused_by(error: PlatformError, end: End) -> Ended:
    """Name the end that a failed request is: `end`, unless the channel is not there any more."""
    if error.fault is PlatformFault.NOT_FOUND and end is End.NOT_SUBSCRIBED:
        return Ended.plainly(End.GONE)
    return Ended(end, f"{end}: {error.fault}", error)
