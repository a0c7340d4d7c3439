"""Whether a websocket can be connected to, in fixed words."""

import asyncio
import http
from collections.abc import Callable

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from ringback.sources.probe import unreachable
from support.virtual import run_virtually


async def listen(connection: ServerConnection) -> None:
    await connection.wait_closed()


def reject(connection: ServerConnection, request: Request) -> Response:
    return connection.respond(http.HTTPStatus.FORBIDDEN, "canary")


@pytest.mark.parametrize(
    ("judge", "outcome"), [(None, None), (reject, "handshake rejected: HTTP 403")]
)
async def test_a_server_answers(judge: Callable[..., Response] | None, outcome: str | None) -> None:
    async with serve(listen, "127.0.0.1", 0, process_request=judge) as server:
        port = server.sockets[0].getsockname()[1]
        assert await unreachable(f"ws://127.0.0.1:{port}", 10) == outcome


async def outcome_with(answer: bytes | None, scheme: str) -> str | None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        if answer is None:
            while await reader.read(1000):
                pass
        else:
            writer.write(answer)
        writer.close()

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        outcome = await unreachable(f"{scheme}://127.0.0.1:{port}", 10)
        await asyncio.sleep(1)
        return outcome


@pytest.mark.parametrize(
    ("answer", "scheme", "outcome"),
    [
        (b"no such protocol\r\n\r\n", "ws", "handshake rejected"),
        (b"no such protocol\r\n\r\n", "wss", "tls failed"),
        (None, "ws", "connecting timed out"),
    ],
)
def test_something_else_answers(answer: bytes | None, scheme: str, outcome: str) -> None:
    assert run_virtually(outcome_with(answer, scheme)) == outcome


async def test_nobody_answers() -> None:
    assert await unreachable("ws://127.0.0.1:9", 10) == "unreachable"
