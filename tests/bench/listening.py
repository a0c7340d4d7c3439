"""Snapshots a second that one listener puts into NATS JetStream, against a bare publish loop.

All of it counts: decoding a frame with privacy, naming and packing its snapshot, and storing it in
order of its conversation. The bare loop stores the very same bytes under the same names by nats-py
alone. One server on this machine, the oldest unless `RINGBACK_NATS` says otherwise: its share of
the processors is in both.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec
import pytest

from bench import frames
from bench.bare import Rate, new_name, publish_bare, ratio
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


async def _listen(url: str, heard: Sequence[bytes]) -> tuple[float, list[bytes]]:
    """Hear frames; give snapshots stored a second, and what was stored."""
    settings = msgspec.structs.replace(engine_settings(url), most_megabytes=512)
    engine = await Engine.open(settings, new_name("bench"), 24)
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


def _named(_: str, number: int) -> dict[str, str]:
    return {"Nats-Msg-Id": f"{number:032x}"}


async def _rates(url: str) -> list[Rate]:
    heard = frames.stream(FRAMES)
    rates = []
    for _ in range(ROUNDS):
        rate, bodies = await _listen(url, heard)
        rates.append(Rate(rate, await publish_bare(url, bodies, AT_ONCE, _named)))
    return rates


def measure() -> Iterator[Figure]:
    """Give the figure of one server."""
    tune()
    try:
        with (
            tempfile.TemporaryDirectory() as folder,
            shared_server(Path(folder)) as url,
        ):
            rates = asyncio.run(_rates(url))
    except pytest.skip.Exception as missing:
        sys.exit(str(missing))
    what = f"snapshots that a listener stores with {AT_ONCE} in flight"
    yield ratio(rates, what, 0.25)
