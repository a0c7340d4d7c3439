"""Faults of every kind, drawn at random: kills, stops, planned ends, a network that is torn."""

import asyncio
import logging
import signal
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator, Sequence
from datetime import datetime
from random import Random
from typing import Any, NamedTuple

from support.cluster import Cluster, Member, now
from support.nats import Node

__all__ = ["KINDS", "OF_A_NETWORK", "Struck", "counted", "end_server", "storm"]

log = logging.getLogger(__name__)

LONGEST_PAUSE = 2.0
DEAD = (0.0, 2.0)
"""Seconds from a kill to the next start, at least and at most; and so on."""
STOPPED = (2.5, 5.0)
"""Longer than a lease: who wakes from it finds that others have what was its."""
PARTED = (2.0, 7.0)


class Struck(NamedTuple):
    """One fault."""

    kind: str
    whom: str
    began: datetime
    ended: datetime

    def __str__(self) -> str:
        return f"{self.began:%H:%M:%S} to {self.ended:%H:%M:%S}: {self.kind} ({self.whom})"


async def _kill(cluster: Cluster, member: Member, random: Random) -> None:
    await member.kill()
    await asyncio.sleep(random.uniform(*DEAD))
    await member.start()


async def _stop(cluster: Cluster, member: Member, random: Random) -> None:
    member.signal(signal.SIGSTOP)
    try:
        await asyncio.sleep(random.uniform(*STOPPED))
    finally:
        member.signal(signal.SIGCONT)


async def _end(cluster: Cluster, member: Member, random: Random) -> None:
    code = await member.terminate()
    assert code == 0, member.child.err.decode()
    await asyncio.sleep(random.uniform(*DEAD))
    await member.start()


async def _part(cluster: Cluster, member: Member | Node, random: Random) -> None:
    assert cluster.network is not None
    cluster.network.part(member.place)
    try:
        await asyncio.sleep(random.uniform(*PARTED))
    finally:
        cluster.network.heal()


async def _split(cluster: Cluster, node: Node, random: Random) -> None:
    """Part one server and some of each role from the others."""
    assert cluster.network is not None
    away = [random.choice(cluster.of(role)).place for role in ("listen", "track")]
    cluster.network.part(node.place, *away)
    try:
        await asyncio.sleep(random.uniform(*PARTED))
    finally:
        cluster.network.heal()
    await cluster.healthy(node)


async def _kill_node(cluster: Cluster, node: Node, random: Random) -> None:
    await node.kill()
    await asyncio.sleep(random.uniform(*DEAD))
    await node.start()
    await cluster.healthy(node)


async def _stop_node(cluster: Cluster, node: Node, random: Random) -> None:
    node.signal(signal.SIGSTOP)
    try:
        await asyncio.sleep(random.uniform(*STOPPED))
    finally:
        node.signal(signal.SIGCONT)
    await cluster.healthy(node)


async def _end_node(cluster: Cluster, node: Node, random: Random) -> None:
    await end_server(cluster, node)


async def end_server(cluster: Cluster, node: Node) -> None:
    """Restart a server as an upgrade does; wait until it has all that the others have."""
    node.signal(signal.SIGTERM)
    assert node.process is not None
    await node.process.wait()
    await node.start()
    await cluster.healthy(node)


async def _part_node(cluster: Cluster, node: Node, random: Random) -> None:
    await _part(cluster, node, random)
    await cluster.healthy(node)


Strike = Callable[[Cluster, Any, Random], Coroutine[Any, Any, None]]
NODE = "node"
KINDS: dict[str, tuple[str, Strike]] = {
    "kill a tracker": ("track", _kill),
    "stop a tracker": ("track", _stop),
    "end a tracker": ("track", _end),
    "part a tracker": ("track", _part),
    "kill a listener": ("listen", _kill),
    "stop a listener": ("listen", _stop),
    "end a listener": ("listen", _end),
    "part a listener": ("listen", _part),
    "kill a reader": ("serve", _kill),
    "stop a reader": ("serve", _stop),
    "end a reader": ("serve", _end),
    "kill a server": (NODE, _kill_node),
    "stop a server": (NODE, _stop_node),
    "end a server": (NODE, _end_node),
    "part a server": (NODE, _part_node),
    "split the network": (NODE, _split),
}
"""Every kind of fault: whom it befalls, and what happens."""
OF_A_NETWORK = frozenset(kind for kind in KINDS if kind.startswith(("part ", "split ")))


async def storm(cluster: Cluster, random: Random, faults: int) -> list[Struck]:
    """Strike so many times; give what happened. Each kind comes before any comes again."""
    struck: list[Struck] = []
    without = OF_A_NETWORK if cluster.network is None else frozenset()
    for kind in _drawn(random, faults, without):
        whom, strike = KINDS[kind]
        some: Sequence[Member | Node] = cluster.nodes if whom == NODE else cluster.of(whom)
        victim = random.choice(some)
        began = now()
        await strike(cluster, victim, random)
        struck.append(Struck(kind, victim.name, began, now()))
        log.info("%s of %s: %s", len(struck), faults, struck[-1])
        await asyncio.sleep(random.uniform(0, LONGEST_PAUSE))
        _none_has_ended(cluster)
    return struck


def counted(struck: list[Struck]) -> Counter[str]:
    """Count faults by kind."""
    return Counter(each.kind for each in struck)


def _drawn(random: Random, faults: int, without: frozenset[str]) -> Iterator[str]:
    possible = [kind for kind in KINDS if kind not in without]
    left: list[str] = []
    for _ in range(faults):
        if not left:
            left = random.sample(possible, len(possible))
        yield left.pop()


def _none_has_ended(cluster: Cluster) -> None:
    for member in cluster.members:
        assert member.lives_now, f"{member.name} has ended: {member.child.err.decode()[-3000:]}"
