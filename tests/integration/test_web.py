"""The endpoints through a real server on a free port."""

import asyncio
import json
import signal
import socket
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import httpx
import pytest
from litestar import Request, get, post

from ringback.errors import SettingsError
from ringback.web.app import create_app
from ringback.web.health import Check, Status
from ringback.web.server import WebServer
from support.debian import require_debian
from support.web import HEALTHY, METRICS, Patient

SOON = 10.0


@get("/broken", sync_to_thread=False)
def broken() -> str:
    raise RuntimeError("canary")


@post("/echo")
async def echo(request: Request[Any, Any, Any]) -> bytes:
    return await request.body()


class Slow:
    def __init__(self) -> None:
        self.begun = asyncio.Event()
        self.go_on = asyncio.Event()

    def handler(self) -> Any:
        @get("/slow")
        async def slow() -> str:
            self.begun.set()
            await self.go_on.wait()
            return "done"

        return slow


def server(health: Patient = HEALTHY, *handlers: Any, port: int = 0, drain: float = 5) -> WebServer:
    app = create_app(health, METRICS.expose, handlers=[broken, echo, *handlers])
    return WebServer(app, host="127.0.0.1", port=port, drain=drain)


@asynccontextmanager
async def serving(server: WebServer) -> AsyncIterator[httpx.AsyncClient]:
    port = server.bind()
    task = asyncio.create_task(server.run())
    try:
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=SOON
        ) as client:
            yield client
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def test_alive_whatever_the_health() -> None:
    async with serving(server(Patient(Check("store", Status.FAILED, "full")))) as client:
        answer = await client.get("/livez")
    assert (answer.status_code, answer.text) == (200, "ok\n")


@pytest.mark.parametrize(
    ("query", "checks"),
    [
        ("", []),
        (
            "?verbose",
            [{"name": "store", "status": "ok"}, {"name": "restored", "status": "ok"}],
        ),
    ],
)
async def test_ready(query: str, checks: list[object]) -> None:
    async with serving(server()) as client:
        answer = await client.get(f"/readyz{query}")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == {"status": "ok", "checks": checks}


@pytest.mark.parametrize(("status", "code"), [(Status.DEGRADED, 200), (Status.FAILED, 503)])
async def test_a_blind_source_is_still_ready_and_a_failed_store_is_not(
    status: Status, code: int
) -> None:
    patient = Patient(Check("restored", Status.OK), Check("part", status, "why"))
    async with serving(server(patient)) as client:
        answer = await client.get("/readyz")
    assert answer.status_code == code
    assert answer.json() == {
        "status": status,
        "checks": [{"name": "part", "status": status, "reason": "why"}],
    }


async def test_a_full_scrape_pleases_promtool() -> None:
    async with serving(server()) as client:
        answer = await client.get("/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert "ringback_frames_total 7.0" in answer.text
    promtool = require_debian("prometheus", "promtool")
    done = await asyncio.to_thread(
        subprocess.run,
        [promtool, "check", "metrics"],
        input=answer.content,
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


async def test_openmetrics_by_accept() -> None:
    async with serving(server()) as client:
        answer = await client.get(
            "/metrics", headers={"accept": "application/openmetrics-text; version=1.0.0"}
        )
    assert answer.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert answer.headers["vary"] == "Accept"
    assert answer.text.endswith("# EOF\n")


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics", "/nowhere", "/broken"])
async def test_every_answer_carries_the_security_headers(path: str) -> None:
    async with serving(server()) as client:
        answer = await client.get(path)
    assert answer.headers["content-security-policy"].startswith("default-src 'none';")
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "server" not in answer.headers


async def test_a_name_from_elsewhere_is_misdirected() -> None:
    async with serving(server()) as client:
        answer = await client.get("/metrics", headers={"host": "evil.example"})
    assert answer.status_code == 421
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.json()["status"] == 421
    assert "ringback" not in answer.text


@pytest.mark.parametrize(
    ("method", "path", "status", "title"),
    [
        ("GET", "/nowhere", 404, "Not Found"),
        ("POST", "/livez", 405, "Method Not Allowed"),
        ("GET", "/schema", 404, "Not Found"),
        ("GET", "/broken", 500, "Internal Server Error"),
    ],
)
async def test_errors_are_problem_details(method: str, path: str, status: int, title: str) -> None:
    async with serving(server()) as client:
        answer = await client.request(method, path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert (problem["type"], problem["title"], problem["status"]) == ("about:blank", title, status)
    assert "canary" not in answer.text


@pytest.mark.parametrize(
    ("said", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nno colon\r\n\r\n", 400),
        (b"what is this\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: %b" % (b"x" * 70_000), 431),
    ],
)
async def test_what_is_no_http_is_a_problem_as_well(said: bytes, status: int) -> None:
    async with serving(server()) as client, asyncio.timeout(SOON):
        reader, writer = await asyncio.open_connection("127.0.0.1", client.base_url.port)
        writer.write(said)
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
        writer.close()
    assert head.startswith(b"HTTP/1.1 %d " % status)
    assert b"content-type: application/problem+json" in head.lower()
    assert b"x-content-type-options: nosniff" in head.lower()
    assert json.loads(body)["status"] == status


async def test_head_says_what_get_would() -> None:
    async with serving(server()) as client:
        got, head = await client.get("/livez"), await client.head("/livez")
        again = await client.get("/livez")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == got.headers["content-length"]
    assert again.text == "ok\n"


async def test_a_body_that_is_too_large_is_refused() -> None:
    async with serving(server()) as client:
        answer = await client.post("/echo", json={"x": "x" * 70_000})
    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_port_in_use_is_said_so() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError, match=rf"web\.port: {port} is in use on 127\.0\.0\.1"):
            server(port=port).bind()


@pytest.mark.parametrize("host", ["192.0.2.1", "no.such.host.invalid", "not a host"])
async def test_an_address_that_is_not_ours_is_said_so(host: str) -> None:
    app = create_app(HEALTHY, METRICS.expose)
    with pytest.raises(SettingsError, match=rf"web\.host: {host} is no address"):
        WebServer(app, host=host, port=0, drain=1).bind()


async def test_signals_stay_the_daemons() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    async with serving(server()) as client:
        await client.get("/livez")
        during = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    assert during == before


async def test_a_request_in_flight_is_finished_at_the_end() -> None:
    slow = Slow()
    running = server(HEALTHY, slow.handler())
    running.bind()
    task = asyncio.create_task(running.run())
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{running.port}", trust_env=False, timeout=SOON
    ) as client:
        asking = asyncio.create_task(client.get("/slow"))
        await slow.begun.wait()
        task.cancel()
        slow.go_on.set()
        assert (await asking).text == "done"
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_request_that_never_ends_is_cut_off() -> None:
    slow = Slow()
    running = server(HEALTHY, slow.handler(), drain=1)
    running.bind()
    task = asyncio.create_task(running.run())
    async with httpx.AsyncClient(
        base_url=f"http://127.0.0.1:{running.port}", trust_env=False, timeout=SOON
    ) as client:
        asking = asyncio.create_task(client.get("/slow"))
        await slow.begun.wait()
        task.cancel()
        async with asyncio.timeout(SOON):
            with pytest.raises(asyncio.CancelledError):
                await task
            with suppress(httpx.HTTPError):
                await asking
