"""What the engine's figures stand beside: a loop that stores the same bytes by nats-py alone."""

import asyncio
import os
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from typing import NamedTuple

import nats
from nats.js import JetStreamContext

from bench.result import Figure

__all__ = ["Rate", "new_name", "publish_bare", "ratio"]

Headers = Callable[[str, int], dict[str, str]]
"""Gives the headers of a message by the stream's name and the message's number."""
_names = count(1)


class Rate(NamedTuple):
    """Messages a second, of either."""

    whole: float
    bare: float


def new_name(name: str) -> str:
    """Give a name that no other process here gives."""
    return f"{name}{os.getpid()}-{next(_names)}"


async def publish_bare(
    url: str, bodies: Sequence[bytes], in_flight: int, headers: Headers
) -> float:
    """Store these in a stream of their own and do nothing else; give how many a second."""
    client = await nats.connect(url)
    engine = client.jetstream()
    name = new_name("bare")
    await engine.add_stream(name=name, subjects=[f"{name}.>"], num_replicas=1)
    numbered = iter(enumerate(bodies))
    began = time.perf_counter()
    await asyncio.gather(*(_publish(engine, name, numbered, headers) for _ in range(in_flight)))
    took = time.perf_counter() - began
    await client.close()
    return len(bodies) / took


async def _publish(
    engine: JetStreamContext, name: str, numbered: Iterator[tuple[int, bytes]], headers: Headers
) -> None:
    for number, body in numbered:
        await engine.publish(f"{name}.{number}", body, headers=headers(name, number))


def ratio(rates: Sequence[Rate], what: str, reach: float) -> Figure:
    """Give the median of several rounds, in which both took turns."""
    ratios = [rate.whole / rate.bare for rate in rates]
    whole, bare = (statistics.median(each) for each in zip(*rates, strict=True))
    return Figure(
        what,
        statistics.median(ratios),
        "of the rate of a bare publish loop, or of as many",
        reach,
        at_least=True,
        detail=f"{whole:.0f}/s against {bare:.0f}/s ({min(ratios):.2f} to {max(ratios):.2f})",
    )
