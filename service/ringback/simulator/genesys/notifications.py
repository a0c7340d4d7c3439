"""The notification calls of the API, and the sockets of channels."""

import asyncio
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta

import msgspec
from aiohttp import web

from ringback.simulator.frames import stamp
from ringback.simulator.genesys.channels import GOING_AWAY, GONE, Channel, Channels
from ringback.simulator.genesys.problems import Problem, not_found
from ringback.simulator.genesys.requests import TOKEN, answer, read_body
from ringback.simulator.genesys.tokens import OAuthClient
from ringback.simulator.genesys.topics import CATALOGUE, Judge, Verdict
from ringback.simulator.sockets import Message, Socket

__all__ = ["Notifications"]

CHANNELS = "/api/v2/notifications/channels"
ALWAYS_SHOWN = {"id"}


class TopicAsked(msgspec.Struct):
    """One topic of a subscription."""

    id: str


class SocketRequest(msgspec.Struct):
    """What may be asked over the socket itself."""

    message: str
    topics: list[str]
    correlation_id: str = msgspec.field(name="correlationId", default="")


class Notifications:
    """Answers what is asked of channels."""

    def __init__(
        self,
        channels: Channels,
        judge: Judge,
        now: Callable[[], datetime],
        address: Callable[[], str],
    ) -> None:
        """`now` is the platform's clock; `address` tells where sockets are, as `ws://host:port`."""
        self._channels = channels
        self._limits = channels.limits
        self._judge = judge
        self._now = now
        self._address = address

    def routes(self) -> Iterator[web.RouteDef]:
        """Give the calls and where they are."""
        one = CHANNELS + "/{id}"
        yield web.get("/api/v2/notifications/availabletopics", self._list_available)
        yield web.post(CHANNELS, self._make)
        yield web.get(CHANNELS, self._list)
        yield web.head(one, self._look)
        yield web.get(f"{one}/subscriptions", self._list_topics, allow_head=False)
        yield web.post(f"{one}/subscriptions", self._subscribe)
        yield web.put(f"{one}/subscriptions", self._subscribe)
        yield web.delete(f"{one}/subscriptions", self._unsubscribe)

    async def serve_socket(self, request: web.Request) -> web.StreamResponse:
        """Serve the socket of a channel; a second one ends the first."""
        channel = self._channels.find(request.match_info["id"])
        if channel is None:
            if self._limits.gone_channel == "refuses":
                return web.Response(status=404, text="no such channel\n")
            lost = Socket(1, lambda _: None)
            lost.close(GOING_AWAY, "channel is gone", [GONE])
            return await lost.run(request)
        if channel.socket is not None:
            channel.socket.close(GOING_AWAY, "another connection to the channel")
        socket = Socket(self._limits.outbox, lambda said: self._answer(channel, said))
        channel.socket = socket
        channel.used_at = asyncio.get_running_loop().time()
        try:
            return await socket.run(request)
        finally:
            channel.used_at = asyncio.get_running_loop().time()
            if channel.socket is socket:
                channel.socket = None

    # Channels

    async def _list_available(self, request: web.Request) -> web.Response:
        shown = {
            name for each in request.query.getall("expand", []) for name in each.split(",")
        } | ALWAYS_SHOWN
        kinds = [
            {name: one for name, one in kind.shown().items() if name in shown} for kind in CATALOGUE
        ]
        return answer({"entities": kinds})

    async def _make(self, request: web.Request) -> web.Response:
        token = request[TOKEN]
        token.channels.take()
        return answer(self._shown(self._channels.make(token)))

    async def _list(self, request: web.Request) -> web.Response:
        token = request[TOKEN]
        everyone = request.query.get("includechannels", "token") == "oauthclient"
        shown = []
        for channel in self._channels.of(token.client):
            if channel.token is token:
                shown.append(self._shown(channel))
            elif everyone:
                shown.append({"expires": self._expiry(channel)})
        return answer({"entities": shown})

    async def _look(self, request: web.Request) -> web.Response:
        self._find(request)
        return web.Response()

    # Subscriptions

    async def _list_topics(self, request: web.Request) -> web.Response:
        return self._topics(self._find(request).verdicts.values())

    async def _subscribe(self, request: web.Request) -> web.Response:
        """Add topics (POST) or replace them (PUT)."""
        channel = self._find(request)
        asked = [one.id for one in await read_body(request, list[TopicAsked])]
        verdicts = self._judged(channel.client, asked)
        anew = request.method == "PUT"
        self._refuse_too_many(channel, verdicts, anew=anew)
        refused = [one for one in verdicts if not one.permitted]
        if refused and request.query.get("ignoreErrors", "false").lower() != "true":
            raise Problem(
                400,
                "invalid.topics",
                "The following topics cannot be subscribed to: {topics}",
                params={"topics": ", ".join(f"{one.topic} ({one.reason})" for one in refused)},
            )
        self._channels.subscribe(channel, verdicts, anew=anew)
        return self._topics(verdicts)

    async def _unsubscribe(self, request: web.Request) -> web.Response:
        channel = self._find(request)
        self._channels.unsubscribe(channel, list(channel.verdicts))
        return answer({})

    def _answer(self, channel: Channel, said: Message) -> bytes | None:
        """Answer what is asked over the socket."""
        try:
            asked = msgspec.convert(said, SocketRequest)
        except msgspec.ValidationError:
            return _result("400", "failure", said)
        if asked.message == "unsubscribe":
            self._channels.unsubscribe(channel, asked.topics)
            return _result("200", "unsubscribed", said)
        if asked.message != "subscribe":
            return _result("400", "failure", said)
        verdicts = self._judged(channel.client, asked.topics)
        try:
            self._refuse_too_many(channel, verdicts, anew=False)
        except Problem:
            return _result("400", "failure", said)
        if not all(one.permitted for one in verdicts):
            return _result("400", "error", said)
        self._channels.subscribe(channel, verdicts, anew=False)
        return _result("200", "subscribed", said)

    # What these are made of

    def _find(self, request: web.Request) -> Channel:
        channel = self._channels.find(request.match_info["id"])
        if channel is None or channel.client is not request[TOKEN].client:
            raise not_found("channel", request.match_info["id"])
        return channel

    def _judged(self, client: OAuthClient, topics: Iterable[str]) -> list[Verdict]:
        return [self._judge.judge(client, topic) for topic in dict.fromkeys(topics)]

    def _refuse_too_many(self, channel: Channel, verdicts: list[Verdict], *, anew: bool) -> None:
        names = {one.topic for one in verdicts} | (set() if anew else set(channel.verdicts))
        if len(names) > self._limits.topics:
            raise Problem(
                400,
                "too.many.topics",
                "A channel may have no more than {most} topics.",
                params={"most": str(self._limits.topics)},
            )

    def _shown(self, channel: Channel) -> dict[str, object]:
        return {
            "connectUri": f"{self._address()}/channels/{channel.id}",
            "id": channel.id,
            "expires": self._expiry(channel),
        }

    def _expiry(self, channel: Channel) -> str:
        left = channel.expires_at - asyncio.get_running_loop().time()
        at = self._now() + timedelta(seconds=left)
        return stamp(at.replace(microsecond=at.microsecond // 1000 * 1000))

    def _topics(self, verdicts: Iterable[Verdict]) -> web.Response:
        return answer({"entities": [_topic(one) for one in verdicts]})


def _topic(verdict: Verdict) -> dict[str, object]:
    shown: dict[str, object] = {"id": verdict.topic}
    if verdict.permitted:
        return shown | {"state": "Permitted"}
    rejected = {"state": "Rejected", "rejectionReason": verdict.reason}
    missing = {"missingPermissions": list(verdict.missing)} if verdict.missing else {}
    return shown | rejected | missing


def _result(result: str, status: str, said: Message) -> bytes:
    correlation = said.get("correlationId")
    known = {"correlationId": correlation} if isinstance(correlation, str) else {}
    return msgspec.json.encode({"result": result, "status": status, **known})
