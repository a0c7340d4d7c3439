"""`ringback cleanup` as people type it, at a daemon as a process, before the simulated platform."""

import asyncio
import json
import os
import pty
import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
from aiohttp import web

from ringback.runtime.clock import SystemClock
from ringback.simulator.centre import ContactCentre
from ringback.simulator.genesys.mischief import Handler
from ringback.simulator.genesys.server import GenesysCloud
from support.cleanup import DISCONNECT, FORGOTTEN
from support.daemon import SOON, Child, environment, execute, ringback_command, running

PAST = timedelta(minutes=40)


@asynccontextmanager
async def forgotten(folder: Path) -> AsyncIterator[tuple[GenesysCloud, Child]]:
    """Serve an organisation in which much has been due for long, and let a daemon follow it."""
    now = SystemClock().now()
    centre = ContactCentre(5, now - PAST, FORGOTTEN)
    centre.advance(now)
    async with (
        GenesysCloud(centre, SystemClock()) as cloud,
        running(
            folder,
            source__kind="genesys",
            genesys__login_url=cloud.url,
            genesys__api_url=cloud.url,
            genesys__client_id=cloud.client.id,
            genesys__client_secret=cloud.client.secret,
            cleanup__enabled=True,
            cleanup__kinds="due_not_released",
        ) as child,
    ):
        await child.tells("alert.firing", 2)
        yield cloud, child


async def stuck(child: Child, least: int = 2) -> list[dict[str, Any]]:
    """Wait until the API lists so many that may go."""
    async with asyncio.timeout(SOON):
        while True:
            told = (await child.get("/api/v1/cleanup")).json()
            rows = [row for row in told.get("zombies", []) if "whyNot" not in row]
            if len(rows) >= least:
                return rows
            await asyncio.sleep(0.05)


def deeds(folder: Path) -> list[dict[str, Any]]:
    lines = (folder / "audit.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def typed(folder: Path, said: str, *arguments: str) -> tuple[int, str]:
    """Run a command on a terminal and type a line; give exit code and what stood there."""
    mine, its = pty.openpty()
    try:
        child = subprocess.Popen(
            [*ringback_command(), *arguments],
            cwd=folder,
            env=environment() | {"TERM": "dumb", "COLUMNS": "100"},
            stdin=its,
            stdout=its,
            stderr=its,
        )
    finally:
        os.close(its)
    text = b""
    try:
        os.write(mine, f"{said}\n".encode())
        while part := _read(mine):
            text += part
        return child.wait(SOON), text.decode()
    finally:
        os.close(mine)


def _read(terminal: int) -> bytes:
    """Give what is there; nothing at its end, of which Linux makes an error."""
    try:
        return os.read(terminal, 65536)
    except OSError:
        return b""


async def test_it_lists_and_ends_what_is_named_once_yes_is_typed(tmp_path: Path) -> None:
    async with forgotten(tmp_path) as (cloud, child):
        first, second, *_ = [row["conversationId"] for row in await stuck(child)]
        there = ["--url", await child.url()]
        code, out, err = await execute(tmp_path, "cleanup", *there)
        assert (code, err) == (0, "")
        lines = out.decode().splitlines()
        where = lines.index(first)
        assert lines[where + 1].startswith("  Scheduled for ")
        assert ": confirmed by a read at " in lines[where + 2]
        assert lines[-1] == "Nothing was done: name with --do what is to be disconnected."
        code, out, _ = await execute(tmp_path, "cleanup", "--json", *there)
        assert first in [row["conversationId"] for row in json.loads(out)["zombies"]]

        code, _, err = await execute(tmp_path, "cleanup", "--do", first, *there)
        assert (code, "needs a terminal" in err) == (2, True)
        chosen = ["cleanup", "--do", first, "--do", second, *there]
        code, text = await asyncio.to_thread(typed, tmp_path, "y", *chosen)
        assert (code, "Nothing was done." in text) == (1, True)
        assert (cloud.requests[DISCONNECT], deeds(tmp_path)) == (0, [])

        code, text = await asyncio.to_thread(typed, tmp_path, "yes", *chosen)
        assert code == 0, text
        assert "This ends these 2 conversations for good" in text
        assert f"{first}  Disconnected" in text
        assert f"{second}  Disconnected" in text
        assert cloud.requests[DISCONNECT] == 2
        assert cloud.centre.scene(first) is None
        noted = [(deed["who"], deed["action"], deed["subject"]) for deed in deeds(tmp_path)]
        assert noted == [("local", "disconnect", each) for each in (first, first, second, second)]
        code, text = await asyncio.to_thread(typed, tmp_path, "yes", *chosen)
        assert code == 1
        assert f"conversation {first} is not stuck for sure" in text


async def test_killed_in_the_middle_the_trail_says_what_was_about_to_be_done(
    tmp_path: Path,
) -> None:
    async with forgotten(tmp_path) as (cloud, child):
        row, *_ = await stuck(child)
        done, gone = asyncio.Event(), asyncio.Event()

        async def withhold(request: web.Request, handler: Handler) -> web.StreamResponse:
            response = await handler(request)
            done.set()
            await gone.wait()
            return response

        cloud.faults.plan("POST */disconnect", withhold)
        chosen = {key: row[key] for key in ("conversationId", "seen")}
        url = await child.url()

        async def post() -> None:
            async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=SOON) as client:
                await client.post("/api/v1/cleanup", json={"conversations": [chosen]})

        asking = asyncio.create_task(post())
        async with asyncio.timeout(SOON):
            await done.wait()
        child.process.send_signal(signal.SIGKILL)
        await child.ends()
        await asyncio.gather(asking, return_exceptions=True)
        gone.set()
        (deed,) = deeds(tmp_path)
        assert (deed["action"], deed["subject"]) == ("disconnect", row["conversationId"])
        assert deed["result"].startswith("about to: ")
        assert cloud.centre.scene(row["conversationId"]) is None


async def test_a_daemon_without_clean_up_says_how_to_enable_it(tmp_path: Path) -> None:
    async with running(tmp_path, store__kind="memory") as child:
        await child.says("board_loaded")
        code, out, err = await execute(tmp_path, "cleanup", "--url", await child.url())
        assert (code, out) == (1, b"")
        assert err.endswith(
            " has no clean-up; enable it there in its settings: [cleanup] enabled, see"
            " docs/cleanup.md\n"
        )
