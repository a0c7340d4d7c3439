"""HTTP to where a setting says, and to nowhere else: what is posted, and what an answer means.

Redirects are not followed; what comes back is bounded, and nothing in it is repeated anywhere.
"""

import ssl
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import NamedTuple, NoReturn
from urllib.parse import SplitResult, urlsplit

import aiohttp
from yarl import URL

from ringback import __version__
from ringback.errors import DeliveryError, DeliveryFault
from ringback.ports import Clock
from ringback.sinks.receivers.targets import Checked, refuse_url

__all__ = ["Reply", "Target"]

MOST_BYTES = 64 * 1024
"""Of an answer."""
DENIED = frozenset({401, 402, 403, 404, 405, 407, 410, 421})
"""Somebody has to mend the address or the secret; then the same message may well be accepted."""
LATER = frozenset({408, 425})


class Reply(NamedTuple):
    """What was answered."""

    status: int
    body: bytes
    after: float
    """For how many seconds it asks to be left alone."""


class Target:
    """Where one receiver's messages are posted to."""

    def __init__(self, url: str, *, allow_private: bool, timeout: float, clock: Clock) -> None:
        """Allow so many seconds for a whole exchange."""
        self.host = _parts(url).hostname or ""
        self._url = url
        self._allow_private = allow_private
        self._timeout = timeout
        self._clock = clock
        self._session: aiohttp.ClientSession | None = None

    async def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        """Post JSON to the target, or to `path` below it; give the answer if it is a 2xx.

        Raises `DeliveryError`.
        """
        try:
            refuse_url(self._url, allow_private=self._allow_private)
        except ValueError as error:
            raise DeliveryError(DeliveryFault.FORBIDDEN_TARGET, f"url {error}") from None
        try:
            url = self._url.rstrip("/") + path if path else self._url
            async with self._open().post(
                URL(url, encoded=True),  # as it was given: part of it may be a signature
                data=body,
                headers={"Content-Type": "application/json", **headers},
                allow_redirects=False,
            ) as response:
                after = _seconds(response.headers.get("Retry-After"), self._clock.now())
                reply = Reply(response.status, await _read(response), after)
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            self._say(error)
        _judge(reply)
        return reply

    async def close(self) -> None:
        """End what may be under way."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=1,
                    # There are few messages, and many who cut what is kept open.
                    force_close=True,
                    use_dns_cache=False,
                    resolver=Checked(allow_private=self._allow_private),
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": f"ringback/{__version__}", "Accept": "application/json"},
                timeout=aiohttp.ClientTimeout(total=self._timeout),
                trust_env=False,
            )
        return self._session

    def _say(self, error: Exception) -> NoReturn:
        """Say in fixed words what the library raised: its own may hold addresses."""
        match error:
            case TimeoutError():
                fault, problem = DeliveryFault.TIMED_OUT, f"no answer in {self._timeout:g} s"
            case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientSSLError():
                fault, problem = DeliveryFault.TLS, f"TLS with {self.host} failed{_reason(error)}"
            case ssl.SSLError():
                fault, problem = DeliveryFault.TLS, f"TLS with {self.host} failed"
            case aiohttp.ClientConnectorError():
                fault = DeliveryFault.UNREACHABLE
                problem = f"{self.host} cannot be connected to"
            case _:
                fault = DeliveryFault.BROKEN_OFF
                problem = f"the connection to {self.host} broke before the answer was there"
        raise DeliveryError(fault, problem) from None


async def _read(response: aiohttp.ClientResponse) -> bytes:
    """Read an answer; of a longer one the beginning will do."""
    parts, length = list[bytes](), 0
    async for part in response.content.iter_chunked(MOST_BYTES):
        parts.append(part)
        length += len(part)
        if length >= MOST_BYTES:
            response.close()
            break
    return b"".join(parts)[:MOST_BYTES]


def _judge(reply: Reply) -> None:
    """Raise `DeliveryError` for what is no 2xx."""
    status, fault = reply.status, DeliveryFault.REFUSED
    said = "it does not accept this message"
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        fault = DeliveryFault.DENIED
        said = "it leads elsewhere, which is not followed: give the final address"
    elif status == HTTPStatus.TOO_MANY_REQUESTS:
        fault, said = DeliveryFault.THROTTLED, "it is told too much"
    elif status in DENIED:
        fault = DeliveryFault.DENIED
        said = "it does not let us in: check the address and the secret"
    elif status in LATER or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        fault, said = DeliveryFault.SERVER, "it is in trouble"
    raise DeliveryError(fault, f"HTTP {status}: {said}", reply.after)


def _seconds(after: str | None, now: datetime) -> float:
    """Read `Retry-After`: seconds, or an instant."""
    if after is None:
        return 0.0
    if after.strip().isascii() and after.strip().isdecimal():
        return float(after.strip()[:9])
    try:
        until = parsedate_to_datetime(after)
    except ValueError:
        return 0.0
    until = until.astimezone(UTC) if until.tzinfo else until.replace(tzinfo=UTC)
    return max(0.0, (until - now).total_seconds())


def _reason(error: Exception) -> str:
    """Give what OpenSSL says of a certificate: a fixed phrase of its own."""
    inner = getattr(error, "certificate_error", None)
    return f" ({inner.verify_message})" if isinstance(inner, ssl.SSLCertVerificationError) else ""


def _parts(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError:
        return urlsplit("")
