"""Logging in, and what a token is worth."""

import asyncio
from datetime import timedelta

import aiohttp
import pytest

from ringback.simulator.genesys.limits import Limits
from ringback.simulator.genesys.tokens import OAuthClient
from support.genesys import CHANNELS, Caller, platform
from support.virtual import run_virtually

QUEUES = "/api/v2/routing/queues"


def test_the_wrong_credentials_are_refused_in_the_login_s_own_words() -> None:
    async def play() -> None:
        async with platform() as caller:
            reply = await caller.log_in("wrong")
            assert (reply.status, reply.json["error"]) == (401, "invalid_client")
            stranger = Caller(caller.cloud, caller.session, OAuthClient("nobody", "nothing"))
            assert (await stranger.log_in()).status == 400

    run_virtually(play())


def test_a_request_needs_a_token_that_is_good() -> None:
    async def play() -> None:
        async with platform(limits=Limits(token_seconds=100)) as caller:
            assert (await caller.call("GET", QUEUES)).status == 200
            await asyncio.sleep(101)
            reply = await caller.call("GET", QUEUES)
            assert (reply.status, reply.json["code"]) == (401, "bad.credentials")
            assert reply.json["contextId"] == reply.headers["ININ-Correlation-Id"]
            caller.token = ""
            reply = await caller.call("GET", QUEUES)
            assert (reply.status, reply.json["code"]) == (401, "authentication.required")
            await caller.log_in()
            assert (await caller.call("HEAD", "/api/v2/tokens/me")).status == 200

    run_virtually(play())


def test_too_many_requests_wait_for_the_next_minute() -> None:
    async def play() -> None:
        async with platform() as caller:
            for _ in range(300):
                assert (await caller.call("HEAD", "/api/v2/tokens/me")).status == 200
            reply = await caller.call("GET", QUEUES)
            assert (reply.status, reply.json["code"]) == (429, "too.many.requests")
            await asyncio.sleep(int(reply.headers["Retry-After"]))
            assert (await caller.call("GET", QUEUES)).status == 200
            assert caller.cloud.requests["HEAD /api/v2/tokens/me"] == 300
            assert caller.cloud.refused[429] == 1

    run_virtually(play())


def test_channels_have_a_limit_of_their_own() -> None:
    async def play() -> None:
        async with platform(limits=Limits(channels_per_minute=3)) as caller:
            for _ in range(3):
                await caller.channel()
            assert (await caller.call("POST", CHANNELS)).status == 429

    run_virtually(play())


def test_revoking_is_told_and_ends_the_channels() -> None:
    async def play() -> None:
        async with platform() as caller:
            made = await caller.channel()
            async with caller.connect(made) as socket:
                await asyncio.sleep(1)
                caller.cloud.revoke(caller.client.id)
                told = await socket.receive_json()
                assert told["topicName"] == f"v2.system.token_revoked.{made['id']}"
                assert told["eventBody"]["systemTopicType"] == "token_revoked"
                assert await socket.receive_json() == {"result": "404"}
                assert (await socket.receive()).type is aiohttp.WSMsgType.CLOSE
            assert (await caller.call("GET", QUEUES)).status == 401
            await caller.log_in()
            assert (await caller.call("HEAD", f"{CHANNELS}/{made['id']}")).status == 404

    run_virtually(play())


@pytest.mark.parametrize("orphans", ["closed", "silenced"])
def test_a_channel_does_not_outlive_the_token_that_made_it(orphans: str) -> None:
    async def play() -> None:
        limits = Limits(token_seconds=100, orphans=orphans)  # type: ignore[arg-type]
        async with platform(limits=limits) as caller:
            topic = f"v2.routing.queues.{caller.cloud.centre.queues[0].id}.conversations"
            made = await caller.channel(topic)
            async with caller.connect(made) as socket:
                await asyncio.sleep(101)
                await caller.log_in()
                there = await caller.call("HEAD", f"{CHANNELS}/{made['id']}")
                assert there.status == (404 if orphans == "closed" else 200)
                assert not caller.cloud.channels.wanted(topic)
                if orphans == "closed":
                    async for _ in socket:
                        pass
                    assert socket.close_code == 1001

    run_virtually(play())


def test_the_platform_s_clock_may_be_off() -> None:
    async def play() -> None:
        async with platform() as caller:
            caller.cloud.skew = timedelta(minutes=7)
            reply = await caller.call("GET", QUEUES)
            assert reply.headers["Date"] == "Sun, 22 Nov 2026 08:07:00 GMT"

    run_virtually(play())
