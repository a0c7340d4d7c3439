"""What every websocket that is listened to has in common: opening, watching over it, its end.

Frames come as bytes, text and binary alike: the decoder judges them by their content. Causes are
fixed words, because what a server or the library says may hold addresses, and these hold secrets.
"""

import logging
import ssl
from enum import StrEnum
from typing import NamedTuple
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.connection import broadcast
from websockets.exceptions import (
    ConnectionClosed,
    InvalidHandshake,
    InvalidMessage,
    InvalidProxy,
    InvalidStatus,
    InvalidURI,
    WebSocketException,
)
from websockets.frames import CloseCode
from websockets.protocol import State

__all__ = [
    "REFUSALS",
    "TURNS",
    "Cause",
    "Connection",
    "Ending",
    "Guard",
    "display_url",
    "ending",
    "open_socket",
    "refusal",
]

APPLICATION_PING = '{"message":"ping"}'
TURNS = 5
"""Looks that must find nothing new before a connection counts as silent. Looking often rather than
once keeps a pause of this process itself from being taken for the server's."""
CLOSE_SECONDS = 1.0
"""How long a server may take over its half of the closing handshake."""
REFUSALS = (OSError, ValueError, ImportError, WebSocketException)
"""What `open_socket` raises when it cannot; `refusal` puts it into words."""

# The library would log addresses and headers, which may hold tokens; what matters is told to the
# intake, in fixed words. Out of reach of getLogger, so that no configuration turns it on again.
MUTE = logging.Logger("mute", level=logging.CRITICAL + 1)  # noqa: LOG001  # as said above


class Cause(StrEnum):
    """Why a websocket does not hear. The set is closed, so that it can label a metric."""

    UNREACHABLE = "unreachable"
    """No connection: the name, the network, or nobody listening."""
    PROXY = "proxy unusable"
    """The proxy that the environment names is none that is understood."""
    TLS = "tls failed"
    TIMED_OUT = "connecting timed out"
    REJECTED = "handshake rejected"
    CLOSED = "closed by the server"
    LOST = "connection lost"
    """It broke without a closing handshake."""
    SILENT = "silent"
    """No traffic for as long as the watchdog allows."""
    TOO_LARGE = "frame too large"
    PROTOCOL = "protocol error"


class Ending(NamedTuple):
    """Why a connection ended, or was never made."""

    cause: Cause
    phrase: str
    """The cause with the code that belongs to it, from a bounded set."""
    code: int = 0
    """An HTTP status, or that of a closing handshake; 0 when there is none."""


class Connection(ClientConnection):
    """Notes when something arrived, be it only a pong: `recv` tells of messages alone."""

    heard_at = 0.0
    """On the loop's clock."""

    def data_received(self, data: bytes) -> None:
        """Note the time, then go on as usual."""
        self.heard_at = self.loop.time()
        super().data_received(data)


async def open_socket(
    url: str, *, max_frame_bytes: int, open_timeout: float, ping_every: float
) -> Connection:
    """Open a connection, which sends protocol pings every so many seconds.

    Raises one of `REFUSALS`. The pings provoke traffic; judging its absence is the guard's alone.
    """
    connection = await connect(
        url,
        create_connection=Connection,
        compression=None,
        logger=MUTE,
        max_size=max_frame_bytes,
        open_timeout=open_timeout,
        close_timeout=CLOSE_SECONDS,
        ping_interval=ping_every,
        ping_timeout=None,
    )
    assert isinstance(connection, Connection)  # noqa: S101  # as asked for above
    return connection


class Guard:
    """Watches one connection, with one timer for silence and one for pings: none a message.

    `watchdog` is how many seconds of no traffic at all are too many; such a connection is broken
    off. `ping_every` sends `{"message":"ping"}` as text so often, for servers that expect it.
    """

    def __init__(self, connection: Connection, watchdog: float, ping_every: float | None) -> None:
        self.silent = False
        """Whether the connection was broken off because of its silence."""
        self.pings = 0
        """How many were sent as text."""
        self._connection = connection
        self._seen = connection.heard_at
        self._quiet_turns = 0
        self._later = connection.loop.call_later
        turn = watchdog / TURNS
        self._timers = {"silence": self._later(turn, self._watch, turn)}
        if ping_every:
            self._timers["ping"] = self._later(ping_every, self._ping, ping_every)

    def stop(self) -> None:
        """Watch no longer."""
        for timer in self._timers.values():
            timer.cancel()

    def ping(self) -> None:
        """Send `{"message":"ping"}` now."""
        self.pings += 1
        broadcast([self._connection], APPLICATION_PING)

    def explain(self, ended: ConnectionClosed) -> Ending:
        """Say why the connection ended."""
        return Ending(Cause.SILENT, Cause.SILENT) if self.silent else ending(ended)

    def _watch(self, turn: float) -> None:
        connection = self._connection
        if connection.state is not State.OPEN:
            connection.transport.abort()  # else a server that does not hang up is waited for
            return
        # While reading is paused it is we who are slow.
        quiet = connection.heard_at == self._seen and connection.transport.is_reading()
        self._quiet_turns = self._quiet_turns + 1 if quiet else 0
        self._seen = connection.heard_at
        if self._quiet_turns >= TURNS:
            self.silent = True
            connection.transport.abort()
        else:
            self._timers["silence"] = self._later(turn, self._watch, turn)

    def _ping(self, every: float) -> None:
        self.ping()
        self._timers["ping"] = self._later(every, self._ping, every)


def ending(ended: ConnectionClosed) -> Ending:
    """Say why a connection that was open ended."""
    if ended.rcvd is not None:
        code = int(ended.rcvd.code)
        return Ending(Cause.CLOSED, f"{Cause.CLOSED}: {code}", code)
    if ended.sent is None:
        return Ending(Cause.LOST, Cause.LOST)
    if ended.sent.code == CloseCode.MESSAGE_TOO_BIG:
        return Ending(Cause.TOO_LARGE, Cause.TOO_LARGE)
    return Ending(Cause.PROTOCOL, Cause.PROTOCOL)


def refusal(error: Exception) -> Ending:
    """Say why a connection could not be opened; `error` is one of `REFUSALS`."""
    match error:
        case InvalidStatus():
            status = error.response.status_code
            return Ending(Cause.REJECTED, f"{Cause.REJECTED}: HTTP {status}", status)
        case InvalidProxy() | ImportError():
            cause = Cause.PROXY
        case ssl.SSLError():  # before ValueError, which a bad certificate is as well
            cause = Cause.TLS
        case TimeoutError():
            cause = Cause.TIMED_OUT
        case InvalidMessage() if isinstance(error.__cause__, EOFError):
            cause = Cause.LOST
        case InvalidHandshake() | InvalidURI() | ValueError():  # the latter two: redirects
            cause = Cause.REJECTED
        case OSError():
            cause = Cause.UNREACHABLE
        case _:
            cause = Cause.PROTOCOL
    return Ending(cause, cause)


def display_url(url: str) -> str:
    """Give `url` fit for logs: without user, password, query and fragment.

    >>> display_url("wss://me:secret@example.com:8443/feed?token=secret")
    'wss://example.com:8443/feed?...'
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return "(not a URL)"
    host = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{host}{port}{parts.path}" + ("?..." if parts.query else "")
