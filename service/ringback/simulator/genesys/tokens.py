"""OAuth: clients with their rights, and the tokens that they are given."""

import asyncio
import base64
import binascii
import hmac
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

from aiohttp import web

from ringback.simulator.genesys.limits import Allowance, Limits
from ringback.simulator.genesys.problems import LoginProblem, Problem, forbidden, unauthorized
from ringback.simulator.people import new_id

__all__ = ["EVERY_PERMISSION", "OAuthClient", "Token", "Tokens"]

EVERY_PERMISSION = frozenset(
    {
        "analytics:conversationDetail:view",
        "analytics:queueObservation:view",
        "authorization:division:view",
        "conversation:callback:create",
        "conversation:callback:edit",
        "conversation:communication:disconnect",
        "conversation:communication:view",
        "routing:queue:view",
    }
)
"""All that anything here asks for."""
MOST_TOKENS = 10_000


@dataclass(eq=False, slots=True)
class OAuthClient:
    """Who may log in. Its rights may be changed at any time."""

    id: str
    secret: str = field(repr=False)
    permissions: set[str] = field(default_factory=lambda: set(EVERY_PERMISSION))
    hidden_queues: set[str] = field(default_factory=set)
    """Ids of queues that it may not see, as those of a division it has no role in."""


@dataclass(eq=False, slots=True)
class Token:
    """What a client was given for its credentials."""

    value: str = field(repr=False)
    client: OAuthClient
    expires_at: float
    """On the loop's clock."""
    requests: Allowance
    channels: Allowance
    revoked: bool = False

    @property
    def good(self) -> bool:
        """Whether it has neither expired nor been revoked."""
        return not self.revoked and asyncio.get_running_loop().time() < self.expires_at

    def need(self, permission: str) -> None:
        """Raise `Problem` unless its client has that permission."""
        if permission not in self.client.permissions:
            raise forbidden(permission)


class Tokens:
    """Gives tokens, and knows them again."""

    def __init__(self, clients: dict[str, OAuthClient], limits: Limits, random: Random) -> None:
        """`clients` by id; it may be added to while running."""
        self.clients = clients
        self.limits = limits
        self.given = 0
        """How many tokens were given."""
        self._random = random
        self._tokens: dict[str, Token] = {}

    def routes(self) -> Iterator[web.RouteDef]:
        """Give what there is to log in with."""
        yield web.post("/oauth/token", self._log_in)

    def find(self, request: web.Request) -> Token:
        """Give the token that a request carries; raises `Problem` when it is not good."""
        scheme, _, value = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not value:
            raise Problem(
                401,
                "authentication.required",
                "No authentication bearer token specified in authorization header.",
            )
        token = self._tokens.get(value.strip())
        if token is None or not token.good:
            raise unauthorized()
        return token

    def revoke(self, client_id: str) -> list[Token]:
        """Make all tokens of a client worthless, and give those that were good."""
        revoked = [one for one in self._tokens.values() if one.client.id == client_id and one.good]
        for token in revoked:
            token.revoked = True
        return revoked

    async def _log_in(self, request: web.Request) -> web.Response:
        form = await request.post()
        client_id, secret = _credentials(request, form.get("client_id"), form.get("client_secret"))
        client = self.clients.get(client_id)
        if client is None:
            raise LoginProblem(400, "invalid_client", "client not found: invalid client_id")
        if not hmac.compare_digest(client.secret.encode(), secret.encode()):
            raise LoginProblem(401, "invalid_client", "authentication failed")
        if form.get("grant_type") != "client_credentials":
            raise LoginProblem(400, "unsupported_grant_type", "grant type not supported")
        return web.json_response(
            {
                "access_token": self._give(client).value,
                "token_type": "bearer",
                "expires_in": int(self.limits.token_seconds),
            }
        )

    def _give(self, client: OAuthClient) -> Token:
        self._forget()
        token = Token(
            value=f"{new_id(self._random)}.{new_id(self._random)}",
            client=client,
            expires_at=asyncio.get_running_loop().time() + self.limits.token_seconds,
            requests=Allowance(
                self.limits.requests_per_minute, "client.credentials.token.rate.per.minute"
            ),
            channels=Allowance(self.limits.channels_per_minute, "notification.channels.per.minute"),
        )
        self._tokens[token.value] = token
        self.given += 1
        return token

    def _forget(self) -> None:
        """Forget what is worthless, and the oldest when there are too many."""
        for value in [value for value, token in self._tokens.items() if not token.good]:
            del self._tokens[value]
        while len(self._tokens) >= MOST_TOKENS:
            del self._tokens[next(iter(self._tokens))]


def _credentials(request: web.Request, given_id: object, given_secret: object) -> tuple[str, str]:
    """Read id and secret from Basic authentication, or else from the form."""
    scheme, _, value = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return str(given_id or ""), str(given_secret or "")
    try:
        text = base64.b64decode(value, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        raise LoginProblem(400, "invalid_request", "unreadable authorization header") from None
    client_id, _, secret = text.partition(":")
    return client_id, secret
