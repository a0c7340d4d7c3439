"""Snapshots a second that one listener puts into NATS JetStream, against a bare publish loop.

All of it counts: decoding a frame with privacy, naming and packing its snapshot, and storing it in
order of its conversation. The bare loop stores the very same bytes under the same names by nats-py
alone. One server of Debian's, on this machine: its share of the processors is in both.
"""

import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path

import msgspec
import nats
import pytest
from nats.js import JetStreamContext

from bench import frames
from bench.result import Figure
from ringback.runtime.clock import SystemClock
from ringback.runtime.cluster.listening import Listening
from ringback.runtime.cluster.putting import AT_ONCE
from ringback.runtime.tuning import tune
from ringback.stores.jetstream.engine import Engine
from ringback.stores.jetstream.subjects import partition_of
from ringback.wire.log import Seen, decode_message
from support.engine import engine_settings, shared_server
from support.runtime import LostFrames, decoder

FRAMES = 20_000
PARTITIONS = 4
ROUNDS = 3
_names = count(1)


async def _listen(url: str, heard: Sequence[bytes]) -> tuple[float, list[bytes]]:
    """Hear frames; give snapshots stored a second, and what was stored."""
    settings = msgspec.structs.replace(engine_settings(url), most_megabytes=512)
    engine = await Engine.open(settings, f"bench{os.getpid()}-{next(_names)}", 24)
    ear = Listening(
        member="bench",
        source="main",
        decoder=decoder(),
        inputs=engine.inputs,
        partitions=PARTITIONS,
        partition_of=lambda one: partition_of(one, PARTITIONS),
        clock=SystemClock(),
        quarantine=LostFrames(),
    )
    runs = asyncio.create_task(ear.run())
    await ear.putting.all_stored()
    began, before = time.perf_counter(), ear.putting.put
    for frame in heard:
        await ear.room()
        ear.frame(frame)
    await ear.putting.all_stored()
    took, stored = time.perf_counter() - began, ear.putting.put - before
    runs.cancel()
    await asyncio.gather(runs, return_exceptions=True)
    bodies = await _stored(engine)
    await engine.close()
    return stored / took, bodies


async def _stored(engine: Engine) -> list[bytes]:
    bodies = []
    for partition in range(PARTITIONS):
        async for chunk in engine.inputs.follow(partition, 0):
            if not chunk:
                break
            bodies += [one.body for one in chunk]
    return [body for body in bodies if isinstance(decode_message(body), Seen)]


async def _bare(url: str, bodies: Sequence[bytes]) -> float:
    """Store these and do nothing else; give how many a second."""
    client = await nats.connect(url)
    engine = client.jetstream()
    name = f"bare{os.getpid()}-{next(_names)}"
    await engine.add_stream(name=name, subjects=[f"{name}.>"], num_replicas=1)
    numbered = iter(enumerate(bodies))
    began = time.perf_counter()
    await asyncio.gather(*(_publish(engine, name, numbered) for _ in range(AT_ONCE)))
    took = time.perf_counter() - began
    await client.close()
    return len(bodies) / took


async def _publish(
    engine: JetStreamContext, name: str, numbered: Iterator[tuple[int, bytes]]
) -> None:
    for number, body in numbered:
        await engine.publish(f"{name}.{number}", body, headers={"Nats-Msg-Id": f"{number:032x}"})


async def _rates(url: str) -> list[tuple[float, float]]:
    heard = frames.stream(FRAMES)
    rates = []
    for _ in range(ROUNDS):
        rate, bodies = await _listen(url, heard)
        rates.append((rate, await _bare(url, bodies)))
    return rates


def measure() -> Iterator[Figure]:
    """Give the figure of one server."""
    tune()
    try:
        with tempfile.TemporaryDirectory() as folder, shared_server(Path(folder)) as url:
            rates = asyncio.run(_rates(url))
    except pytest.skip.Exception as missing:
        sys.exit(str(missing))
    ratios = [whole / bare for whole, bare in rates]
    whole, bare = (statistics.median(each) for each in zip(*rates, strict=True))
    yield Figure(
        f"snapshots that a listener stores with {AT_ONCE} in flight, against a bare publish loop",
        statistics.median(ratios),
        "of its rate",
        0.25,
        at_least=True,
        detail=f"{whole:.0f}/s against {bare:.0f}/s ({min(ratios):.2f} to {max(ratios):.2f})",
    )
