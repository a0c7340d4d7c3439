"""What waits to be put into the input log: in order for each lane, many lanes at once, bounded.

A message stays here until the engine has stored it. While the engine is away nothing is dropped:
what waits reaches its bound, and whoever brings more waits for room.

What several put under the same name is stored once, where the first of them put it. Whoever was
late, and has put something else since, would leave that as the latest: so what is told of one thing
is put again, until it is behind what was told of that before.
"""

import asyncio
from collections import deque
from collections.abc import Hashable
from typing import NamedTuple

import structlog

from ringback.errors import StepTooLarge
from ringback.ports import InputLog
from ringback.runtime.tasks import together

__all__ = ["AT_ONCE", "MOST", "Putting"]

AT_ONCE = 64
"""Messages that the engine is asked to store at the same time, each of another lane."""
MOST = 2000
"""Waiting ones at which there is no room for more."""
MOST_KNOWN = 100_000
"""Things of which it is remembered where the last was stored; the oldest are forgotten."""

log = structlog.get_logger(__name__)

Lane = tuple[int, Hashable]


class _Message(NamedTuple):
    number: int
    key: str
    body: bytes
    once: str
    about: Hashable
    bars: bool
    urgent: bool


class Putting:
    """Puts for as long as `run` does."""

    def __init__(self, inputs: InputLog, at_once: int = AT_ONCE, most: int = MOST) -> None:
        self._inputs = inputs
        self._at_once = at_once
        self._most = most
        self._lanes: dict[Lane, deque[_Message]] = {}
        self._ready: deque[Lane] = deque()
        self._urgent: deque[Lane] = deque()
        self._work = asyncio.Semaphore(0)
        """How many lanes there are in both."""
        self._bars: dict[int, int] = {}
        """By partition: how many messages others must wait for."""
        self._barred: dict[int, list[Lane]] = {}
        self._since: dict[int, float] = {}
        """When each that waits was brought, on the loop's clock, by its number."""
        self._reached: dict[tuple[int, Hashable], int] = {}
        """Where the last was stored that was told of a thing, by partition and thing."""
        self._room = asyncio.Event()
        self._room.set()
        self._stored = asyncio.Condition()
        self._count = 0
        self.put = 0
        """How many were stored."""
        self.put_again = 0
        """How many of them stood before what they come after, and so were stored once more."""
        self.too_large = 0
        """How many the engine will never take."""

    def __len__(self) -> int:
        """How many wait, those under way included."""
        return len(self._since)

    @property
    def pending_since(self) -> float | None:
        """When the one that waits longest was brought, on the loop's clock; None if none waits."""
        return next(iter(self._since.values()), None)

    def bring(
        self,
        partition: int,
        lane: Hashable,
        key: str,
        body: bytes,
        once: str,
        *,
        about: Hashable = None,
        bars: bool = False,
        urgent: bool = False,
    ) -> None:
        """Take a message; it follows what was brought before for the same lane.

        `about` is what it tells of: the last of what several put of that is to be the latest.
        Nothing of the partition that is brought after one that `bars` goes before it. One that is
        `urgent` waits for nothing but its lane.
        """
        self._count += 1
        self._since[self._count] = asyncio.get_running_loop().time()
        if len(self._since) >= self._most:
            self._room.clear()
        name = (partition, lane)
        waiting = self._lanes.get(name)
        message = _Message(self._count, key, body, once, about, bars, urgent)
        if waiting is None:
            self._lanes[name] = deque([message])
            self._go_on(name)
        else:
            waiting.append(message)
        if bars:
            self._bars[partition] = self._bars.get(partition, 0) + 1

    def waits(self, lane: Hashable) -> bool:
        """Whether something waits in a lane of any partition."""
        return any(name[1] == lane for name in self._lanes)

    async def room(self) -> None:
        """Wait until there is room for more."""
        if not self._room.is_set():
            await self._room.wait()

    async def all_stored(self) -> None:
        """Wait until nothing waits."""
        async with self._stored:
            await self._stored.wait_for(lambda: not self._since)

    async def run(self) -> None:
        """Put until cancelled. Raises `StoreError` if the engine will never take anything."""
        await together(*(self._put_forever() for _ in range(self._at_once)))

    async def _put_forever(self) -> None:
        while True:
            await self._work.acquire()
            lane = (self._urgent or self._ready).popleft()
            message = self._lanes[lane][0]
            try:
                await self._store(lane[0], message)
                self.put += 1
            except StepTooLarge as error:
                self.too_large += 1
                log.error("input_too_large", problem=str(error))  # noqa: TRY400  # it says all
            await self._done(lane)

    async def _store(self, partition: int, message: _Message) -> None:
        """Have a message stored, behind what was told of the same before."""
        sequence = await self._inputs.put(partition, message.key, message.body, message.once)
        if message.about is None:
            return
        thing = (partition, message.about)
        reached = self._reached.pop(thing, 0)
        if sequence <= reached:
            once = f"{message.once}.{reached}"
            sequence = await self._inputs.put(partition, message.key, message.body, once)
            self.put_again += 1
        self._reached[thing] = max(sequence, reached)
        if len(self._reached) > MOST_KNOWN:
            del self._reached[next(iter(self._reached))]

    async def _done(self, name: Lane) -> None:
        waiting = self._lanes[name]
        message = waiting.popleft()
        del self._since[message.number]
        if message.bars:
            self._unbar(name[0])
        if waiting:
            self._go_on(name)
        else:
            del self._lanes[name]
        if len(self._since) < self._most:
            self._room.set()
        if not self._since:
            async with self._stored:
                self._stored.notify_all()

    def _go_on(self, name: Lane) -> None:
        """Let the first of a lane be put, once nothing bars it that is not behind it."""
        waiting = self._lanes[name]
        barred = name[0] in self._bars and not any(one.bars for one in waiting)
        if not barred or waiting[0].urgent:
            (self._urgent if waiting[0].urgent else self._ready).append(name)
            self._work.release()
        else:
            self._barred.setdefault(name[0], []).append(name)

    def _unbar(self, partition: int) -> None:
        self._bars[partition] -= 1
        if not self._bars[partition]:
            del self._bars[partition]
            for name in self._barred.pop(partition, ()):
                self._ready.append(name)
                self._work.release()
