"""One request and its answer over HTTP; what can go wrong on the way, each as its own fault.

Sends once and judges nothing but the way itself: what a status means, and whether to try again, is
said in `client`.
"""

import ssl
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Self
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
import msgspec

from ringback import __version__
from ringback.errors import PlatformError, PlatformFault
from ringback.ports import Clock
from ringback.settings.platform import loopback

__all__ = ["Answer", "Exchange", "Reply"]

MOST_CONNECTIONS = 32
CHUNK = 64 * 1024


class Answer(msgspec.Struct, frozen=True):
    """What the platform answered to one request."""

    status: int
    body: bytes
    sent_at: datetime
    """When the request was sent, on the daemon's clock."""
    date: datetime | None
    """The platform's own clock as it answered, whole seconds; None if it did not say."""


class Reply(msgspec.Struct, frozen=True):
    """An answer as it came, of any status, with the headers that are of use."""

    answer: Answer
    content_type: str
    retry_after: str | None


class Exchange:
    """Connections to the platform, kept open for the next request. An async context manager."""

    def __init__(self, clock: Clock, timeout: float, most_bytes: int) -> None:
        """Allow so many seconds for a whole exchange, and so many bytes for a body."""
        self._clock = clock
        self._timeout = timeout
        self._most_bytes = most_bytes
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=MOST_CONNECTIONS),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": f"ringback/{__version__}", "Accept": "application/json"},
            timeout=aiohttp.ClientTimeout(total=self._timeout),
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def send(
        self,
        method: str,
        url: str,
        *,
        name: str,
        headers: Mapping[str, str],
        query: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Reply:
        """Send once. Raises `PlatformError`, in which the request is called `name`."""
        if self._session is None:
            raise RuntimeError("an Exchange is entered before it is used")
        sent_at = self._clock.now()
        try:
            async with self._session.request(
                method,
                url,
                params=query,
                data=body,
                headers=headers,
                proxy=proxy_for(url),
                allow_redirects=False,
            ) as response:
                return Reply(
                    Answer(
                        response.status,
                        await self._read(response, name),
                        sent_at,
                        _instant(response.headers.get("Date")),
                    ),
                    response.headers.get("Content-Type", ""),
                    response.headers.get("Retry-After"),
                )
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            raise self._fault(error, name, urlsplit(url).hostname or "the host") from None

    async def _read(self, response: aiohttp.ClientResponse, name: str) -> bytes:
        """Read a body, but no more of it than may be."""
        parts, length = list[bytes](), 0
        async for part in response.content.iter_chunked(CHUNK):
            length += len(part)
            if length > self._most_bytes:
                response.close()
                raise PlatformError(
                    PlatformFault.TOO_LARGE,
                    name,
                    f"the answer is larger than {self._most_bytes} bytes",
                    "report it, with the number of queues and open callbacks: Ringback asks for"
                    " pages that should be far smaller",
                    response.status,
                )
            parts.append(part)
        return b"".join(parts)

    def _fault(self, error: Exception, name: str, host: str) -> PlatformError:
        """Say in fixed words what the library raised: its own may hold addresses."""
        match error:
            case TimeoutError():
                fault, problem, remedy = (
                    PlatformFault.TIMED_OUT,
                    f"no answer within {self._timeout:g} seconds",
                    f"check the way to {host}, or raise [genesys] timeout_seconds",
                )
            case (
                aiohttp.ClientConnectorCertificateError()
                | aiohttp.ClientConnectorSSLError()
                | ssl.SSLError()
            ):
                fault, problem, remedy = (
                    PlatformFault.TLS,
                    f"TLS with {host} failed{_tls_reason(error)}",
                    (
                        "give the authority of a proxy that opens TLS in SSL_CERT_FILE; without"
                        " one, check the host and this machine's clock"
                    ),
                )
            case aiohttp.ClientHttpProxyError():
                fault, problem, remedy = (
                    PlatformFault.UNREACHABLE,
                    f"the proxy will not connect to {host} (HTTP {error.status})",
                    "check HTTPS_PROXY and what the proxy allows",
                )
            case aiohttp.ClientProxyConnectionError() | aiohttp.InvalidURL():
                fault, problem, remedy = (
                    PlatformFault.UNREACHABLE,
                    f"the way to {host} cannot be used",
                    "check HTTPS_PROXY, HTTP_PROXY and [genesys] login_url and api_url",
                )
            case aiohttp.ClientConnectorDNSError():
                fault, problem, remedy = (
                    PlatformFault.UNREACHABLE,
                    f"the name {host} cannot be resolved",
                    "check the network, its name servers, and [genesys] region",
                )
            case aiohttp.ClientConnectorError():
                fault, problem, remedy = (
                    PlatformFault.UNREACHABLE,
                    f"{host} cannot be connected to",
                    "check the network and firewalls; a proxy is taken from HTTPS_PROXY",
                )
            case _:
                fault, problem, remedy = (
                    PlatformFault.UNREACHABLE,
                    f"the connection to {host} broke before the answer was there",
                    "it is tried again; if it stays so, check the network and proxies",
                )
        return PlatformError(fault, name, problem, remedy)


def proxy_for(url: str) -> str | None:
    """Give the proxy that the environment names for a URL; None for hosts on this machine.

    Not left to the library, which would ask a thread, and look for passwords in ~/.netrc as well.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    if loopback(host) or proxy_bypass(host):
        return None
    return getproxies().get(parts.scheme)


def _instant(date: str | None) -> datetime | None:
    try:
        instant = parsedate_to_datetime(date or "")
    except ValueError:
        return None
    return instant.astimezone(UTC) if instant.tzinfo else instant.replace(tzinfo=UTC)


def _tls_reason(error: Exception) -> str:
    """Give what OpenSSL says of a certificate: a fixed phrase of its own."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        inner = error.certificate_error
        if isinstance(inner, ssl.SSLCertVerificationError):
            return f" ({inner.verify_message})"
    return ""
