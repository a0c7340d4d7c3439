"""Debian's Prometheus and Alertmanager, each on a free port with a folder of its own."""

import asyncio
import re
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any, TypeVar

import httpx

from support.daemon import SOON
from support.debian import require_debian

__all__ = ["Server", "alertmanager_running", "prometheus_running"]

LISTENING = re.compile(rb'msg="Listening on" address=(\S+)')
PATIENCE_SECONDS = 180.0
"""They do nothing at once: each scrape, evaluation and notification has its turn."""
LOOK_SECONDS = 0.1
Found = TypeVar("Found")


class Server:
    """One that runs, and is asked over HTTP."""

    def __init__(self, address: str, web: httpx.AsyncClient) -> None:
        self.address = address
        """Host and port."""
        self._web = web

    async def ready(self) -> bool:
        """Whether it is ready to be asked."""
        return (await self._web.get("/-/ready")).status_code == HTTPStatus.OK

    async def get(self, path: str, **asked: Any) -> Any:
        """Ask; give what the JSON says."""
        answer = await self._web.get(path, **asked)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def post(self, path: str, body: Any) -> Any:
        """Send JSON; give what the JSON of the answer says, if there is any."""
        answer = await self._web.post(path, json=body)
        assert answer.status_code in {200, 202}, answer.text
        return answer.json() if answer.content else None

    async def query(self, expression: str) -> list[dict[str, Any]]:
        """Evaluate an expression of Prometheus now; give the series, as its API does."""
        answer = await self.get("/api/v1/query", params={"query": expression})
        assert answer["status"] == "success", answer
        found = answer["data"]["result"]
        assert isinstance(found, list)
        return found

    async def until(self, expression: str) -> list[dict[str, Any]]:
        """Wait until an expression of Prometheus gives something; give it."""
        return await _until(lambda: self.query(expression))

    async def alerts(self, name: str) -> list[dict[str, Any]]:
        """Wait until an Alertmanager has alerts of a name; give them, as its API does."""
        asked = {"filter": f'alertname="{name}"'}
        return await _until(lambda: self.get("/api/v2/alerts", params=asked))

    async def groups(self, count: int) -> list[dict[str, Any]]:
        """Wait until an Alertmanager has looked at so many alerts; give their groups."""

        async def ask() -> list[dict[str, Any]]:
            groups: list[dict[str, Any]] = await self.get("/api/v2/alerts/groups")
            states = [one["status"]["state"] for group in groups for one in group["alerts"]]
            return groups if len(states) == count and "unprocessed" not in states else []

        return await _until(ask)


async def _until(ask: Callable[[], Awaitable[Found]]) -> Found:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not (found := await ask()):  # noqa: ASYNC110  # another process is waited for
            await asyncio.sleep(LOOK_SECONDS)
    return found


@asynccontextmanager
async def prometheus_running(folder: Path, configuration: Path) -> AsyncIterator[Server]:
    """Start a Prometheus that keeps its data in `folder`."""
    async with _running(
        require_debian("prometheus", "prometheus"),
        {
            "config.file": configuration,
            "storage.tsdb.path": folder / "prometheus",
            "web.listen-address": "127.0.0.1:0",
            # What fires before it has found its Alertmanager is not sent; so it is sent again soon.
            "rules.alert.resend-delay": "2s",
        },
    ) as server:
        yield server


@asynccontextmanager
async def alertmanager_running(folder: Path, configuration: Path) -> AsyncIterator[Server]:
    """Start an Alertmanager that keeps its data in `folder`, and knows no other."""
    async with _running(
        require_debian("prometheus-alertmanager", "prometheus-alertmanager"),
        {
            "config.file": configuration,
            "storage.path": folder / "alertmanager",
            "web.listen-address": "127.0.0.1:0",
            "cluster.listen-address": "",
        },
    ) as server:
        yield server


@asynccontextmanager
async def _running(program: str, flags: Mapping[str, str | Path]) -> AsyncIterator[Server]:
    """Start a program that logs where it listens; end it at the end."""
    process = await asyncio.create_subprocess_exec(
        program,
        *(f"--{name}={value}" for name, value in flags.items()),
        stdin=DEVNULL,
        stdout=DEVNULL,
        stderr=PIPE,
    )
    assert process.stderr is not None
    reading: asyncio.Task[None] | None = None
    try:
        address = await _address(process.stderr)
        # It is read on, so that the pipe never fills.
        reading = asyncio.create_task(_read(process.stderr))
        async with httpx.AsyncClient(
            base_url=f"http://{address}", trust_env=False, timeout=SOON
        ) as web:
            server = Server(address, web)
            await _until(server.ready)
            yield server
    finally:
        if process.returncode is None:
            process.kill()  # what it keeps is thrown away
        await process.wait()
        if reading is not None:
            await reading


async def _address(log: asyncio.StreamReader) -> str:
    said = bytearray()
    async with asyncio.timeout(SOON):
        while line := await log.readline():
            said += line
            if found := LISTENING.search(line):
                return found[1].decode()
    raise AssertionError(said.decode(errors="replace"))


async def _read(log: asyncio.StreamReader) -> None:
    while await log.read(1 << 16):
        pass
