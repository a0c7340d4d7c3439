"""A daemon and an organisation: starts, restarts, silence, strays, refusals."""

import asyncio
from datetime import timedelta

from ringback.app.sources import queue_names
from ringback.simulator.genesys.limits import Limits
from ringback.simulator.kinds import Kind
from ringback.simulator.options import Options
from ringback.stores.memory import MemoryStore
from support.organisation import KEEP, ODD_INSTANT, Following, following, organisation
from support.virtual import run_virtually

CALM = Options(arrivals_per_minute=10, max_live=80, remember=5000, stuck_seconds=300)
LIVELY = Options(arrivals_per_minute=30, max_live=150, agents=80, remember=5000, stuck_seconds=300)


async def repaired(found: Following) -> None:
    await found.hearing()
    await found.until(lambda: not found.tracker.repair.doubts)
    await found.until(lambda: not found.tracker.repair.wants)


def test_what_was_there_before_the_start_is_found() -> None:
    async def scenario() -> None:
        async with organisation(LIVELY) as (platform, _):
            await asyncio.sleep(900)
            known = {one.callback_id for one in platform.centre.truth().values() if not one.outcome}
            assert len(known) > 20
            async with following(platform) as found:
                await repaired(found)
                await asyncio.sleep(90)
                wrong = {one.split()[0]: one for one in found.wrong()}
                # What had ended before the start is nobody's business.
                assert [wrong[one] for one in known & wrong.keys()] == []

    run_virtually(scenario())


def test_queues_are_called_as_the_platform_calls_them_now() -> None:
    async def scenario() -> None:
        async with (
            organisation(CALM) as (platform, _),
            following(platform, queues_every_seconds=60.0) as found,
        ):
            await found.hearing()
            queues = platform.centre.queues
            assert queue_names(found.source) == {one.id: one.name for one in queues}
            queues[0].name = "Night shift"
            await asyncio.sleep(70)
            assert queue_names(found.source)[queues[0].id] == "Night shift"
            platform.remove_queue(queues[1])
            added = platform.add_queue("Returns")
            await asyncio.sleep(70)
            names = queue_names(found.source)
            assert names == {one.id: one.name for one in platform.centre.queues}
            assert names[added.id] == "Returns"

    run_virtually(scenario())


def test_a_restart_is_a_gap_that_is_repaired() -> None:
    async def scenario() -> None:
        store = MemoryStore(KEEP)
        async with organisation(LIVELY) as (platform, _):
            async with following(platform, store) as found:
                await repaired(found)
                await asyncio.sleep(300)
            await asyncio.sleep(120)
            async with following(platform, store) as found:
                await found.until(lambda: found.tracker.repair.ledger.gaps)
                assert len(found.tracker.repair.doubts) > 5
                await repaired(found)
                await asyncio.sleep(90)
                gap = list(found.tracker.repair.ledger.gaps.values())[-1]
                assert gap.cause == "restart"
                assert gap.until is not None
                assert timedelta(seconds=119) < gap.until - gap.since < timedelta(seconds=130)
                assert gap.touched > 5
                assert gap.repaired_at is not None
                await asyncio.sleep(ODD_INSTANT)
                assert found.wrong() == []

    run_virtually(scenario())


def test_a_channel_that_lives_and_brings_nothing_is_found_out_by_reading() -> None:
    async def scenario() -> None:
        async with (
            organisation(LIVELY) as (platform, _),
            following(platform, quiet_seconds=60.0, reconcile_every_seconds=1e4) as found,
        ):
            await repaired(found)
            await asyncio.sleep(60)
            platform.faults.silence()
            silent_since = found.pipeline.clock.now()
            await asyncio.sleep(200)
            await repaired(found)
            (gap,) = found.tracker.repair.ledger.gaps.values()
            assert gap.cause == "silent feed"
            assert silent_since - gap.since < timedelta(seconds=5)
            assert gap.until is not None
            assert gap.until - silent_since < timedelta(seconds=150)
            assert found.source.fleet.renewals == {"suspected": 1}
            await asyncio.sleep(ODD_INSTANT)
            assert found.wrong() == []

    run_virtually(scenario())


def test_silence_that_is_true_is_believed() -> None:
    nothing = Options(arrivals_per_minute=0.001, max_live=1)

    async def scenario() -> None:
        async with (
            organisation(nothing) as (platform, _),
            following(platform, quiet_seconds=60.0) as found,
        ):
            await found.hearing()
            await asyncio.sleep(3600)
            assert found.tracker.repair.ledger.gaps == {}
            assert found.source.fleet.renewals == {}
            assert found.source.reconciliation.surveys > 3

    run_virtually(scenario())


def test_a_platform_that_is_down_at_the_start_is_waited_for() -> None:
    async def scenario() -> None:
        async with organisation(CALM) as (platform, _):
            platform.faults.go_down(300)
            async with following(platform) as found:
                await asyncio.sleep(200)
                (problem,) = found.source.problems
                assert "it is tried again" in problem
                (gap,) = found.tracker.repair.ledger.open_gaps()
                assert (gap.cause, gap.topics) == ("cannot read queues", [])
                await repaired(found)
                assert found.source.problems == []
                await asyncio.sleep(60 + ODD_INSTANT)
                assert found.wrong() == []

    run_virtually(scenario())


def test_a_callback_that_leaves_the_watched_queues_is_followed_by_reading() -> None:
    transfers = Options(
        arrivals_per_minute=20, agents=80, mix={Kind.TRANSFERRED: 1}, remember=5000, max_live=100
    )

    async def scenario() -> None:
        async with organisation(transfers) as (platform, _):
            names = [queue.name for queue in platform.centre.queues]
            async with following(
                platform, queues=",".join(names[:3]), reconcile_every_seconds=60.0
            ) as found:
                await repaired(found)
                await asyncio.sleep(2400)
                watched = {queue.id for queue in platform.centre.queues[:3]}
                strays = [
                    one
                    for one in platform.centre.truth().values()
                    if one.queue_id not in watched
                    and one.outcome
                    and found.tracker.conversations.get(one.conversation_id)
                ]
                ended = [
                    one
                    for one in strays
                    if found.pipeline.clock.now() - one.since > timedelta(minutes=20)
                ]
                assert len(ended) > 5
                wrong = {one.split()[0] for one in found.wrong()}
                assert [one.callback_id for one in ended if one.callback_id in wrong] == []

    run_virtually(scenario())


def test_a_revoked_client_is_told_and_comes_back_with_new_rights() -> None:
    async def scenario() -> None:
        async with (
            organisation(CALM) as (platform, _),
            following(platform, quiet_seconds=60.0) as found,
        ):
            await repaired(found)
            secret = platform.client.secret
            platform.client.secret = "another"
            platform.revoke(platform.client.id)
            await asyncio.sleep(300)
            assert any("secret" in problem for problem in found.source.problems)
            assert not found.tracker.repair.ledger.hears_all("main")
            platform.client.secret = secret
            await repaired(found)
            await asyncio.sleep(120 + ODD_INSTANT)
            assert found.source.problems == []
            assert found.wrong() == []

    run_virtually(scenario())


def test_pages_that_shift_and_answers_that_lag_confirm_nothing_wrongly() -> None:
    async def scenario() -> None:
        async with (
            organisation(LIVELY, Limits(details_lag_seconds=40.0)) as (platform, _),
            following(platform, reconcile_every_seconds=30.0) as found,
        ):
            platform.faults.shifted_pages = 30
            await repaired(found)
            for _ in range(10):
                await asyncio.sleep(40)
                platform.faults.cut()
                platform.faults.go_down(20)
                await asyncio.sleep(30)
                await repaired(found)
                await asyncio.sleep(ODD_INSTANT)
                # What has only begun in the gap shows in such answers much later.
                assert [one for one in found.wrong() if "{}, truly" not in one] == []

    run_virtually(scenario())
