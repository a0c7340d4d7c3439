from collections import Counter
from typing import Any

import pytest

from ringback.settings.platform import loopback
from ringback.web.heads import LOOPBACK_NAMES
from ringback.web.refusals import Refusal, Refusals
from ringback.web.shield import Shield


async def answered(
    headers: list[tuple[bytes, bytes]],
    *,
    kind: str = "http",
    scheme: str = "http",
    addresses: bool = False,
) -> list[dict[str, Any]]:
    sent: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        own = [(b"Cache-Control", b"max-age=60")]
        await send({"type": "http.response.start", "status": 200, "headers": own})

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        raise AssertionError

    scope: Any = {"type": kind, "scheme": scheme, "headers": headers}
    await Shield(app, LOOPBACK_NAMES, Counter(), addresses=addresses)(scope, receive, send)
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


async def test_a_websockets_handshake_from_elsewhere_is_misdirected() -> None:
    start, _ = await answered([(b"host", b"evil.example")], kind="websocket")
    assert (start["type"], start["status"]) == ("websocket.http.response.start", 421)


async def test_what_is_refused_is_counted() -> None:
    refusals: Refusals = Counter()

    async def unused(*_: Any) -> None:
        pass

    await Shield(unused, LOOPBACK_NAMES, refusals)({"type": "http", "headers": []}, unused, unused)  # type: ignore[arg-type]
    assert refusals == {Refusal.HOST: 1}


@pytest.mark.parametrize(("scheme", "sent"), [("https", True), ("wss", True), ("http", False)])
async def test_over_tls_browsers_are_told_to_stay_with_it(scheme: str, *, sent: bool) -> None:
    (start,) = await answered([(b"host", b"localhost")], scheme=scheme)
    assert (b"strict-transport-security" in dict(start["headers"])) is sent


@pytest.mark.parametrize("host", ["192.0.2.1:8080", "[2001:db8::1]:8080"])
async def test_where_any_address_will_do_a_name_still_must_be_known(host: str) -> None:
    assert (await answered([(b"host", host.encode())]))[0]["status"] == 421
    assert (await answered([(b"host", host.encode())], addresses=True))[0]["status"] == 200
    assert (await answered([(b"host", b"evil.example")], addresses=True))[0]["status"] == 421


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
    assert loopback(host) is local
