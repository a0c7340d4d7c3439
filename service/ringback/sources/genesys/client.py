"""Genesys Cloud over REST: logged in, within its budget, patient with what passes."""

import asyncio
import random
from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import NamedTuple, Self, TypeVar

import msgspec

from ringback.errors import FrameError, PlatformError, PlatformFault
from ringback.ports import Clock
from ringback.sources.genesys.budget import Budget, Urgency
from ringback.sources.genesys.exchange import Answer, Exchange, Reply
from ringback.sources.genesys.faults import fault_of, name_of, not_the_platform
from ringback.sources.genesys.login import Credentials, Login, Token
from ringback.sources.genesys.patience import Patience, asked_pause
from ringback.sources.genesys.regions import Hosts
from ringback.wire.rest import decode

__all__ = ["Answer", "Budget", "Credentials", "RestClient", "Urgency", "read_as"]

T = TypeVar("T", bound=msgspec.Struct)

MOST_BYTES = 16 * 1024 * 1024
OK = range(200, 300)
TOO_MANY = 429
REPEATABLE = {"GET", "HEAD", "PUT", "DELETE", "OPTIONS"}
JSON_BEGINS = b'{["-0123456789tfn'


class _Asked(NamedTuple):
    method: str
    path: str
    name: str
    query: Mapping[str, str] | None
    body: bytes | None


class RestClient:
    """One OAuth client's way to the API. An async context manager; any number may ask at once.

    `requests` counts answers by name and class (`2xx`, ..., or a `PlatformFault` when there was
    none), `retries` what was sent again, `throttled` answers 429.
    """

    def __init__(
        self,
        hosts: Hosts,
        login: Credentials,
        *,
        clock: Clock,
        budget: Budget,
        chance: random.Random,
        timeout: float,
        most_bytes: int = MOST_BYTES,
    ) -> None:
        """Allow `timeout` seconds for one exchange, and `most_bytes` for one answer."""
        self.hosts = hosts
        self.budget = budget
        self.requests: Counter[tuple[str, str]] = Counter()
        self.retries = 0
        self.throttled = 0
        self._clock = clock
        self._chance = chance
        self._exchange = Exchange(clock, timeout, most_bytes)
        self._login = Login(hosts, login, self._exchange, clock=clock, chance=chance)
        self._secret = login.secret

    async def __aenter__(self) -> Self:
        await self._exchange.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._exchange.__aexit__(*error)

    @property
    def tokens(self) -> int:
        """How many tokens were fetched."""
        return self._login.fetched

    @property
    def token_generation(self) -> int:
        """Which token is in use, from 1; 0 before the first. With a new one come new channels."""
        return 0 if self._login.current is None else self._login.current.generation

    @property
    def token_made_at(self) -> datetime | None:
        """When that token was asked for, on the daemon's clock."""
        return None if self._login.current is None else self._login.current.made_at

    @property
    def token_expires(self) -> datetime | None:
        """When it ends, on the daemon's clock."""
        return None if self._login.current is None else self._login.current.expires

    def distrust_token(self) -> None:
        """Have the next request fetch a new token: the platform has said that this one is gone."""
        if self._login.current is not None:
            self._login.refused(self._login.current)

    async def log_in(self) -> None:
        """See that there is a good token, without a request to the API. Raises `PlatformError`."""
        await self._login.token()

    async def request(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        query: Mapping[str, str] | None = None,
        urgency: Urgency = Urgency.ROUTINE,
        name: str | None = None,
    ) -> Answer:
        """Ask, and give the answer if it is 2xx; raises `PlatformError` for everything else.

        Waits for the budget, for as long as others of this urgency or before it take. `path` is
        without host and query; `name` is it without ids, for errors and metrics.
        """
        asked = _Asked(
            method, path, f"{method} {name}" if name else name_of(method, path), query, body
        )
        patience = Patience(self._chance, repeatable=_repeatable(method, path))
        renewed = False
        while True:
            token = await self._login.token()
            await self.budget.take(urgency, asked.name)
            try:
                return await self._attempt(asked, token)
            except PlatformError as error:
                if error.fault is PlatformFault.UNAUTHORIZED:
                    self._login.refused(token)
                    if renewed:
                        raise
                    renewed = True
                elif error.fault is PlatformFault.THROTTLED:
                    patience.throttled(error)
                else:
                    await asyncio.sleep(patience.after(error))
            self.retries += 1

    async def request_once(
        self, method: str, path: str, *, within: float, urgency: Urgency, name: str
    ) -> Answer:
        """Ask once, and so many seconds from now at the latest, or not at all.

        For what acts on something that was seen just now. Raises `PlatformError` for all but 2xx.
        """
        asked = _Asked(method, path, f"{method} {name}", None, None)
        try:
            async with asyncio.timeout(within):
                token = await self._login.token()
                await self.budget.take(urgency, asked.name)
        except TimeoutError:
            raise PlatformError(
                PlatformFault.THROTTLED,
                asked.name,
                f"its turn did not come within {within:g} seconds",
                "try again when the daemon has less to read",
            ) from None
        try:
            return await self._attempt(asked, token)
        except PlatformError as error:
            if error.fault is PlatformFault.UNAUTHORIZED:
                self._login.refused(token)
            raise

    async def _attempt(self, asked: _Asked, token: Token) -> Answer:
        reply = await self._send(asked, token)
        if reply.answer.status in OK:
            return _checked(reply, asked.name)
        if reply.answer.status == TOO_MANY:
            self.throttled += 1
            self.budget.pause(asked_pause(reply.retry_after, self._clock.now()))
        raise fault_of(reply, asked.name, asked.path, (token.text, self._secret))

    async def _send(self, asked: _Asked, token: Token) -> Reply:
        headers = {"Authorization": f"Bearer {token.text}"}
        if asked.body is not None:
            headers["Content-Type"] = "application/json"
        try:
            reply = await self._exchange.send(
                asked.method,
                f"{self.hosts.api_url}{asked.path}",
                name=asked.name,
                headers=headers,
                query=asked.query,
                body=asked.body,
            )
        except PlatformError as error:
            self.requests[asked.name, error.fault.value] += 1
            raise
        self.requests[asked.name, f"{reply.answer.status // 100}xx"] += 1
        return reply


def read_as(answer: Answer, kind: type[T], request: str) -> T:
    """Read an answer's body; raises `PlatformError` when it is not of that shape."""
    try:
        return decode(answer.body, kind)
    except FrameError as error:
        raise PlatformError(
            PlatformFault.WRONG_SHAPE,
            request,
            f"the answer is not what the platform documents ({error.detail})",
            "report it: nothing was changed by it",
            answer.status,
        ) from None


def _checked(reply: Reply, name: str) -> Answer:
    """Refuse what cannot be JSON; that it is whole is found out by reading it."""
    body = reply.answer.body.lstrip()
    if body and body[0] not in JSON_BEGINS:
        raise not_the_platform(name, reply)
    return reply.answer


def _repeatable(method: str, path: str) -> bool:
    return method in REPEATABLE or path.endswith("/query")
