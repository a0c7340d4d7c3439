"""HTTP as the server speaks it: what is slow, too large, too much or no HTTP ends here.

None of it reaches the application. Times run on while bytes trickle in, so sending slowly gains
nothing.
"""

import asyncio
import sys
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from ringback.web.connection import Connection, keep_connection
from ringback.web.problems import problem_body
from ringback.web.refusals import Refusal, Refusals
from ringback.web.shield import HEADERS

__all__ = ["HttpProtocol"]

MOST_CONNECTIONS = 1024
MOST_OF_ONE = 256
"""Connections from one address, which leaves room for others."""
HEAD_SECONDS = 10.0
BODY_SECONDS = 20.0
READER_SECONDS = 60.0
"""The feed gives up earlier on readers that take nothing."""
CROWDED = "There are as many connections as there may be."
SLOW = "The request took too long to come."


class HttpProtocol(H11Protocol):
    """One connection."""

    def __init__(
        self,
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        refusals: Refusals,
        trusted: Callable[[str], bool],
    ) -> None:
        """`trusted` says which addresses may connect as often as they like."""
        super().__init__(config, server_state, app_state)
        self._refusals = refusals
        self._trusted = trusted
        self._phase: Refusal | None = None
        self._timers: dict[str, asyncio.TimerHandle] = {}

    def connection_made(  # type: ignore[override]  # as the class above has it
        self, transport: asyncio.Transport
    ) -> None:
        """Begin."""
        super().connection_made(transport)
        ready = asyncio.Event()
        ready.set()
        self.app_state = keep_connection(self.app_state, Connection(transport, ready))
        if self._is_crowd():
            self._refuse(Refusal.CONNECTIONS, 503, CROWDED)
        else:
            self._enter(Refusal.SLOW_HEAD)

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        for timer in self._timers.values():
            timer.cancel()
        super().connection_lost(exc)

    def handle_events(self) -> None:
        """Go on with what has come; see what is to come next."""
        super().handle_events()
        if self.transport.get_protocol() is not self or self.transport.is_closing():
            self._enter(None)
        elif self.conn.their_state is h11.SEND_BODY:
            self._enter(Refusal.SLOW_BODY)
        elif self.conn.their_state is h11.IDLE and self.conn.trailing_data[0]:
            self._enter(Refusal.SLOW_HEAD)
        else:
            self._enter(None)

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP."""
        # Called where the error is being handled that says more.
        status = getattr(sys.exc_info()[1], "error_status_hint", 400)
        self._refuse(Refusal.MALFORMED, status, msg if status == HTTPStatus.BAD_REQUEST else "")

    def pause_writing(self) -> None:
        """Stop writing: the client takes nothing for now."""
        super().pause_writing()
        self._start("reader", READER_SECONDS, self._give_up)

    def resume_writing(self) -> None:
        """Go on writing."""
        super().resume_writing()
        self._stop("reader")

    def timeout_keep_alive_handler(self) -> None:
        """End a connection that is not used any more."""
        super().timeout_keep_alive_handler()
        self._start("end", READER_SECONDS, self._give_up)

    def _is_crowd(self) -> bool:
        if len(self.connections) > MOST_CONNECTIONS:
            return True
        address = self.client[0] if self.client else ""
        if self._trusted(address):
            return False
        clients = [getattr(each, "client", None) for each in self.connections]
        theirs = [client for client in clients if client is not None and client[0] == address]
        return len(theirs) > MOST_OF_ONE

    def _enter(self, phase: Refusal | None) -> None:
        """Wait for a head, or for a body, from now on; for none of them with None."""
        if phase is self._phase:
            return
        self._phase = phase
        self._stop("phase")
        if phase is not None:
            seconds = HEAD_SECONDS if phase is Refusal.SLOW_HEAD else BODY_SECONDS
            self._start("phase", seconds, self._run_out)

    def _run_out(self) -> None:
        """End what has not come in time. Who has not said a word is not told."""
        phase: Refusal | None = self._phase
        if self.transport.is_closing() or phase is None:
            return
        if phase is Refusal.SLOW_BODY or self.conn.trailing_data[0]:
            self._refuse(phase, 408, SLOW)
        else:
            self.transport.close()

    def _refuse(self, reason: Refusal, status: int, detail: str) -> None:
        """Answer in the application's place, if there is no answer yet, and end the connection."""
        self._refusals[reason] += 1
        if self.cycle is not None:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            body = problem_body(status, detail)
            headers = [
                *HEADERS.items(),
                (b"content-type", b"application/problem+json"),
                (b"content-length", b"%d" % len(body)),
                (b"connection", b"close"),
                *([(b"retry-after", b"1")] if reason is Refusal.CONNECTIONS else []),
            ]
            phrase = HTTPStatus(status).phrase.encode()
            response = h11.Response(status_code=status, headers=headers, reason=phrase)
            for event in (response, h11.Data(data=body), h11.EndOfMessage()):
                self.transport.write(self.conn.send(event) or b"")
        self.transport.close()
        self._start("end", READER_SECONDS, self._give_up)

    def _give_up(self) -> None:
        """Cut off a client that does not take its answer."""
        self._refusals[Refusal.SLOW_READER] += 1
        self.transport.abort()

    def _start(self, name: str, seconds: float, work: Callable[[], None]) -> None:
        if name not in self._timers:
            self._timers[name] = self.loop.call_later(seconds, work)

    def _stop(self, name: str) -> None:
        if timer := self._timers.pop(name, None):
            timer.cancel()
