"""Who may do what, over every route that there is, and what those see who may only look."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from ringback.web.access.gate import OPEN
from support.access import TOKENS, bearer
from support.gateway import NAME, NUMBER, frame
from support.house import House, living_in

LOOKING = {"viewer", "operator"}
ACTING = {"operator"}
ALL = {"viewer", "operator", "metrics"}
EVERYBODY = ALL | {"nobody"}

ROUTES = {
    ("GET", "/"): LOOKING,
    ("GET", "/api/v1/alerts"): LOOKING,
    ("POST", "/api/v1/alerts/acknowledge"): ACTING,
    ("GET", "/api/v1/audit"): ACTING,
    ("GET", "/api/v1/callbacks"): LOOKING,
    ("GET", "/api/v1/callbacks/{callback_id}"): LOOKING,
    ("POST", "/api/v1/callbacks/{callback_id}/reveal"): ACTING,
    ("GET", "/api/v1/cleanup"): ACTING,
    ("POST", "/api/v1/cleanup"): ACTING,
    ("GET", "/api/v1/events"): LOOKING,
    ("GET", "/api/v1/feed"): LOOKING,
    ("WEBSOCKET", "/api/v1/feed"): LOOKING,
    ("GET", "/api/v1/receivers"): LOOKING,
    ("DELETE", "/api/v1/receivers/{name}/dead/{number}"): ACTING,
    ("GET", "/api/v1/rules"): LOOKING,
    ("POST", "/api/v1/rules/reload"): ACTING,
    ("GET", "/api/v1/schemas"): LOOKING,
    ("GET", "/api/v1/schemas/{event_type}"): LOOKING,
    ("GET", "/api/v1/session"): LOOKING,
    ("GET", "/api/v1/silences"): LOOKING,
    ("POST", "/api/v1/silences"): ACTING,
    ("DELETE", "/api/v1/silences/{silence_id}"): ACTING,
    ("GET", "/api/v1/sources"): LOOKING,
    ("GET", "/api/v1/summary"): LOOKING,
    ("GET", "/api/v1/trends"): LOOKING,
    ("GET", "/assets/{path}"): LOOKING,
    ("GET", "/livez"): EVERYBODY,
    ("GET", "/login"): EVERYBODY,
    ("POST", "/login"): EVERYBODY,
    ("POST", "/logout"): ALL,
    ("GET", "/metrics"): {"metrics", "operator"},
    ("GET", "/openapi.json"): LOOKING,
    ("GET", "/readyz"): EVERYBODY,
}
"""Who gets through. A new route has its place here, or the test fails."""


@pytest.fixture
async def house(tmp_path: Path) -> AsyncIterator[House]:
    async with living_in(tmp_path, frame()) as house:
        yield house


def filled(path: str) -> str:
    return path.replace("{callback_id}", "c-1").replace("{path}", "main.js")


async def test_every_route_says_who_may_and_keeps_to_it(house: House) -> None:
    async with house.web() as web:
        assert (await web.get("/spy", headers=bearer("viewer"))).status_code == 200
    known = {
        (method, path.replace(":str", "").replace(":path", "")): handler
        for method, path, handler in house.routes
        if path != "/spy"
    }
    assert known.keys() == ROUTES.keys()
    for (method, path), allowed in ROUTES.items():
        assert "roles" in known[method, path].opt, path
        for role in ("nobody", *TOKENS):
            status, _ = await house.begins(method, filled(path), bearer(role))
            if role in allowed:
                # 401 of the login page itself is that of a wrong token.
                assert status != 403, (method, path, role)
                assert status != 401 or path == "/login", (method, path, role)
            else:
                wanted = 401 if role == "nobody" else 403
                assert status == wanted, (method, path, role)


async def test_strangers_may_go_exactly_where_routes_let_them(house: House) -> None:
    assert {path for (_, path), allowed in ROUTES.items() if "nobody" in allowed} == OPEN
    for path in ("/nowhere", "//livez", "/livez/", "/login/x", "/LIVEZ", "/livez/../metrics", ""):
        assert (await house.begins("GET", path, {}))[0] == 401, path


async def test_no_answer_to_a_viewer_holds_a_number_or_a_name(house: House) -> None:
    given = bearer("viewer")
    told = {}
    for (method, path), allowed in ROUTES.items():
        if method in ("POST", "DELETE") or "viewer" not in allowed:
            continue
        query = "?after=0" if path in ("/api/v1/events", "/api/v1/feed") else ""
        status, body = await house.begins(method, filled(path) + query, given)
        told[method, path] = body
        assert status in (101, 200, 404, 426), path
        assert NUMBER[1:].encode() not in body, path
        assert NAME.encode() not in body, path
        assert NAME.split()[0].encode() not in body, path
    masked = "…33".encode()
    for route in (
        ("GET", "/api/v1/callbacks"),
        ("GET", "/api/v1/callbacks/{callback_id}"),
        ("GET", "/api/v1/events"),
        ("WEBSOCKET", "/api/v1/feed"),
    ):
        assert masked in told[route] or b"\\u202633" in told[route], (route, told[route][:2000])


async def test_an_operators_feed_is_the_journals_own(house: House) -> None:
    for method, path in (("GET", "/api/v1/events"), ("WEBSOCKET", "/api/v1/feed")):
        _, body = await house.begins(method, f"{path}?after=0", bearer("operator"))
        assert NUMBER.encode() in body
        assert NAME.encode() in body


async def test_nobody_who_asks_costs_a_thread(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Litestar runs plain functions in threads, guards too: of every request."""
    loop = asyncio.get_running_loop()
    asked: list[object] = []
    run = loop.run_in_executor

    def noting(executor: Any, work: Any, *given: Any) -> Any:
        asked.append(executor or work)
        return run(executor, work, *given)

    monkeypatch.setattr(loop, "run_in_executor", noting)
    # The audit trail has a thread of its own; what looks at every row is done aside on purpose.
    aside = {"/api/v1/audit", "/api/v1/cleanup", "/api/v1/summary"}
    for (method, path), allowed in ROUTES.items():
        if method in ("GET", "WEBSOCKET") and path not in aside and "operator" in allowed:
            await house.begins(method, filled(path), bearer("operator"))
            assert asked == [], path
