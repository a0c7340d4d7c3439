"""The reads of single conversations."""

from collections.abc import Iterator

from aiohttp import web

from ringback.simulator.centre import ContactCentre
from ringback.simulator.genesys.problems import not_found
from ringback.simulator.genesys.requests import TOKEN, answer

__all__ = ["ConversationCalls"]


class ConversationCalls:
    """Answers what is asked of one conversation."""

    def __init__(self, centre: ContactCentre) -> None:
        """Show what the centre has live, or remembers."""
        self._centre = centre

    def routes(self) -> Iterator[web.RouteDef]:
        """Give the calls and where they are."""
        # Before the next, or `callbacks` would be taken for an id.
        yield web.get("/api/v2/conversations/callbacks", self._list)
        yield web.get("/api/v2/conversations/callbacks/{id}", self._read_callbacks)
        yield web.get("/api/v2/conversations/{id}", self._read)

    async def _list(self, _request: web.Request) -> web.Response:
        # It lists what the user who is logged in has, and a client is no user.
        return answer({"entities": []})

    async def _read(self, request: web.Request) -> web.Response:
        request[TOKEN].need("conversation:communication:view")
        found = self._centre.rest_conversation(request.match_info["id"])
        if found is None:
            raise not_found("conversation", request.match_info["id"])
        return answer(found)

    async def _read_callbacks(self, request: web.Request) -> web.Response:
        found = self._centre.rest_callbacks(request.match_info["id"])
        if found is None:
            raise not_found("conversation", request.match_info["id"])
        return answer(found)
