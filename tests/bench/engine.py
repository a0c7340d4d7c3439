"""Steps a second into NATS JetStream, against a bare publish loop with the same headers.

One server on this machine, the oldest unless `RINGBACK_NATS` says otherwise: its share of the
processors is in every figure. A step is all of it: deciding on a snapshot, encoding what is told,
and storing the row fenced. The bare loop stores the very same bytes by nats-py alone.
"""

import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from itertools import islice
from pathlib import Path

import msgspec
import pytest

from bench import frames
from bench.bare import Rate, new_name, publish_bare, ratio
from bench.result import Figure
from ringback.core.changes import Change
from ringback.core.policy import Policy
from ringback.core.tracker import Tracker
from ringback.core.watch.defaults import built_in
from ringback.core.watch.rules import RuleSet
from ringback.ports import Batch, Row
from ringback.runtime.clock import SystemClock
from ringback.runtime.cluster.means import Means
from ringback.runtime.cluster.partition import Partition
from ringback.runtime.logs import configure_logging
from ringback.runtime.tuning import tune
from ringback.stores.jetstream.engine import Engine
from ringback.wire.cloudevents import Encoder
from ringback.wire.log import Seen, encode_message
from ringback.wire.steps import StepBody, encode_step
from support.engine import engine_settings, shared_server

FEW = 4_000
MANY = 16_000
ROUNDS = 3
SEVERAL = 64
PARTITIONS = (1, 2, 4)
OF_EACH = 20_000
RECOVERED = 100_000
TOGETHER = 500
"""Rows in a commit where it does not matter."""
NOW = frames.START


async def _engine(url: str, org: str = "") -> Engine:
    # It has room for all that is measured.
    settings = msgspec.structs.replace(engine_settings(url), most_megabytes=512)
    return await Engine.open(settings, org or new_name("bench"), 24)


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


def _fenced(name: str, number: int) -> dict[str, str]:
    return {"Nats-Msg-Id": f"{name}.{number}", "Nats-Expected-Last-Subject-Sequence": "0"}


async def _against(url: str, steps: int, in_flight: int) -> list[Rate]:
    bodies = _bodies(steps)
    return [
        Rate(
            await _whole(url, steps, in_flight), await publish_bare(url, bodies, in_flight, _fenced)
        )
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
    partition = Partition(0, engine.store(0), _means(engine, Tracker(Policy()).rules))
    began = time.perf_counter()
    await partition.load()
    took = time.perf_counter() - began
    assert len(partition.tracker.conversations) == RECOVERED
    await engine.close()
    return filled, took


def _at_once(url: str, partitions: int, how: str) -> float:
    """Let so many processes write a partition each; give the steps a second of all of them."""
    command = [sys.executable, "-P", "-m", "bench.engine", how, url, new_name("shared")]
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
        rate = await publish_bare(url, bodies, SEVERAL, _fenced)
    else:
        rate = await _rate(engine, number, last)
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


async def _rate(engine: Engine, number: int, last: int) -> float:
    """Run a whole partition up to an input; give steps a second."""
    means = _means(engine, built_in(timedelta(minutes=2), timedelta(minutes=5)))
    partition = Partition(number, engine.store(number), means)
    await partition.load()
    began = time.perf_counter()
    task = asyncio.create_task(partition.run())
    await partition.reading.read(last)
    await partition.writing.committed()
    took = time.perf_counter() - began
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    return means.counts["steps"] / took


def _means(engine: Engine, rules: RuleSet) -> Means:
    return Means(
        engine.inputs,
        _NoWants(),
        Encoder("bench"),
        SystemClock(),
        "bench",
        Policy(),
        rules,
        timedelta(days=2),
    )


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
        with (
            tempfile.TemporaryDirectory() as folder,
            shared_server(Path(folder)) as url,
        ):
            for steps, in_flight, reach in ((FEW, 1, 0.5), (MANY, SEVERAL, 0.25)):
                rates = asyncio.run(_against(url, steps, in_flight))
                what = f"steps of one partition with {in_flight} in flight"
                yield ratio(rates, what, reach)
            for partitions in PARTITIONS:
                rates = [
                    Rate(*(_at_once(url, partitions, how) for how in ("whole", "bare")))
                    for _ in range(ROUNDS)
                ]
                what = f"whole partitions, from input log to log of steps: {partitions} at once"
                yield ratio(rates, what, 0.25)
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


if __name__ == "__main__":
    kind, address, organisation, number = sys.argv[1:]
    asyncio.run(_one_of_them(kind, address, organisation, int(number)))
