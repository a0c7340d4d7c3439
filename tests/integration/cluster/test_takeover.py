"""How soon others go on with what somebody had. That is told, not judged: `make chaos` shows it.

That others do go on is asserted; how soon depends on the machine. What is wanted: a worker's within
5 s of its death, a server's within 10 s, a planned hand-over within 1 s.
"""

import logging
import os
from datetime import datetime, timedelta
from pathlib import Path

from support.cluster import Cluster, cluster, now

log = logging.getLogger(__name__)

ROLES = ("listen", "listen", "track", "track", "track")
LEASE_SECONDS = 3.0
"""As by default."""
SERVERS = 3 if "RINGBACK_FAULTS" in os.environ else 1
"""How many of the servers die, one after the other; `make chaos` kills each."""
AWHILE = timedelta(seconds=1)
"""Longer than what was under way can take to be stored."""


async def go_on(what: str, all_of_it: Cluster, since: datetime, wanted: float) -> None:
    """Wait until all partitions are tracked again; tell how long anything had to wait."""
    await all_of_it.tracked_since(since + AWHILE)
    waited = all_of_it.logs.longest_wait(since, now())
    log.info("%s: %.2f s; wanted are %g s", what, waited, wanted)


async def test_others_go_on_after_a_death_an_end_and_without_a_server(tmp_path: Path) -> None:
    async with cluster(tmp_path, ROLES, jetstream__lease_seconds=LEASE_SECONDS) as all_of_it:
        await all_of_it.start()
        await all_of_it.tracked_since(now())
        dies, ends, stays = all_of_it.of("track")
        since = now()
        await dies.kill()
        await go_on("what a dead worker had is tracked by others", all_of_it, since, 5)
        since = now()
        assert await ends.terminate() == 0
        await go_on("what a worker handed over as it ended is tracked", all_of_it, since, 1)
        for node in all_of_it.nodes[:SERVERS]:
            since = now()
            await node.kill()
            await go_on(f"all go on without server {node.name}", all_of_it, since, 10)
            await node.start()
            await all_of_it.healthy(node)
        assert stays.lives_now
        faults, _ = await all_of_it.verdict()
        assert faults == []
