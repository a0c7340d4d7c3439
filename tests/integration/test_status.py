"""`ringback status` of an organisation on a real server: who has what, and what is behind."""

import asyncio
import subprocess
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, suppress
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio

from ringback.app.cluster.sharing import LAPSE_SECONDS, LISTEN, slots_of
from ringback.app.standing import standing_of
from ringback.errors import EngineUnreachable, SettingsError
from ringback.ports import PartitionStore
from ringback.runtime.clock import SystemClock
from ringback.runtime.cluster.duties import Duty
from ringback.runtime.cluster.ownership import Ownership
from ringback.runtime.cluster.sharing import Share
from ringback.runtime.cluster.tracking import ROLE, Tracking
from ringback.settings import Settings
from ringback.settings.schema import GenesysSettings, SourceSettings, StoreSettings
from ringback.sources.genesys.budget import Budget
from ringback.stores.jetstream.engine import Engine
from ringback.stores.jetstream.leases import JetStreamLeases, budgets_of, leases_of
from ringback.stores.jetstream.subjects import EVERYBODY
from ringback.terminal.standing import Standing
from ringback.wire.log import Tick, encode_message
from ringback.wire.members import Member
from support.daemon import SOON, environment, ringback_command
from support.engine import KEEP_HOURS, engine_settings, new_org
from support.nats import free_ports
from support.tracked import Logs

PARTITIONS = 2


class Process:
    """A member with roles, on a connection of its own."""

    def __init__(self, engine: Engine, works: list[Ownership]) -> None:
        self.engine = engine
        self.works = works
        self._tasks = [asyncio.create_task(one.run()) for one in works]
        self.tracking: Tracking | None = None

    async def end(self) -> None:
        for one in self.works:
            await one.leave(SOON)
        for task in self._tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        await self.engine.close()


class House:
    """An organisation and its processes."""

    def __init__(self, url: str) -> None:
        self.settings = Settings(
            source=SourceSettings(org=new_org()),
            genesys=GenesysSettings(requests_per_minute=300, most_channels=20),
            store=StoreSettings(kind="jetstream"),
            jetstream=engine_settings(url, PARTITIONS),
        )
        self.stack = AsyncExitStack()

    async def start(self, name: str, roles: Sequence[str], *, idle: bool = False) -> Process:
        settings = self.settings.jetstream
        engine = await Engine.open(settings, self.settings.source.org, KEEP_HOURS)
        means = msgspec.structs.replace(
            Logs().means(), inputs=engine.inputs, clock=SystemClock(), keep=timedelta(hours=48)
        )

        async def open_store(number: int) -> PartitionStore:
            if idle:
                await asyncio.Event().wait()
            return engine.store(number)

        tracking = Tracking(means, open_store)
        member = Member(list(roles), "1.0", f"http://{name}:8080", "2026-11-25T12:00:00Z")
        leases = JetStreamLeases(engine.connection, leases_of(settings, engine.subjects), name)
        names = [f"{ROLE}.{number}" for number in range(PARTITIONS)]
        works = [
            Ownership(
                leases,
                member,
                [Duty(ROLE, names, tracking), Duty("alert", ["alert"], _Idle(), 2.0)],
            )
        ]
        if LISTEN in roles:
            budgets = JetStreamLeases(
                engine.connection, budgets_of(settings, engine.subjects), name
            )
            parts = slots_of(self.settings)["requests"]
            share = Share(Budget(300), parts)
            works.append(
                Ownership(
                    budgets, member, [Duty(LISTEN, list(parts), share, LAPSE_SECONDS, share.most)]
                )
            )
        process = Process(engine, works)
        self.stack.push_async_callback(process.end)
        return process

    async def until(self, so: Callable[[Standing], object]) -> Standing:
        async with asyncio.timeout(SOON):
            while not so(standing := await standing_of(self.settings)):  # noqa: ASYNC110  # others
                await asyncio.sleep(0.1)
        return standing


class _Idle:
    """No work at all."""

    async def take(self, name: str) -> None:
        """Begin nothing."""

    async def give(self, name: str) -> None:
        """Finish nothing."""

    async def lose(self, name: str) -> None:
        """End nothing."""


@pytest_asyncio.fixture
async def house(nats_url: str) -> AsyncIterator[House]:
    made = House(nats_url)
    async with made.stack:
        yield made


async def test_who_does_what_is_shown(house: House) -> None:
    ann = await house.start("ann.example.org", ["alert", "listen", "serve", "track"])
    await house.until(lambda found: not found.problems and found.members[0].requests == 300)
    await house.start("ben", ["listen", "track"])
    found = await house.until(
        lambda found: (
            {one.owner for one in found.partitions} == {"ann.example.org", "ben"}
            and [one.requests for one in found.members] == [150, 150]
        )
    )
    assert not found.problems
    assert [(one.name, one.roles, one.version, one.partitions) for one in found.members] == [
        ("ann.example.org", ["alert", "listen", "serve", "track"], "1.0", 1),
        ("ben", ["listen", "track"], "1.0", 1),
    ]
    assert found.members[1].address == "http://ben:8080"
    assert found.alert.owner == "ann.example.org"
    assert all(one.leader and one.replicas == 1 and not one.behind for one in found.streams)
    assert len(found.streams) == 4
    assert any("one process alone has the role serve" in one for one in found.warnings)
    for number in range(PARTITIONS):
        await ann.engine.inputs.put(number, EVERYBODY, encode_message(Tick()), f"t{number}")
    found = await house.until(
        lambda found: all(one.inputs_end == one.inputs_reached > 0 for one in found.partitions)
    )
    assert all(one.lag_seconds == 0 and one.last_step for one in found.partitions)
    assert found.streams[0].messages >= PARTITIONS
    assert found.streams[0].first is not None


async def test_what_has_no_owner_is_a_problem(house: House) -> None:
    process = await house.start("ann", ["serve"])
    found = await house.until(lambda found: found.members)
    assert [one.owner for one in (*found.partitions, found.alert)] == [None, None, None]
    assert [problem.partition(";")[0] for problem in found.problems if "KV_" not in problem] == [
        "nobody listens: what happens now is not heard",
        "nobody tracks",
        "nobody sends alerts",
    ]
    await process.engine.inputs.put(0, "a", encode_message(Tick()), "t")
    found = await house.until(lambda found: found.partitions[0].lag_seconds > 0.5)
    assert found.partitions[0].inputs_reached == 0


async def test_what_is_far_behind_is_a_problem(house: House) -> None:
    process = await house.start("ann", ["alert", "serve", "track"], idle=True)
    await process.engine.inputs.put(1, "a", encode_message(Tick()), "t")
    await house.until(lambda found: found.partitions[1].owner)

    class Later:
        def now(self) -> object:
            return SystemClock().now() + timedelta(seconds=40)

    found = await standing_of(house.settings, Later())  # type: ignore[arg-type]
    assert found.partitions[1].lag_seconds > 39
    assert found.partitions[0].lag_seconds == 0
    assert any("track.1 is 4" in problem for problem in found.problems)


async def test_nothing_is_made_by_looking(house: House) -> None:
    found = await standing_of(house.settings)
    assert [one for one in found.problems if "is not there: no process has run yet" in one]
    assert not found.streams
    again = await standing_of(house.settings)
    assert not again.streams


async def test_without_an_engine_it_says_so(house: House) -> None:
    with pytest.raises(SettingsError, match="of several processes that share NATS JetStream"):
        await standing_of(Settings())
    (port,) = free_ports(1)
    away = msgspec.structs.replace(
        house.settings, jetstream=engine_settings(f"nats://127.0.0.1:{port}")
    )
    with pytest.raises(EngineUnreachable):
        await standing_of(away)


async def test_the_command_tells_by_its_exit_code(house: House, tmp_path: Path) -> None:
    async def run(*arguments: str) -> subprocess.CompletedProcess[bytes]:
        settings = house.settings
        return await asyncio.to_thread(
            subprocess.run,
            [*ringback_command(), "status", *arguments],
            cwd=tmp_path,
            env=environment(
                store__kind="jetstream",
                source__org=settings.source.org,
                jetstream__servers=settings.jetstream.servers,
                jetstream__partitions=PARTITIONS,
                jetstream__replicas=1,
            ),
            capture_output=True,
            timeout=SOON,
            check=False,
        )

    done = await run()
    assert (done.returncode, done.stderr) == (1, b"")
    assert b"nobody listens" in done.stdout
    await house.start("ann", ["alert", "listen", "serve", "track"])
    await house.until(lambda found: not found.problems)
    done = await run()
    assert (done.returncode, done.stderr) == (0, b"")
    for word in (b"Members", b"Partitions", b"Streams", b"ann", b"track.1"):
        assert word in done.stdout
    done = await run("--json")
    assert done.returncode == 0
    told = msgspec.json.decode(done.stdout)
    assert told["partitions"][1]["owner"] == "ann"
    assert told["members"][0]["leaseAgeSeconds"] >= 0
