"""Listeners that share what the platform allows one client, in virtual time."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from ringback.app.cluster.sharing import LAPSE_SECONDS, LISTEN, shared_limits
from ringback.runtime.cluster.ownership import Ownership
from ringback.runtime.cluster.sharing import slots
from ringback.settings import Secret, Settings
from ringback.settings.sources import GenesysSettings
from ringback.simulator.centre import ContactCentre
from ringback.simulator.genesys.limits import Limits
from ringback.simulator.genesys.server import GenesysCloud
from ringback.sources.genesys.assembly import assemble
from ringback.sources.genesys.budget import Budget, Urgency
from ringback.sources.recording import RecordingSource
from ringback.stores.jetstream.leases import BUDGET_SECONDS
from ringback.stores.memory_leases import LeaseTable
from ringback.wire.members import Member
from support.callbacks import START
from support.fleet import QUIET
from support.intake import Ears
from support.runtime import LoopClock
from support.virtual import run_virtually

CHANNELS = 8
REQUESTS = 60


class Listener:
    """A process that listens, and asks as much as it may unless it is modest."""

    def __init__(self, office: "Office", name: str, *, modest: bool = False) -> None:
        settings = Settings(
            genesys=GenesysSettings(
                client_id=office.cloud.client.id,
                client_secret=Secret(office.cloud.client.secret),
                login_url=office.cloud.url,
                api_url=office.cloud.url,
                requests_per_minute=REQUESTS,
                most_channels=CHANNELS,
                renew_hours=0.05,
                reconcile_every_seconds=60,
            )
        )
        self.source = assemble(
            settings, LoopClock(), random.Random(name), max_frame_bytes=1 << 20, most_topics=2
        )
        self.fleet = self.source.fleet
        self.leases = office.table.leases(name)
        self.ownership = Ownership(
            self.leases, Member([LISTEN]), shared_limits(settings, self.source)
        )
        self.notes = Ears()
        self._work = [
            asyncio.create_task(self.ownership.run()),
            asyncio.create_task(self.source.run(self.notes)),
        ]
        if not modest:
            self._work.append(asyncio.create_task(self._ask()))

    async def _ask(self) -> None:
        await asyncio.sleep(1)
        while True:
            await self.source.client.budget.take(Urgency.REPAIR)

    @property
    def hears(self) -> int:
        return sum(one.state != "blind" for one in self.fleet.channels)

    async def die(self) -> None:
        for task in self._work:
            task.cancel()
        for task in self._work:
            with suppress(asyncio.CancelledError):
                await task

    async def leave(self) -> None:
        for task in self._work[1:]:
            task.cancel()
        await asyncio.wait(self._work[1:])
        await self.ownership.leave(0.5)
        await self.die()


class Office:
    """The platform, the engine, the listeners; and what they used together."""

    def __init__(self, cloud: GenesysCloud) -> None:
        self.cloud = cloud
        self.table = LeaseTable(BUDGET_SECONDS)
        self.listeners: list[Listener] = []
        self.asked: list[float] = []
        self.connected = 0
        """Channels at once, at the most."""

    def join(self, name: str, *, modest: bool = False) -> Listener:
        made = Listener(self, name, modest=modest)
        self.listeners.append(made)
        return made

    def evictions(self) -> int:
        return sum(one.fleet.evictions for one in self.listeners)

    async def until(self, so: Callable[[], object], seconds: float = 3600.0) -> float:
        began = asyncio.get_running_loop().time()
        async with asyncio.timeout(seconds):
            while not so():
                self.look()
                await asyncio.sleep(0.1)
        return asyncio.get_running_loop().time() - began

    async def wait(self, seconds: float) -> None:
        end = asyncio.get_running_loop().time() + seconds
        await self.until(lambda: asyncio.get_running_loop().time() >= end)

    def look(self) -> None:
        there = sum(one.socket is not None for one in self.cloud.channels.all)
        self.connected = max(self.connected, there)

    def most_asked(self) -> int:
        """Say how many requests there were in a minute, at the most."""
        most = begin = 0
        for end, at in enumerate(self.asked):
            while self.asked[begin] + 60 <= at:
                begin += 1
            most = max(most, end - begin + 1)
        return most


@asynccontextmanager
async def office(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Office]:
    centre = ContactCentre(3, START, QUIET)
    async with GenesysCloud(centre, LoopClock(), limits=Limits(channels=CHANNELS)) as cloud:
        made = Office(cloud)
        spend = Budget._spend

        def noted(budget: Budget, urgency: Urgency, now: float) -> None:
            made.asked.append(now)
            spend(budget, urgency, now)

        monkeypatch.setattr(Budget, "_spend", noted)
        try:
            yield made
        finally:
            for listener in made.listeners:
                await listener.die()


def share(monkeypatch: pytest.MonkeyPatch, play: Callable[[Office], Awaitable[None]]) -> None:
    async def all_of_it() -> None:
        async with office(monkeypatch) as there:
            await play(there)
            assert there.connected <= CHANNELS
            assert there.most_asked() <= REQUESTS
            assert there.evictions() == 0

    run_virtually(all_of_it())


def test_two_listeners_hear_all_and_never_use_more_than_there_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def play(there: Office) -> None:
        ann = there.join("ann")
        await there.until(lambda: ann.hears == 3)
        assert ann.source.client.budget.per_minute == REQUESTS
        await there.wait(120)
        ben = there.join("ben")
        # Half of what a minute allows is another's as soon as that minute is over.
        assert await there.until(lambda: ben.hears == 3) < 130
        await there.wait(1000)
        assert ann.hears == ben.hears == 3
        assert ann.source.client.budget.per_minute == REQUESTS / 2
        assert ben.source.client.budget.per_minute == REQUESTS / 2
        assert there.connected > 6  # they were replaced, each in its turn
        assert there.most_asked() > 0.9 * REQUESTS
        assert not ann.fleet.cuts

    share(monkeypatch, play)


def test_what_a_dead_listener_had_is_another_s_after_the_window(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def play(there: Office) -> None:
        ann, ben = there.join("ann"), there.join("ben")
        await there.until(lambda: ann.hears == ben.hears == 3)
        await there.wait(200)
        await ann.die()
        took = await there.until(lambda: ben.source.client.budget.per_minute == REQUESTS)
        assert 60 < took < BUDGET_SECONDS + 20
        cat = there.join("cat")
        await there.until(lambda: cat.hears == 3)
        await there.wait(200)
        assert ben.hears == 3

    share(monkeypatch, play)


def test_who_was_killed_and_comes_back_is_given_a_share_before_what_it_had(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def play(there: Office) -> None:
        ann, ben = (there.join(name, modest=True) for name in ("ann", "ben"))
        await there.until(lambda: ann.hears == ben.hears == 3)
        await there.wait(200)
        await ann.die()
        again = there.join("ann", modest=True)
        budgets = [one.source.client.budget for one in (again, ben)]
        took = await there.until(lambda: budgets[0].per_minute)
        assert took < 20
        assert budgets[0].per_minute == budgets[1].per_minute == REQUESTS / 4
        # Of channels there are too few: it does not take what another makes use of.
        while again.hears < 3:
            assert ben.hears == 3
            await there.wait(1)
        await there.wait(200)
        assert ben.hears == again.hears == 3
        assert budgets[0].per_minute == budgets[1].per_minute == REQUESTS / 2

    share(monkeypatch, play)


def test_who_was_killed_after_an_outage_has_asked_until_then(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What it held was renewed long before, and yet what it used counts for a minute."""

    async def play(there: Office) -> None:
        ann, ben = there.join("ann"), there.join("ben")
        await there.until(lambda: ann.hears == ben.hears == 3)
        await there.wait(100)
        ann.leases.cut = True
        await there.wait(LAPSE_SECONDS - 30)
        assert ann.source.client.budget.used > 0
        await ann.die()
        again = there.join("ann")
        await there.until(lambda: again.source.client.budget.per_minute)
        await there.wait(200)
        assert again.hears == ben.hears == 3

    share(monkeypatch, play)


def test_who_leaves_gives_back_at_once_what_the_last_minute_leaves(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def play(there: Office) -> None:
        ann, ben = there.join("ann"), there.join("ben")
        await there.until(lambda: ann.hears == ben.hears == 3)
        await there.wait(60)
        await ann.leave()
        assert [
            name for name in slots("channels", CHANNELS, 20) if there.table.holder(name) == "ann"
        ] == []
        cat = there.join("cat")
        assert await there.until(lambda: cat.hears == 3) < 130
        await there.wait(BUDGET_SECONDS)

    share(monkeypatch, play)


def test_of_three_who_need_more_than_there_is_each_hears_a_part(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def play(there: Office) -> None:
        ann, ben, cat = there.join("ann"), there.join("ben"), there.join("cat")
        await there.until(lambda: ann.hears and ben.hears and cat.hears)
        await there.wait(300)
        assert sorted(one.hears for one in there.listeners) == [1, 2, 2]
        assert any("other listeners" in problem for problem in cat.source.problems)
        await cat.leave()
        await there.until(lambda: ann.hears == ben.hears == 3)
        await there.until(lambda: not ann.source.problems)

    share(monkeypatch, play)


def test_who_cannot_reach_the_engine_uses_nothing_once_it_may_be_another_s(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def play(there: Office) -> None:
        ann = there.join("ann")
        await there.until(lambda: ann.hears == 3)
        await there.wait(100)
        ann.leases.cut = True
        await there.wait(LAPSE_SECONDS - 15)
        assert ann.hears == 3
        await there.wait(20)
        assert ann.hears == 0
        assert ann.source.client.budget.per_minute == 0
        ben = there.join("ben")
        await there.until(lambda: ben.hears == 3)
        ann.leases.cut = False
        await there.until(lambda: ann.hears == 3)

    share(monkeypatch, play)


def test_an_outage_of_the_engine_for_minutes_leaves_no_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    async def play(there: Office) -> None:
        ann, ben = there.join("ann"), there.join("ben")
        await there.until(lambda: ann.hears == ben.hears == 3)
        await there.wait(20)
        ann.leases.cut = ben.leases.cut = True
        await there.wait(180)
        ann.leases.cut = ben.leases.cut = False
        await there.wait(600)
        assert not ann.fleet.cuts
        assert not ben.fleet.cuts

    share(monkeypatch, play)


def test_other_sources_share_nothing() -> None:
    source: Any = RecordingSource("main", [], speed=1, on_error=lambda _: None)
    assert shared_limits(Settings(), source) == []
