"""An intake that keeps what it is given, in order, and lets tests wait for it."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from datetime import datetime

from ringback.core.snapshots import QueueSettings
from ringback.ports import Reading

__all__ = ["SOON", "Ears", "eventually"]

SOON = 10.0
"""Seconds after which a test in real time gives up; none waits for so long when all is well."""


async def eventually(holds: Callable[[], bool], within: float = SOON) -> None:
    """Wait until something holds that has no event to wait for."""
    async with asyncio.timeout(within):
        while not holds():  # noqa: ASYNC110  # as said above
            await asyncio.sleep(0.001)


class Ears:
    """Keeps in `heard`: frames, `"connected"`, and `("blind", cause)`. Full while not `open`."""

    def __init__(self) -> None:
        self.heard: list[object] = []
        self.open = asyncio.Event()
        self.open.set()

    async def room(self) -> None:
        """Wait until the test takes more."""
        await self.open.wait()

    def frame(self, frame: bytes | str) -> None:
        """Keep a frame."""
        self.heard.append(frame)

    def connected(self, topics: Collection[str] = ()) -> None:
        """Keep that the source hears."""
        self.heard.append("connected")

    def disconnected(
        self, cause: str, since: datetime | None = None, topics: Collection[str] = ()
    ) -> None:
        """Keep that it does not."""
        self.heard.append(("blind", cause))

    def read(self, reading: Reading) -> int:
        """Keep the answer of a read."""
        self.heard.append(reading)
        return 0

    def read_failed(self, conversation_id: str) -> None:
        """Keep that a read failed."""
        self.heard.append(("unread", conversation_id))

    def settings(self, settings: QueueSettings) -> None:
        """Keep a queue's settings."""
        self.heard.append(settings)

    def wanted(self, limit: int) -> Sequence[str]:
        """Want nothing."""
        return ()

    async def until(self, count: int) -> list[object]:
        """Wait until so many things were given."""
        await eventually(lambda: len(self.heard) >= count)
        return self.heard
