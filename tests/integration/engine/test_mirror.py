"""Mirrors on a real server: what is read there, told there, and taken over there."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from ringback.core.watch.messages import Phase
from ringback.core.watch.notices import Limits
from ringback.core.watch.silences import Matcher
from ringback.errors import EngineSilent
from ringback.ports import Entry, PartitionStore
from ringback.runtime.clock import SystemClock
from ringback.runtime.cluster.mirror import LOST, Mirror
from ringback.runtime.cluster.telling import Telling
from ringback.runtime.desk import Books
from ringback.stores.jetstream.engine import Engine
from ringback.vitals.mirror import checks_of_mirror
from ringback.web.health import Status
from ringback.wire.steps import position_in, step_at
from support.alerts import Crew, Friend, alert_event, an_alert
from support.daemon import SOON
from support.engine import KEEP_HOURS, engine_settings, open_engine
from support.gateway import frame
from support.mirrored import Tracking
from support.nats import one_node
from support.runtime import types

PARTITIONS = 4
KEEP = timedelta(days=2)
DUE = {"state": "scheduled", "connectedTime": None, "callbackScheduledTime": "2026-11-22T07:50:00Z"}
OVER = {"state": "disconnected", "disconnectedTime": "2026-11-22T08:00:00Z"}
ALERT = "c-1/due_not_released/1"
RULE = Matcher("rule", "due_not_released")


async def until(seen: Callable[[], object]) -> None:
    """Wait for something that comes over the network."""
    async with asyncio.timeout(SOON):
        while not seen():  # noqa: ASYNC110  # a server does it
            await asyncio.sleep(0.005)


@asynccontextmanager
async def engines(url: str, count: int) -> AsyncIterator[list[Engine]]:
    """Open the engine of one organisation several times, as several processes do."""
    async with AsyncExitStack() as stack:
        first = await open_engine(url)
        stack.push_async_callback(first.close)
        opened = [first]
        for _ in range(count - 1):
            another = await open_engine(url, first.subjects.org)
            stack.push_async_callback(another.close)
            opened = [*opened, another]
        yield opened


async def test_all_processes_tell_the_same_at_the_same_positions(nats_url: str) -> None:
    async with engines(nats_url, 3) as (first, second, third):
        tracking = Tracking(SystemClock(), PARTITIONS)
        tracking.on(first)
        await tracking.see(*(frame(f"c-{number}") for number in range(50)))
        async with tracking.mirroring(second) as one, tracking.mirroring(third) as other:
            one._past._most_entries = 5
            await tracking.see(*(frame(f"c-{number}", **OVER) for number in range(0, 50, 2)))
            last = await first.steps.position()
            await until(lambda: step_at(one.position) == step_at(other.position) == last)
            assert one.tracker.conversations.stages == other.tracker.conversations.stages
            assert one.tracker.conversations.stages == {"waiting": 25, "disconnected": 25}
            mirrors: list[Mirror] = [one, other]
            position, read = 0, list[Entry]()
            while more := await mirrors[len(read) % 2].read(position, 7):
                read += more
                position = more[-1].position
            expected = [position_in(number, 0) for number in range(1, 76)]
            assert [entry.position for entry in read] == expected
            assert types(await other.history("c-4", 9)) == [
                "callback.waiting",
                "callback.disconnected",
            ]


async def test_what_people_do_is_taken_and_seen_by_all(nats_url: str) -> None:
    async with engines(nats_url, 3) as (first, second, third):
        tracking = Tracking(SystemClock(), PARTITIONS)
        tracking.on(first)
        await tracking.see(frame("c-1", **DUE))
        await tracking.live()
        async with (
            tracking.working(),
            tracking.mirroring(second) as one,
            tracking.mirroring(third) as other,
        ):
            await one.acknowledge(ALERT, "ada")
            await one.committed()
            assert one.tracker.alerts.firing(ALERT).acknowledged_by == "ada"
            await until(lambda: other.tracker.alerts.firing(ALERT).acknowledged_by == "ada")
            soon = tracking.clock.now() + timedelta(hours=1)
            silence = await other.silence([RULE], soon, "bob", "")
            await other.committed()
            assert list(other.tracker.silences) != []
            await until(lambda: silence.id in [each.id for each in one.tracker.silences])


async def test_receivers_are_told_on_by_another_with_nothing_lost(nats_url: str) -> None:
    async with engines(nats_url, 3) as (first, second, third):
        tracking = Tracking(SystemClock(), PARTITIONS)
        tracking.on(first)
        friend = Friend()
        async with tracking.mirroring(second) as one, tracking.mirroring(third) as other:
            before, after = telling(second, one, friend), telling(third, other, friend)
            await before.take("alert")
            await tell(tracking, Phase.FIRING, 1, 2)
            await until(lambda: len(friend.world.open) == 2)
            await tell(tracking, Phase.RESOLVED, 2)
            await after.take("alert")  # the one before does not know
            await tell(tracking, Phase.FIRING, 3)
            await until(lambda: sorted(friend.world.open) == [name(1), name(3)])
            await before.lose("alert")
            await tell(tracking, Phase.RESOLVED, 1, 3)
            await until(lambda: not friend.world.open)
            heard = friend.world.heard
            assert sorted(heard) == sorted(
                (name(number), phase)
                for number in (1, 2, 3)
                for phase in (Phase.FIRING, Phase.RESOLVED)
            )
            await after.give("alert")


async def test_a_server_that_is_gone_is_told_and_made_good_by_itself(tmp_path: Path) -> None:
    async with one_node(tmp_path) as node:
        settings = engine_settings(node.url, PARTITIONS)
        first = await Engine.open(settings, "acme", KEEP_HOURS)
        second = await Engine.open(settings, "acme", KEEP_HOURS)
        tracking = Tracking(SystemClock(), PARTITIONS)
        tracking.on(first)
        await tracking.hear()
        async with tracking.mirroring(second) as mirror:
            await until(lambda: {one.status for one in checks_of_mirror(mirror)} == {Status.OK})
            await node.kill()
            await until(lambda: mirror.silent_seconds > LOST)
            (_, check) = checks_of_mirror(mirror)
            assert (check.name, check.status) == ("log of steps", Status.DEGRADED)
            assert not mirror.freshness("main").hears
            with pytest.raises(EngineSilent):
                await mirror.silence([RULE], tracking.clock.now() + timedelta(hours=1), "ada", "")
            seeing = asyncio.create_task(tracking.see(frame("c-1")))
            await node.start()
            await seeing
            await until(lambda: mirror.tracker.conversations.get("c-1") is not None)
            await tracking.live()
            await until(lambda: mirror.freshness("main").hears)
            # What was asked for and is not waited for any more is nobody's trouble.
            await until(lambda: not second.connection.troubles)
        for one in (first, second):
            await one.close()


def name(number: int) -> str:
    """Name an alert."""
    return f"c-{number}/due_not_released/1"


async def tell(tracking: Tracking, phase: Phase, *numbers: int) -> None:
    """Let something become of alerts."""
    now = tracking.clock.now()
    await tracking.tell(*(alert_event(phase, an_alert(one), now) for one in numbers))


def telling(engine: Engine, mirror: Mirror, friend: Friend) -> Telling:
    """Make a process that may tell a friend, at once."""

    async def open_store() -> PartitionStore:
        return engine.store(PARTITIONS)

    def make(books: Books) -> Crew:
        return Crew(friend, mirror, books, Limits(gather=timedelta(), most=0))

    return Telling(mirror, open_store, make, drain_seconds=5, keep=KEEP)
