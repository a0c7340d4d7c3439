"""A small stand-in for the platform's REST API: answers as it is told to, and remembers."""

import json
from collections.abc import Awaitable, Callable
from typing import Any, Self

from aiohttp import web

from ringback.sources.genesys.regions import Hosts

__all__ = ["SECRET", "FakePlatform", "json_answer"]

SECRET = "canary-secret"
Answerer = Callable[[web.BaseRequest], web.StreamResponse]


def json_answer(body: Any, status: int = 200, **headers: str) -> Answerer:
    """Make an answer, as often as is asked; underscores in names of headers stand for dashes."""
    return lambda _: web.Response(
        status=status,
        body=json.dumps(body).encode(),
        content_type="application/json",
        headers={name.replace("_", "-"): value for name, value in headers.items()},
    )


class FakePlatform:
    """Serves `routes`: answers by "METHOD path", each taken in turn, the last one again and again.

    An answer is a status, a JSON body or a function of the request. Tokens are `token-1`, `token-2`
    and so on, unless `POST /oauth/token` is scripted; those `revoked` are answered with 401.
    """

    def __init__(self, routes: dict[str, Any] | None = None) -> None:
        self.routes: dict[str, list[Any]] = {}
        for route, answers in (routes or {}).items():
            self.script(route, answers)
        self.asked: list[tuple[str, dict[str, str], bytes]] = []
        self.tokens = 0
        self.life = 86_400
        self.revoked: set[str] = set()
        self._runner: web.ServerRunner | None = None
        self.url = ""

    def script(self, route: str, answers: Any) -> None:
        """Say what to answer; a list is taken in turn."""
        self.routes[route] = list(answers) if isinstance(answers, list) and answers else [answers]

    @property
    def hosts(self) -> Hosts:
        """Where it is."""
        return Hosts(self.url, self.url)

    def times(self, route: str) -> int:
        """Count how often a route was asked."""
        return sum(asked == route for asked, _, _ in self.asked)

    async def __aenter__(self) -> Self:
        self._runner = web.ServerRunner(web.Server(self._serve))
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        route = f"{request.method} {request.path}"
        self.asked.append((route, dict(request.query), await request.read()))
        answers = self.routes.get(route)
        if answers is None:
            if route == "POST /oauth/token":
                return self._token()
            return json_answer({"message": "no such thing", "code": "not.found"}, 404)(request)
        if route != "POST /oauth/token":
            token = request.headers.get("Authorization", "").removeprefix("Bearer ")
            if not token.startswith("token-") or token in self.revoked:
                return json_answer({"message": "bad token", "code": "bad.credentials"}, 401)(
                    request
                )
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if callable(answer):
            answer = answer(request)
        if isinstance(answer, Awaitable):
            answer = await answer
        if isinstance(answer, int):
            return web.Response(status=answer)
        return answer if isinstance(answer, web.StreamResponse) else json_answer(answer)(request)

    def _token(self) -> web.Response:
        self.tokens += 1
        token = {"access_token": f"token-{self.tokens}", "expires_in": self.life}
        return web.Response(body=json.dumps(token).encode(), content_type="application/json")
