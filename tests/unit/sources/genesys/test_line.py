"""One socket of a channel, against servers that say what the test wants."""

import asyncio
from collections.abc import Awaitable, Callable

import msgspec
import pytest
from websockets.asyncio.server import ServerConnection, serve

from ringback.sources.genesys.ends import End, Ended
from ringback.sources.genesys.line import Line, Listening
from support.fleet import Hearing
from support.virtual import run_virtually

OURS = "channel-1"
PONG = '{"topicName":"channel.metadata","eventBody":{"message":"pong"}}'
HEARTBEAT = '{"topicName":"channel.metadata","eventBody":{"message":"WebSocket Heartbeat"}}'
FRAME = '{"topicName":"v2.routing.queues.q-1.conversations","eventBody":{"id":"c-1"}}'
Serve = Callable[[ServerConnection], Awaitable[None]]
Play = Callable[[Line, Hearing], Awaitable[None]]


def now() -> float:
    return asyncio.get_running_loop().time()


class Full(Hearing):
    """Has no room until it is opened."""

    def __init__(self) -> None:
        super().__init__()
        self.open = asyncio.Event()

    async def room(self) -> None:
        await self.open.wait()


def system(kind: str, channel: str | None = OURS, **more: str) -> str:
    body = {"systemTopicType": kind, **more} | ({"channelId": channel} if channel else {})
    return msgspec.json.encode(
        {"topicName": f"v2.system.{kind}.{OURS}", "eventBody": body}
    ).decode()


def listen(handler: Serve, play: Play, hearing: Hearing | None = None) -> None:
    """Let a line listen to a server."""

    async def all_of_it() -> None:
        async with serve(handler, "127.0.0.1", 0, ping_interval=None, close_timeout=1) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            ears = hearing or Hearing()
            how = Listening(max_frame_bytes=1 << 20)
            line = await Line.open(f"ws://127.0.0.1:{port}/x", OURS, ears, how, lambda: None)
            assert isinstance(line, Line)
            try:
                await play(line, ears)
            finally:
                await line.close()

    run_virtually(all_of_it())


def saying(*messages: str) -> Serve:
    """Serve these once somebody has asked for a sign of life, and pongs from then on."""

    async def handler(connection: ServerConnection) -> None:
        first = True
        async for _ in connection:
            for message in messages if first else ():
                await connection.send(message)
            first = False
            await connection.send(PONG)

    return handler


async def ending(line: Line) -> Ended:
    async with asyncio.timeout(1000):
        return await asyncio.shield(line.ended)


def test_all_messages_are_handed_on_and_conversations_noticed() -> None:
    async def play(line: Line, hearing: Hearing) -> None:
        assert await line.prove() is None
        await line.drain()
        assert sum(hearing.frames.values()) == 4
        assert line.conversation_at == line.message_at == now()

    listen(saying(FRAME, "no json", PONG), play)


def test_heartbeats_are_no_conversations() -> None:
    async def play(line: Line, hearing: Hearing) -> None:
        assert await line.prove() is None
        await asyncio.sleep(100)
        assert line.message_at >= 90
        assert line.conversation_at is None
        assert not line.ended.done()

    listen(saying(HEARTBEAT), play)


def test_frames_in_another_order_are_understood() -> None:
    other = '{"eventBody":{"id":"c-1"},"topicName":"v2.users.u-1.conversations"}'
    closing = '{"eventBody":{"message":"bye"},"topicName":"v2.system.socket_closing"}'

    async def play(line: Line, hearing: Hearing) -> None:
        await line.prove()
        await line.drain()
        assert line.conversation_at is not None
        assert line.closing

    listen(saying(other, closing), play)


@pytest.mark.parametrize(
    ("message", "end"),
    [
        (system("no_longer_subscribed", reason="another_channel_subscribed"), End.UNSUBSCRIBED),
        (system("no_longer_subscribed", None), End.UNSUBSCRIBED),
        (system("token_revoked", reason="user_tokens_revoked"), End.TOKEN_REVOKED),
        ('{"result":"404"}', End.GONE),
        ('{"result":404}', End.GONE),
    ],
)
def test_what_the_platform_says_ends_it(message: str, end: End) -> None:
    async def play(line: Line, hearing: Hearing) -> None:
        await asyncio.sleep(5)
        heard_until = line.message_at
        assert await line.prove() is None or line.ended.done()
        assert await ending(line) == Ended.plainly(end)
        assert line.heard_until == heard_until  # what was said does not say since when

    listen(saying(message), play)


@pytest.mark.parametrize(
    "message",
    [
        system("no_longer_subscribed", "channel-2"),
        '{"result":"400","status":"failure"}',
        '{"result":"200","status":"subscribed"}',
        system("something_new"),
    ],
)
def test_what_does_not_concern_it_is_let_be(message: str) -> None:
    async def play(line: Line, hearing: Hearing) -> None:
        await line.prove()
        await line.drain()
        assert not line.ended.done()
        assert not line.closing
        assert not line.doubtful

    listen(saying(message), play)


def test_changed_subscriptions_are_to_be_looked_at() -> None:
    async def play(line: Line, hearing: Hearing) -> None:
        await line.prove()
        await line.drain()
        assert line.doubtful

    listen(saying(system("subscription_changed")), play)


def test_a_server_that_answers_only_the_protocols_pings_is_silent() -> None:
    async def handler(connection: ServerConnection) -> None:
        await connection.send(HEARTBEAT)
        async for _ in connection:
            pass

    async def play(line: Line, hearing: Hearing) -> None:
        assert await ending(line) == Ended.plainly(End.SILENT)
        assert line.heard_until < 1
        assert 35 <= now() < 60

    listen(handler, play)


def test_a_server_that_answers_nothing_is_half_open() -> None:
    async def handler(connection: ServerConnection) -> None:
        await connection.send(HEARTBEAT)
        connection.transport.pause_reading()
        await asyncio.sleep(100)
        connection.transport.abort()

    async def play(line: Line, hearing: Hearing) -> None:
        assert await ending(line) == Ended.plainly(End.HALF_OPEN)
        assert line.heard_until < 1
        assert 35 <= now() < 50

    listen(handler, play)


def test_no_silence_is_suspected_while_there_is_no_room() -> None:
    async def play(line: Line, hearing: Hearing) -> None:
        assert isinstance(hearing, Full)
        await asyncio.sleep(300)
        assert not line.ended.done()
        hearing.open.set()
        assert await line.prove() is None

    listen(saying(), play, Full())


def test_draining_waits_until_all_is_taken_however_long_that_is() -> None:
    async def handler(connection: ServerConnection) -> None:
        for number in range(3000):
            await connection.send(FRAME.replace("c-1", str(number)))
        await saying()(connection)

    async def play(line: Line, hearing: Hearing) -> None:
        assert isinstance(hearing, Full)
        asyncio.get_running_loop().call_later(100, hearing.open.set)
        await line.drain()
        assert now() >= 100
        assert sum(FRAME.partition("c-1")[0] in str(each) for each in hearing.frames) == 3000

    listen(handler, play, Full())


def test_draining_ends_with_the_line_or_when_nothing_is_answered() -> None:
    async def mute(connection: ServerConnection) -> None:
        async for _ in connection:
            await connection.send(HEARTBEAT)

    async def leave(connection: ServerConnection) -> None:
        await asyncio.sleep(3)

    async def play(line: Line, hearing: Hearing) -> None:
        await line.drain()
        took.append(now())

    took: list[float] = []
    listen(mute, play)
    listen(leave, play)
    assert 35 <= took[0] < 37
    assert 3 <= took[1] < 4


def test_no_sign_of_life() -> None:
    async def handler(connection: ServerConnection) -> None:
        async for _ in connection:
            pass

    async def play(line: Line, hearing: Hearing) -> None:
        assert await line.prove() == Ended.plainly(End.UNPROVEN)
        assert 10 <= now() < 11

    listen(handler, play)


def test_an_end_while_waiting_for_a_sign_of_life() -> None:
    async def handler(connection: ServerConnection) -> None:
        await connection.close(1011)

    async def play(line: Line, hearing: Hearing) -> None:
        assert await line.prove() == Ended(End.CLOSED, "closed by the server: 1011")

    listen(handler, play)


def test_an_error_of_the_hearer_is_not_swallowed() -> None:
    class Broken(Hearing):
        def frame(self, frame: bytes | str) -> None:
            raise RuntimeError("broken")

    async def play(line: Line, hearing: Hearing) -> None:
        with pytest.raises(RuntimeError, match="broken"):
            await line.prove()

    listen(saying(), play, Broken())
