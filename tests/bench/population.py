"""A million live callbacks: what one weighs, what a frame costs among them, how fast a restart is.

Each measurement runs in a fresh process, so that it starts with a clean memory.
"""

import asyncio
import gc
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from itertools import islice
from pathlib import Path
from random import Random
from typing import TypeVar

from bench import frames
from bench.result import Figure
from ringback.core.policy import Policy
from ringback.core.snapshots import Snapshot
from ringback.core.tracker import Tracker
from ringback.ports import Batch, Row
from ringback.runtime.tuning import restoring, tune
from ringback.stores.sqlite import SqliteStore
from ringback.wire.cloudevents import Encoder

Item = TypeVar("Item")

MANY = 1_000_000
FEW = 1_000
OBSERVED = 20_000
COMMITTED = 200
"""Changes a commit, as under load."""
NOW = frames.START + timedelta(minutes=5)


def resident_bytes() -> int:
    """Memory of this process that is in use now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def tracker_of(count: int) -> Tracker:
    """Restore a tracker with so many live callbacks."""
    tracker = Tracker(Policy())
    tracker.restore(frames.population(range(count)), frames.START)
    tracker.next_deadline()
    return tracker


def memory() -> float:
    """Bytes for each of a million live callbacks, in tracker and store."""
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(_memory(Path(folder)))


async def _memory(folder: Path) -> float:
    await _fill(folder / "bench.db", MANY)
    gc.collect()
    before = resident_bytes()
    store = await _open(folder)
    tracker = Tracker(Policy())
    async for rows in store.load():
        tracker.restore(_restored(rows), frames.START)
    tracker.next_deadline()
    gc.collect()
    after = resident_bytes()
    await store.close()
    return (after - before) / MANY


def observe() -> list[float]:
    """Microseconds a frame among few callbacks, and among many; without a store."""
    tune()
    return [_observe(count) * 1e6 for count in (FEW, MANY)]


def _observe(count: int) -> float:
    took = 0.0
    for snapshots in _rounds(count):
        with restoring():
            tracker = tracker_of(count)
        began = time.process_time()
        for snapshot in snapshots:
            tracker.observe(snapshot, NOW)
        took += time.process_time() - began
    return took / OBSERVED


def commit() -> list[float]:
    """Microseconds a frame among few and among many, each change committed to SQLite."""
    tune()
    with tempfile.TemporaryDirectory() as folder:
        return [asyncio.run(_commit(Path(folder), count)) * 1e6 for count in (FEW, MANY)]


async def _commit(folder: Path, count: int) -> float:
    took = 0.0
    for number, snapshots in enumerate(_rounds(count)):
        path = folder / f"{count}-{number}.db"
        await _fill(path, count)
        store = await SqliteStore.open(path, timedelta(days=7))
        tracker = Tracker(Policy())
        with restoring():
            async for rows in store.load():
                tracker.restore(_restored(rows), frames.START)
            tracker.next_deadline()
        began = time.perf_counter()
        await _follow(tracker, store, snapshots)
        took += time.perf_counter() - began
        await store.close()
    return took / OBSERVED


async def _follow(tracker: Tracker, store: SqliteStore, snapshots: list[Snapshot]) -> None:
    encode = Encoder("bench").encode
    for part in _parts(snapshots, COMMITTED):
        batch = Batch({}, [], {})
        for snapshot in part:
            change = tracker.observe(snapshot, NOW)
            assert change is not None
            key = change.conversation_id
            batch.rows[key] = Row(key, change.state, change.wake_at)
            batch.events.extend(map(encode, change.events))
        await store.commit(batch, NOW)


def _rounds(count: int) -> Iterator[list[Snapshot]]:
    """Show a hold, later its retrieve, of callbacks drawn at random: every frame is a move.

    None is drawn twice, so that each frame is as much work among few as among many; among few it
    takes several rounds to make as many frames.
    """
    drawn = min(count, OBSERVED // 2)
    for number in range(OBSERVED // 2 // drawn):
        chosen = Random(number).sample(range(count), drawn)
        yield [frames.snapshot(one, held=held, at=NOW) for held in (True, False) for one in chosen]


def restart() -> float:
    """Seconds from opening the store of a million live callbacks to readiness."""
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(_restart(Path(folder)))


async def _restart(folder: Path) -> float:
    await _fill(folder / "bench.db", MANY)
    gc.collect()
    began = time.perf_counter()
    tune()
    store = await _open(folder)
    tracker = Tracker(Policy())
    with restoring():
        async for rows in store.load():
            tracker.restore(_restored(rows), frames.START)
        tracker.next_deadline()
    took = time.perf_counter() - began
    await store.close()
    return took


async def _fill(path: Path, count: int) -> None:
    """Write so many live callbacks into a new store."""
    store = await SqliteStore.open(path, timedelta(days=7))
    async for _ in store.load():
        pass
    rows = (Row(*row) for row in frames.population(range(count)))
    for part in _parts(rows, 5000):
        batch = Batch({row.conversation_id: row for row in part}, [], {})
        await store.commit(batch, frames.START)
    await store.close()


async def _open(folder: Path) -> SqliteStore:
    return await SqliteStore.open(folder / "bench.db", timedelta(days=7))


def _restored(rows: Iterable[Row]) -> Iterator[tuple[str, bytes, int | None]]:
    return ((row.conversation_id, row.state, row.wake_at) for row in rows if row.state is not None)


def _parts(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    iterator = iter(items)
    while part := list(islice(iterator, size)):
        yield part


def in_fresh_process(work: str) -> list[float]:
    """Run one of the functions above, by name, in a process of its own."""
    command = [sys.executable, "-P", "-m", "bench.population", work]
    told = subprocess.run(command, stdout=-1, check=True, text=True)
    figures = json.loads(told.stdout)
    return figures if isinstance(figures, list) else [figures]


def measure() -> Iterator[Figure]:
    """Give the figures of a million live callbacks."""
    (weight,) = in_fresh_process("memory")
    yield Figure(
        "memory of a live callback with three legs, everything counted",
        weight / 1024,
        "KB",
        1.5,
        at_least=False,
        detail=f"{MANY:,} in tracker and store",
    )
    few, many = in_fresh_process("observe")
    yield Figure(
        f"a frame among {MANY:,} live callbacks, without the store",
        many / few,
        f"times that among {FEW:,}",
        1.2,
        at_least=False,
        detail=f"{many:.1f} µs against {few:.1f} µs",
    )
    few, many = in_fresh_process("commit")
    yield Figure(
        f"a frame among {MANY:,} live callbacks, with the store",
        many / few,
        f"times that among {FEW:,}",
        1.5,
        at_least=False,
        detail=f"{many:.1f} µs against {few:.1f} µs",
    )
    (seconds,) = in_fresh_process("restart")
    yield Figure(
        f"restart with {MANY:,} live callbacks", seconds, "s until ready", 10, at_least=False
    )


WORK: dict[str, Callable[[], object]] = {
    "memory": memory,
    "observe": observe,
    "commit": commit,
    "restart": restart,
}

if __name__ == "__main__":
    print(json.dumps(WORK[sys.argv[1]]()))
