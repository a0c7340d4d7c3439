"""All of it on one machine: a platform, three NATS servers, and a process for each role."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ringback.runtime.clock import SystemClock
from ringback.simulator.centre import ContactCentre
from ringback.simulator.genesys.limits import Limits
from ringback.simulator.genesys.server import GenesysCloud
from ringback.simulator.options import Options
from ringback.simulator.server import SimulatorServer
from ringback.stores.jetstream.subjects import Subjects
from support import nats
from support.checker import Fault, Logs, faults_of
from support.daemon import Child, ringback_command, running
from support.engine_logs import EngineLogs, all_current
from support.nats import LOOPBACK, Node, Place, Server
from support.network import Network
from support.unfenced import PROGRAM
from support.witness import Witness

__all__ = ["PARTITIONS", "PATIENCE", "Cluster", "Member", "cluster", "now"]

PATIENCE = 180.0
"""Seconds after which what should have happened will not, however busy the machine is."""
PARTITIONS = 4
ORG = "acme"
PREFIX = "chaos"
LEASE_SECONDS = 1.5
PASSING = frozenset({"lost", "beyond", "untrue", "unfired"})
"""What is not wrong yet, as long as it has not had its time: a server may be behind, and a listener
that was cut off until a moment ago may still have to put what it has heard."""
TRAFFIC = Options(
    arrivals_per_minute=40,
    agents=80,
    speed=10,
    max_live=150,
    remember=1_000_000,
    warm_up=timedelta(0),
)
LIMITS = Limits(requests_per_minute=3000, details_lag_seconds=1.0)


def now() -> datetime:
    """Give the time of all clocks here, NATS's own too."""
    return datetime.now(UTC)


@dataclass
class Member:
    """One process of a role: its name, place and folder stay the same over its lives."""

    name: str
    roles: str
    place: Place
    folder: Path
    settings: Mapping[str, Any]
    fenced: bool = True
    lives: list[Child] = field(default_factory=list)
    _life: AsyncExitStack = field(default_factory=AsyncExitStack)

    @property
    def child(self) -> Child:
        """Its present or last life."""
        return self.lives[-1]

    @property
    def lives_now(self) -> bool:
        """Whether it has been started and has not ended."""
        return bool(self.lives) and self.child.process.returncode is None

    async def start(self) -> None:
        """Begin another life."""
        assert not self.lives_now, f"{self.name} lives"
        command = ringback_command() if self.fenced else [sys.executable, "-P", str(PROGRAM)]
        life = running(
            self.folder,
            "run",
            "--role",
            self.roles,
            command=[*self.place.command, *command],
            **self.settings,
        )
        self.lives.append(await self._life.enter_async_context(life))

    async def ready(self) -> None:
        """Wait until it does what it is for."""
        await self.child.says("source_hears" if "listen" in self.roles else "restored")

    def signal(self, number: int) -> None:
        """Send it a signal."""
        self.child.process.send_signal(number)

    async def kill(self) -> None:
        """End it at once."""
        self.child.process.kill()
        await self.over()

    async def terminate(self) -> int:
        """Ask it to end; give its exit code."""
        self.signal(signal.SIGTERM)
        code = await self.child.ends()
        await self.over()
        return code

    async def over(self) -> None:
        """End this life, however far it is; what it said is kept beside it."""
        await self._life.aclose()
        if self.lives:
            (self.folder / f"life-{len(self.lives)}.log").write_bytes(self.child.err)


@dataclass
class Cluster:
    """Everything there is, and what a test may want of it."""

    platform: SimulatorServer
    cloud: GenesysCloud
    witness: Witness
    nodes: Sequence[Node]
    members: Sequence[Member]
    network: Network | None
    logs: EngineLogs

    @property
    def centre(self) -> ContactCentre:
        """Who knows the truth."""
        return self.platform.centre

    def of(self, role: str) -> list[Member]:
        """Give the members with a role."""
        return [each for each in self.members if role in each.roles.split(",")]

    async def start(self) -> None:
        """Start all members, and wait until they are ready."""
        for member in self.members:
            await member.start()
        for member in self.members:
            await member.ready()

    async def healthy(self, node: Node) -> None:
        """Wait until a server has all that the others have, and so may the next be harmed.

        Its own word for that counts consumers as well, of which those that nobody reads from any
        more may never be ready again.
        """
        await node.ready()
        async with asyncio.timeout(PATIENCE):
            while not await all_current(node.url):  # noqa: ASYNC110  # another process
                await asyncio.sleep(0.2)

    async def tracked_since(self, moment: datetime) -> None:
        """Wait until something of every partition was stored after that."""
        async with asyncio.timeout(PATIENCE):
            while True:
                logs = await self.logs.read()
                stored = zip(logs.steps, self.logs.stored, strict=True)
                since = {step.partition for step, at in stored if at > moment}
                if since >= set(range(PARTITIONS)):
                    return
                await asyncio.sleep(0.5)

    async def verdict(self) -> tuple[list[Fault], Logs]:
        """Halt the platform, wait until all is as it should be, or give what is not."""
        self.centre.halt()
        self.platform.play.flush()
        since = now()
        deadline = asyncio.get_running_loop().time() + PATIENCE
        while True:
            await asyncio.sleep(1)
            logs = await self.logs.read()
            faults = faults_of(logs, self.witness.heard(), self.centre, since)
            lasting = any(fault.kind not in PASSING for fault in faults)
            if not faults or lasting or asyncio.get_running_loop().time() > deadline:
                return faults, logs


@asynccontextmanager
async def cluster(
    folder: Path,
    roles: Sequence[str],
    *,
    seed: int = 1,
    network: Network | None = None,
    options: Options = TRAFFIC,
    fenced: bool = True,
    **settings: Any,
) -> AsyncIterator[Cluster]:
    """Make a cluster with a member for each of `roles`, none of them started; end it afterwards.

    With a network every server and member has a place of its own in it, but those that serve: who
    looks at them comes from outside.
    """
    here = network.here if network else LOOPBACK.address
    places = [network.add() if network else LOOPBACK for _ in range(3)]
    clock = SystemClock()
    centre = ContactCentre(seed, clock.now(), options)
    cloud = GenesysCloud(centre, clock, limits=LIMITS, seed=seed)
    witness = Witness(cloud)
    platform = SimulatorServer(centre, clock, here, beside=[witness, cloud])
    async with AsyncExitStack() as stack:
        nodes = await stack.enter_async_context(
            nats.cluster(folder, places=places, server=Server.CURRENT)
        )
        await stack.enter_async_context(platform)
        address = f"http://{LOOPBACK.address}:{platform.port}"
        servers = [node.url for node in nodes]
        given: dict[str, Any] = {
            "source__kind": "genesys",
            "source__org": ORG,
            "source__reconnect_first_seconds": 0.05,
            "genesys__client_id": cloud.client.id,
            "genesys__client_secret": cloud.client.secret,
            "genesys__login_url": address,
            "genesys__api_url": address,
            "genesys__requests_per_minute": LIMITS.requests_per_minute,
            "genesys__reconcile_every_seconds": 5,
            "store__kind": "jetstream",
            "jetstream__servers": ",".join(servers),
            "jetstream__prefix": PREFIX,
            "jetstream__partitions": PARTITIONS,
            "jetstream__lease_seconds": LEASE_SECONDS,
            "jetstream__most_megabytes": 1024,  # a hundred faults bring 450 MB of inputs
            "watch__not_dialled_seconds": 2,
            "watch__due_grace_seconds": 1,
            "sinks__stdout": "off",
        } | settings
        members = []
        for number, role in enumerate(roles, 1):
            name = f"{role.replace(',', '-')}-{number}"
            (folder / name).mkdir()
            place = LOOPBACK
            if network and "serve" not in role:
                place = network.add()
                network.bring_in(place, platform.port)
            own = given | {"jetstream__member": name}
            members.append(Member(name, role, place, folder / name, own, fenced))
        logs = EngineLogs(servers, Subjects(PREFIX, ORG), PARTITIONS)
        try:
            yield Cluster(platform, cloud, witness, nodes, members, network, logs)
        finally:
            for member in members:
                await member.over()
