"""A plain client of the simulated Genesys Cloud, for tests in virtual time."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import aiohttp
import msgspec

from ringback.simulator.centre import ContactCentre
from ringback.simulator.faults import Faults
from ringback.simulator.genesys.limits import Limits
from ringback.simulator.genesys.server import GenesysCloud
from ringback.simulator.genesys.tokens import OAuthClient
from ringback.simulator.options import Options
from support.callbacks import START
from support.runtime import LoopClock

__all__ = ["Caller", "Reply", "platform"]

CHANNELS = "/api/v2/notifications/channels"


@dataclass
class Reply:
    """What a call was answered with."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return msgspec.json.decode(self.body)


@dataclass
class Caller:
    """Someone with a client's credentials."""

    cloud: GenesysCloud
    session: aiohttp.ClientSession
    client: OAuthClient
    token: str = field(default="", repr=False)

    async def log_in(self, secret: str | None = None) -> Reply:
        reply = await self._send(
            "POST",
            "/oauth/token",
            data={"grant_type": "client_credentials"},
            headers={
                "Authorization": aiohttp.encode_basic_auth(
                    self.client.id, secret or self.client.secret
                )
            },
        )
        if reply.status == 200:
            self.token = reply.json["access_token"]
        return reply

    async def call(self, method: str, path: str, body: Any = None, **query: str) -> Reply:
        return await self._send(
            method,
            path,
            params=query,
            data=None if body is None else msgspec.json.encode(body),
            headers={"Authorization": f"Bearer {self.token}"},
        )

    async def channel(self, *topics: str) -> dict[str, str]:
        made: dict[str, str] = (await self.call("POST", CHANNELS)).json
        if topics:
            reply = await self.subscribe(made["id"], *topics)
            assert reply.status == 200, reply.body
        return made

    async def subscribe(
        self, channel_id: str, *topics: str, method: str = "POST", **query: str
    ) -> Reply:
        path = f"{CHANNELS}/{channel_id}/subscriptions"
        return await self.call(method, path, [{"id": topic} for topic in topics], **query)

    def connect(self, channel: dict[str, str]) -> Any:
        return self.session.ws_connect(channel["connectUri"], max_msg_size=0)

    async def _send(self, method: str, path: str, **keywords: Any) -> Reply:
        async with self.session.request(method, self.cloud.url + path, **keywords) as response:
            return Reply(response.status, dict(response.headers), await response.read())


@asynccontextmanager
async def platform(
    options: Options | None = None,
    limits: Limits | None = None,
    frame_faults: Faults | None = None,
) -> AsyncIterator[Caller]:
    """Serve a contact centre as Genesys Cloud, and log in."""
    clock = LoopClock()
    centre = ContactCentre(3, START, options or Options(warm_up=timedelta(0)))
    async with (
        GenesysCloud(centre, clock, limits=limits, frame_faults=frame_faults) as cloud,
        aiohttp.ClientSession() as session,
    ):
        caller = Caller(cloud, session, cloud.client)
        await caller.log_in()
        yield caller
