"""A storm of faults over a cluster at work: afterwards both logs are as if nothing had happened.

The gate has a fault of every kind; `make chaos` a hundred.
"""

import asyncio
import logging
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import cycle, islice, pairwise
from pathlib import Path
from random import Random
from typing import Any

import pytest

from ringback.wire.log import Seen
from support.checker import Fault, Logs, effects_of, firing_in
from support.cluster import PARTITIONS, PATIENCE, Cluster, cluster, now
from support.endpoint import Endpoint, open_at
from support.engine_logs import kept_by
from support.faulting import KINDS, OF_A_NETWORK, counted, storm
from support.network import Network, forbidden, network

log = logging.getLogger(__name__)

ASKED = os.environ.get("RINGBACK_FAULTS", "")
"""`make chaos` asks for a hundred."""
FAULTS = int(ASKED or len(KINDS))
SEED = int(os.environ.get("RINGBACK_SEED", "6"))
ROLES = ("listen", "listen", "track", "track", "track", "serve,alert", "serve,alert")
MANY = 300
"""Frames heard, with which there was much that could have gone wrong."""
ZOMBIES = 20
"""After so many without the fence the harm would long have been seen."""
AWHILE = timedelta(seconds=1)


@contextmanager
def torn() -> Iterator[Network | None]:
    """Make a network that can be torn, where that is permitted; `test_network` says where not."""
    if forbidden():
        yield None
        return
    with network() as made:
        yield made


def frames_heard(cluster: Cluster) -> int:
    """Say how many frames were surely told, over all sockets."""
    return sum(len(one) for some in cluster.witness.heard().values() for one in some)


async def much_heard(cluster: Cluster) -> None:
    """Wait until there was much to hear, however slow the machine is."""
    async with asyncio.timeout(PATIENCE):
        while frames_heard(cluster) <= MANY:  # noqa: ASYNC110  # it is counted elsewhere
            await asyncio.sleep(0.5)


def busy(logs: Logs, cluster: Cluster) -> None:
    """See that there was much that could have gone wrong."""
    bodies = [body for step in logs.steps for body in step.events]
    assert {step.partition for step in logs.steps} >= set(range(PARTITIONS))
    assert len(bodies) > 300
    assert sum(b'"cause":"timer"' in body for body in bodies) > 5
    assert sum(b"ringback.alert.firing.v1" in body for body in bodies) > 5
    assert frames_heard(cluster) > MANY


def longest_silence(logs: Logs) -> float:
    """Give for how many seconds at the most no listener put anything that it had heard."""
    heard = (
        put.at
        for put in logs.inputs
        if isinstance(put.message, Seen) and put.message.snapshot.read_at is None
    )
    return max((after - before).total_seconds() for before, after in pairwise(heard))


def told_at(hook: Endpoint) -> dict[str, Any]:
    """Give the settings of a receiver that is told of all alerts as they come."""
    given = {
        "kind": "webhook",
        "url": hook.url,
        "allow_private": "true",
        "group_seconds": 0.1,
        "most_per_minute": 600,
    }
    # Otherwise links would differ from process to process.
    own = {"web__address": "https://ringback.example.org"}
    return own | {f"receivers__hook__{name}": value for name, value in given.items()}


async def told_of_all(hook: Endpoint, all_of_it: Cluster) -> None:
    """Wait until what a receiver knows to be open is what fires."""
    async with asyncio.timeout(PATIENCE):
        while open_at(hook) != firing_in(await all_of_it.logs.read()):  # noqa: ASYNC110
            await asyncio.sleep(0.5)


async def test_no_fault_leaves_a_trace(tmp_path: Path) -> None:
    with torn() as made:
        async with (
            Endpoint() as hook,
            cluster(tmp_path, ROLES, seed=SEED, network=made, **told_at(hook)) as all_of_it,
        ):
            await all_of_it.start()
            struck = await storm(all_of_it, Random(SEED), FAULTS)
            await much_heard(all_of_it)
            faults, logs = await all_of_it.verdict()
            if faults:
                kept = await kept_by(node.monitor for node in all_of_it.nodes)
                told = "\n".join([f"servers keep {kept}", *map(str, struck)])
                pytest.fail(f"{all_of_it.logs.story(faults)}\n{told}")
            busy(logs, all_of_it)
            await told_of_all(hook, all_of_it)
            log.info("%s faults: %s", len(struck), dict(counted(struck)))
            log.info("%s inputs, %s steps", len(logs.inputs), len(logs.steps))
            log.info("%s steps stored twice by a server", all_of_it.logs.copies)
            log.info("nothing was heard for %.1f s at the most", longest_silence(logs))
    if len(KINDS) <= FAULTS:
        assert set(counted(struck)) == set(KINDS) - (frozenset() if made else OF_A_NETWORK)


async def test_without_the_fence_zombies_do_harm_that_is_noticed(tmp_path: Path) -> None:
    roles = ("listen", "track", "track")
    async with cluster(tmp_path, roles, seed=SEED, fenced=False) as unfenced:
        await unfenced.start()
        harm: list[Fault] = []
        for member in islice(cycle(unfenced.of("track")), ZOMBIES):
            member.signal(signal.SIGSTOP)
            await unfenced.tracked_since(now())
            member.signal(signal.SIGCONT)
            await unfenced.tracked_since(now() + AWHILE)
            harm = effects_of(await unfenced.logs.read())
            if harm:
                break
        assert {fault.kind for fault in harm} & {"twice", "chain"}
