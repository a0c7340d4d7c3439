"""What goes wrong on demand looks to a client as it should."""

import asyncio

import aiohttp
import pytest

from support.genesys import Caller, platform
from support.virtual import run_virtually

QUEUES = "/api/v2/routing/queues"
HERE = f"GET {QUEUES}*"


def test_answers_go_wrong_so_many_times() -> None:
    async def play() -> None:
        async with platform() as caller:
            faults = caller.cloud.faults
            faults.throttle(HERE, times=2, seconds=7)
            for _ in range(2):
                reply = await caller.call("GET", QUEUES)
                assert (reply.status, reply.headers["Retry-After"]) == (429, "7")
            faults.fail(HERE, status=502)
            assert (await caller.call("GET", "/api/v2/organizations/me")).status == 200
            assert (await caller.call("GET", QUEUES)).status == 502
            faults.answer_html(HERE)
            assert (await caller.call("GET", QUEUES)).body.startswith(b"<!DOCTYPE")
            faults.truncate(HERE)
            broken = await caller.call("GET", QUEUES)
            whole = await caller.call("GET", QUEUES)
            assert whole.body.startswith(broken.body)
            assert broken.body != whole.body
            assert faults.played == 5

    run_virtually(play())


def test_answers_are_late_or_never_come() -> None:
    async def play() -> None:
        loop = asyncio.get_running_loop()
        async with platform() as caller:
            faults = caller.cloud.faults
            faults.delay(HERE, seconds=20)
            began = loop.time()
            await caller.call("GET", QUEUES)
            assert loop.time() - began == pytest.approx(20, abs=0.5)
            faults.tear(HERE)
            with pytest.raises(aiohttp.ClientError):
                await caller.call("GET", QUEUES)
            faults.drop("POST *")
            with pytest.raises(aiohttp.ClientError):
                await caller.call("POST", "/api/v2/notifications/channels")
            faults.go_down(10)
            with pytest.raises(aiohttp.ClientError):
                await caller.call("GET", QUEUES)
            await asyncio.sleep(10)
            assert (await caller.call("GET", QUEUES)).status == 200

    run_virtually(play())


async def wait_for_close(socket: aiohttp.ClientWebSocketResponse) -> None:
    """Read for ten minutes at the most."""
    async with asyncio.timeout(600):
        async for _ in socket:
            pass


async def subscribed(caller: Caller) -> dict[str, str]:
    topics = [f"v2.routing.queues.{one.id}.conversations" for one in caller.cloud.centre.queues]
    return await caller.channel(*topics)


def test_a_cut_is_a_reset() -> None:
    async def play() -> None:
        async with platform() as caller:
            made = await subscribed(caller)
            async with caller.connect(made) as socket:
                await socket.receive()
                caller.cloud.faults.cut()
                async for _ in socket:
                    pass
                assert socket.close_code == aiohttp.WSCloseCode.ABNORMAL_CLOSURE
            async with caller.connect(made) as socket:
                assert (await socket.receive()).type is aiohttp.WSMsgType.TEXT

    run_virtually(play())


def test_a_frozen_socket_neither_speaks_nor_hears() -> None:
    async def play() -> None:
        async with platform() as caller:
            made = await subscribed(caller)
            async with caller.connect(made) as socket:
                await socket.receive()
                caller.cloud.faults.freeze()
                await socket.ping()
                with pytest.raises(TimeoutError):
                    await wait_for_close(socket)
                async with caller.connect(made) as other:
                    assert (await other.receive()).type is aiohttp.WSMsgType.TEXT

    run_virtually(play())


def test_a_silent_socket_only_beats() -> None:
    async def play() -> None:
        async with platform() as caller:
            made = await subscribed(caller)
            async with caller.connect(made) as socket:
                caller.cloud.faults.silence()
                await asyncio.sleep(0)
                names = [(await socket.receive_json())["topicName"] for _ in range(20)]
                assert set(names[-10:]) == {"channel.metadata"}

    run_virtually(play())


def test_sockets_are_closed_with_a_code() -> None:
    async def play() -> None:
        async with platform() as caller:
            made = await subscribed(caller)
            async with caller.connect(made) as socket:
                caller.cloud.faults.hang_up(1012)
                async for _ in socket:
                    pass
                assert socket.close_code == 1012

    run_virtually(play())
