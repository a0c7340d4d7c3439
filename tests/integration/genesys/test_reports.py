"""What a Genesys Cloud source has to say of itself, as the API gives it."""

import asyncio

import msgspec

from ringback.simulator.options import Options
from ringback.vitals.sources import report_of
from ringback.web.api.sources import SourceReport
from support.organisation import Following, following, organisation
from support.virtual import run_virtually

CALM = Options(arrivals_per_minute=10, max_live=80, remember=5000, stuck_seconds=300)


def report(found: Following) -> SourceReport:
    at = asyncio.get_running_loop().time()
    return report_of(found.pipeline, found.source, found.source.name, "genesys", at)


def test_it_tells_of_channels_topics_reads_and_gaps_with_their_repair() -> None:
    async def scenario() -> None:
        async with organisation(CALM) as (platform, _), following(platform) as found:
            await found.hearing()
            await asyncio.sleep(120)
            well = report(found)
            assert (well.name, well.kind, well.hears, well.problems) == (
                "main",
                "genesys",
                True,
                [],
            )
            assert well.queues == len(platform.centre.queues)
            assert isinstance(well.channels, list)
            assert well.topics == sum(channel.topics for channel in well.channels) > 0
            (channel,) = well.channels
            assert channel.state == "hears"
            assert channel.age_seconds > channel.conversation_seconds >= channel.heard_seconds
            assert well.blind_since is msgspec.UNSET
            before = len(well.gaps)
            await asyncio.sleep(30)
            platform.faults.go_down(20)
            platform.faults.cut()
            await found.until(lambda: not report(found).hears)
            blind = report(found)
            assert blind.blind_since == blind.gaps[0].began
            assert len(blind.gaps) == before + 1
            await found.hearing()
            await found.until(lambda: report(found).gaps[0].repaired_at is not msgspec.UNSET)
            mended = report(found)
            gap = mended.gaps[0]
            assert gap.unverified == 0
            assert sum(gap.repaired_by.values()) >= gap.touched > 0
            assert isinstance(mended.reads, msgspec.Struct)
            assert msgspec.to_builtins(mended.reads)["surveys"] > 0

    run_virtually(scenario())
