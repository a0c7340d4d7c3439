"""How a daemon is followed: what is fresh, what is lost, and how it comes back. In virtual time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

import pytest

from ringback.errors import DaemonError, DaemonFault
from ringback.terminal.answers import Source
from ringback.terminal.clock import DaemonClock
from ringback.terminal.known import Known
from ringback.terminal.link import FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS, Link, Phase
from support.terminal import NOW
from support.top import Scripted, numbered

pytestmark = [pytest.mark.looptime]

ROW = numbered(1)


@asynccontextmanager
async def linked(client: Scripted) -> AsyncIterator[Link]:
    """Follow, and let what can happen at once happen."""
    link = Link(client, Known(), DaemonClock(asyncio.get_running_loop().time))
    task = asyncio.create_task(link.run())
    await settle()
    try:
        yield link
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def settle(seconds: float = 0.01) -> None:
    await asyncio.sleep(seconds)


async def test_it_is_live_once_the_snapshot_is_there() -> None:
    client = Scripted([ROW])
    async with linked(client) as link:
        assert (link.phase, link.session.org) == (Phase.LIVE, "acme")
        assert client.followed_from == [1]
        client.enter(ROW, "talking")
        await settle()
        assert link.known.rows[ROW.callback_id].state == "talking"
        assert link.phase is Phase.LIVE


async def test_time_goes_on_by_the_clock_of_the_daemon() -> None:
    async with linked(Scripted()) as link:
        await settle(40)
        assert link.shown() - NOW == pytest.approx(timedelta(seconds=40), abs=timedelta(seconds=1))


async def test_a_daemon_that_is_gone_is_waited_for_and_the_feed_goes_on_where_it_was() -> None:
    client = Scripted([ROW])
    async with linked(client) as link:
        client.enter(ROW, "talking")
        client.beat()
        await settle()
        client.go_away()
        await settle()
        stopped = link.shown()
        assert (link.phase, link.problem) == (Phase.LOST, "the connection broke")
        assert link.known.rows[ROW.callback_id].state == "talking"
        await settle(60)
        assert link.shown() == stopped
        assert link.retry_at - asyncio.get_running_loop().time() <= LONGEST_WAIT_SECONDS
        client.come_back()
        client.beat()
        await settle(LONGEST_WAIT_SECONDS)
        assert (link.phase, link.problem) == (Phase.LIVE, "")
        assert client.followed_from == [1, 2]
        assert client.snapshots == 1


async def test_somebody_may_not_want_to_wait() -> None:
    client = Scripted()
    async with linked(client) as link:
        client.go_away()
        await settle(30)
        client.come_back()
        client.beat()
        link.retry_now()
        await settle()
        assert link.phase is Phase.LIVE


async def test_it_is_behind_until_it_has_come_to_the_end_of_the_journal() -> None:
    client = Scripted([ROW])
    async with linked(client) as link:
        client.go_away()
        await settle()
        client.come_back()
        client.beat(3)
        await settle(FIRST_WAIT_SECONDS)
        assert link.phase is Phase.BEHIND
        client.enter(ROW, "talking", at=NOW - timedelta(seconds=30))
        await settle()
        assert link.phase is Phase.BEHIND
        assert link.behind_seconds == pytest.approx(30, abs=2)
        client.enter(ROW, "held", sequence=3)
        client.beat()
        await settle()
        assert (link.phase, link.behind_seconds) == (Phase.LIVE, 0)


async def test_what_is_gone_from_the_journal_is_read_anew_and_nothing_is_blank_meanwhile() -> None:
    client = Scripted([ROW])
    async with linked(client) as link:
        client.rows = [numbered(2)]
        client.failing = DaemonError(DaemonFault.NOT_READY, "it is loading", "wait")
        client.reset()
        await settle()
        assert link.phase is Phase.LOST
        assert link.known.rows.keys() == {ROW.callback_id}
        client.come_back()
        await settle(LONGEST_WAIT_SECONDS)
        assert link.known.rows.keys() == {numbered(2).callback_id}
        assert (link.phase, client.snapshots) == (Phase.LIVE, 2)


async def test_sources_are_as_the_last_heartbeat_says() -> None:
    client = Scripted()
    async with linked(client) as link:
        client.beat(None, Source(name="main", hears=False, blind_since=NOW))
        await settle()
        assert [source.hears for source in link.known.sources] == [False]


async def test_who_starts_is_told_that_nothing_can_be_shown() -> None:
    client = Scripted()
    client.failing = DaemonError(DaemonFault.UNAUTHORIZED, "who are you", "say it")
    link = Link(client, Known(), DaemonClock(asyncio.get_running_loop().time))
    with pytest.raises(DaemonError, match="who are you"):
        await link.run()


async def test_a_daemon_that_is_loading_is_waited_for_from_the_start() -> None:
    client = Scripted([ROW])
    client.failing = DaemonError(DaemonFault.NOT_READY, "it is loading", "wait")
    async with linked(client) as link:
        assert (link.phase, link.problem) == (Phase.LOADING, "it is loading")
        client.come_back()
        await settle(FIRST_WAIT_SECONDS)
        assert link.phase is Phase.LIVE


def test_the_quickest_answer_of_late_says_what_time_it_is() -> None:
    seconds = [100.0]
    clock = DaemonClock(lambda: seconds[0])
    clock.hear(NOW)
    seconds[0] += 10
    clock.hear(NOW + timedelta(seconds=9.5))
    assert clock.now() == NOW + timedelta(seconds=10)
    clock.hear(NOW + timedelta(seconds=10.2))
    assert clock.now() - NOW == timedelta(seconds=10.2)


def test_a_clock_that_was_set_is_followed() -> None:
    clock = DaemonClock(lambda: 100.0)
    clock.hear(NOW)
    clock.hear(NOW - timedelta(hours=1))
    assert NOW - clock.now() == timedelta(hours=1)
