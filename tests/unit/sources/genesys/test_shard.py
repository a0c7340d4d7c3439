"""Channels that end unplanned: told at once, with the cause and since when, and found again."""

import asyncio
from collections.abc import Callable

import pytest

from ringback.simulator.genesys.limits import Limits
from ringback.sources.genesys.common import Pace, Reason
from ringback.sources.genesys.ends import End
from support.fleet import BUSY, HOUR, QUIET, Stage, listen, stage
from support.virtual import run_virtually

MADE = "POST /api/v2/notifications/channels"
WATCHDOG = 35.0
PING = 10.0


def heard(*topics: str) -> tuple[str, tuple[str, ...]]:
    return ("heard", tuple(sorted(topics)))


async def told(stage: Stage, act: Callable[[], object], within: float = 60.0) -> tuple[str, float]:
    """Do something to a fleet that hears on one channel; give cause and start of the gap."""
    await stage.until_said(1)
    await asyncio.sleep(100.5)  # off the beat of heart and pings
    before = stage.now
    act()
    await stage.until_said(3, within)
    kind, cause, since, topics = stage.said[1]
    assert kind == "blind"
    assert list(topics) == sorted(stage.topics)
    assert stage.said[2] == heard(*stage.topics)
    assert len(stage.said) == 3
    # Not from when it was found out, but from when the last message came.
    assert before - PING - 0.5 <= since <= before
    assert since <= stage.hearing.at[1]
    await asyncio.sleep(10)
    assert stage.fleet.problem is None
    return cause, since


def test_a_cut_is_recovered_from_on_the_same_channel() -> None:
    async def play(stage: Stage) -> None:
        cause, _ = await told(stage, stage.cloud.faults.cut)
        assert cause == "connection lost"
        assert stage.cloud.requests[MADE] == 1
        assert stage.fleet.cuts == {End.LOST: 1}
        assert stage.hearing.at[2] - stage.hearing.at[1] < 1

    listen(play)


def test_a_close_says_its_code() -> None:
    async def play(stage: Stage) -> None:
        cause, _ = await told(stage, lambda: stage.cloud.faults.hang_up(1012))
        assert cause == "closed by the server: 1012"
        assert stage.cloud.requests[MADE] == 1

    listen(play)


def test_a_half_open_connection_is_found_by_its_silence() -> None:
    async def play(stage: Stage) -> None:
        cause, since = await told(stage, stage.cloud.faults.freeze)
        assert cause == "half-open"
        assert WATCHDOG <= stage.hearing.at[1] - since <= WATCHDOG * 6 / 5 + 1

    listen(play)


def test_another_connection_to_the_channel_is_a_close() -> None:
    async def play(stage: Stage) -> None:
        def close() -> None:
            assert stage.channel.socket is not None
            stage.channel.socket.close(1001, "another connection to the channel")

        cause, _ = await told(stage, close)
        assert cause == "closed by the server: 1001"

    listen(play)


def test_a_frame_that_is_too_large_ends_the_connection() -> None:
    async def play(stage: Stage) -> None:
        large = b"x" * 2_000_000
        cause, _ = await told(stage, lambda: stage.channel.notify(large, binary=False))
        assert cause == "frame too large"

    listen(play)


def test_topics_that_go_to_another_are_taken_back() -> None:
    async def play(stage: Stage) -> None:
        cause, _ = await told(stage, lambda: stage.cloud.unsubscribe(stage.channel))
        assert cause == "no longer subscribed"
        assert stage.cloud.requests[MADE] == 1
        assert set(stage.channel.topics) == set(stage.topics)

    listen(play)


def test_a_revoked_token_is_replaced_with_its_channel() -> None:
    async def play(stage: Stage) -> None:
        cause, _ = await told(stage, lambda: stage.cloud.revoke(stage.cloud.client.id))
        assert cause == "token revoked"
        assert stage.client.tokens == 2
        assert stage.cloud.requests[MADE] == 2

    listen(play)


def test_a_token_that_ends_without_a_word_is_found_out() -> None:
    async def play(stage: Stage) -> None:
        def end() -> None:
            for token in stage.cloud._tokens.revoke(stage.cloud.client.id):
                assert token.revoked
            stage.cloud.channels.end(stage.channel)

        cause, _ = await told(stage, end)
        assert cause == "token ended"
        assert stage.client.tokens == 2

    listen(play)


def test_a_channel_that_is_pushed_out_is_made_anew_at_once() -> None:
    async def play(stage: Stage) -> None:
        cause, _ = await told(stage, lambda: stage.cloud.channels.end(stage.channel))
        assert cause == "evicted by another client"
        assert stage.fleet.evictions == 1
        assert stage.fleet.cuts == {End.EVICTED: 1}
        assert stage.cloud.requests[MADE] == 2
        assert stage.hearing.at[2] - stage.hearing.at[1] < 1

    listen(play)


@pytest.mark.parametrize("habit", ["refuses", "answers"])
def test_a_channel_that_goes_while_it_is_not_connected_is_made_anew(habit: str) -> None:
    async def play(stage: Stage) -> None:
        def cut() -> None:
            # It is there when it is asked for, and gone when it is connected to.
            channel = stage.channel
            stage.cloud.faults.cut()
            asyncio.get_running_loop().call_later(0.005, stage.cloud.channels.end, channel)

        cause, _ = await told(stage, cut)
        assert cause == "connection lost"
        assert stage.fleet.evictions == 1
        assert stage.cloud.requests[MADE] == 2

    listen(play, limits=Limits(gone_channel=habit), pace=Pace(renew=20 * HOUR, first_wait=5.0))  # type: ignore[arg-type]


def test_a_channel_that_has_lived_its_time_is_not_called_evicted() -> None:
    async def play(stage: Stage) -> None:
        await stage.until_said(1)
        stage.cloud.faults.fail("POST */channels", times=60, status=400)  # it cannot be renewed
        await stage.until_said(2, 2000)
        assert stage.said[1][:2] == ("blind", "channel expired")
        assert 985 < stage.said[1][2] < 1001
        stage.cloud.faults.forgive()
        await stage.until_said(3)
        assert stage.fleet.evictions == 0

    listen(play, limits=Limits(channel_seconds=1000.0))


def test_a_socket_closed_as_announced_before_there_was_a_successor() -> None:
    async def play(stage: Stage) -> None:
        def announce() -> None:
            stage.cloud.faults.fail("POST */channels", times=20, status=400)
            stage.cloud.announce_closing(stage.channel)

        await stage.until_said(1)
        announce()
        await stage.until_said(3)
        (_, cause, since, _), again = stage.said[1:]
        assert cause == "closed as announced"
        assert 50 <= since <= 61
        assert again == heard(*stage.topics)
        assert stage.cloud.requests[MADE] > 1  # tried in vain; the old one serves again

    listen(play)


def test_a_loss_while_a_successor_is_prepared_ends_with_that_successor() -> None:
    async def play(stage: Stage) -> None:
        await stage.until_said(1)
        old = stage.channel
        stage.cloud.faults.delay("PUT */subscriptions", seconds=8)
        stage.cloud.announce_closing(old)
        await asyncio.sleep(2)
        stage.cloud.faults.cut(old)
        await stage.until_said(3)
        assert stage.said[1][1] == "connection lost"
        assert stage.said[2] == heard(*stage.topics)
        assert stage.cloud.requests[MADE] == 2
        assert stage.channel is not old
        await asyncio.sleep(60)
        assert len(stage.said) == 3

    listen(play)


def test_a_loss_while_a_place_for_the_successor_is_waited_for() -> None:
    async def play(stage: Stage) -> None:
        await stage.until_said(2)
        stage.cloud.faults.delay("PUT */subscriptions", seconds=12)
        first, second = stage.connected
        stage.cloud.announce_closing(first)
        await asyncio.sleep(1)
        stage.cloud.announce_closing(second)
        await asyncio.sleep(1)
        stage.cloud.faults.cut(second)
        await stage.until_said(4)
        topics = tuple(sorted(second.topics))
        assert stage.said[2][1] == "connection lost"
        assert stage.said[3] == ("heard", topics)
        await asyncio.sleep(100)
        assert len(stage.said) == 4
        assert stage.fleet.renewals[Reason.CLOSING] == 1

    listen(play, most_topics=3, most_channels=3)


def test_a_platform_that_is_down_is_told_once_and_found_when_it_is_back() -> None:
    async def play(stage: Stage) -> None:
        await stage.until_said(1)
        stage.cloud.faults.go_down(300)
        stage.cloud.faults.cut()
        await asyncio.sleep(200)
        assert [each[:2] for each in stage.said[1:]] == [("blind", "connection lost")]
        assert stage.fleet.problem is not None
        await stage.until_said(3)
        assert stage.now < 340
        assert stage.said[2] == heard(*stage.topics)
        assert stage.fleet.problem is None

    listen(play)


def test_a_platform_that_is_down_at_the_start() -> None:
    async def play() -> None:
        async with stage() as there:
            there.cloud.faults.go_down(120)
            await there.until_said(2)
            kind, cause, since, topics = there.said[0]
            assert (kind, since) == ("blind", 0)
            assert cause == "channel not made: unreachable"
            assert list(topics) == sorted(there.topics)
            assert there.said[1] == heard(*there.topics)
            assert len(there.said) == 2

    run_virtually(play())


def test_wrong_credentials_are_said_once_and_tried_slowly(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async def play(stage: Stage) -> None:
        await asyncio.sleep(600)
        assert {each[1] for each in stage.said} == {"channel not made: credentials"}
        assert len(stage.said) == 6
        assert "secret" in str(stage.fleet.problem)
        assert stage.cloud.requests["POST /oauth/token"] <= 21

    listen(play, secret="wrong", most_topics=1)
    assert capsys.readouterr().out.count("platform_refuses") == 1


def test_a_proxy_that_answers_html_is_named() -> None:
    async def play(stage: Stage) -> None:
        stage.cloud.faults.answer_html("POST */channels", times=1)
        await stage.until_said(2)
        assert stage.said[0][1] == "channel not made: not_json"

    listen(play)


def test_a_channel_that_gives_no_sign_of_life_is_not_taken_for_one_that_hears() -> None:
    async def play(stage: Stage) -> None:
        stage.cloud.faults.delay("PUT */subscriptions", seconds=5)
        await stage.until(lambda: stage.connected)
        stage.cloud.faults.freeze()
        await stage.until_said(2)
        assert stage.said[0][:2] == ("blind", "no sign of life")
        assert stage.said[1] == heard(*stage.topics)

    listen(play)


def test_evictions_without_end_are_reported_and_not_fought(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async def play(stage: Stage) -> None:
        await stage.until_said(1)
        until = stage.now + 4 * HOUR
        while stage.now < until:
            if stage.connected:
                stage.cloud.channels.end(stage.channel)
            await asyncio.sleep(1)
        assert stage.fleet.problem is not None
        assert "evicted" in stage.fleet.problem
        assert stage.cloud.requests[MADE] < 20  # in four hours
        assert {each[1] for each in stage.said if each[0] == "blind"} == {
            "evicted by another client"
        }
        await stage.until(lambda: stage.connected, HOUR)
        await asyncio.sleep(1.1 * HOUR)
        assert stage.fleet.problem is None

    listen(play)
    said = capsys.readouterr().out
    assert said.count("channels_evicted") == 1
    assert said.count("channels_kept") == 1


def test_every_shard_tells_of_its_own_topics() -> None:
    async def play(stage: Stage) -> None:
        await stage.until_said(3)
        one = stage.connected[1]
        topics = tuple(sorted(one.topics))
        stage.cloud.faults.cut(one)
        await stage.until_said(5)
        assert stage.said[3][0] == "blind"
        assert stage.said[3][3] == topics
        assert stage.said[4] == ("heard", topics)

    listen(play, most_topics=2)


def test_what_is_no_longer_wanted_while_blind_is_not_waited_for() -> None:
    async def play(stage: Stage) -> None:
        await stage.until_said(1)
        stage.cloud.faults.go_down(60)
        stage.cloud.faults.cut()
        await asyncio.sleep(10)
        stage.fleet.follow(stage.topics[:2])
        await stage.until_said(3)
        assert stage.said[2] == heard(*stage.topics)  # gaps of those that nobody minds end, too
        assert set(stage.channel.topics) == set(stage.topics[:2])

    listen(play)


def test_what_is_rejected_after_a_gap_has_a_gap_of_its_own() -> None:
    async def play(stage: Stage) -> None:
        await stage.until_said(1)
        first = stage.topics[0]
        stage.cloud.client.hidden_queues.add(first.split(".")[3])
        stage.cloud.faults.cut()
        await stage.until_said(4)
        assert stage.said[2] == heard(*stage.topics)
        assert stage.said[3] == ("blind", "topic rejected", None, (first,))
        assert stage.hearing.refused == (first,)

    listen(play)


def test_cuts_of_every_kind_lose_only_what_lies_in_a_gap() -> None:
    async def play(there: Stage) -> None:
        await there.until_said(1)
        gaps: list[tuple[float, float]] = []
        emitted: list[tuple[float, bytes]] = []
        deliver = there.cloud.deliver

        def watched(emissions: object) -> None:
            emitted.extend((there.now, each.frame) for each in emissions)  # type: ignore[attr-defined]
            deliver(emissions)  # type: ignore[arg-type]

        there.cloud.deliver = watched  # type: ignore[method-assign]
        faults = there.cloud.faults
        for _ in range(5):
            for act in (faults.cut, faults.freeze, faults.hang_up):
                act()
                await asyncio.sleep(73.7)
                assert there.said[-1][0] == "heard"
        for place, each in enumerate(there.said):
            if each[0] == "blind":
                gaps.append((each[2], there.hearing.at[place + 1]))
        assert len(gaps) == 15
        lost = [at for at, frame in emitted if not there.hearing.frames[frame]]
        assert lost
        assert all(any(since <= at <= until for since, until in gaps) for at in lost)

    listen(play, options=BUSY)


def test_nothing_secret_is_logged(capsys: pytest.CaptureFixture[str]) -> None:
    secrets: list[str] = []

    async def play(stage: Stage) -> None:
        await stage.until_said(1)
        for act in (stage.cloud.faults.cut, stage.cloud.faults.freeze):
            secrets.extend(channel.id for channel in stage.cloud.channels.all)
            act()
            await asyncio.sleep(100)
        stage.cloud.faults.fail("PUT */subscriptions", times=3, status=400)
        stage.cloud.channels.end(stage.channel)
        await asyncio.sleep(100)
        secrets.extend(channel.id for channel in stage.cloud.channels.all)
        shown = f"{stage.fleet.channels!r} {stage.fleet.problem!r} {stage.said!r}"
        assert not [secret for secret in secrets if secret in shown]

    listen(play, options=QUIET)
    said = capsys.readouterr()
    assert secrets
    assert not [secret for secret in secrets if secret in said.out + said.err]
