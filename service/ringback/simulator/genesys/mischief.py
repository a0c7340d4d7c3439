"""What a test lets go wrong: with answers of the API, and with sockets.

Frames that are lost, repeated or damaged on their way are another matter: `simulator.faults`.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from random import Random

from aiohttp import web

from ringback.simulator.genesys.channels import Channel, Channels
from ringback.simulator.genesys.problems import Problem, throttled
from ringback.simulator.sockets import Socket

__all__ = ["Handler", "Mischief"]

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Trick = Callable[[web.Request, Handler], Awaitable[web.StreamResponse]]

PAGE = "<!DOCTYPE html><html><head><title>Sign in</title></head><body>Proxy sign-in</body></html>\n"


@dataclass(slots=True)
class Plan:
    """What befalls the next requests of a kind."""

    pattern: str
    trick: Trick
    times: int


class Mischief:
    """Befalls the next requests whose `METHOD /path` matches a pattern such as `GET */queues*`.

    Each trick goes on for so many `times`; the first plan that matches is taken.
    """

    def __init__(self, channels: Channels, random: Random) -> None:
        """Do nothing until told."""
        self.shifted_pages = 0
        """By how many rows at the most a page of the detail query begins too early or too late."""
        self.played = 0
        """How many requests were befallen."""
        self._channels = channels
        self._random = random
        self._plans: list[Plan] = []
        self._down_until = 0.0

    # With answers

    def throttle(self, pattern: str = "*", times: int = 1, seconds: int = 5) -> None:
        """Answer 429, to be tried again in so many seconds."""

        async def trick(_request: web.Request, _handler: Handler) -> web.StreamResponse:
            raise throttled(seconds, "simulated")

        self.plan(pattern, trick, times)

    def fail(self, pattern: str = "*", times: int = 1, status: int = 503) -> None:
        """Answer with a status and the platform's error body."""

        async def trick(_request: web.Request, _handler: Handler) -> web.StreamResponse:
            raise Problem(status, "service.unavailable", "The service is unavailable.")

        self.plan(pattern, trick, times)

    def answer_html(self, pattern: str = "*", times: int = 1, status: int = 200) -> None:
        """Answer with a page, as a proxy in between does."""

        async def trick(_request: web.Request, _handler: Handler) -> web.StreamResponse:
            return web.Response(status=status, text=PAGE, content_type="text/html")

        self.plan(pattern, trick, times)

    def delay(self, pattern: str = "*", times: int = 1, seconds: float = 60.0) -> None:
        """Do what is asked, and answer only then."""

        async def trick(request: web.Request, handler: Handler) -> web.StreamResponse:
            response = await handler(request)
            await asyncio.sleep(seconds)
            return response

        self.plan(pattern, trick, times)

    def drop(self, pattern: str = "*", times: int = 1) -> None:
        """Do not answer, and close the connection."""

        async def trick(request: web.Request, _handler: Handler) -> web.StreamResponse:
            return _hang_up(request)

        self.plan(pattern, trick, times)

    def truncate(self, pattern: str = "*", times: int = 1) -> None:
        """Answer with half of the JSON."""

        async def trick(request: web.Request, handler: Handler) -> web.StreamResponse:
            response = await handler(request)
            if isinstance(response, web.Response) and isinstance(response.body, bytes):
                response.body = response.body[: len(response.body) // 2]
            return response

        self.plan(pattern, trick, times)

    def tear(self, pattern: str = "*", times: int = 1) -> None:
        """Break off in the middle of the answer."""

        async def trick(request: web.Request, handler: Handler) -> web.StreamResponse:
            response = await handler(request)
            body = response.body if isinstance(response, web.Response) else None
            if not isinstance(body, bytes):
                return response
            torn = web.StreamResponse(status=response.status)
            torn.content_length = len(body)
            await torn.prepare(request)
            await torn.write(body[: len(body) // 2])
            _hang_up(request)
            return torn

        self.plan(pattern, trick, times)

    def plan(self, pattern: str, trick: Trick, times: int = 1) -> None:
        """Let a trick of one's own befall the next requests."""
        self._plans.append(Plan(pattern, trick, times))

    def forgive(self) -> None:
        """Let all go well again."""
        self._plans.clear()
        self.shifted_pages = 0
        self._down_until = 0.0

    def go_down(self, seconds: float) -> None:
        """Hang up on whoever asks for anything, sockets included, for so long."""
        self._down_until = asyncio.get_running_loop().time() + seconds

    # With sockets: those of one channel, or all

    def cut(self, channel: Channel | None = None) -> None:
        """Break connections off with a reset."""
        self._each(channel, Socket.cut)

    def freeze(self, channel: Channel | None = None) -> None:
        """Leave connections open, and let nothing pass through them any more."""
        self._each(channel, Socket.freeze)

    def silence(self, channel: Channel | None = None) -> None:
        """Send heartbeats, and no notifications any more."""
        self._each(channel, Socket.silence)

    def hang_up(self, code: int = 1001, channel: Channel | None = None) -> None:
        """Close connections with a code; 1001 is what idleness and maintenance look like."""
        self._each(channel, lambda socket: socket.close(code, "maintenance"))

    # For those it befalls

    async def befall(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer a request, well or badly. Raises `Problem` as the handler does."""
        if asyncio.get_running_loop().time() < self._down_until:
            self.played += 1
            return _hang_up(request)
        said = f"{request.method} {request.path}"
        for plan in self._plans:
            if fnmatchcase(said, plan.pattern):
                plan.times -= 1
                if plan.times <= 0:
                    self._plans.remove(plan)
                self.played += 1
                return await plan.trick(request, handler)
        return await handler(request)

    def shift(self, page: int) -> int:
        """Say by how many rows a page is to begin elsewhere; the first page never does."""
        most = self.shifted_pages
        return self._random.randint(-most, most) if most and page > 1 else 0

    def _each(self, channel: Channel | None, act: Callable[[Socket], object]) -> None:
        if channel is None:
            self._channels.each_socket(act)
        elif channel.socket is not None:
            act(channel.socket)


def _hang_up(request: web.Request) -> web.Response:
    """Close the connection; what is returned reaches nobody."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
