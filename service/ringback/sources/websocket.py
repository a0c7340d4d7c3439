"""Any `ws://` or `wss://` server that sends one frame a message.

The server need not know Ringback: nothing is subscribed to, and apart from the protocol's own pings
nothing is sent. Text and binary messages are both handed on as bytes: the decoder judges them by
their content.
"""

import asyncio
import logging
import random
import ssl
from collections import Counter
from collections.abc import Sequence
from enum import StrEnum
from functools import partial
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
from websockets.uri import parse_uri

from ringback.errors import SourceError
from ringback.ports import Intake
from ringback.sources.backoff import waits

__all__ = ["Cause", "WebsocketSource", "display_url"]

APPLICATION_PING = '{"message":"ping"}'
TURNS = 5
"""Looks that must find nothing new before a connection counts as silent. Looking often rather than
once keeps a pause of this process itself from being taken for the server's."""
CLOSE_SECONDS = 1.0
"""How long a server may take over its half of the closing handshake."""

# The library would log addresses and headers, which may hold tokens; what matters is told to the
# intake, in fixed words. Out of reach of getLogger, so that no configuration turns it on again.
MUTE = logging.Logger("mute", level=logging.CRITICAL + 1)  # noqa: LOG001  # as said above


class Cause(StrEnum):
    """Why the source is blind. The set is closed, so that it can label a metric."""

    UNREACHABLE = "unreachable"
    """No connection: the name, the network, or nobody listening."""
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


class WebsocketSource:
    """Listens to one URL for as long as the daemon runs, over any number of connections.

    Times are seconds on the loop's clock. `failures` counts every failed attempt and every lost
    connection by cause, `connections` those that succeeded; the intake is told only the first
    cause of each blind interval.
    """

    def __init__(
        self,
        name: str,
        url: str,
        *,
        max_frame_bytes: int,
        watchdog: float,
        first_wait: float,
        most_wait: float,
        chance: random.Random,
        open_timeout: float = 10.0,
        ping_every: float | None = None,
    ) -> None:
        """Check the URL. Raises `SourceError`.

        `ping_every` sends `{"message":"ping"}` as text so often, for servers that expect it.
        """
        self.name = name
        self.problems: Sequence[str] = ()
        self.connections = 0
        self.failures: Counter[Cause] = Counter()
        self._url = _checked(name, url)
        self._max_frame_bytes = max_frame_bytes
        self._watchdog = watchdog
        self._most_wait = most_wait
        self._waits = partial(waits, first_wait, most_wait, chance)
        self._open_timeout = open_timeout
        self._ping_every = ping_every

    async def run(self, intake: Intake) -> None:
        """Listen until cancelled. Raises `SourceError` when the proxy is configured wrongly."""
        clock = asyncio.get_running_loop().time
        pending = self._waits()
        blind = False
        while True:
            opened_at: float | None = None
            try:
                connection = await self._connect()
            except (OSError, ValueError, ImportError, WebSocketException) as error:
                cause, phrase = self._refusal(error)
            else:
                opened_at = clock()
                blind = False
                self.connections += 1
                intake.connected()
                cause, phrase = await self._listen(connection, intake)
            self.failures[cause] += 1
            if not blind:
                blind = True
                intake.disconnected(phrase)
            # A server that accepts and at once hangs up does not count as one that is back.
            if opened_at is not None and clock() - opened_at >= self._most_wait:
                pending = self._waits()
            await asyncio.sleep(next(pending))

    async def _connect(self) -> "_Connection":
        connection = await connect(
            self._url,
            create_connection=_Connection,
            compression=None,
            logger=MUTE,
            max_size=self._max_frame_bytes,
            open_timeout=self._open_timeout,
            close_timeout=CLOSE_SECONDS,
            # The pings provoke traffic; judging its absence is the watchdog's alone.
            ping_interval=self._watchdog / 3,
            ping_timeout=None,
        )
        assert isinstance(connection, _Connection)  # noqa: S101  # as asked for above
        return connection

    async def _listen(self, connection: "_Connection", intake: Intake) -> tuple[Cause, str]:
        """Hand on what arrives until the connection ends; say why it ended."""
        guard = _Guard(connection, self._watchdog, self._ping_every)
        try:
            while True:
                await intake.room()
                intake.frame(await connection.recv(decode=False))
        except ConnectionClosed as ended:
            return (Cause.SILENT, Cause.SILENT) if guard.silent else _ending(ended)
        finally:
            guard.stop()
            await connection.close()

    def _refusal(self, error: Exception) -> tuple[Cause, str]:
        match error:
            case InvalidStatus():
                return Cause.REJECTED, f"{Cause.REJECTED}: HTTP {error.response.status_code}"
            case InvalidProxy() | ImportError():
                raise SourceError(
                    self.name,
                    "the proxy that the environment names cannot be used",
                    "correct or unset HTTP_PROXY, HTTPS_PROXY and ALL_PROXY: http:// is understood",
                ) from None
            case TimeoutError():
                return Cause.TIMED_OUT, Cause.TIMED_OUT
            case InvalidMessage() if isinstance(error.__cause__, EOFError):
                return Cause.LOST, Cause.LOST
            case InvalidHandshake() | InvalidURI() | ValueError():  # the latter two: redirects
                return Cause.REJECTED, Cause.REJECTED
            case ssl.SSLError():
                return Cause.TLS, Cause.TLS
            case OSError():
                return Cause.UNREACHABLE, Cause.UNREACHABLE
            case _:
                return Cause.PROTOCOL, Cause.PROTOCOL


class _Connection(ClientConnection):
    """Notes that something arrived, be it only a pong: `recv` tells of messages alone."""

    heard = False

    def data_received(self, data: bytes) -> None:
        self.heard = True
        super().data_received(data)


class _Guard:
    """Watches one connection, with one timer for silence and one for pings: none a message."""

    def __init__(self, connection: _Connection, watchdog: float, ping_every: float | None) -> None:
        self.silent = False
        self._connection = connection
        connection.heard = False
        self._quiet_turns = 0
        self._later = connection.loop.call_later
        turn = watchdog / TURNS
        self._timers = {"silence": self._later(turn, self._watch, turn)}
        if ping_every:
            self._timers["ping"] = self._later(ping_every, self._ping, ping_every)

    def stop(self) -> None:
        for timer in self._timers.values():
            timer.cancel()

    def _watch(self, turn: float) -> None:
        connection = self._connection
        if connection.state is not State.OPEN:
            connection.transport.abort()  # else a server that does not hang up is waited for
            return
        # While reading is paused it is we who are slow.
        quiet = not connection.heard and connection.transport.is_reading()
        self._quiet_turns = self._quiet_turns + 1 if quiet else 0
        connection.heard = False
        if self._quiet_turns >= TURNS:
            self.silent = True
            connection.transport.abort()
        else:
            self._timers["silence"] = self._later(turn, self._watch, turn)

    def _ping(self, every: float) -> None:
        broadcast([self._connection], APPLICATION_PING)
        self._timers["ping"] = self._later(every, self._ping, every)


def _ending(ended: ConnectionClosed) -> tuple[Cause, str]:
    if ended.rcvd is not None:
        return Cause.CLOSED, f"{Cause.CLOSED}: {int(ended.rcvd.code)}"
    if ended.sent is None:
        return Cause.LOST, Cause.LOST
    if ended.sent.code == CloseCode.MESSAGE_TOO_BIG:
        return Cause.TOO_LARGE, Cause.TOO_LARGE
    return Cause.PROTOCOL, Cause.PROTOCOL


def _checked(name: str, url: str) -> str:
    try:
        parse_uri(url)
    except InvalidURI as error:
        problem = error.msg
    except ValueError:
        problem = "host or port is not valid"
    else:
        return url
    raise SourceError(
        name, f"{problem} in {display_url(url)}", "give a ws:// or wss:// address in [source] url"
    )
