"""Planned renewals lose nothing: by age, announced closing, new tokens, changes of topics.

The gate makes a hundred; `RINGBACK_RENEWALS=1000` as many as are asked for.
"""

import asyncio
import os
import random
from collections import Counter

from ringback.simulator.centre import Emission
from ringback.simulator.genesys.limits import Limits
from ringback.simulator.genesys.server import GenesysCloud
from ringback.simulator.options import Options
from ringback.simulator.people import Queue
from support.organisation import ODD_INSTANT, Following, following, organisation
from support.virtual import run_virtually

RENEWALS = int(os.environ.get("RINGBACK_RENEWALS", "100"))
QUIETLY = Options(arrivals_per_minute=6, max_live=60, stuck_seconds=200, remember=100_000)
TOKENS = Limits(token_seconds=400)
LOOK_SECONDS = 7.0


class Administrator:
    """Announces closings, and opens and closes queues, at random."""

    def __init__(self, platform: GenesysCloud) -> None:
        self.chance = random.Random(3)
        self.platform = platform
        self.queues: list[Queue] = []
        self.closings = 0

    def act(self) -> None:
        match self.chance.choice(("announce", "add", "remove", "rest", "rest")):
            case "announce":
                channel = self.chance.choice(
                    [one for one in self.platform.channels.all if one.socket is not None]
                )
                self.platform.announce_closing(channel)
                self.closings += 1
            case "add" if len(self.queues) < 3:
                name = f"Seasonal {len(self.platform.centre.queues)}"
                self.queues.append(self.platform.add_queue(name))
            case "remove" if self.queues:
                self.platform.remove_queue(self.queues.pop(0))


def lost(sent: list[Emission], heard: Counter[bytes]) -> list[str]:
    """Give the conversations of frames that were sent and never came."""
    return [one.conversation_id for one in sent if one.frame not in heard]


async def renew_many() -> Following:
    async with organisation(QUIETLY, TOKENS) as (platform, sent):
        chosen = {queue.id for queue in platform.centre.queues}
        async with following(
            platform, renew_hours=0.02, queues_every_seconds=20.0, most_topics=2
        ) as found:
            await found.hearing()
            sent.clear()
            administrator = Administrator(platform)
            while sum(found.source.fleet.renewals.values()) < RENEWALS:
                await asyncio.sleep(LOOK_SECONDS)
                await asyncio.sleep(ODD_INSTANT)
                # Of a queue that has just been opened, nothing is heard before it is found.
                truths = platform.centre.truth()
                wrong = found.wrong()
                assert [one for one in wrong if truths[one.split()[0]].queue_id in chosen] == []
                administrator.act()
            told = [one for one in sent if of(one, chosen)]
            assert lost(told, found.heard) == []
            assert len(told) > 10 * RENEWALS
            assert administrator.closings > RENEWALS / 50
            return found


def of(emission: Emission, queues: set[str]) -> bool:
    return emission.topic.split(".")[3] in queues


def test_planned_renewals_lose_no_snapshot_and_no_callback_is_ever_wrong() -> None:
    found = run_virtually(renew_many())
    renewals = found.source.fleet.renewals
    assert {"age", "socket_closing", "token"} <= {reason.value for reason in renewals}
    assert found.source.fleet.cuts == Counter()
    gaps = found.tracker.repair.ledger.gaps.values()
    # A queue that was closed is missed until it is known that it is gone.
    assert {gap.cause for gap in gaps} <= {"topic rejected"}
    assert found.pipeline.corrections == 0
