"""A web service that messages are posted to: answers as it is told to, and remembers."""

import asyncio
import json
from collections.abc import Callable
from typing import Any, NamedTuple, Self

from aiohttp import web

__all__ = ["Endpoint", "Posted", "open_at"]


class Posted(NamedTuple):
    """What was posted once."""

    path: str
    headers: dict[str, str]
    body: bytes
    raw: str = ""
    """The path as it came."""

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Endpoint:
    """Answers 200 `ok`, or what `answers` holds, each in turn.

    An answer is a status, one with headers and body, `hang up` for none at all, or `silence`.
    """

    def __init__(
        self,
        *answers: Any,
        status: int = 200,
        body: bytes = b"ok",
        silent: bool = False,
        on_post: Callable[[], object] = lambda: None,
    ) -> None:
        self.answers = list(answers)
        self.status = status
        self.body = body
        self.silent = silent
        """Whether it takes everything and answers nothing, to its end."""
        self.on_post = on_post
        """Called before it answers."""
        self._ended = asyncio.Event()
        self.posted: list[Posted] = []
        self.url = ""
        self._runner: web.ServerRunner | None = None

    async def __aenter__(self) -> Self:
        self._runner = web.ServerRunner(web.Server(self._serve))
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._runner is not None
        self._ended.set()
        await self._runner.cleanup()

    def answer(self) -> Any:
        """Say what to answer to what was posted last."""
        return self.answers.pop(0) if self.answers else (self.status, {}, self.body)

    async def _serve(self, request: web.BaseRequest) -> web.StreamResponse:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.posted.append(Posted(request.path_qs, headers, await request.read(), request.raw_path))
        self.on_post()
        answer = self.answer()
        if self.silent or answer == "silence":
            await self._ended.wait()
            return web.Response()
        if answer == "hang up":
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        status, given, body = (answer, {}, b"") if isinstance(answer, int) else answer
        return web.Response(status=status, headers=given, body=body)


def open_at(hook: Endpoint) -> set[str]:
    """Give what is open at a webhook that leaves out the messages that it has."""
    seen: dict[str, bytes] = {}
    open_: set[str] = set()
    for posted in hook.posted:
        name = posted.headers["webhook-id"]
        assert seen.setdefault(name, posted.body) == posted.body, "another message of that id"
    for body in seen.values():
        for alert in Posted("", {}, body).json["data"]["alerts"]:
            assert alert["first"] is (alert["alertId"] not in open_), alert
            if alert["status"] == "resolved":
                open_.discard(alert["alertId"])
            else:
                open_.add(alert["alertId"])
    return open_
