"""One notification channel: made, connected, subscribed, proved alive; and made sure of again."""

import asyncio
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from datetime import timedelta

import msgspec

from ringback.errors import FrameError, PlatformError
from ringback.ports import Clock
from ringback.sources.genesys.client import Answer, RestClient, Urgency, read_as
from ringback.sources.genesys.ends import End, Ended, refused_by
from ringback.sources.genesys.hearer import Hearer
from ringback.sources.genesys.line import Line, Listening
from ringback.wire.rest import Channel as ChannelAnswer
from ringback.wire.rest import ChannelTopic, Subscriptions
from ringback.wire.topics import split
from ringback.wire.translate import utc

__all__ = ["Channel", "Means", "Rejection", "singles"]

CHANNELS = "/api/v2/notifications/channels"
ONE = f"{CHANNELS}/{{id}}"
TOPICS = f"{ONE}/subscriptions"
IGNORE_ERRORS = {"ignoreErrors": "true"}
USUAL_LIFE = timedelta(hours=24)
SHORTEST_LIFE = timedelta(minutes=5)
LONGEST_LIFE = timedelta(hours=72)
"""A life beyond these is not believed: then some clock is wrong, as that of a proxy, and to believe
it would mean to renew without end, or never."""


class Means(msgspec.Struct, frozen=True):
    """What every channel of a source works with."""

    client: RestClient
    hearer: Hearer
    clock: Clock
    how: Listening


class Rejection(msgspec.Struct, frozen=True):
    """A topic that the platform will not let us hear."""

    topic: str
    missing_permissions: tuple[str, ...] = ()
    reason: str = ""


class Channel:
    """Instants are on the loop's clock. What can fail gives the `Ended` of it, else None.

    Neither id nor address is ever shown: whoever knows one may listen.
    """

    def __init__(self, means: Means, poke: Callable[[], None]) -> None:
        """Begin with nothing; `poke` is called when there is something to look at."""
        self.generation = 0
        """Of the token that made it, with which it dies."""
        self.made_at = 0.0
        self.expires_at = 0.0
        """When the platform ends it, unless it is subscribed to anew."""
        self.proved_at = 0.0
        """When it was last connected, subscribed and seen alive."""
        self.topics: frozenset[str] = frozenset()
        """What it is subscribed to, as it was asked for."""
        self.rejected: dict[str, Rejection] = {}
        """What was asked for in vain."""
        self.heard: frozenset[str] = frozenset()
        """The single topics that it hears."""
        self.line: Line | None = None
        self._means = means
        self._poke = poke
        self._id = ""
        self._uri = ""

    async def open(self, topics: Collection[str]) -> Ended | None:
        """Make it, connect, subscribe to topics, and see it alive."""
        return await self._make() or await self.reopen(topics)

    async def reopen(self, topics: Collection[str]) -> Ended | None:
        """Connect, to the same channel if there was a socket before, and the rest of `open`."""
        return await self._connect() or await self._ask_for("PUT", topics) or await self._prove()

    async def add(self, topics: Collection[str]) -> Ended | None:
        """Subscribe to more topics, and ask once more for those that were rejected."""
        return await self._ask_for("POST", topics)

    async def reduce(self, topics: Collection[str]) -> Ended | None:
        """Subscribe to these topics and no others."""
        return await self._ask_for("PUT", topics)

    async def check(self) -> Ended | None:
        """Read back what it is subscribed to, because it may have changed."""
        wanted = self.topics
        try:
            listed = await self._listed()
        except PlatformError as error:
            return refused_by(error, End.NOT_SUBSCRIBED)
        if self.line is not None:
            self.line.doubtful = False
        self._judge(wanted, listed, anew=True)
        if self.topics != wanted:
            return Ended.plainly(End.UNSUBSCRIBED)
        return None

    async def exists(self) -> bool | None:
        """Whether the platform still knows it; None if that cannot be found out."""
        try:
            await self._request("HEAD", ONE)
        except PlatformError as error:
            gone = refused_by(error, End.NOT_SUBSCRIBED).end is End.GONE
            return False if gone else None
        return True

    async def explain(self, ended: Ended, within: float) -> Ended:
        """Say what is behind an end, if it can be found out within so many seconds."""
        client = self._means.client
        if ended.end is End.TOKEN_REVOKED:
            if self.generation == client.token_generation:
                client.distrust_token()
            return ended
        exists: bool | None = None
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                exists = await self.exists()
        return self.why_gone() if exists is False else ended

    def why_gone(self) -> Ended:
        """Say why the platform does not know it any more."""
        if asyncio.get_running_loop().time() >= self.expires_at:
            return Ended.plainly(End.EXPIRED)
        # Whoever has asked with a token that had ended has a new one by now.
        if self.generation != self._means.client.token_generation:
            return Ended.plainly(End.TOKEN_ENDED)
        return Ended.plainly(End.EVICTED)

    async def close(self) -> None:
        """Hang up. The platform forgets the channel by itself: there is no request for that."""
        if self.line is not None:
            await self.line.close()
            self.line = None

    async def _make(self) -> Ended | None:
        client = self._means.client
        try:
            await client.log_in()
            # If there is a newer token afterwards, it is not known which of them made the channel.
            self.generation = client.token_generation
            answer = await client.request("POST", CHANNELS, urgency=Urgency.CHANNEL)
            made = read_as(answer, ChannelAnswer, f"POST {CHANNELS}")
        except PlatformError as error:
            return refused_by(error, End.NOT_MADE)
        if not made.id or not made.connect_uri:
            return Ended(End.NOT_MADE, f"{End.NOT_MADE}: wrong_shape")
        self._id, self._uri = made.id, made.connect_uri
        life = _life(made, answer)
        self.made_at = asyncio.get_running_loop().time()
        self.expires_at = self.made_at + life.total_seconds()
        return None

    async def _connect(self) -> Ended | None:
        await self.close()
        line = await Line.open(self._uri, self._id, self._means.hearer, self._means.how, self._poke)
        if isinstance(line, Ended):
            return line
        self.line = line
        return None

    async def _prove(self) -> Ended | None:
        assert self.line is not None  # noqa: S101  # it was just connected
        failed = await self.line.prove()
        if failed is None:
            self.proved_at = asyncio.get_running_loop().time()
        return failed

    async def _ask_for(self, method: str, topics: Collection[str]) -> Ended | None:
        body = msgspec.json.encode([{"id": topic} for topic in sorted(topics)])
        try:
            answer = await self._request(method, TOPICS, body)
            said = read_as(answer, Subscriptions, f"{method} {TOPICS}")
            listed = {each.id: each for each in said.entities if each.id}
            if not all(_found(topic, listed) for topic in topics):
                listed |= await self._listed()
        except PlatformError as error:
            return refused_by(error, End.NOT_SUBSCRIBED)
        self._judge(topics, listed, anew=method == "PUT")
        return None

    async def _listed(self) -> dict[str, ChannelTopic]:
        said = read_as(await self._request("GET", TOPICS), Subscriptions, f"GET {TOPICS}")
        return {each.id: each for each in said.entities if each.id}

    def _judge(self, asked: Iterable[str], listed: dict[str, ChannelTopic], *, anew: bool) -> None:
        """Take in which topics are heard and which are not."""
        rejections = {topic: _rejection(topic, _found(topic, listed)) for topic in asked}
        heard = frozenset(topic for topic, rejected in rejections.items() if rejected is None)
        refused = {topic: each for topic, each in rejections.items() if each is not None}
        if anew:
            self.topics, self.rejected = heard, refused
        else:
            self.topics = (self.topics | heard) - refused.keys()
            left = {topic: each for topic, each in self.rejected.items() if topic not in heard}
            self.rejected = left | refused
        self.heard = singles(self.topics)

    async def _request(self, method: str, name: str, body: bytes | None = None) -> Answer:
        return await self._means.client.request(
            method,
            name.replace("{id}", self._id),
            body=body,
            query=None if body is None else IGNORE_ERRORS,
            urgency=Urgency.CHANNEL,
            name=name,
        )


def _life(made: ChannelAnswer, answer: Answer) -> timedelta:
    """Say how long a new channel lives, by the platform's own clock if it says what time it is."""
    if made.expires is None:
        return USUAL_LIFE
    try:
        life = utc(made.expires, "$.expires") - (answer.date or answer.sent_at)
    except FrameError:
        return USUAL_LIFE
    return life if SHORTEST_LIFE <= life <= LONGEST_LIFE else USUAL_LIFE


def singles(topics: Iterable[str]) -> frozenset[str]:
    """Give the single topics that names, combined or not, stand for."""
    return frozenset(single for topic in topics for single in split(topic))


def _found(topic: str, listed: dict[str, ChannelTopic]) -> list[ChannelTopic]:
    """Give what is listed for a topic: a combined one as such, or one by one; none if it is not."""
    if topic in listed:
        return [listed[topic]]
    found = [listed[single] for single in split(topic) if single in listed]
    return found if len(found) == len(split(topic)) else []


def _rejection(topic: str, found: list[ChannelTopic]) -> Rejection | None:
    rejected = [each for each in found if each.rejected]
    if found and not rejected:
        return None
    missing = (name for each in rejected for name in each.missing_permissions or ())
    reasons = (each.rejection_reason for each in rejected if each.rejection_reason)
    return Rejection(topic, tuple(dict.fromkeys(missing)), next(reasons, "not listed"))
