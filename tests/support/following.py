"""A reader of the feed who takes whichever node answers, and goes on where the last one ended."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import cycle
from typing import Any

import httpx
import msgspec

from ringback.ports import Step
from ringback.wire.steps import position_in
from support.cluster import PATIENCE, Member
from support.daemon import SOON

__all__ = ["Follower", "following", "told_in"]

Told = tuple[int, str]
"""Position and id of an event."""
AGAIN = 0.1


def told_in(steps: Sequence[Step]) -> list[Told]:
    """Give what a reader must have been told of steps."""
    return [
        (position_in(step.sequence, index), str(msgspec.json.decode(body)["id"]))
        for step in steps
        for index, body in enumerate(step.events)
    ]


class Follower:
    """Reads from the beginning on."""

    def __init__(self, nodes: Sequence[Member]) -> None:
        self.told: list[Told] = []
        self.resets: list[str] = []
        """What was said where a node could not go on from where another had ended."""
        self.moves = 0
        """How often it had to ask a node, the first time included."""
        self._nodes = nodes

    @property
    def position(self) -> int:
        """Of the last event; 0 before the first."""
        return self.told[-1][0] if self.told else 0

    async def reaches(self, position: int) -> None:
        """Wait until it is so far."""
        async with asyncio.timeout(PATIENCE):
            while self.position < position:  # noqa: ASYNC110  # another process tells it
                await asyncio.sleep(0.05)

    async def run(self) -> None:
        """Read until cancelled."""
        async with httpx.AsyncClient(trust_env=False, timeout=SOON) as web:
            for node in cycle(self._nodes):
                try:
                    if node.lives_now and any(each.get("look_at") for each in node.child.log):
                        await self._read(web, await node.child.url())
                except (httpx.HTTPError, AssertionError):
                    pass
                await asyncio.sleep(AGAIN)

    async def _read(self, web: httpx.AsyncClient, url: str) -> None:
        address = f"{url}/api/v1/events"
        async with web.stream("GET", address, params={"after": self.position}) as answer:
            if answer.status_code != httpx.codes.OK:
                return
            self.moves += 1
            fields: dict[str, str] = {}
            async for line in answer.aiter_lines():
                if line:
                    name, _, value = line.partition(": ")
                    fields[name] = value
                else:
                    self._take(fields)
                    fields = {}

    def _take(self, fields: dict[str, str]) -> None:
        kind = fields.get("event", "")
        if kind == "reset":
            self.resets.append(fields["data"])
        elif not kind and "data" in fields:
            event: dict[str, Any] = msgspec.json.decode(fields["data"])
            self.told.append((int(fields["id"]), event["id"]))


@asynccontextmanager
async def following(nodes: Sequence[Member]) -> AsyncIterator[Follower]:
    """Follow the feed meanwhile."""
    follower = Follower(nodes)
    task = asyncio.create_task(follower.run())
    try:
        yield follower
        assert not task.done(), task.exception()
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
