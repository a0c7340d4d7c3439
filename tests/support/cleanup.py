"""A daemon on an organisation full of zombies, and an operator who asks: in virtual time."""

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor, Future
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx
import msgspec

from ringback.app.showing import Showing
from ringback.settings import CleanupSettings, Settings
from ringback.simulator.genesys.server import GenesysCloud
from ringback.simulator.kinds import Kind
from ringback.simulator.options import Options
from ringback.sinks.audit import AuditTrail
from ringback.stores.memory import MemoryStore
from ringback.web.app import create_app
from support.organisation import Following, MillisecondClock, following, organisation
from support.web import HEALTHY, METRICS

__all__ = ["DISCONNECT", "Cleaning", "cleaning", "graveyard", "trail_in"]

DISCONNECT = "POST /api/v2/conversations/{id}/disconnect"
T = TypeVar("T")

FORGOTTEN = Options(
    arrivals_per_minute=4, max_live=12, mix={Kind.NEVER_RELEASED: 1}, stuck_seconds=1e6
)
"""Every callback falls due, and is never released."""


class AtOnce(Executor):
    """No thread: virtual time would run away while one works."""

    def submit(self, work: Callable[..., T], /, *given: Any, **named: Any) -> Future[T]:
        """Do it now."""
        done: Future[T] = Future()
        try:
            done.set_result(work(*given, **named))
        except Exception as error:  # noqa: BLE001  # whoever waits gets it
            done.set_exception(error)
        return done


def trail_in(folder: Path) -> AuditTrail:
    """Open the audit trail there."""
    trail = AuditTrail(folder / "audit.jsonl", MillisecondClock())
    trail._thread.shutdown()
    trail._thread = AtOnce()  # type: ignore[assignment]  # it is only handed work
    return trail


@dataclass
class Cleaning:
    """What a test wants to know, and whom it asks."""

    found: Following
    showing: Showing
    trail: AuditTrail
    web: httpx.AsyncClient

    @property
    def platform(self) -> GenesysCloud:
        """The platform."""
        return self.found.platform

    @property
    def asked(self) -> int:
        """How often the platform was asked to end a conversation."""
        return self.platform.requests[DISCONNECT]

    async def look(self) -> dict[str, Any]:
        """Look at what is stuck."""
        answer = await self.web.get("/api/v1/cleanup")
        assert answer.status_code == 200, answer.text
        told: dict[str, Any] = answer.json()
        return told

    async def stuck(self, least: int) -> list[dict[str, Any]]:
        """Wait until so many may be disconnected; give those."""
        async with asyncio.timeout(7200):
            while True:
                rows = [row for row in (await self.look())["zombies"] if "whyNot" not in row]
                if len(rows) >= least:
                    return rows
                await asyncio.sleep(5)

    async def end(self, *rows: dict[str, Any]) -> list[tuple[str, str]]:
        """Have some disconnected as they were seen; give what became of each, and why."""
        answer = await self.send(*rows)
        assert answer.status_code == 200, answer.text
        results = answer.json()["results"]
        assert [one["conversationId"] for one in results] == [row["conversationId"] for row in rows]
        return [(one["result"], one.get("why", "")) for one in results]

    async def send(self, *rows: dict[str, Any]) -> httpx.Response:
        """Ask for some to be disconnected."""
        chosen = [{key: row[key] for key in ("conversationId", "seen")} for row in rows]
        return await self.web.post("/api/v1/cleanup", json={"conversations": chosen})

    async def deeds(self) -> list[tuple[str, str, str]]:
        """Give what is in the audit trail, oldest first: what was done, to what, the result."""
        found = await self.trail.deeds(None, 1000, lambda _: True)
        return [(deed.action, deed.subject, deed.result) for deed in reversed(found)]

    def live(self, row: dict[str, Any]) -> bool:
        """Whether the platform has it still."""
        return self.platform.centre.scene(row["conversationId"]) is not None


@asynccontextmanager
async def cleaning(
    platform: GenesysCloud,
    folder: Path,
    store: MemoryStore | None = None,
    **settings: Any,
) -> AsyncIterator[Cleaning]:
    """Follow a platform with clean-up enabled."""
    wished = msgspec.structs.replace(
        CleanupSettings(enabled=True, kinds="due_not_released"), **settings
    )
    trail = trail_in(folder)
    async with following(platform, store) as found:
        showing = Showing(
            Settings(cleanup=wished),
            found.pipeline,
            found.store,
            found.source,
            trail,
        )
        showing.use(found.source, found.pipeline)
        app: Any = create_app(HEALTHY, METRICS.expose, handlers=showing.handlers)
        shown = [asyncio.create_task(showing.follow()), asyncio.create_task(showing.load())]
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as web:
            await found.hearing()
            await found.until(lambda: showing.board.loaded)
            try:
                yield Cleaning(found, showing, trail, web)
            finally:
                for task in shown:
                    task.cancel()
                await asyncio.gather(*shown, return_exceptions=True)
                trail.close()


@asynccontextmanager
async def graveyard(folder: Path, **settings: Any) -> AsyncIterator[Cleaning]:
    """Serve an organisation in which nothing is ever released, and follow it."""
    async with (
        organisation(FORGOTTEN) as (platform, _),
        cleaning(platform, folder, **settings) as found,
    ):
        yield found
