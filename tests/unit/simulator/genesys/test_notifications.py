"""Channels, their subscriptions and their sockets, in virtual time."""

import asyncio
from typing import Any

import aiohttp
import pytest

from ringback.simulator.faults import FaultRates, Faults
from ringback.simulator.genesys.limits import Limits
from support.genesys import CHANNELS, Caller, platform
from support.virtual import run_virtually

HEARTBEAT = {"topicName": "channel.metadata", "eventBody": {"message": "WebSocket Heartbeat"}}


def queue_topics(caller: Caller, tail: str = ".conversations") -> list[str]:
    return [f"v2.routing.queues.{queue.id}{tail}" for queue in caller.cloud.centre.queues]


async def notifications(socket: Any, count: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    while len(found) < count:
        said = await socket.receive_json()
        if said["topicName"] != "channel.metadata":
            found.append(said)
    return found


def test_a_channel_brings_what_it_is_subscribed_to() -> None:
    async def play() -> None:
        async with platform() as caller:
            topic = queue_topics(caller)[0]
            made = await caller.channel(topic)
            async with caller.connect(made) as socket:
                frames = await notifications(socket, 20)
            assert {frame["topicName"] for frame in frames} == {topic}
            [channel] = caller.cloud.channels.all
            assert channel.delivered >= 20

    run_virtually(play())


def test_a_combined_topic_is_delivered_under_single_names() -> None:
    async def play() -> None:
        async with platform() as caller:
            tops = queue_topics(caller, "?conversations&conversations.callbacks")
            made = await caller.channel(*tops)
            async with caller.connect(made) as socket:
                frames = await notifications(socket, 50)
            names = {frame["topicName"] for frame in frames}
            assert {name.rpartition(".")[2] for name in names} == {"conversations", "callbacks"}
            assert names <= {
                *queue_topics(caller),
                *queue_topics(caller, ".conversations.callbacks"),
            }

    run_virtually(play())


def test_the_heart_beats_and_pings_are_answered() -> None:
    async def play() -> None:
        loop = asyncio.get_running_loop()
        async with platform() as caller:
            made = await caller.channel()
            async with caller.connect(made) as socket:
                assert await socket.receive_json() == HEARTBEAT
                began = loop.time()
                await socket.send_str('{"message":"ping"}')
                assert (await socket.receive_json())["eventBody"] == {"message": "pong"}
                assert await socket.receive_json() == HEARTBEAT
                assert loop.time() - began == pytest.approx(30, abs=0.1)

    run_virtually(play())


def test_the_twenty_first_channel_ends_the_oldest_that_is_not_connected() -> None:
    async def play() -> None:
        async with platform() as caller:
            first = await caller.channel()
            async with caller.connect(first) as socket:
                rest = [await caller.channel() for _ in range(19)]
                await caller.channel()
                assert (await caller.call("HEAD", f"{CHANNELS}/{first['id']}")).status == 200
                assert (await caller.call("HEAD", f"{CHANNELS}/{rest[0]['id']}")).status == 404
                assert not socket.closed
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                async with caller.connect(rest[0]):
                    pass
            assert refused.value.status == 404

    run_virtually(play())


def test_a_second_socket_ends_the_first() -> None:
    async def play() -> None:
        async with platform() as caller:
            made = await caller.channel()
            async with caller.connect(made) as first, caller.connect(made) as second:
                assert (await first.receive()).type is aiohttp.WSMsgType.CLOSE
                assert await second.receive_json() == HEARTBEAT

    run_virtually(play())


def test_a_channel_lives_so_long_from_its_last_subscription() -> None:
    async def play() -> None:
        async with platform(limits=Limits(channel_seconds=100)) as caller:
            made = await caller.channel()
            async with caller.connect(made) as socket:
                await asyncio.sleep(80)
                await caller.subscribe(made["id"], queue_topics(caller)[0])
                await asyncio.sleep(80)
                assert (await caller.call("HEAD", f"{CHANNELS}/{made['id']}")).status == 200
                await asyncio.sleep(30)
                assert (await caller.call("HEAD", f"{CHANNELS}/{made['id']}")).status == 404
                last = None
                async for message in socket:
                    last = message.data
                assert last == '{"result":"404"}'

    run_virtually(play())


def test_a_reader_that_is_too_slow_is_dropped() -> None:
    async def play() -> None:
        faults = Faults(1, FaultRates(repeat=1))
        async with platform(limits=Limits(outbox=50), frame_faults=faults) as caller:
            made = await caller.channel(*queue_topics(caller))
            async with caller.connect(made) as socket:
                await asyncio.sleep(3600)
                [channel] = caller.cloud.channels.all
                assert channel.socket is None
                assert channel.missed > 100
                async for _ in socket:
                    pass
                assert socket.close_code == 1006

    run_virtually(play())
