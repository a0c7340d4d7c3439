"""Unplanned cuts, of every kind and of random length: all in the ledger, all repaired.

The gate makes thirty; `RINGBACK_CUTS=200` as many as are asked for.
"""

import asyncio
import os
import random
from datetime import datetime

from ringback.core.gaps import Gap
from ringback.simulator.genesys.channels import Channel
from ringback.simulator.genesys.server import GenesysCloud
from ringback.simulator.kinds import Kind
from ringback.simulator.options import Options
from support.organisation import ODD_INSTANT, Following, following, organisation
from support.virtual import run_virtually

CUTS = int(os.environ.get("RINGBACK_CUTS", "30"))
SELDOM_SECONDS = 600.0
"""Evictions that come more often are not fought, on purpose: then the source stays blind."""
NOTICED_WITHIN = 50.0
"""Seconds: a connection that stands and brings nothing is the last to be noticed."""
REPAIRED_WITHIN = 60.0
"""Seconds after the end of a gap."""
BUSY = Options(arrivals_per_minute=30, max_live=150, agents=80, remember=3000, stuck_seconds=300)


class Saboteur:
    """Breaks connections in every way there is."""

    def __init__(self, platform: GenesysCloud) -> None:
        self.chance = random.Random(5)
        self.platform = platform
        self.evicted_at = 0.0

    def strike(self) -> str:
        """Do harm; say which."""
        faults = self.platform.faults
        sockets = [
            one
            for one in self.platform.channels.all
            if one.socket is not None and not one.socket.frozen
        ]
        victim: Channel | None = self.chance.choice([None, *sockets])
        kind = self.chance.choice(("cut", "freeze", "close", "outage", "frozen outage", "evict"))
        length = self.chance.expovariate(1 / 20)
        match kind:
            case "cut":
                faults.cut(victim)
            case "freeze":
                faults.freeze(victim)
            case "close":
                faults.hang_up(self.chance.choice((1001, 1006, 1011)), victim)
            case "outage":
                faults.cut()
                faults.go_down(length)
            case "frozen outage":
                faults.freeze()
                faults.go_down(length)
            case _ if asyncio.get_running_loop().time() - self.evicted_at > SELDOM_SECONDS:
                self.evicted_at = asyncio.get_running_loop().time()
                self.platform.channels.end(victim or sockets[0])
            case _:
                faults.cut(victim)
        return f"{kind} of {'all' if victim is None else 'one'} for {length:.1f} s"


async def repaired(found: Following, began: datetime) -> list[Gap]:
    """Wait until all is heard and nothing is in doubt; give the gaps that began since."""
    ledger, doubts = found.tracker.repair.ledger, found.tracker.repair.doubts
    await found.until(lambda: ledger.hears_all("main"))
    loop = asyncio.get_running_loop()
    heard_at = loop.time()
    await found.until(lambda: not doubts)
    assert loop.time() - heard_at <= REPAIRED_WITHIN
    return [gap for gap in ledger.gaps.values() if (gap.until or began) >= began]


async def cut_many() -> None:
    async with (
        organisation(BUSY) as (platform, _),
        following(platform, most_topics=3, reconcile_every_seconds=1e4) as found,
    ):
        await found.hearing()
        await repaired(found, found.pipeline.clock.now())
        saboteur = Saboteur(platform)
        for _ in range(CUTS):
            await asyncio.sleep(saboteur.chance.uniform(5, 40))
            began = found.pipeline.clock.now()
            struck = saboteur.strike()
            await asyncio.sleep(NOTICED_WITHIN)
            gaps = await repaired(found, began)
            assert gaps, f"{struck} is not in the ledger"
            assert min(gap.since for gap in gaps) <= began, struck
            assert all(gap.repaired_at is not None for gap in gaps), struck
            await asyncio.sleep(ODD_INSTANT)
            assert found.wrong() == [], struck
        told = await found.events("source.gap_closed")
        assert len(told) == len(found.tracker.repair.ledger.gaps)


def test_every_cut_is_in_the_ledger_and_everything_it_touched_is_confirmed_or_corrected() -> None:
    run_virtually(cut_many())


THOUSAND = Options(
    arrivals_per_minute=60,
    max_live=5000,
    queues=200,
    agents=2000,
    remember=10_000,
    mix={Kind.NEVER_RELEASED: 3, Kind.NEVER_OFFERED: 3, Kind.SCHEDULED: 3, Kind.HELD_CALL: 3},
    stuck_seconds=9000,
)


async def cut_a_thousand() -> None:
    async with (
        organisation(THOUSAND) as (platform, _),
        following(platform, requests_per_minute=300) as found,
    ):
        await found.hearing()
        await found.until(lambda: platform.centre.live >= 1000, 3600)
        platform.faults.cut()
        platform.faults.go_down(30)
        spent = found.source.client.budget.spent.total()
        reads = found.source.reconciliation.reads
        await asyncio.sleep(20)
        began = found.pipeline.clock.now()
        await repaired(found, began)
        gap = list(found.tracker.repair.ledger.gaps.values())[-1]
        assert gap.touched >= 950
        assert gap.repaired_by["survey"] > gap.repaired_by.get("read", 0)
        assert found.source.client.budget.spent.total() - spent <= 2 * 300
        assert found.source.reconciliation.reads - reads < 300
        assert platform.refused[429] == 0
        await asyncio.sleep(ODD_INSTANT)
        assert found.wrong() == []


def test_a_thousand_open_callbacks_are_confirmed_within_a_minute_and_the_budget() -> None:
    run_virtually(cut_a_thousand())
