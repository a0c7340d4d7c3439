from typing import Any

import pytest

from ringback.web.shield import LOOPBACK_NAMES, Shield, is_loopback


async def answered(
    headers: list[tuple[bytes, bytes]],
    hosts: frozenset[str] | None = LOOPBACK_NAMES,
    kind: str = "http",
) -> list[dict[str, Any]]:
    sent: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        own = [(b"Cache-Control", b"max-age=60")]
        await send({"type": "http.response.start", "status": 200, "headers": own})

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        raise AssertionError

    scope: Any = {"type": kind, "headers": headers}
    await Shield(app, hosts)(scope, receive, send)
    return sent


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST:80", "127.0.0.1", "127.0.0.1:9999", "[::1]", "[::1]:8080"]
)
async def test_this_machines_names_are_let_through(host: str) -> None:
    (start,) = await answered([(b"host", host.encode())])
    assert start["status"] == 200


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [(b"host", b"")],
        [(b"host", b"evil.example")],
        [(b"host", b"127.0.0.1.evil.example")],
        [(b"host", b"localhost.evil.example:8080")],
        [(b"host", b"localhost@evil.example")],
        [(b"host", b"[::1].evil.example")],
        [(b"host", b"localhost"), (b"host", b"evil.example")],
        [(b"host", b"\xff")],
    ],
)
async def test_any_other_name_is_misdirected(headers: list[tuple[bytes, bytes]]) -> None:
    start, body = await answered(headers)
    assert start["status"] == 421
    assert b"evil" not in body["body"]


async def test_a_websocket_from_elsewhere_is_closed() -> None:
    (message,) = await answered([(b"host", b"evil.example")], kind="websocket")
    assert message["type"] == "websocket.close"


async def test_without_a_list_any_name_will_do() -> None:
    (start,) = await answered([(b"host", b"ringback.example")], hosts=None)
    assert start["status"] == 200


async def test_a_handlers_own_header_is_kept() -> None:
    (start,) = await answered([(b"host", b"localhost")])
    caching = [value for name, value in start["headers"] if name.lower() == b"cache-control"]
    assert caching == [b"max-age=60"]
    assert dict(start["headers"])[b"x-content-type-options"] == b"nosniff"


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.1.2.3", True),
        ("::1", True),
        ("0.0.0.0", False),
        ("::", False),
        ("10.0.0.1", False),
        ("localhost.example", False),
    ],
)
def test_what_is_loopback(host: str, local: bool) -> None:
    assert is_loopback(host) is local
