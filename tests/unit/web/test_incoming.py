from typing import Any

import pytest
from litestar import Request

from ringback.web.incoming import Incoming, part_of


async def served(method: str, raw_path: str, headers: Any = (), status: int = 200) -> Any:
    """Give what an application got, and what was sent."""
    got: dict[str, Any] = {}
    sent: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        start = {"type": "http.response.start", "status": status, "headers": list(headers)}
        await send(start)
        got.update(scope, heard=(await receive())["type"])
        await send({"type": "http.response.body", "body": b"body", "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def receive() -> Any:
        return {"type": "http.request"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope: Any = {"type": "http", "method": method, "path": "", "raw_path": raw_path.encode()}
    await Incoming(app)(scope, receive, send)
    return got, sent


@pytest.mark.parametrize(
    ("raw", "path", "meant"),
    [
        ("a", "a", "a"),
        ("a%2Fb", "a%2Fb", "a/b"),
        ("a%2fb%2Fc", "a%2Fb%2Fc", "a/b/c"),
        ("a%252Fb", "a%252Fb", "a%2Fb"),
        ("100%25", "100%25", "100%"),
        ("%C3%BC%20x", "ü x", "ü x"),
        ("%FF", "\ufffd", "\ufffd"),
        ("%00", "\0", "\0"),
        ("%", "%25", "%"),
    ],
)
async def test_an_id_is_one_part_of_the_path_whatever_is_in_it(
    raw: str, path: str, meant: str
) -> None:
    got, _ = await served("GET", f"/callbacks/{raw}/reveal")
    assert got["path"] == f"/callbacks/{path}/reveal"
    scope: Any = {"type": "http", "path_params": {"callback_id": path}}
    assert part_of(Request(scope), "callback_id") == meant


async def test_head_is_get_without_its_body() -> None:
    got, sent = await served("HEAD", "/", [(b"content-length", b"4")])
    assert got["method"] == "GET"
    # What would go on for ever is told that there is nobody.
    assert got["heard"] == "http.disconnect"
    start, end = sent
    assert start["headers"] == [(b"content-length", b"4")]
    assert (end["body"], end["more_body"]) == (b"", False)


async def test_any_other_request_is_passed_on_as_it_is() -> None:
    got, sent = await served("GET", "/")
    assert (got["method"], got["heard"]) == ("GET", "http.request")
    assert [message.get("body") for message in sent] == [None, b"body", b""]


@pytest.mark.parametrize(
    ("status", "given", "shown"),
    [
        (405, b"GET, OPTIONS", b"HEAD, GET, OPTIONS"),
        (204, b"GET, OPTIONS", b"HEAD, GET, OPTIONS"),
        (405, b"websocket, GET, OPTIONS", b"HEAD, GET, OPTIONS"),
        (405, b"POST, OPTIONS", b"POST, OPTIONS"),
    ],
)
async def test_what_is_allowed_is_said_in_full(status: int, given: bytes, shown: bytes) -> None:
    _, sent = await served("POST", "/", [(b"allow", given)], status)
    assert sent[0]["headers"] == [(b"allow", shown)]


async def test_websockets_are_left_alone() -> None:
    got: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        got.append((scope, receive, send))

    scope: Any = {"type": "websocket", "path": "/a"}
    receive: Any = object()
    send: Any = object()
    await Incoming(app)(scope, receive, send)
    assert got == [(scope, receive, send)]
