"""Steps a second into NATS JetStream, against a bare publish loop with the same headers.

One server of Debian's, on this machine: its share of the processors is in every figure. A step is
all of it: deciding on a snapshot, encoding what is told, and storing the row fenced. The bare loop
stores the very same bytes by nats-py alone.
"""

import asyncio
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from itertools import count, islice
from pathlib import Path
from typing import NamedTuple

import msgspec
import nats
import pytest
from nats.js import JetStreamContext

from bench import frames
from bench.result import Figure
from ringback.core.changes import Change
from ringback.core.policy import Policy
from ringback.core.tracker import Tracker
from ringback.core.watch.defaults import built_in
from ringback.ports import Batch, Row
from ringback.runtime.clock import SystemClock
from ringback.runtime.cluster.partition import Means, Partition
from ringback.runtime.logs import configure_logging
from ringback.runtime.tuning import restoring, tune
from ringback.stores.jetstream.engine import Engine
from ringback.stores.jetstream.store import JetStreamStore
from ringback.wire.cloudevents import Encoder
from ringback.wire.log import Seen, encode_message
from ringback.wire.steps import StepBody, encode_step
from support.engine import engine_settings, shared_server

FEW = 4_000
MANY = 16_000
ROUNDS = 3
SEVERAL = 64
PARTITIONS = (1, 2, 4)
OF_EACH = 10_000
RECOVERED = 100_000
TOGETHER = 500
"""Rows in a commit where it does not matter."""
NOW = frames.START
_names = count(1)


class Rate(NamedTuple):
    """Steps a second, of either."""

    whole: float
    bare: float


def _new(name: str) -> str:
    """Give a name that no other process here gives."""
    return f"{name}{os.getpid()}-{next(_names)}"


async def _engine(url: str, org: str = "") -> Engine:
    # It has room for all that is measured.
    settings = msgspec.structs.replace(engine_settings(url), most_megabytes=512)
    return await Engine.open(settings, org or _new("bench"), 24)


async def _whole(url: str, steps: int, in_flight: int, org: str = "", partition: int = 0) -> float:
    """Decide on snapshots and store what comes of it; give steps a second."""
    engine = await _engine(url)
    snapshots = iter([frames.snapshot(number) for number in range(steps)])
    tracker, encode = Tracker(Policy()), Encoder("bench").encode
    store = engine.store(0)
    began = time.perf_counter()
    while part := list(islice(snapshots, in_flight)):
        batch = Batch({}, [], {}, [], [], 1)
        for snapshot in part:
            change = tracker.observe(snapshot, NOW)
            assert change is not None
            _gather(batch, change, encode)
        await store.commit(batch, NOW)
    took = time.perf_counter() - began
    await engine.close()
    return steps / took


def _gather(batch: Batch, change: Change, encode: Callable[..., bytes]) -> None:
    key = change.conversation_id
    batch.rows[key] = Row(key, change.state, change.wake_at)
    batch.events.extend(map(encode, change.events))
    batch.subjects.extend(event.subject for event in change.events)
    batch.keys.extend([key] * len(change.events))


def _bodies(steps: int) -> list[bytes]:
    """Give the very messages that `_whole` stores."""
    tracker, encode = Tracker(Policy()), Encoder("bench").encode
    bodies = []
    for number in range(steps):
        change = tracker.observe(frames.snapshot(number), NOW)
        assert change is not None
        events = list(map(encode, change.events))
        subjects = [event.subject for event in change.events]
        key = change.conversation_id
        bodies.append(encode_step(StepBody(key, change.state, change.wake_at, 1, events, subjects)))
    return bodies


async def _bare(url: str, bodies: Sequence[bytes], in_flight: int) -> float:
    """Store these and do nothing else; give how many a second."""
    client = await nats.connect(url)
    engine = client.jetstream()
    name = _new("bare")
    await engine.add_stream(name=name, subjects=[f"{name}.>"], num_replicas=1)
    numbered = iter(enumerate(bodies))
    began = time.perf_counter()
    await asyncio.gather(*(_publish(engine, name, numbered) for _ in range(in_flight)))
    took = time.perf_counter() - began
    await client.close()
    return len(bodies) / took


async def _publish(
    engine: JetStreamContext, name: str, numbered: Iterator[tuple[int, bytes]]
) -> None:
    for number, body in numbered:
        headers = {
            "Nats-Msg-Id": f"{name}.{number}",
            "Nats-Expected-Last-Subject-Sequence": "0",
        }
        await engine.publish(f"{name}.{number}", body, headers=headers)


async def _against(url: str, steps: int, in_flight: int) -> list[Rate]:
    bodies = _bodies(steps)
    return [
        Rate(await _whole(url, steps, in_flight), await _bare(url, bodies, in_flight))
        for _ in range(ROUNDS)
    ]


async def _recover(url: str) -> tuple[float, float]:
    """Fill a partition with live callbacks; give seconds to store them, and to take them over."""
    engine = await _engine(url)
    rows = (Row(*row) for row in frames.population(range(RECOVERED)))
    store = engine.store(0)
    began = time.perf_counter()
    while part := list(islice(rows, TOGETHER)):
        batch = Batch({row.conversation_id: row for row in part}, [], {})
        await store.commit(batch, NOW)
    filled = time.perf_counter() - began
    again = engine.store(0)
    began = time.perf_counter()
    tracker = await _restored(again)
    took = time.perf_counter() - began
    assert len(tracker.conversations) == RECOVERED
    await engine.close()
    return filled, took


async def _restored(store: JetStreamStore) -> Tracker:
    tracker = Tracker(Policy())
    with restoring():
        async for rows in store.load():
            tracker.restore(
                [(row.conversation_id, row.state, row.wake_at) for row in rows if row.state], NOW
            )
        tracker.next_deadline()
    return tracker


def _at_once(url: str, partitions: int, how: str) -> float:
    """Let so many processes write a partition each; give the steps a second of all of them."""
    command = [sys.executable, "-P", "-m", "bench.engine", how, url, _new("shared")]
    running = [
        subprocess.Popen([*command, str(each)], stdin=-1, stdout=-1, text=True)
        for each in range(partitions)
    ]
    for each in running:
        assert each.stdout is not None
        assert each.stdout.readline() == "ready\n"
    for each in running:
        assert each.stdin is not None
        each.stdin.close()
    rates = [float(each.stdout.read()) for each in running if each.stdout is not None]
    for each in running:
        each.wait()
    return sum(rates)


async def _one_of_them(how: str, url: str, org: str, number: int) -> None:
    """Write a partition, once told to."""
    tune()
    configure_logging("error")
    engine = await _engine(url, org)
    bodies = _bodies(OF_EACH) if how == "bare" else []
    last = 0 if bodies else await _fill(engine, number)
    print("ready", flush=True)
    sys.stdin.read()
    if bodies:
        rate = await _bare(url, bodies, SEVERAL)
    else:
        rate = await _run(engine, number, last)
    print(rate, flush=True)
    await engine.close()


async def _fill(engine: Engine, number: int) -> int:
    """Put in what a partition is to read; give the last one's sequence."""
    numbered = iter(range(OF_EACH))

    async def put() -> int:
        last = 0
        for each in numbered:
            seen = frames.snapshot(number * OF_EACH + each)
            body, key = encode_message(Seen(seen)), seen.conversation_id
            last = max(last, await engine.inputs.put(number, key, body, f"{number}.{each}"))
        return last

    return max(await asyncio.gather(*(put() for _ in range(SEVERAL))))


async def _run(engine: Engine, number: int, last: int) -> float:
    """Run a whole partition up to an input; give steps a second."""
    rules = built_in(timedelta(minutes=2), timedelta(minutes=5))
    means = Means(
        engine.inputs,
        _NoWants(),
        Encoder("bench"),
        SystemClock(),
        "bench",
        Policy(),
        rules,
        timedelta(days=2),
    )
    partition = Partition(number, engine.store(number), means)
    await partition.load()
    began = time.perf_counter()
    task = asyncio.create_task(partition.run())
    await partition.read(last)
    await partition.committed()
    took = time.perf_counter() - began
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return means.counts["steps"] / took


class _NoWants:
    """Nobody reads here what is wanted."""

    async def want(self, partition: int, conversation_ids: Sequence[str]) -> None:
        """Let it be."""

    async def suspect(self, queue_ids: Sequence[str]) -> None:
        """Let it be."""


def measure() -> Iterator[Figure]:
    """Give the figures of one server."""
    tune()
    try:
        with tempfile.TemporaryDirectory() as folder, shared_server(Path(folder)) as url:
            yield _ratio(asyncio.run(_against(url, FEW, 1)), 1, 0.5)
            yield _ratio(asyncio.run(_against(url, MANY, SEVERAL)), SEVERAL, 0.25)
            for partitions in PARTITIONS:
                rates = Rate(*(_at_once(url, partitions, how) for how in ("whole", "bare")))
                yield Figure(
                    f"whole partitions, from input log to log of steps: {partitions} at once",
                    rates.whole / rates.bare,
                    "of as many bare loops' rate",
                    0.25,
                    at_least=True,
                    detail=f"{rates.whole:.0f}/s against {rates.bare:.0f}/s together",
                )
            filled, took = asyncio.run(_recover(url))
            yield Figure(
                f"taking over a partition with {RECOVERED:,} live callbacks",
                took,
                "s until ready",
                10,
                at_least=False,
                detail=f"they were stored in {filled:.1f} s",
            )
    except pytest.skip.Exception as missing:
        sys.exit(str(missing))


def _ratio(rates: Sequence[Rate], in_flight: int, reach: float) -> Figure:
    ratios = [rate.whole / rate.bare for rate in rates]
    whole, bare = (statistics.median(each) for each in zip(*rates, strict=True))
    return Figure(
        f"steps of one partition with {in_flight} in flight, against a bare publish loop",
        statistics.median(ratios),
        "of its rate",
        reach,
        at_least=True,
        detail=f"{whole:.0f}/s against {bare:.0f}/s ({min(ratios):.2f} to {max(ratios):.2f})",
    )


if __name__ == "__main__":
    kind, address, organisation, number = sys.argv[1:]
    asyncio.run(_one_of_them(kind, address, organisation, int(number)))
