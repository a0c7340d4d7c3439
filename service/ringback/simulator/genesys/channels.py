"""Notification channels: whose they are, how long they live, and who gets which topic."""

import asyncio
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from random import Random

import msgspec

from ringback.simulator.genesys.limits import Limits
from ringback.simulator.genesys.tokens import OAuthClient, Token
from ringback.simulator.genesys.topics import Verdict, expand
from ringback.simulator.people import new_id
from ringback.simulator.sockets import Socket

__all__ = ["GOING_AWAY", "GONE", "ORGANISATION", "Channel", "Channels"]

GONE = b'{"result":"404"}'
GOING_AWAY = 1001
NAMES = uuid.UUID("0b6b4b0a-93f8-44e8-b1c5-4c1b7c6d7f5e")
ORGANISATION = str(NAMES)


@dataclass(eq=False, slots=True)
class Channel:
    """One channel of a client."""

    id: str = field(repr=False)
    token: Token
    expires_at: float
    """On the loop's clock, as is `used_at`."""
    used_at: float
    verdicts: dict[str, Verdict] = field(default_factory=dict)
    """What was asked for, combined topics as such, and what became of it."""
    socket: Socket | None = None
    delivered: int = 0
    """How many notifications were put on a socket's way."""
    missed: int = 0
    """How many were lost because no socket was connected, or the socket did not take them."""

    @property
    def client(self) -> OAuthClient:
        """Whose it is."""
        return self.token.client

    @property
    def topics(self) -> list[str]:
        """The single topics that it is delivered."""
        return [
            single
            for verdict in self.verdicts.values()
            if verdict.permitted
            for single in expand(verdict.topic)
        ]

    def notify(self, frame: bytes, *, binary: bool) -> None:
        """Send a notification, if there is a socket that takes it."""
        if self.socket is not None and self.socket.notify(frame, binary=binary):
            self.delivered += 1
        else:
            self.missed += 1


class Channels:
    """All channels, and an index of who is delivered what."""

    def __init__(self, limits: Limits, random: Random) -> None:
        """Begin with none."""
        self.limits = limits
        self.evicted = 0
        """How many were ended to make room for another."""
        self._random = random
        self._channels: dict[str, Channel] = {}
        self._audience: dict[str, dict[Channel, None]] = {}

    def __len__(self) -> int:
        return len(self._channels)

    @property
    def all(self) -> list[Channel]:
        """Every channel that there is, oldest first."""
        return list(self._channels.values())

    def wanted(self, topic: str) -> bool:
        """Whether anybody is delivered that single topic."""
        return topic in self._audience

    def audience(self, topic: str) -> Iterable[Channel]:
        """Give who is delivered that single topic."""
        return self._audience.get(topic, ())

    def of(self, client: OAuthClient) -> list[Channel]:
        """Give those of one client, oldest first."""
        return [one for one in self._channels.values() if one.client is client]

    def find(self, channel_id: str) -> Channel | None:
        """Give a channel that there still is."""
        return self._channels.get(channel_id)

    def make(self, token: Token) -> Channel:
        """Make one, and end another if there are too many."""
        now = asyncio.get_running_loop().time()
        while len(own := self.of(token.client)) >= self.limits.channels:
            oldest = min(own, key=lambda one: (one.socket is not None, one.used_at))
            self.evicted += 1
            self.end(oldest)
        channel = Channel(
            id=f"streaming-{len(self._channels) % 10}-{new_id(self._random)}",
            token=token,
            expires_at=now + self.limits.channel_seconds,
            used_at=now,
        )
        self._channels[channel.id] = channel
        return channel

    def subscribe(self, channel: Channel, verdicts: Iterable[Verdict], *, anew: bool) -> None:
        """Add topics, or replace all (`anew`); the channel's life begins again."""
        now = asyncio.get_running_loop().time()
        channel.used_at, channel.expires_at = now, now + self.limits.channel_seconds
        added = {verdict.topic: verdict for verdict in verdicts}
        self._set_verdicts(channel, added if anew else channel.verdicts | added)

    def unsubscribe(self, channel: Channel, topics: Iterable[str]) -> None:
        """Take topics away, named as they were asked for."""
        channel.used_at = asyncio.get_running_loop().time()
        gone = set(topics)
        left = {name: one for name, one in channel.verdicts.items() if name not in gone}
        self._set_verdicts(channel, left)

    def end(self, channel: Channel) -> None:
        """Forget it, and tell its socket that it is gone."""
        if self._channels.pop(channel.id, None) is not None:
            self._set_verdicts(channel, {})
            if channel.socket is not None:
                channel.socket.close(GOING_AWAY, "channel is gone", [GONE])

    def tell(self, channel: Channel, kind: str, reason: str, message: str) -> None:
        """Send a system message, `no_longer_subscribed` or `token_revoked`."""
        if channel.socket is None:
            return
        body = {
            "channelId": channel.id,
            "systemTopicType": kind,
            "correlationId": str(uuid.uuid5(NAMES, f"{kind}/{channel.id}")),
            "organizationId": ORGANISATION,
            "oauthClientId": channel.client.id,
            "oauthClientOrgId": ORGANISATION,
            "reason": reason,
            "message": message,
            "data": {},
        }
        topic = f"v2.system.{kind}.{channel.id}"
        channel.socket.put(
            msgspec.json.encode({"topicName": topic, "version": "2", "eventBody": body})
        )

    def look_after(self) -> None:
        """End what has lived its time, and deal with those whose token is no longer good."""
        now = asyncio.get_running_loop().time()
        for channel in self.all:
            if now >= channel.expires_at:
                self.end(channel)
            elif not channel.token.good:
                self._outlive_token(channel)

    def each_socket(self, act: Callable[[Socket], object]) -> None:
        """Do something to every socket that is connected."""
        for channel in self.all:
            if channel.socket is not None:
                act(channel.socket)

    def _outlive_token(self, channel: Channel) -> None:
        if self.limits.orphans == "closed":
            self.end(channel)
        else:
            self._set_verdicts(channel, {})

    def _set_verdicts(self, channel: Channel, verdicts: dict[str, Verdict]) -> None:
        for topic in channel.topics:
            audience = self._audience.get(topic, {})
            audience.pop(channel, None)
            if not audience:
                self._audience.pop(topic, None)
        channel.verdicts = verdicts
        for topic in channel.topics:
            self._audience.setdefault(topic, {})[channel] = None
