"""Asks a running daemon over its HTTP API; each thing that can go wrong is said with its remedy."""

import ssl
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from http import HTTPStatus
from typing import Any, Self, TypeVar
from urllib.parse import quote, urlsplit

import aiohttp
import msgspec

from ringback import __version__
from ringback.errors import DaemonError, DaemonFault
from ringback.terminal.answers import Alerts, Callbacks, Problem, Row, Session, Sources
from ringback.terminal.lives import Life
from ringback.terminal.stream import Message, messages

__all__ = ["API", "Client"]

API = "/api/v1"
PAGE = 1000
SILENCE_SECONDS = 12.0
"""The feed has a heartbeat every 5 s: after so long without a sign the connection is dead."""
BUSY = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})

Read = TypeVar("Read")


class Client:
    """A daemon at an address. An async context manager."""

    def __init__(
        self,
        url: str,
        token: str = "",
        *,
        trust: ssl.SSLContext | None = None,
        timeout: float = 10.0,
    ) -> None:
        """Ask the daemon at `url`, with a bearer token if it is not empty.

        `trust` is what its certificate is checked with; None: the machine's own authorities.
        """
        self.url = url.rstrip("/")
        self._token = token
        self._trust = trust
        self._timeout = timeout
        self._http: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        headers = {"User-Agent": f"ringback/{__version__}"}
        if self._token:
            headers["Authorization"] = f"Bearer {self._token}"
        self._http = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar(), headers=headers)
        return self

    async def __aexit__(self, *_: object) -> None:
        http, self._http = self._http, None
        if http is not None:
            await http.close()

    async def session(self) -> Session:
        """Say who asks, and what queues are called."""
        return self.read(await self.get("/session"), Session)

    async def sources(self) -> Sources:
        """Say what the daemon listens to, and how well it hears."""
        return self.read(await self.get("/sources"), Sources)

    async def alerts(self) -> Alerts:
        """Give all that are firing."""
        return self.read(await self.get("/alerts"), Alerts)

    async def life_text(self, callback_id: str) -> bytes:
        """Give all that is known of one callback, as the daemon wrote it."""
        return await self.get(f"/callbacks/{quote(callback_id, safe='')}")

    def life(self, text: bytes) -> Life:
        """Read what `life_text` gave."""
        return self.read(text, Life)

    async def find(self, text: str, limit: int = 10) -> list[Row]:
        """Give open callbacks with a text in one of their ids."""
        query = {"q": text, "limit": str(limit)}
        return self.read(await self.get("/callbacks", query), Callbacks).callbacks

    async def callbacks(self) -> Callbacks:
        """Give every open callback.

        The position is the earliest of the pages, which several daemons may have answered: what is
        in others already is told again by the feed, and told apart by its sequence.
        """
        query = {"sort": "callbackId", "limit": str(PAGE)}
        page = self.read(await self.get("/callbacks", query), Callbacks)
        rows, position = list(page.callbacks), page.position
        while page.next is not None:
            page = self.read(await self.get("/callbacks", query | {"cursor": page.next}), Callbacks)
            rows += page.callbacks
            position = min(position, page.position)
        return msgspec.structs.replace(page, position=position, callbacks=rows)

    async def acknowledge(self, alert_id: str) -> None:
        """Note that one has seen an alert."""
        await self.post("/alerts/acknowledge", msgspec.json.encode({"alertId": alert_id}))

    async def silence(self, matchers: Mapping[str, str], until: datetime, comment: str) -> None:
        """Let no receiver be told of alerts whose fields say this."""
        asked = {
            "matchers": [{"field": field, "value": value} for field, value in matchers.items()],
            "until": until,
            "comment": comment,
        }
        await self.post("/silences", msgspec.json.encode(asked))

    async def follow(self, position: int) -> AsyncGenerator[list[Message], None]:
        """Give what the feed tells behind a position, all that has come at once, until it ends."""
        query = {"after": str(position)}
        async with self._asked("GET", "/events", query, silence=SILENCE_SECONDS) as response:
            if response.content_type != "text/event-stream":
                raise self._strange(response)
            parts = response.content.iter_any()
            async for batch in messages(parts):
                yield batch

    async def get(self, path: str, query: Mapping[str, str] | None = None) -> bytes:
        """Give the JSON that a path answers with."""
        async with self._asked("GET", path, query or {}) as response:
            if response.content_type != "application/json":
                raise self._strange(response)
            return await response.read()

    async def post(self, path: str, body: bytes, patience: float | None = None) -> bytes:
        """Send JSON; give what it is answered with, after so many seconds at the most."""
        async with self._asked("POST", path, {}, body, silence=patience) as response:
            return await response.read()

    @asynccontextmanager
    async def _asked(
        self,
        method: str,
        path: str,
        query: Mapping[str, str],
        body: bytes | None = None,
        *,
        silence: float | None = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Ask; `silence` seconds without a byte end an answer that goes on, else there is a limit.

        Whatever goes wrong in here, and while the answer is read, becomes a `DaemonError`.
        """
        if self._http is None:
            raise RuntimeError("a Client is entered before it is used")
        limit: dict[str, Any] = {"total": self._timeout} if silence is None else {"total": None}
        timeout = aiohttp.ClientTimeout(
            **limit, sock_connect=self._timeout, sock_read=silence or self._timeout
        )
        try:
            async with self._http.request(
                method,
                f"{self.url}{API}{path}",
                params=query,
                data=body,
                headers={} if body is None else {"Content-Type": "application/json"},
                timeout=timeout,
                ssl=self._trust or True,
                allow_redirects=False,
            ) as response:
                if response.status != HTTPStatus.OK:
                    raise await self._refused(response)
                yield response
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise self._broken(error) from None

    def read(self, body: bytes, type_: type[Read]) -> Read:
        """Read what was answered."""
        try:
            return msgspec.json.decode(body, type=type_)
        except msgspec.MsgspecError as error:
            raise DaemonError(
                DaemonFault.NOT_RINGBACK,
                f"{self.url} answers what Ringback {__version__} cannot read ({error})",
                "check the address, and that both are of about the same version",
            ) from None

    async def _refused(self, response: aiohttp.ClientResponse) -> DaemonError:
        """Say what an answer means that is none."""
        status = response.status
        said = await _said(response)
        if status == HTTPStatus.UNAUTHORIZED:
            fault, problem = DaemonFault.UNAUTHORIZED, f"{self.url} does not know who asks"
            remedy = (
                "this token is not one of the daemon's: check the file that holds it"
                if self._token
                else "give a token with --token-file or RINGBACK_TOKEN_FILE"
            )
        elif status == HTTPStatus.FORBIDDEN:
            fault, problem = DaemonFault.FORBIDDEN, f"{self.url} does not allow this: {said}"
            remedy = "use a token with the role it takes"
        elif status == HTTPStatus.NOT_FOUND and said:
            fault, problem = DaemonFault.NOT_FOUND, said.rstrip(".")
            remedy = "`ringback top` lists those that are open"
        elif status in BUSY and said:
            fault, problem = DaemonFault.NOT_READY, f"{self.url} is not ready: {said.rstrip('.')}"
            remedy = "try again in a few seconds; /readyz?verbose says what it waits for"
        elif said and status < HTTPStatus.INTERNAL_SERVER_ERROR:
            fault, problem = DaemonFault.REFUSED, f"{self.url} refuses this ({status}): {said}"
            remedy = "check that both are of about the same version"
        elif said:
            fault, problem = DaemonFault.FAILED, f"{self.url} failed ({status}): {said}"
            remedy = "its log says why"
        else:
            return self._strange(response)
        return DaemonError(fault, problem, remedy)

    def _strange(self, response: aiohttp.ClientResponse) -> DaemonError:
        what = f"status {response.status}, {response.content_type}"
        where = response.headers.get("Location", "")
        if where and HTTPStatus.MULTIPLE_CHOICES <= response.status < HTTPStatus.BAD_REQUEST:
            host = urlsplit(where).netloc or "another path"
            what = f"a redirect to {host}"
        return DaemonError(
            DaemonFault.NOT_RINGBACK,
            f"{self.url} does not answer as a Ringback daemon ({what})",
            "give the daemon's own address with --url; a proxy or a login page may be in between",
        )

    def _broken(self, error: Exception) -> DaemonError:
        """Say in fixed words what the library raised."""
        match error:
            case TimeoutError():
                return DaemonError(
                    DaemonFault.TIMED_OUT,
                    f"{self.url} does not answer in time",
                    "check the way to it, and that the daemon is not frozen",
                )
            case (
                aiohttp.ClientConnectorCertificateError()
                | aiohttp.ClientConnectorSSLError()
                | ssl.SSLError()
            ):
                return DaemonError(
                    DaemonFault.TLS,
                    f"TLS with {self.url} failed{_tls_reason(error)}",
                    "give the authority that signed its certificate with --ca-file, and check the"
                    " host's name and this machine's clock",
                )
            case aiohttp.ClientConnectorDNSError():
                return DaemonError(
                    DaemonFault.UNREACHABLE,
                    f"the name of {self.url} cannot be resolved",
                    "check the address and the name servers",
                )
            case aiohttp.ClientConnectorError():
                return DaemonError(
                    DaemonFault.UNREACHABLE,
                    f"nothing listens at {self.url}, or it cannot be reached",
                    "check that the daemon runs, and give its address with --url",
                )
            case _:
                return DaemonError(
                    DaemonFault.UNREACHABLE,
                    f"the connection to {self.url} broke",
                    "try again; if it stays so, check the daemon's log and proxies in between",
                )


async def _said(response: aiohttp.ClientResponse) -> str:
    """Give what a problem document says; nothing if it is none, and so not from a daemon."""
    if response.content_type != "application/problem+json":
        return ""
    try:
        problem = msgspec.json.decode(await response.read(), type=Problem)
    except msgspec.MsgspecError:
        return ""
    return problem.detail or problem.title


def _tls_reason(error: Exception) -> str:
    """Give what OpenSSL says of a certificate: a fixed phrase of its own."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        inner = error.certificate_error
        if isinstance(inner, ssl.SSLCertVerificationError):
            return f" ({inner.verify_message})"
    return ""
