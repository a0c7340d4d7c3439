"""Everything is restarted, one process after the other, and nobody notices but the log."""

from pathlib import Path

import msgspec

from support.checker import Logs
from support.cluster import cluster, now
from support.faulting import end_server
from support.following import following, told_in

ROLES = ("listen", "listen", "track", "track", "serve,alert", "serve,alert")
HARMLESS = {"debug", "info", "warning"}


def told_of_sources(logs: Logs, after: int) -> list[str]:
    """Give the types of events about sources in later steps."""
    events = [
        msgspec.json.decode(body)
        for step in logs.steps
        if step.sequence > after
        for body in step.events
    ]
    return [event["type"] for event in events if ".source." in event["type"]]


async def test_a_rolling_restart_of_everything_leaves_no_hole_and_tells_no_gap(
    tmp_path: Path,
) -> None:
    async with cluster(tmp_path, ROLES) as all_of_it:
        await all_of_it.start()
        await all_of_it.tracked_since(now())
        before = (await all_of_it.logs.read()).steps[-1].sequence
        async with following(all_of_it.of("serve")) as reader:
            await reader.reaches(1)
            for member in all_of_it.members:
                assert await member.terminate() == 0, member.child.err.decode()
                await member.start()
                await member.ready()
                await all_of_it.tracked_since(now())
            for node in all_of_it.nodes:
                await end_server(all_of_it, node)
                await all_of_it.tracked_since(now())
            faults, logs = await all_of_it.verdict()
            told = told_in(logs.steps)
            await reader.reaches(told[-1][0])
            assert faults == []
            assert reader.told[: len(told)] == told
            assert reader.resets == []
            assert reader.moves > 1
        assert told_of_sources(logs, before) == []
        for member in all_of_it.members:
            for life in member.lives:
                assert {line.get("level") for line in life.log} <= HARMLESS, life.err.decode()
