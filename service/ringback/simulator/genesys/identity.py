"""The calls that tell a client who it is."""

from collections.abc import Iterator

from aiohttp import web

from ringback.simulator.genesys.channels import ORGANISATION
from ringback.simulator.genesys.requests import TOKEN, answer

__all__ = ["IdentityCalls"]

NAME = "Simulated Contact Centre"


class IdentityCalls:
    """Answers who asks."""

    def routes(self) -> Iterator[web.RouteDef]:
        """Give the calls and where they are."""
        yield web.get("/api/v2/organizations/me", self._organisation)
        # Also HEAD, which tells whether a token is good.
        yield web.get("/api/v2/tokens/me", self._token)

    async def _organisation(self, _request: web.Request) -> web.Response:
        return answer(
            {
                "id": ORGANISATION,
                "name": NAME,
                "defaultLanguage": "en-US",
                "domain": "simulated.invalid",
                "state": "active",
                "selfUri": "/api/v2/organizations/me",
            }
        )

    async def _token(self, request: web.Request) -> web.Response:
        client = request[TOKEN].client
        organisation = {"id": ORGANISATION, "name": NAME}
        return answer(
            {
                "organization": organisation,
                "homeOrganization": organisation,
                "authorizedScope": [],
                "OAuthClient": {
                    "id": client.id,
                    "name": "simulated client",
                    "organization": organisation,
                },
            }
        )
