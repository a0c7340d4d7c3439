"""A Genesys Cloud on loopback: login, API and notification sockets on one port."""

import asyncio
from collections import Counter
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from email.utils import format_datetime
from random import Random
from types import TracebackType
from typing import Any, Self

import msgspec
from aiohttp import web

from ringback.ports import Clock
from ringback.simulator.centre import ContactCentre, Emission
from ringback.simulator.faults import Faults
from ringback.simulator.genesys.channels import GOING_AWAY, Channel, Channels
from ringback.simulator.genesys.commands import CommandCalls
from ringback.simulator.genesys.conversations import ConversationCalls
from ringback.simulator.genesys.details import DetailCalls
from ringback.simulator.genesys.identity import IdentityCalls
from ringback.simulator.genesys.limits import Limits
from ringback.simulator.genesys.mischief import Handler, Mischief
from ringback.simulator.genesys.notifications import Notifications
from ringback.simulator.genesys.observations import ObservationCalls
from ringback.simulator.genesys.problems import Problem, not_found
from ringback.simulator.genesys.queues import QueueCalls
from ringback.simulator.genesys.requests import TOKEN
from ringback.simulator.genesys.tokens import OAuthClient, Tokens
from ringback.simulator.genesys.topics import Judge
from ringback.simulator.hosting import Host
from ringback.simulator.interventions import close_queue, open_queue
from ringback.simulator.people import Queue, new_id
from ringback.simulator.sockets import HEARTBEAT

__all__ = ["GenesysCloud"]


class GenesysCloud:
    """The platform around a contact centre. An async context manager that serves it alone.

    As a `hosting.Part` it may also share a port with other ways of showing the same centre.
    """

    def __init__(
        self,
        centre: ContactCentre,
        clock: Clock,
        *,
        limits: Limits | None = None,
        port: int = 0,
        frame_faults: Faults | None = None,
        seed: int = 0,
    ) -> None:
        """Port 0 takes a free one; `seed` decides about ids and secrets that are made up."""
        self.centre = centre
        self.clock = clock
        self.limits = limits or Limits()
        self.skew = timedelta()
        """How far the platform's own clock, as in `Date`, is ahead of `clock`."""
        self.requests: Counter[str] = Counter()
        """How often each call was made, such as `GET /api/v2/conversations/{id}`."""
        self.refused: Counter[int] = Counter()
        """How many requests were answered with each status from 400 on."""
        self._random = Random(seed)
        self.clients: dict[str, OAuthClient] = {}
        """Who may log in, by id. There is one at first."""
        self.client = self.add_client()
        self.channels = Channels(self.limits, self._random)
        self.faults = Mischief(self.channels, self._random)
        """What is to go wrong."""
        self._tokens = Tokens(self.clients, self.limits, self._random)
        self._judge = Judge(self._exists, self.limits.topic_characters)
        self._notifications = Notifications(
            self.channels,
            self._judge,
            self._now,
            lambda: f"ws://{self.host.address}",
        )
        self.host = Host(centre, clock, [self], port=port, faults=frame_faults)
        """Who serves it: of its own, unless another takes it."""
        self._stack = AsyncExitStack()
        self._closings: set[asyncio.TimerHandle] = set()

    @property
    def url(self) -> str:
        """Where login and API are."""
        return f"http://{self.host.address}"

    @property
    def port(self) -> int:
        """The port of everything."""
        return self.host.port

    async def __aenter__(self) -> Self:
        await self._stack.enter_async_context(self.host)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stack.__aexit__(kind, error, trace)

    # On demand

    def add_client(self, client_id: str | None = None, secret: str | None = None) -> OAuthClient:
        """Let another client log in, with every permission."""
        client = OAuthClient(client_id or new_id(self._random), secret or new_id(self._random))
        self.clients[client.id] = client
        return client

    def revoke(self, client_id: str) -> None:
        """Make a client's tokens worthless, tell its sockets, and end its channels."""
        tokens = self._tokens.revoke(client_id)
        for channel in self.channels.all:
            if channel.token in tokens:
                self.channels.tell(
                    channel, "token_revoked", "user_tokens_revoked", "The token was revoked."
                )
                self.channels.end(channel)

    def announce_closing(self, channel: Channel) -> None:
        """Tell the channel's socket that it will be closed, and close it a minute later."""
        socket = channel.socket
        if socket is None:
            return
        socket.put(
            msgspec.json.encode(
                {
                    "topicName": "v2.system.socket_closing",
                    "eventBody": {"message": "The socket will be closed for maintenance."},
                }
            )
        )

        def close() -> None:
            self._closings.discard(handle)
            socket.close(GOING_AWAY, "maintenance")

        handle = asyncio.get_running_loop().call_later(self.limits.closing_seconds, close)
        self._closings.add(handle)

    def enforce_rights(self) -> None:
        """Take topics away from channels whose clients have no right to them by now, and tell."""
        for channel in self.channels.all:
            lost = [
                verdict.topic
                for verdict in channel.verdicts.values()
                if verdict.permitted
                and not self._judge.judge(channel.client, verdict.topic).permitted
            ]
            if lost:
                self.unsubscribe(channel, lost)

    def unsubscribe(self, channel: Channel, topics: Sequence[str] | None = None) -> None:
        """Take topics (all of them: None) away from a channel, as if another had taken them."""
        self.channels.unsubscribe(channel, list(channel.verdicts) if topics is None else topics)
        self.channels.tell(
            channel,
            "no_longer_subscribed",
            "another_channel_subscribed",
            "Another channel has subscribed.",
        )

    def add_queue(
        self,
        name: str,
        *,
        agents: int = 5,
        division: str = "Home",
        auto_dial_seconds: int | None = None,
        customer_first: bool = False,
    ) -> Queue:
        """Open another queue. Settings of queues may be changed in place at any time."""
        return open_queue(
            self.centre,
            name,
            agents=agents,
            division=division,
            auto_dial_seconds=auto_dial_seconds,
            customer_first=customer_first,
        )

    def remove_queue(self, queue: Queue) -> None:
        """Take a queue away; what is in it ends, and its topics are rejected from then on."""
        self._catch_up()
        close_queue(self.centre, queue)
        self._catch_up()

    # As a part of a host

    def hosted(self, host: Host) -> None:
        """Note who serves it."""
        self.host = host

    def routes(self) -> Iterator[web.RouteDef]:
        """Give the whole of it; it has an answer to every path."""
        for route in self._tokens.routes():
            yield self._guarded(route, login=True)
        for calls in (
            self._notifications,
            QueueCalls(self.centre),
            ConversationCalls(self.centre),
            CommandCalls(self.centre, self._catch_up),
            ObservationCalls(self.centre, self.limits),
            DetailCalls(self.centre, self.limits, self.faults),
            IdentityCalls(),
        ):
            for route in calls.routes():
                yield self._guarded(route)
        yield self._guarded(
            web.get("/channels/{id}", self._notifications.serve_socket, allow_head=False),
            login=True,
        )
        yield self._guarded(web.route("*", "/{path:.*}", _answer_unknown), login=True)

    def jobs(self) -> Iterator[tuple[str, Coroutine[Any, Any, None]]]:
        """Let the heart beat."""
        yield "simulator.heartbeat", self._beat()

    def wants(self, topic: str) -> bool:
        """Whether a channel has that topic."""
        return self.channels.wanted(topic)

    def deliver(self, emissions: Sequence[Emission]) -> None:
        """Send notifications; and end what has lived its time."""
        self.channels.look_after()
        for emission in emissions:
            for channel in self.channels.audience(emission.topic):
                channel.notify(emission.frame, binary=emission.binary)

    def close(self) -> None:
        """Let everyone go."""
        for handle in self._closings:
            handle.cancel()
        self._closings.clear()
        self.channels.each_socket(lambda socket: socket.close(GOING_AWAY, "closing"))

    # What these are made of

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(self.limits.heartbeat_seconds)
            self.channels.each_socket(lambda socket: socket.put(HEARTBEAT))

    def _catch_up(self) -> None:
        self.host.play.catch_up()

    def _now(self) -> datetime:
        return self.clock.now() + self.skew

    def _exists(self, subject: str, which: str) -> bool:
        if subject == "queues":
            return any(queue.id == which for queue in self.centre.queues)
        return any(agent.id == which for agent in self.centre.agents)

    def _guarded(self, route: web.RouteDef, *, login: bool = False) -> web.RouteDef:
        """Put in front of a call what holds for all of them."""
        handler: Handler = route.handler

        async def guarded(request: web.Request) -> web.StreamResponse:
            context_id = new_id(self._random)
            self.requests[f"{request.method} {route.path}"] += 1
            try:
                response = await self.faults.befall(request, handler if login else admitted)
            except Problem as problem:
                response = problem.response(context_id)
                self.refused[problem.status] += 1
            if not response.prepared:
                response.headers["Date"] = format_datetime(self._now(), usegmt=True)
                response.headers["ININ-Correlation-Id"] = context_id
            return response

        async def admitted(request: web.Request) -> web.StreamResponse:
            token = request[TOKEN] = self._tokens.find(request)
            token.requests.take()
            return await handler(request)

        return web.RouteDef(route.method, route.path, guarded, dict(route.kwargs))


async def _answer_unknown(request: web.Request) -> web.Response:
    raise not_found("resource", request.path)
