"""The feed under load: from the moment a change is committed to its arrival at 200 readers.

One process is the daemon's inside (tracker, group commit, SQLite, board, trends, feed) and makes
1,000 events a second; another has the readers: some take nothing, some leave and come back all the
time, some filter. Every reader checks that positions follow one another without hole or repeat.
"""

import asyncio
import json
import os
import random
import re
import resource
import subprocess
import sys
import tempfile
import time
from bisect import bisect_left
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from bench.frames import snapshot
from bench.parts import begin
from bench.result import Figure
from ringback.app.showing import Showing
from ringback.runtime.pipeline import Pipeline
from ringback.settings import Settings
from ringback.vitals.feed import measures_of_feed
from ringback.web.app import create_app
from ringback.web.journal import MOST_ENTRIES
from ringback.web.metrics import Metrics
from ringback.web.server import WebServer
from support.access import Notebook
from support.runtime import Ear
from support.web import HEALTHY

RATE = 1000
SECONDS = 40
CALLBACKS = 5000
READERS = 200
STALLED = 10
RECONNECTING = 10
FILTERING = 20
STEP = 0.005
CATCH_UP_SECONDS = 30
"""For readers that are late when the last event was told, because the machine is busy."""
SAMPLED = 16
"""Of so many events one is timed."""
HEARTBEAT = b"event: heartbeat"
BEAT = re.compile(HEARTBEAT + rb"\nid: (\d+)")
ENTRY = re.compile(rb"id: (\d+)\ndata: \{\"s")


async def serve(folder: Path) -> None:
    """Be the daemon; begin the load at a line on standard input, then tell how it went."""
    pipeline, store = await begin(folder, "main")
    showing = Showing(Settings(), pipeline, store, Ear(), Notebook())
    metrics = Metrics(lambda: measures_of_feed(showing.feed), "bench")
    app = create_app(HEALTHY, metrics.expose, handlers=showing.handlers)
    web = WebServer(app, host="127.0.0.1", port=0, drain=5)
    port = web.bind()
    tasks = [
        asyncio.create_task(each)
        for each in (
            *(pipeline.commit_forever(), showing.follow(), showing.feed.run(), showing.load()),
            web.run(),
        )
    ]
    # So much that the end of the journal that is kept is full: what grows then is a leak.
    for number in range(CALLBACKS + MOST_ENTRIES):
        change(pipeline, number)
        if number % 500 == 0:
            await asyncio.sleep(0)
            await pipeline.commit()
    print(port, flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    print(json.dumps(await load(pipeline, showing)), flush=True)
    await asyncio.to_thread(sys.stdin.read)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await store.close()


def change(pipeline: Pipeline, number: int) -> None:
    """Observe what makes one event: the first sight of a callback, then hold and retrieve."""
    now = pipeline.clock.now()
    held = number // CALLBACKS % 2 == 1
    shown = snapshot(number % CALLBACKS, held=held, at=now)
    pipeline.take(pipeline.tracker.observe(shown, now))


async def note_commits(pipeline: Pipeline, commits: list[tuple[int, float]]) -> None:
    """Note when each position was committed."""
    while True:
        await pipeline.advanced(pipeline.position)
        commits.append((pipeline.position, time.time()))


async def load(pipeline: Pipeline, showing: Showing) -> dict[str, Any]:
    """Make events at an even rate; give what it took."""
    loop = asyncio.get_running_loop()
    began, worked = loop.time(), time.process_time()
    first = number = CALLBACKS + MOST_ENTRIES
    sizes: list[float] = []
    commits: list[tuple[int, float]] = []
    noting = asyncio.create_task(note_commits(pipeline, commits))
    while (passed := loop.time() - began) < SECONDS:
        while number - first < passed * RATE:
            change(pipeline, number)
            number += 1
        if len(sizes) < passed:
            sizes.append(resident())
        await asyncio.sleep(STEP)
    worked = time.process_time() - worked
    await pipeline.commit()
    await showing.journal.beyond(pipeline.position - 1)
    noting.cancel()
    third = len(sizes) // 3
    return {
        "position": pipeline.position,
        "commits": commits,
        "rate": (number - first) / SECONDS,
        "cpu": worked / SECONDS,
        "grown": max(sizes[-third:]) / max(sizes[:third]),
        "resident": sizes[-1],
        "cut_off": showing.feed.cut_off.total(),
    }


def resident() -> float:
    """Give the megabytes that this process has in memory."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


class Client(asyncio.Protocol):
    """One reader's connection."""

    def __init__(self, reader: "Reader") -> None:
        self.reader = reader
        self.rest = b""
        self.lost = asyncio.Event()
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(self.reader.request())

    def data_received(self, data: bytes) -> None:
        if self.reader.stalls:
            assert self.transport is not None
            self.transport.pause_reading()
            return
        whole, self.rest = _cut(self.rest + data)
        self.reader.take(whole, time.time())

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set()


class Reader:
    """Follows, and checks what it gets."""

    def __init__(self, port: int, number: int, timed: list[tuple[int, float]]) -> None:
        self.stalls = number < STALLED
        self.reconnects = STALLED <= number < STALLED + RECONNECTING
        self.filters = number >= READERS - FILTERING
        self.position = 0
        self.got = 0
        self.faults = 0
        self.connections = 0
        self._port = port
        self._timed = timed
        self._chosen = number % SAMPLED
        self._chance = random.Random(number)

    def request(self) -> bytes:
        query = "?type=ringback.callback.*" if self.filters else ""
        last = f"Last-Event-ID: {self.position}\r\n" if self.position else ""
        return f"GET /api/v1/events{query} HTTP/1.1\r\nHost: localhost\r\n{last}\r\n".encode()

    def take(self, blocks: bytes, now: float) -> None:
        # Two hundred readers are one process: what each of them does counts.
        beats = [int(one) for one in BEAT.findall(blocks)] if HEARTBEAT in blocks else []
        positions = [int(position) for position in ENTRY.findall(blocks)]
        before = self.position
        if positions:
            first = self.position + 1 if self.position else positions[0]
            self.faults += positions != list(range(first, first + len(positions)))
            self.got += len(positions)
            self.position = positions[-1]
            self._timed.extend((one, now) for one in positions if one % SAMPLED == self._chosen)
        for position in beats:
            self.faults += bool(before) and not before <= position <= self.position
            self.position = max(self.position, position)

    async def follow(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            self.connections += 1
            transport, client = await loop.create_connection(
                lambda: Client(self), "127.0.0.1", self._port
            )
            try:
                with suppress(TimeoutError):
                    wait = self._chance.uniform(0.1, 1.0) if self.reconnects else None
                    async with asyncio.timeout(wait):
                        await client.lost.wait()
                    if self.stalls:
                        return
            finally:
                transport.abort()


def _cut(data: bytes) -> tuple[bytes, bytes]:
    """Part what is whole from what is not."""
    end = data.rfind(b"\n\n") + 2
    return (data[:end], data[end:]) if end > 1 else (b"", data)


async def read(port: int) -> None:
    """Be all readers, until the last position is told on standard input."""
    timed: list[tuple[int, float]] = []
    readers = [Reader(port, number, timed) for number in range(READERS)]
    tasks = [asyncio.create_task(reader.follow()) for reader in readers]
    active = [reader for reader in readers if not reader.stalls]
    while not all(reader.position for reader in active):  # noqa: ASYNC110  # counted below
        await asyncio.sleep(0.05)
    loop = asyncio.get_running_loop()
    began, worked = loop.time(), sum(os.times()[:2])
    print("ready", flush=True)
    there = json.loads(await asyncio.to_thread(sys.stdin.readline))
    last = there["position"]
    with suppress(TimeoutError):
        async with asyncio.timeout(CATCH_UP_SECONDS):
            while any(reader.position < last for reader in active):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    positions, instants = zip(*there["commits"], strict=True)
    # Readers that came back soon after the beginning also got what was committed before it.
    delays = sorted(
        at - instants[bisect_left(positions, position)]
        for position, at in timed
        if positions[0] < position <= last
    )
    print(
        json.dumps(
            {
                "p50": delays[len(delays) // 2] * 1000,
                "p99": delays[len(delays) * 99 // 100] * 1000,
                "worst": delays[-1] * 1000,
                "timed": len(delays),
                "faults": sum(reader.faults for reader in readers)
                + sum(reader.position != last for reader in active),
                "core": (sum(os.times()[:2]) - worked) / (loop.time() - began),
                "got": sum(reader.got for reader in readers),
                "connections": sum(reader.connections for reader in readers),
            }
        )
    )


def measure() -> Iterator[Figure]:
    """Give the delay, and what is wrong with what was read."""
    here = [sys.executable, "-P", "-m", "bench.feed"]
    with (
        tempfile.TemporaryDirectory() as folder,
        subprocess.Popen([*here, "serve", folder], stdin=-1, stdout=-1, text=True) as server,
    ):
        assert server.stdin is not None
        assert server.stdout is not None
        port = server.stdout.readline().strip()
        with subprocess.Popen([*here, "read", port], stdin=-1, stdout=-1, text=True) as readers:
            assert readers.stdin is not None
            assert readers.stdout is not None
            readers.stdout.readline()
            server.stdin.write("go\n")
            server.stdin.flush()
            there = json.loads(server.stdout.readline())
            readers.stdin.write(f"{json.dumps(there)}\n")
            readers.stdin.flush()
            here_told = json.loads(readers.stdout.readline())
        server.stdin.close()
    yield Figure(
        "feed: from commit to 200 readers, at 1,000 events/s",
        here_told["p99"],
        "ms at p99",
        100,
        at_least=False,
        detail=f"p50 {here_told['p50']:.0f} ms, worst {here_told['worst']:.0f} ms;"
        f" {there['rate']:.0f} events/s, {there['cpu']:.0%} of a core,"
        f" {here_told['got'] / SECONDS:.0f} entries/s read by {here_told['core']:.0%} of another",
    )
    yield Figure(
        "feed: entries lost or repeated",
        here_told["faults"],
        "entries",
        0,
        at_least=False,
        detail=f"of {here_told['got']}, over {here_told['connections']} connections;"
        f" {there['cut_off']} of {STALLED} stalled readers cut off",
    )
    yield Figure(
        "feed: memory at the end against the beginning",
        there["grown"],
        "times as much",
        1.1,
        at_least=False,
        detail=f"{there['resident']:.0f} MB",
    )


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["serve", place]:
            asyncio.run(serve(Path(place)))
        case ["read", port_told]:
            asyncio.run(read(int(port_told)))
        case _:
            sys.exit("usage: bench.feed serve FOLDER | read PORT")
