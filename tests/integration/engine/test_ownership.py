"""Members on a cluster of three servers, of which each goes and comes back."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from ringback.runtime.cluster.duties import Duty
from ringback.runtime.cluster.ownership import Ownership
from ringback.settings.jetstream import JetStreamSettings
from ringback.stores.jetstream.connection import Connection
from ringback.stores.jetstream.leases import JetStreamLeases, leases_of
from ringback.stores.jetstream.standing import stream_standing
from ringback.stores.jetstream.subjects import Subjects
from ringback.wire.members import Member
from ringback.wire.standing import StreamStanding
from support.nats import Node, cluster

NAMES = [f"track.{number}" for number in range(6)]
SUBJECTS = Subjects("ringback", "acme")
PATIENCE = 60.0


class Hands:
    """Who works on what, and how often two did."""

    def __init__(self) -> None:
        self.at: dict[str, set[str]] = {name: set() for name in [*NAMES, "alert"]}
        self.alerts_together = 0

    def alone(self, *members: str) -> bool:
        """Whether these have everything, each name at one of them."""
        return all(len(those) == 1 and those <= set(members) for those in self.at.values())

    async def until(self, so: Callable[[], object]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not so():  # noqa: ASYNC110  # other processes
                await asyncio.sleep(0.05)


class Hand:
    """One member's work."""

    def __init__(self, hands: Hands, member: str) -> None:
        self._hands = hands
        self._member = member

    async def take(self, name: str) -> None:
        those = self._hands.at[name]
        self._hands.alerts_together += name == "alert" and bool(those)
        those.add(self._member)

    async def give(self, name: str) -> None:
        self._hands.at[name].discard(self._member)

    async def lose(self, name: str) -> None:
        self._hands.at[name].discard(self._member)


class Someone:
    """A member with a connection of its own."""

    def __init__(self, connection: Connection, ownership: Ownership) -> None:
        self.connection = connection
        self.ownership = ownership
        self._task = asyncio.create_task(ownership.run())

    async def leave(self) -> None:
        await self.ownership.leave(PATIENCE)
        await self.die()

    async def die(self) -> None:
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
        await self.connection.close()


@asynccontextmanager
async def joined(nodes: Sequence[Node], hands: Hands, name: str) -> AsyncIterator[Someone]:
    settings = JetStreamSettings(servers=",".join(node.url for node in nodes), replicas=3)
    connection = await Connection.open(settings, name=name)
    leases = JetStreamLeases(connection, leases_of(settings, SUBJECTS), name)
    hand = Hand(hands, name)
    duties = [Duty("track", NAMES, hand), Duty("alert", ["alert"], hand, 2.4)]
    someone = Someone(connection, Ownership(leases, Member(["track", "alert"]), duties))
    try:
        yield someone
    finally:
        await someone.die()


async def leader_of(nodes: Sequence[Node], connection: Connection) -> Node:
    """Give the server that leads the bucket."""
    name = f"KV_{SUBJECTS.leases}"
    found: StreamStanding | None = None
    async with asyncio.timeout(PATIENCE):
        while found is None or not found.leader:
            with suppress(Exception):
                found = await stream_standing(connection, name)
            await asyncio.sleep(0.1)
    return next(node for node in nodes if node.name == found.leader)


async def test_servers_that_go_and_come_back_leave_everything_owned_once(tmp_path: Path) -> None:
    hands = Hands()
    async with (
        cluster(tmp_path) as nodes,
        joined(nodes, hands, "ann") as ann,
        joined(nodes, hands, "ben") as ben,
    ):
        await hands.until(lambda: hands.alone("ann", "ben"))
        for _ in range(2):
            node = await leader_of(nodes, ann.connection)
            await node.kill()
            await hands.until(lambda: ann.ownership.members.keys() == {"ann", "ben"})
            await hands.until(lambda: hands.alone("ann", "ben"))
            await node.start()
            await node.ready()
        # A server and a member at once.
        node = await leader_of(nodes, ann.connection)
        await asyncio.gather(node.kill(), ben.die())
        for those in hands.at.values():
            those.discard("ben")
        await hands.until(lambda: hands.alone("ann"))
        await node.start()
        await node.ready()
        async with joined(nodes, hands, "cat"):
            await hands.until(lambda: sum("cat" in those for those in hands.at.values()) == 3)
            await ann.leave()
            await hands.until(lambda: hands.alone("cat"))
        assert hands.alerts_together == 0
