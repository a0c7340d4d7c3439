"""A snapshot and the feed join without a hole, however often the daemon is killed in between."""

import asyncio
import random
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from support.daemon import SOON, Child, running
from support.gateway import contact_centre, to
from support.screen import Rows, Screen, entries, snapshot

KILLS = 6
SMALL_PAGES = 7
RUNNING_ON = ("holdSeconds", "waitSeconds", "autoDialAt")
STUCK = {"watch__not_dialled_seconds": 2, "watch__due_grace_seconds": 1}
"""So that alerts come and go as well."""


@asynccontextmanager
async def asking(child: Child) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=await child.url(), trust_env=False, timeout=SOON) as web:
        await child.says("board_loaded")
        async with asyncio.timeout(SOON):
            # What was restored is shown once all of it is committed.
            while (await web.get("/api/v1/session")).status_code != httpx.codes.OK:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        yield web


async def agree(screen: Screen, web: httpx.AsyncClient) -> None:
    """Ask for a snapshot, follow up to its position, and compare."""
    position, rows = await snapshot(web)
    if screen.position < position:
        async with asyncio.timeout(SOON):
            async for told, event in entries(web, screen.position):
                screen.take(told, event)
                if told == position:
                    break
    assert screen.position == position
    assert shown(screen.rows) == shown(rows)


def shown(rows: Rows) -> Rows:
    """Leave out what runs on without an event: after a restart it is known up to another moment."""
    return {
        name: {fact: value for fact, value in row.items() if fact not in RUNNING_ON}
        | {"alerts": sorted(row.get("alerts", ()), key=lambda one: str(one["alertId"]))}
        for name, row in rows.items()
    }


async def follow_until_killed(
    screen: Screen, child: Child, web: httpx.AsyncClient, after: float
) -> None:
    """Follow while the daemon is killed at some moment; what came whole counts."""
    killing = asyncio.get_running_loop().call_later(after, child.process.kill)
    try:
        async for position, event in entries(web, screen.position):
            screen.take(position, event)
    finally:
        killing.cancel()
    assert await child.ends() == -signal.SIGKILL


async def test_what_a_client_folds_is_what_the_api_shows_later(tmp_path: Path) -> None:
    chance = random.Random(4)
    async with contact_centre() as centre:
        settings = to(centre.url, **STUCK)
        async with running(tmp_path, **settings) as child, asking(child) as web:
            await child.tells("callback.disconnected", 5)
            screen = Screen(*await snapshot(web, SMALL_PAGES))
            begun = screen.position
            await child.tells("callback.disconnected", 10)
            await agree(screen, web)
        for _ in range(KILLS):
            async with running(tmp_path, **settings) as child, asking(child) as web:
                await agree(screen, web)
                await follow_until_killed(screen, child, web, chance.uniform(0.2, 1.5))
    assert screen.position > begun + 100
