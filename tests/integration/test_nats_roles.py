"""Each role as a process of its own, as a user that may do no more than it needs."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from ringback.runtime.clock import SystemClock
from ringback.settings.jetstream import JetStreamSettings
from ringback.simulator.centre import ContactCentre
from ringback.simulator.server import SimulatorServer
from ringback.stores.jetstream.permissions import User, user_of
from ringback.stores.jetstream.subjects import Subjects
from support.accounts import accounts_of, password
from support.daemon import SOON, Child, execute, running
from support.gateway import BUSY
from support.nats import Node, one_node

ONE = JetStreamSettings(replicas=1, most_megabytes=64, partitions=3)
ROLES: tuple[User, ...] = ("listen", "track", "serve", "alert")
ORGS = ("local", "other.org_2")


def asked(node: Node, org: str, user: User) -> dict[str, Any]:
    subjects = Subjects(ONE.prefix, org)
    return {
        "store__kind": "jetstream",
        "source__org": org,
        "jetstream__servers": node.url,
        "jetstream__replicas": ONE.replicas,
        "jetstream__most_megabytes": ONE.most_megabytes,
        "jetstream__partitions": ONE.partitions,
        "jetstream__lease_seconds": 1,
        "jetstream__user": user_of(subjects, user),
        "jetstream__password": password(subjects, user),
    }


class Organisation:
    """Its processes, by role."""

    def __init__(self, node: Node, org: str, folder: Path, stack: AsyncExitStack) -> None:
        self.org = org
        self.children: dict[str, Child] = {}
        self._node = node
        self._folder = folder / org
        self._stack = stack

    async def set_up(self) -> str:
        """Make what it needs, as the one user who may."""
        self._folder.mkdir()
        async with running(
            self._folder, "migrate", **asked(self._node, self.org, "setup")
        ) as child:
            assert await child.ends() == 0, child.err.decode()
            return child.out.decode()

    async def start(self, role: User, url: str) -> Child:
        folder = self._folder / role
        folder.mkdir()
        more: dict[str, Any] = {}
        if role == "listen":
            more = {"source__kind": "websocket", "source__url": url}
        if role == "alert":
            more |= {"receivers__ops__kind": "stdout", "sinks__stdout": "off"}
        child = await self._stack.enter_async_context(
            running(folder, "run", "--role", role, **asked(self._node, self.org, role), **more)
        )
        self.children[role] = child
        return child

    async def tracks(self) -> list[dict[str, Any]]:
        """Wait until its dashboard has callbacks; give them."""
        async with asyncio.timeout(SOON):
            while True:
                answer = await self.children["serve"].get("/api/v1/callbacks")
                if answer.status_code == 200 and (found := answer.json()["callbacks"]):
                    return list(found)
                await asyncio.sleep(0.1)

    async def status(self) -> tuple[int, bytes, str]:
        """Ask who does what, as the user who may only look."""
        return await execute(self._folder, "status", **asked(self._node, self.org, "status"))

    async def ready(self) -> None:
        """Wait until all of its processes are."""
        for role, child in self.children.items():
            said = ""
            try:
                async with asyncio.timeout(SOON):
                    while (answer := await child.get("/readyz?verbose")).status_code != 200:
                        said = answer.text
                        await asyncio.sleep(0.1)
            except TimeoutError:
                pytest.fail(f"{self.org} {role} is not ready: {said} {child.err.decode()}")


@asynccontextmanager
async def organisations(folder: Path) -> AsyncIterator[list[Organisation]]:
    centres = [ContactCentre(seed, SystemClock().now(), BUSY) for seed in (3, 4)]
    accounts = accounts_of(folder, ORGS, ONE)
    async with AsyncExitStack() as stack:
        node = await stack.enter_async_context(one_node(folder, accounts))
        found = []
        for org, centre in zip(ORGS, centres, strict=True):
            server = await stack.enter_async_context(SimulatorServer(centre, SystemClock()))
            one = Organisation(node, org, folder, stack)
            assert "are there" in await one.set_up()
            for role in ROLES:
                await one.start(role, server.url)
            found.append(one)
        yield found


async def test_two_organisations_run_on_one_server_with_the_least_that_each_role_needs(
    tmp_path: Path,
) -> None:
    async with organisations(tmp_path) as found:
        seen = []
        for one in found:
            await one.ready()
            seen.append({callback["conversationId"] for callback in await one.tracks()})
        assert seen[0]
        assert not seen[0] & seen[1]
        for one in found:
            for role, child in one.children.items():
                said = child.err.decode()
                assert "permission" not in said, (one.org, role, said)
            code, told, said = await one.status()
            assert (code, said) == (0, ""), told
            assert all(role.encode() in told for role in ROLES), told
    log = (tmp_path / "n1" / "log").read_text()
    assert [line for line in log.splitlines() if "Violation" in line] == []


async def test_a_role_alone_cannot_make_the_streams_and_says_who_can(tmp_path: Path) -> None:
    accounts = accounts_of(tmp_path, ORGS, ONE)
    async with one_node(tmp_path, accounts) as node:
        code, _, said = await execute(
            tmp_path, "run", "--role", "track", **asked(node, "local", "track")
        )
    assert code == 1
    assert "may not make it" in said
    assert "`ringback migrate` was run once, as the user for setup" in said
