"""All that a daemon serves, in the process itself, with tokens for one of each role."""

import asyncio
import io
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
from litestar import Request, get

from ringback.app.delivering import Delivery
from ringback.app.doors import Doors
from ringback.app.routes import all_handlers
from ringback.app.ruling import Ruling
from ringback.app.showing import Showing
from ringback.core.policy import Policy
from ringback.runtime.pipeline import Pipeline
from ringback.settings import CleanupSettings, PrivacySettings, Settings, WebSettings
from ringback.stores.memory import MemoryStore
from ringback.web.app import create_app
from ringback.web.connection import Connection
from ringback.web.visitors import roles
from ringback.wire.decode import Decoder
from ringback.wire.privacy import Privacy
from support.access import tokens_file
from support.callbacks import at
from support.runtime import Ear, make_pipeline, settled
from support.web import HEALTHY, METRICS

__all__ = ["House", "living_in"]

FIRST_WORDS_SECONDS = 0.5


class House:
    """Whoever is let in finds a pipeline shown; what is asked is asked without a server."""

    def __init__(self, folder: Path, **web: Any) -> None:
        self.seconds = 0.0
        self.tokens = tokens_file(folder)
        privacy = PrivacySettings(numbers=True, names=True)
        settings = Settings(
            web=WebSettings(tokens=str(self.tokens), **web),
            privacy=privacy,
            cleanup=CleanupSettings(enabled=True),
        )
        store = MemoryStore(timedelta(days=8))
        self.pipeline: Pipeline = make_pipeline(store, self, policy=Policy())
        self.pipeline.decoder = Decoder(Privacy(numbers=True, names=True), 1 << 20)
        self.wire: Any = Wire()
        self.doors = Doors(settings, folder, self)
        self.showing = Showing(settings, self.pipeline, store, Ear(), self.doors.audit)
        self.showing.use(Ear(), self.pipeline)
        self.routes: list[tuple[str, str, Any]] = []
        delivery = Delivery(
            settings,
            self.pipeline,
            past=store,
            books=self.pipeline,
            source=Ear(),
            out=io.StringIO(),
            dashboard=lambda: "http://localhost",
        )
        ruling = Ruling(settings, self.pipeline)
        handlers = [*all_handlers(self.doors, self.showing, ruling, delivery), self._spy()]
        self.app: Any = create_app(
            HEALTHY,
            METRICS.expose,
            access=self.doors.access,
            reach=self.doors.reach,
            refusals=self.doors.refusals,
            handlers=handlers,
        )

    def now(self) -> Any:
        """Give the time of the house."""
        return at(self.seconds)

    def _spy(self) -> Any:
        @get("/spy", opt=roles(None))
        async def spy(request: Request[Any, Any, Any]) -> None:
            routes: list[Any] = request.app.routes
            for route in routes:
                for handler in getattr(route, "route_handlers", None) or [route.route_handler]:
                    for method in getattr(handler, "http_methods", ("WEBSOCKET",)):
                        if method != "OPTIONS":
                            self.routes.append((method, route.path_format, handler))

        return spy

    def web(self, scheme: str = "http", address: str = "192.0.2.1") -> httpx.AsyncClient:
        """Give somebody who asks."""
        transport = httpx.ASGITransport(app=self.app, client=(address, 5000))
        return httpx.AsyncClient(transport=transport, base_url=f"{scheme}://localhost")

    async def begins(
        self, method: str, path: str, headers: dict[str, str], body: bytes = b"{}"
    ) -> tuple[int, bytes]:
        """Ask for anything, a feed or a websocket too; give the status and how the answer begins.

        One who opens a websocket is answered 101. Who asks hangs up after a while.
        """
        sent: list[Any] = []
        kind = "websocket" if method == "WEBSOCKET" else "http"
        said = iter(
            [{"type": "websocket.connect"}]
            if kind == "websocket"
            else [{"type": "http.request", "body": body, "more_body": False}]
        )

        async def receive() -> Any:
            for message in said:
                return message
            # In this time a feed has said its first words.
            await asyncio.sleep(FIRST_WORDS_SECONDS)
            return {"type": f"{kind}.disconnect", "code": 1006}

        async def send(message: Any) -> None:
            sent.append(message)

        writable = asyncio.Event()
        writable.set()
        path, _, query = path.partition("?")
        given = {"host": "localhost", "content-type": "application/json"} | headers
        await self.app(
            {
                "type": kind,
                **({} if kind == "websocket" else {"method": method}),
                "http_version": "1.1",
                "scheme": "ws" if kind == "websocket" else "http",
                "path": path,
                "raw_path": path.encode(),
                "root_path": "",
                "query_string": query.encode(),
                "client": ("192.0.2.1", 5000),
                "headers": [(name.encode(), value.encode()) for name, value in given.items()],
                "state": {"connection": Connection(self.wire, writable)},
                "subprotocols": [],
                "extensions": {"websocket.http.response": {}},
            },
            receive,
            send,
        )
        if sent[0]["type"] == "websocket.accept":
            return 101, self.wire.written
        if sent[0]["type"] == "websocket.close":
            # Servers answer a handshake so that is not accepted.
            return 403, b""
        assert sent[0]["type"].endswith("http.response.start"), sent[0]
        return sent[0]["status"], b"".join(each.get("body", b"") for each in sent[1:])

    async def send(self, *frames: bytes) -> None:
        """Take frames in, and let them be shown."""
        for one in frames:
            self.pipeline.frame(one)
        await self.pipeline.commit()
        await self.showing.journal.beyond(self.pipeline.position - 1)


class Wire:
    """Where a websocket's frames go."""

    def __init__(self) -> None:
        self.written = b""

    def write(self, frames: bytes) -> None:
        """Take frames."""
        self.written += frames

    def is_closing(self) -> bool:
        """Say that it is open."""
        return False

    def get_write_buffer_size(self) -> int:
        """Say that all is sent."""
        return 0


@asynccontextmanager
async def living_in(folder: Path, *frames: bytes, **web: Any) -> AsyncIterator[House]:
    """Open a house, with some frames in it already."""
    house = House(folder, **web)
    tasks: Sequence[asyncio.Task[None]] = [
        asyncio.create_task(house.showing.follow()),
        asyncio.create_task(house.showing.feed.run()),
    ]
    await asyncio.sleep(0)
    tasks = [*tasks, asyncio.create_task(house.showing.load())]
    await settled()
    await house.send(*frames)
    try:
        yield house
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        house.doors.close()
