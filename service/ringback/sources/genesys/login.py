"""The token of an OAuth client: fetched when first needed, renewed long before it expires.

Whoever asks next renews it; there is no timer. Those who ask meanwhile wait for the one fetch and
share its outcome.
"""

import asyncio
import base64
import random
from datetime import datetime, timedelta
from urllib.parse import quote

import msgspec

from ringback.errors import FrameError, PlatformError, PlatformFault
from ringback.ports import Clock
from ringback.sources.genesys.exchange import Exchange, Reply
from ringback.sources.genesys.faults import not_the_platform
from ringback.sources.genesys.patience import Patience, asked_pause
from ringback.sources.genesys.regions import Hosts
from ringback.wire.rest import TokenAnswer, decode

__all__ = ["Credentials", "Login", "Token"]

REQUEST = "POST /oauth/token"
RENEW_AT = 0.9
"""Of a token's life. For one of 24 hours the login host may be down for two before it matters."""
USUAL_LIFE_SECONDS = 86_400
AGAIN_SECONDS = 30.0
"""After a renewal that failed, while the old token is still good."""
OK, BAD_REQUEST, UNAUTHORIZED, FORBIDDEN, TOO_MANY = 200, 400, 401, 403, 429
SERVER_ERRORS = 500


class Credentials(msgspec.Struct, frozen=True):
    """An OAuth client with the grant type Client Credentials."""

    client_id: str
    secret: str

    def __repr__(self) -> str:
        return f"Credentials({self.client_id!r}, ***)"


class Token(msgspec.Struct, frozen=True):
    """One token. Does not show itself."""

    text: str
    generation: int
    """From 1; each new token has the next."""
    made_at: datetime
    """On the daemon's clock."""
    expires: datetime
    good_until: float
    """Seconds on the loop's clock."""
    renew_at: float
    """Likewise."""

    def __repr__(self) -> str:
        return f"Token({self.generation}, expires={self.expires.isoformat()})"


class Login:
    """Logs one client in. `fetched` counts tokens, `failures` fetches that gave none."""

    def __init__(
        self,
        hosts: Hosts,
        credentials: Credentials,
        exchange: Exchange,
        *,
        clock: Clock,
        chance: random.Random,
    ) -> None:
        self.current: Token | None = None
        self.fetched = 0
        self.failures = 0
        self._url = f"{hosts.login_url}/oauth/token"
        self._credentials = credentials
        self._exchange = exchange
        self._clock = clock
        self._chance = chance
        self._fetching = asyncio.Lock()
        self._failure: PlatformError | None = None
        self._not_before = 0.0
        self._refused = 0

    async def token(self) -> Token:
        """Give a token that is good, as far as is known. Raises `PlatformError`."""
        failures = self.failures
        if (token := self._usable()) is not None:
            return token
        async with self._fetching:
            if (token := self._usable()) is not None:
                return token
            if self.failures != failures and self._failure is not None:
                raise _again(self._failure)  # this one waited for that very fetch
            try:
                self.current = await self._fetch()
            except PlatformError as error:
                self.failures += 1
                self._failure = error
                now = asyncio.get_running_loop().time()
                self._not_before = now + AGAIN_SECONDS
                if (token := self._usable()) is None:
                    raise
                return token
            self.fetched += 1
            self._failure = None
            return self.current

    def refused(self, token: Token) -> None:
        """Learn that the platform has refused a token: the next to ask gets another."""
        self._refused = max(self._refused, token.generation)

    def _usable(self) -> Token | None:
        token = self.current
        if token is None or token.generation <= self._refused:
            return None
        now = asyncio.get_running_loop().time()
        if now < token.renew_at or (now < token.good_until and now < self._not_before):
            return token
        return None

    async def _fetch(self) -> Token:
        patience = Patience(self._chance, repeatable=True)
        while True:
            try:
                reply = await self._ask()
                if reply.answer.status == OK:
                    return self._token(reply)
                error = self._fault(reply)
                if reply.answer.status == TOO_MANY:
                    patience.throttled(error)
                    wait = asked_pause(reply.retry_after, self._clock.now())
                else:
                    wait = patience.after(error)
            except PlatformError as error:
                wait = patience.after(error)
            await asyncio.sleep(wait)

    async def _ask(self) -> Reply:
        # Quoted as the standard (RFC 6749, 2.3.1) has it; ids and secrets are plain in practice.
        pair = f"{quote(self._credentials.client_id)}:{quote(self._credentials.secret)}"
        return await self._exchange.send(
            "POST",
            self._url,
            name=REQUEST,
            headers={
                "Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}",
                "Content-Type": "application/x-www-form-urlencoded",
            },
            body=b"grant_type=client_credentials",
        )

    def _token(self, reply: Reply) -> Token:
        try:
            answer = decode(reply.answer.body, TokenAnswer)
        except FrameError:
            raise not_the_platform(REQUEST, reply) from None
        if not answer.access_token:
            raise PlatformError(
                PlatformFault.WRONG_SHAPE,
                REQUEST,
                "the answer holds no token",
                "check that [genesys] login_url is the login host",
                reply.answer.status,
            )
        life = max(1, answer.expires_in or USUAL_LIFE_SECONDS)
        now = asyncio.get_running_loop().time()
        return Token(
            answer.access_token,
            1 if self.current is None else self.current.generation + 1,
            reply.answer.sent_at,
            reply.answer.sent_at + timedelta(seconds=life),
            now + life,
            now + life * RENEW_AT,
        )

    def _fault(self, reply: Reply) -> PlatformError:
        status = reply.answer.status
        if status == TOO_MANY:
            return PlatformError(
                PlatformFault.THROTTLED,
                REQUEST,
                "still too many requests after waiting as asked",
                "see who else logs in with this client so often",
                status,
            )
        if status >= SERVER_ERRORS:
            return PlatformError(
                PlatformFault.SERVER,
                REQUEST,
                f"the login host answers HTTP {status}",
                "it is tried again; see the status page of Genesys Cloud if it stays so",
                status,
            )
        try:
            answer = decode(reply.answer.body or b"{}", TokenAnswer)
        except FrameError:
            return not_the_platform(REQUEST, reply)
        if status in {BAD_REQUEST, UNAUTHORIZED, FORBIDDEN}:
            return self._unknown_client(status, answer.error)
        return PlatformError(
            PlatformFault.REFUSED,
            REQUEST,
            f"the login host answers HTTP {status}",
            "check [genesys] region, or login_url",
            status,
        )

    def _unknown_client(self, status: int, error: str | None) -> PlatformError:
        said = f"HTTP {status}" + (f", {error[:40]}" if error and error.isidentifier() else "")
        if self.fetched:
            return PlatformError(
                PlatformFault.CREDENTIALS,
                REQUEST,
                f"the OAuth client was accepted before and is refused now ({said}): it was revoked"
                " or disabled, or has a new secret",
                "look under Admin > Integrations > OAuth, and give the present secret in [genesys]"
                " client_secret",
                status,
            )
        return PlatformError(
            PlatformFault.CREDENTIALS,
            REQUEST,
            f"the OAuth client is not known there, or its secret is wrong ({said})",
            "check [genesys] client_id and client_secret, that the client's grant type is Client"
            " Credentials, and that it belongs to the organisation's region",
            status,
        )


def _again(error: PlatformError) -> PlatformError:
    """Give an error for another to raise: one exception raised twice would add up its traces."""
    return PlatformError(error.fault, error.request, error.problem, error.remedy, error.status)
