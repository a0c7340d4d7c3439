"""A day of a mid-size centre, with everything that goes wrong, and its recording replayed.

The gate plays half an hour; `RINGBACK_DAY=24` the whole day (`make blind`).
"""

import asyncio
import os
import random
from datetime import datetime
from pathlib import Path

from ringback.core.tracker import Tracker
from ringback.runtime.replay import Replay
from ringback.simulator.genesys.limits import Limits
from ringback.simulator.genesys.server import GenesysCloud
from ringback.simulator.options import Options
from ringback.sinks.recording import RecordingWriter
from ringback.sources.recording import read_recordings
from ringback.wire.cloudevents import Encoder
from support.organisation import KEEP, ODD_INSTANT, POLICY, Following, following, organisation
from support.runtime import decoder
from support.virtual import run_virtually

HOURS = float(os.environ.get("RINGBACK_DAY", "0.5"))
CALLBACKS_A_DAY = 20_000
CENTRE = Options(
    arrivals_per_minute=CALLBACKS_A_DAY / 24 / 60,
    queues=200,
    agents=2000,
    max_live=5000,
    remember=30_000,
    stuck_seconds=1200,
)
LIMITS = Limits(token_seconds=3 * 3600.0)
MISCHIEF_SECONDS = 300.0


class Nemesis:
    """Does, every few minutes, one of the things that happen in a year."""

    def __init__(self, platform: GenesysCloud) -> None:
        self.chance = random.Random(7)
        self.platform = platform
        self.done: list[str] = []

    async def act_forever(self) -> None:
        while True:
            await asyncio.sleep(self.chance.uniform(0.5, 1.5) * MISCHIEF_SECONDS)
            deed = self.chance.choice(
                (
                    "cut",
                    "freeze",
                    "close",
                    "outage",
                    "evict",
                    "announce",
                    "throttle",
                    "fail",
                    "html",
                )
            )
            self.act(deed)
            self.done.append(deed)

    def act(self, deed: str) -> None:
        faults = self.platform.faults
        connected = [one for one in self.platform.channels.all if one.socket is not None]
        match deed:
            case "cut":
                faults.cut()
            case "freeze":
                faults.freeze()
            case "close":
                faults.hang_up(1001)
            case "outage":
                faults.cut()
                faults.go_down(self.chance.uniform(1, 120))
            case "evict" if connected:
                self.platform.channels.end(connected[0])
            case "announce" if connected:
                self.platform.announce_closing(connected[0])
            case "throttle":
                faults.throttle(times=5)
            case "fail":
                faults.fail(times=5)
            case _:
                faults.answer_html(times=3)


async def play(record: RecordingWriter) -> tuple[list[bytes], datetime]:
    """Follow the centre for all the hours; give the journal, and when it ended."""
    async with (
        organisation(CENTRE, LIMITS) as (platform, sent),
        following(platform, record=record.record, renew_hours=2.0) as found,
    ):
        await found.hearing()
        nemesis = Nemesis(platform)
        acting = asyncio.create_task(nemesis.act_forever(), name="nemesis")
        for _ in range(round(HOURS * 60)):
            sent.clear()
            await asyncio.sleep(60)
        acting.cancel()
        await asyncio.gather(acting, return_exceptions=True)
        platform.faults.forgive()
        await recovered(found)
        assert found.wrong(holds=True) == []
        assert found.lost.put_aside == []
        gaps = found.tracker.repair.ledger.gaps.values()
        assert len(gaps) >= HOURS
        assert all(gap.repaired_at is not None for gap in gaps)
        assert len(platform.centre.truth()) >= HOURS * CALLBACKS_A_DAY / 24 * 0.8
        journal = [entry.body for entry in await found.journal()]
        return journal, found.pipeline.clock.now()


async def recovered(found: Following) -> None:
    """Wait until all is heard, and everything was confirmed or corrected."""
    await asyncio.sleep(60)  # until what has just been broken is noticed
    repair = found.tracker.repair
    await found.until(lambda: repair.ledger.hears_all("main"))
    await asyncio.sleep(60)
    await found.until(lambda: not repair.doubts and not repair.wants)
    await asyncio.sleep(ODD_INSTANT)


def replayed(path: Path, until: datetime) -> list[bytes]:
    """Replay a recording, with the older files beside it, to events as they are told."""
    encode = Encoder("acme").encode
    told: list[bytes] = []
    player = Replay(Tracker(POLICY), decoder(), lambda event: told.append(encode(event)), complain)
    older = sorted(one for one in path.parent.iterdir() if one != path)
    player.run(read_recordings([*older, path]), until)
    return told


def complain(error: Exception) -> None:
    raise error


def test_a_day_ends_as_it_truly_was_and_its_recording_replays_to_the_same_journal(
    tmp_path: Path,
) -> None:
    path = tmp_path / "day.jsonl.zst"
    record = RecordingWriter(path, most_bytes=1 << 34, most_age=KEEP, on_stop=complain)
    journal, ended = run_virtually(play(record))
    record.close()
    assert replayed(path, ended) == journal
