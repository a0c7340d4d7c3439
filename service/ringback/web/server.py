"""Serves the application within the daemon's own event loop."""

import asyncio
import contextlib
import errno
import socket
import ssl
from collections import Counter
from collections.abc import Callable, Iterator

import uvicorn
from litestar.types import ASGIApp

from ringback.errors import SettingsError
from ringback.settings.platform import loopback
from ringback.web.connection import SocketProtocol
from ringback.web.protocol import HttpProtocol
from ringback.web.refusals import Refusals

__all__ = ["WebServer"]

MOST_HEAD_BYTES = 16 * 1024
BACKLOG = 128
HANDSHAKE_SECONDS = 10.0
MOST_MESSAGE_BYTES = 4096
"""Of what comes over a websocket: nothing that comes there is of use."""
PING_SECONDS = 10.0
UNSENT_BYTES = 256 * 1024
"""What the kernel takes for a client before it is seen that the client does not."""
UNHEARD_MILLISECONDS = 60_000
"""How long a client may be gone without a word, with something on its way to it."""


class WebServer:
    """One listening socket: `bind`, then `run` until it is cancelled."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        host: str,
        port: int,
        drain: float,
        tls: ssl.SSLContext | None = None,
        refusals: Refusals | None = None,
        trusted: Callable[[str], bool] = loopback,
    ) -> None:
        """Take `port` 0 for any free one. At the end, requests have `drain` seconds to finish.

        `trusted` says which addresses may connect as often as they like.
        """
        self.host = host
        self.port = port
        self._socket: socket.socket | None = None
        self._server = _Server(
            uvicorn.Config(
                app,
                ws=SocketProtocol,
                ws_max_size=MOST_MESSAGE_BYTES,
                # For each reader on its own, it would cost more than all else that they do.
                ws_per_message_deflate=False,
                ws_ping_interval=PING_SECONDS,
                ws_ping_timeout=PING_SECONDS,
                lifespan="off",
                log_config=None,
                log_level="warning",
                access_log=False,
                server_header=False,
                proxy_headers=False,
                h11_max_incomplete_event_size=MOST_HEAD_BYTES,
                timeout_graceful_shutdown=max(1, round(drain)),
                backlog=BACKLOG,
            ),
            tls,
            Counter() if refusals is None else refusals,
            trusted,
        )

    def bind(self) -> int:
        """Take the port, and say which it is. Raises `SettingsError`."""
        try:
            found = socket.getaddrinfo(
                self.host, self.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )
        except OSError:
            raise SettingsError("web.host", f"{self.host} is no address of this machine") from None
        family, kind, protocol, _, address = found[0]
        listening = socket.socket(family, kind, protocol)
        try:
            # Connections take these over.
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, UNSENT_BYTES // 2)
            listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNHEARD_MILLISECONDS)
            listening.bind(address)
            listening.listen(BACKLOG)
        except OSError as error:
            listening.close()
            raise _unbindable(self.host, self.port, error) from None
        listening.setblocking(False)  # noqa: FBT003  # the standard library's way
        self._socket = listening
        self.port = listening.getsockname()[1]
        return self.port

    async def run(self) -> None:
        """Serve until cancelled; then let requests finish, for as long as they may."""
        if self._socket is None:
            self.bind()
        assert self._socket is not None  # noqa: S101  # bound just now
        sockets = [self._socket]
        try:
            await self._server.serve(sockets)
        except asyncio.CancelledError:
            if self._server.started:
                await self._server.shutdown(sockets)
            raise
        finally:
            self._socket.close()


class _Server(uvicorn.Server):
    def __init__(
        self,
        config: uvicorn.Config,
        tls: ssl.SSLContext | None,
        refusals: Refusals,
        trusted: Callable[[str], bool],
    ) -> None:
        super().__init__(config)
        self._tls = tls
        self._refusals = refusals
        self._trusted = trusted

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to serve, with a context of ours and a limit to how long a handshake takes."""

        def begin() -> asyncio.Protocol:
            return HttpProtocol(
                self.config,
                self.server_state,
                self.lifespan.state,
                self._refusals,
                self._trusted,
            )

        loop = asyncio.get_running_loop()
        patience = None if self._tls is None else HANDSHAKE_SECONDS
        self.servers = [
            await loop.create_server(
                begin, sock=one, ssl=self._tls, backlog=BACKLOG, ssl_handshake_timeout=patience
            )
            for one in sockets or []
        ]
        self.started = True

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the daemon, which stops in stages."""
        yield


def _unbindable(host: str, port: int, error: OSError) -> SettingsError:
    match error.errno:
        case errno.EADDRINUSE:
            return SettingsError("web.port", f"{port} is in use on {host}: choose another, or 0")
        case errno.EACCES:
            return SettingsError("web.port", f"{port} may not be bound: choose one above 1023")
        case errno.EADDRNOTAVAIL:
            return SettingsError("web.host", f"{host} is no address of this machine")
        case _:
            return SettingsError("web.port", f"{host}:{port} cannot be bound: {error.strerror}")
