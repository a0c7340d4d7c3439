"""What may be subscribed to, how much of it, and what becomes of the rest."""

import asyncio
from typing import Any

import pytest

from ringback.simulator.genesys.topics import expand
from ringback.simulator.options import Options
from support.genesys import CHANNELS, Caller, platform
from support.virtual import run_virtually

UNKNOWN = "v2.routing.queues.00000000-0000-4000-8000-000000000000.conversations"


def topic(caller: Caller, number: int = 0, tail: str = ".conversations") -> str:
    return f"v2.routing.queues.{caller.cloud.centre.queues[number].id}{tail}"


async def held(caller: Caller, channel: dict[str, str]) -> dict[str, dict[str, Any]]:
    reply = await caller.call("GET", f"{CHANNELS}/{channel['id']}/subscriptions")
    return {one["id"]: one for one in reply.json["entities"]}


def test_one_bad_topic_spoils_them_all_unless_errors_are_ignored() -> None:
    async def play() -> None:
        async with platform() as caller:
            made = await caller.channel()
            reply = await caller.subscribe(made["id"], topic(caller), UNKNOWN)
            assert reply.status == 400
            assert UNKNOWN in reply.json["message"]
            assert not await held(caller, made)
            reply = await caller.subscribe(made["id"], topic(caller), UNKNOWN, ignoreErrors="true")
            assert reply.status == 200
            states = {name: one["state"] for name, one in (await held(caller, made)).items()}
            assert states == {topic(caller): "Permitted", UNKNOWN: "Rejected"}

    run_virtually(play())


@pytest.mark.parametrize(
    "bad",
    [
        "channel.metadata",
        "v2.system.socket_closing",
        "v2.conversations.1",
        "v2.routing.queues." + 200 * "x",
        "v2.users.nobody.conversations",
        "",
    ],
)
def test_these_are_rejected(bad: str) -> None:
    async def play() -> None:
        async with platform() as caller:
            made = await caller.channel()
            await caller.subscribe(made["id"], bad, ignoreErrors="true")
            [verdict] = (await held(caller, made)).values()
            assert verdict["state"] == "Rejected"
            assert verdict["rejectionReason"]

    run_virtually(play())


def test_a_missing_permission_is_named_and_a_lost_one_is_told() -> None:
    async def play() -> None:
        async with platform() as caller:
            made = await caller.channel(topic(caller))
            async with caller.connect(made) as socket:
                await asyncio.sleep(0.1)
                caller.client.permissions.remove("conversation:communication:view")
                caller.cloud.enforce_rights()
                while True:
                    said = await socket.receive_json()
                    if said["topicName"].startswith("v2.system"):
                        break
                assert said["topicName"] == f"v2.system.no_longer_subscribed.{made['id']}"
                assert said["eventBody"]["reason"] == "another_channel_subscribed"
            await caller.subscribe(made["id"], topic(caller), ignoreErrors="true")
            [verdict] = (await held(caller, made)).values()
            assert verdict["missingPermissions"] == ["conversation:communication:view"]

    run_virtually(play())


def test_a_thousand_topics_and_no_more_combined_ones_counting_once() -> None:
    async def play() -> None:
        async with platform(Options(queues=1001)) as caller:
            made = await caller.channel()
            both = [
                topic(caller, number, "?conversations&conversations.callbacks")
                for number in range(1001)
            ]
            assert (await caller.subscribe(made["id"], *both)).status == 400
            assert (await caller.subscribe(made["id"], *both[:1000])).status == 200
            assert (await caller.subscribe(made["id"], both[0])).status == 200
            assert (await caller.subscribe(made["id"], both[1000])).status == 400
            reply = await caller.subscribe(made["id"], both[1000], method="PUT")
            assert reply.status == 200
            assert set(await held(caller, made)) == {both[1000]}
            path = f"{CHANNELS}/{made['id']}/subscriptions"
            assert (await caller.call("DELETE", path)).status == 200
            assert not await held(caller, made)

    run_virtually(play())


def test_the_socket_takes_subscriptions_too() -> None:
    async def play() -> None:
        async with platform(Options(arrivals_per_minute=0.001)) as caller:
            made = await caller.channel()
            async with caller.connect(made) as socket:
                for message, topics, answer, left in (
                    ("subscribe", [topic(caller)], ("200", "subscribed"), 1),
                    ("subscribe", [UNKNOWN], ("400", "error"), 1),
                    ("dance", [], ("400", "failure"), 1),
                    ("unsubscribe", [topic(caller)], ("200", "unsubscribed"), 0),
                ):
                    asked = {"message": message, "topics": topics, "correlationId": "7"}
                    await socket.send_json(asked)
                    said = await socket.receive_json()
                    assert (said["result"], said["status"]) == answer
                    assert said["correlationId"] == "7"
                    assert len(await held(caller, made)) == left

    run_virtually(play())


def test_other_tokens_channels_are_counted_and_not_shown() -> None:
    async def play() -> None:
        async with platform() as caller:
            mine = await caller.channel()
            await caller.log_in()
            other = await caller.channel()
            listed = (await caller.call("GET", CHANNELS)).json["entities"]
            assert [one["id"] for one in listed] == [other["id"]]
            listed = (await caller.call("GET", CHANNELS, includechannels="oauthclient")).json
            assert [one.get("id") for one in listed["entities"]] == [None, other["id"]]
            assert mine["id"] not in str(listed)

    run_virtually(play())


def test_an_announced_closing_comes_a_minute_later() -> None:
    async def play() -> None:
        loop = asyncio.get_running_loop()
        async with platform(Options(arrivals_per_minute=0.001)) as caller:
            made = await caller.channel()
            async with caller.connect(made) as socket:
                await asyncio.sleep(1)
                [channel] = caller.cloud.channels.all
                caller.cloud.announce_closing(channel)
                began = loop.time()
                assert (await socket.receive_json())["topicName"] == "v2.system.socket_closing"
                async for _ in socket:
                    pass
                assert loop.time() - began == pytest.approx(60, abs=1)
                assert socket.close_code == 1001
            async with caller.connect(made) as socket:
                assert (await socket.receive_json())["topicName"] == "channel.metadata"

    run_virtually(play())


def test_combined_topics_are_split() -> None:
    assert expand("a.b?c&d.e") == ["a.b.c", "a.b.d.e"]
    assert expand("a.b") == ["a.b"]
