"""Channels that are replaced, added to and reduced by plan: nothing is missed, nothing is told."""

import asyncio
from collections.abc import Callable

import pytest

from ringback.errors import SourceError
from ringback.simulator.genesys.limits import Limits
from ringback.sources.genesys.common import Pace, Reason
from ringback.wire.topics import queue_topic
from support.fleet import BUSY, HOUR, Stage, listen

OFTEN = Pace(renew=600.0)


def heard(*topics: str) -> tuple[str, tuple[str, ...]]:
    return ("heard", tuple(sorted(topics)))


def test_it_hears_all_it_follows() -> None:
    async def play(stage: Stage) -> None:
        await stage.until_said(1)
        assert stage.said == [heard(*stage.topics)]
        assert stage.fleet.problem is None
        assert stage.fleet.connects == 1
        (state,) = stage.fleet.channels
        assert state.state == "hears"
        assert state.topics == set(stage.topics)
        assert state.made_at == state.conversation_at == 0.0
        await asyncio.sleep(100)
        (state,) = stage.fleet.channels
        assert state.heard_at > 89  # a ping every ten seconds is answered
        assert state.conversation_at == 0.0

    listen(play)


@pytest.mark.parametrize("most_topics", [1000, 2])
def test_renewals_lose_no_frame_and_are_not_told(most_topics: int) -> None:
    async def play(stage: Stage) -> None:
        channels = 6 // min(6, most_topics)
        await stage.until_said(channels)
        stage.watch_frames(stage.topics)
        await asyncio.sleep(1200)
        assert len(stage.emitted) > 2000
        assert not stage.lost
        assert len(stage.said) == channels
        assert stage.fleet.renewals[Reason.AGE] >= 12 * channels
        assert not stage.fleet.cuts
        assert not stage.fleet.failures
        assert len(stage.connected) == channels

    listen(play, options=BUSY, pace=Pace(renew=100.0), most_topics=most_topics)


def test_renewals_are_spread_and_beside_the_old_no_more_than_may_be() -> None:
    async def play(stage: Stage) -> None:
        await stage.until_said(6)
        most = 0
        for _ in range(36_000):
            await asyncio.sleep(0.1)
            most = max(most, len(stage.connected))
        assert most == 7
        assert stage.fleet.renewals[Reason.AGE] >= 36

    listen(play, pace=OFTEN, most_topics=1, most_channels=7)


def test_a_channel_is_replaced_before_it_expires() -> None:
    async def play(stage: Stage) -> None:
        await asyncio.sleep(4000)
        assert len(stage.said) == 1
        assert stage.fleet.renewals == {Reason.AGE: stage.fleet.connects - 1}
        assert stage.fleet.connects in range(4, 7)

    listen(play, limits=Limits(channel_seconds=1000.0))


def test_a_socket_that_will_be_closed_is_replaced_first() -> None:
    async def play(stage: Stage) -> None:
        await stage.until_said(1)
        stage.watch_frames(stage.topics)
        for _ in range(10):
            old = stage.channel
            stage.cloud.announce_closing(old)
            await asyncio.sleep(5)
            assert stage.channel is not old
            await asyncio.sleep(100)
        assert stage.fleet.renewals == {Reason.CLOSING: 10}
        assert len(stage.said) == 1
        assert stage.emitted
        assert not stage.lost

    listen(play, options=BUSY)


def test_all_sockets_that_will_be_closed_are_replaced_within_the_minute() -> None:
    async def play(stage: Stage) -> None:
        await stage.until_said(6)
        for channel in stage.connected:
            stage.cloud.announce_closing(channel)
        await asyncio.sleep(90)
        assert stage.fleet.renewals == {Reason.CLOSING: 6}
        assert len(stage.said) == 6

    listen(play, most_topics=1, most_channels=7)


@pytest.mark.parametrize("habit", ["closed", "silenced"])
def test_a_new_token_brings_new_channels_before_the_old_one_ends(habit: str) -> None:
    async def play(stage: Stage) -> None:
        await stage.until_said(3)
        stage.watch_frames(stage.topics)
        await asyncio.sleep(1300)
        assert stage.client.token_generation == 3
        assert stage.fleet.renewals[Reason.TOKEN] == 6
        assert len(stage.said) == 3
        assert stage.emitted
        assert not stage.lost

    listen(
        play,
        options=BUSY,
        most_topics=2,
        limits=Limits(token_seconds=600.0, orphans=habit),  # type: ignore[arg-type]
    )


def test_topics_come_and_go_on_the_living_channel() -> None:
    async def play(stage: Stage) -> None:
        first, second, third, fourth, *_ = stage.topics
        await stage.until_said(1)
        channel = stage.channel
        stage.watch_frames([second, third])
        stage.fleet.follow([second, third, fourth])
        await asyncio.sleep(600)
        assert stage.said == [heard(first, second, third), heard(fourth)]
        assert stage.channel is channel
        assert set(channel.topics) == {second, third, fourth}
        assert stage.cloud.requests["PUT /api/v2/notifications/channels/{id}/subscriptions"] == 2
        assert stage.cloud.requests["POST /api/v2/notifications/channels/{id}/subscriptions"] == 1
        assert stage.emitted
        assert not stage.lost

    listen(play, options=BUSY, follow=3)


def test_a_full_channel_changes_topics_at_once() -> None:
    async def play(stage: Stage) -> None:
        await stage.until_said(1)
        stage.fleet.follow(stage.topics[1:4])
        await stage.until_said(2)
        assert stage.said[1] == heard(stage.topics[3])
        assert set(stage.channel.topics) == set(stage.topics[1:4])

    listen(play, follow=3, most_topics=3, limits=Limits(topics=3))


def test_more_topics_get_more_channels_and_fewer_fewer() -> None:
    async def play(stage: Stage) -> None:
        await stage.until_said(1)
        stage.watch_frames(stage.topics[:2])
        stage.fleet.follow(stage.topics)
        await stage.until_said(3)
        assert len(stage.connected) == 3
        stage.fleet.follow(stage.topics[:2])
        await asyncio.sleep(60)
        assert len(stage.connected) == 1
        assert set(stage.channel.topics) == set(stage.topics[:2])
        assert stage.fleet.shards == 1
        assert stage.said == [
            heard(*stage.topics[:2]),
            heard(*stage.topics[2:4]),
            heard(*stage.topics[4:]),
        ]
        assert stage.emitted
        assert not stage.lost

    listen(play, options=BUSY, follow=2, most_topics=2)


def test_topics_that_move_are_heard_by_the_other_before_this_one_drops_them() -> None:
    async def play(stage: Stage) -> None:
        await stage.until_said(2)
        last = stage.topics[5]
        left = [*stage.topics[:3], last]
        stage.watch_frames(left)
        stage.fleet.follow(left)  # so few that the first channel takes the second's only one
        stage.cloud.faults.delay("POST */subscriptions", seconds=10)
        await asyncio.sleep(60)
        assert set(stage.channel.topics) == set(left)
        assert stage.said[2:] == [heard(last)]
        assert stage.fleet.shards == 1
        assert stage.emitted
        assert not stage.lost

    listen(play, options=BUSY, most_topics=5)


def test_more_than_may_be_is_refused_and_what_was_goes_on() -> None:
    async def play(stage: Stage) -> None:
        await stage.until_said(1)
        with pytest.raises(SourceError, match=r"source main: 6 topics take 3 channels"):
            stage.fleet.follow(stage.topics)
        await asyncio.sleep(60)
        assert set(stage.channel.topics) == set(stage.topics[:2])

    listen(play, follow=2, most_topics=2, most_channels=3)


def test_what_is_suspected_is_replaced_and_heard_again() -> None:
    async def play(stage: Stage) -> None:
        await stage.until_said(3)
        stage.cloud.faults.silence(stage.connected[1])
        await asyncio.sleep(100)
        silent = min(stage.fleet.channels, key=lambda channel: channel.conversation_at)
        assert stage.now - silent.conversation_at > 90
        stage.fleet.distrust(silent)
        stage.watch_frames(stage.topics)
        await asyncio.sleep(10)
        assert stage.fleet.renewals == {Reason.SUSPECTED: 1}
        assert stage.said[3:] == [heard(*silent.topics)]
        stage.emitted.clear()
        await asyncio.sleep(60)
        assert stage.emitted
        assert not stage.lost

    listen(play, options=BUSY, most_topics=2)


def deny(stage: Stage, topic: str) -> Callable[[], None]:
    """Let the client not see a queue any more; what is returned lets it again."""
    queue = topic.split(".")[3]
    stage.cloud.client.hidden_queues.add(queue)
    return lambda: stage.cloud.client.hidden_queues.discard(queue)


def test_a_rejected_topic_is_named_and_asked_for_again(capsys: pytest.CaptureFixture[str]) -> None:
    async def play(stage: Stage) -> None:
        first, second, *others = stage.topics
        allow = deny(stage, first)
        await stage.until_said(1)
        assert stage.said == [heard(second, *others)]
        assert list(stage.hearing.refused) == [first]
        (rejected,) = stage.fleet.rejected
        assert rejected.topic == first
        assert "may not be seen" in rejected.reason
        allow()
        await asyncio.sleep(HOUR - 60)
        assert len(stage.said) == 1
        await asyncio.sleep(120)
        assert stage.said[1:] == [heard(first)]
        assert not stage.hearing.refused
        assert not stage.fleet.rejected

    listen(play)
    said = capsys.readouterr().out
    assert said.count("topic_rejected") == 1
    assert said.count("topic_permitted") == 1


def test_a_topic_that_is_rejected_at_a_renewal_is_told_to_be_missing() -> None:
    async def play(stage: Stage) -> None:
        await stage.until_said(1)
        first = stage.topics[0]
        deny(stage, first)
        await stage.until_said(2)
        assert stage.said[1] == ("blind", "topic rejected", None, (first,))
        await asyncio.sleep(1200)
        assert len(stage.said) == 2
        stage.fleet.follow(stage.topics[1:])
        await stage.until_said(3)
        assert stage.said[2] == heard(first)  # nobody minds it any more
        assert not stage.hearing.refused

    listen(play, pace=OFTEN)


def test_combined_topics_are_heard_one_by_one() -> None:
    async def play(stage: Stage) -> None:
        await stage.until_said(1)
        queue = stage.topics[0].split(".")[3]
        combined = f"v2.routing.queues.{queue}?conversations&conversations.callbacks"
        stage.fleet.follow([combined])
        await stage.until_said(2)
        flat = queue_topic(queue, "conversations.callbacks")
        assert stage.said == [heard(stage.topics[0]), heard(flat)]
        await asyncio.sleep(10)
        assert list(stage.channel.verdicts) == [combined]

    listen(play, follow=1)


def test_a_replacement_that_fails_leaves_the_old_one_and_is_tried_again() -> None:
    async def play(stage: Stage) -> None:
        await stage.until_said(1)
        old = stage.channel
        stage.cloud.faults.fail("POST */channels", times=4, status=500)
        stage.cloud.announce_closing(old)
        await asyncio.sleep(50)
        assert stage.channel is not old
        assert stage.fleet.renewals == {Reason.CLOSING: 1}
        assert stage.fleet.failures == {"channel not made": 4}
        assert stage.fleet.problem is None
        assert len(stage.said) == 1

    listen(play)


def test_a_throttled_creation_is_waited_for() -> None:
    async def play(stage: Stage) -> None:
        stage.cloud.faults.throttle("POST */channels", times=2, seconds=7)
        await stage.until_said(1)
        assert stage.now >= 14
        assert stage.said == [heard(*stage.topics)]

    listen(play)


def test_cancelled_at_any_moment_it_leaves_nothing_behind() -> None:
    for instant in range(40):

        async def play(stage: Stage, instant: int = instant) -> None:
            await stage.until_said(6)
            for channel in stage.connected:
                stage.cloud.announce_closing(channel)
            for _ in range(instant * 5):
                await asyncio.sleep(0)
            await asyncio.sleep(0.1 * (instant % 4))

        listen(play, most_topics=1, most_channels=7)


def test_of_shared_channels_it_uses_what_it_is_allowed() -> None:
    async def play(stage: Stage) -> None:
        fleet, most = stage.fleet, 0
        await stage.until_said(3)
        assert (fleet.wanted, fleet.used) == (4, 3)
        fleet.allow(3)
        await stage.until_said(4)
        assert stage.said[3][:2] == ("blind", "no channel left")
        assert len(stage.said[3][3]) == 2
        await stage.until(lambda: fleet.used == 2)
        assert fleet.problem is not None
        assert "other listeners use the rest" in fleet.problem
        for _ in range(12_000):
            await asyncio.sleep(0.1)
            most = max(most, len(stage.connected), fleet.used)
        assert most == 3
        assert fleet.renewals[Reason.AGE] >= 2
        fleet.allow(4)
        await stage.until_said(5)
        assert stage.said[4] == heard(*stage.said[3][3])
        assert fleet.channels[2].state == "hears"
        assert fleet.used == 3
        assert len(stage.said) == 5

    listen(play, pace=OFTEN, most_topics=2)


def test_without_any_channel_it_waits_for_one() -> None:
    async def play(stage: Stage) -> None:
        await stage.until_said(1)
        stage.fleet.allow(0)
        await stage.until(lambda: not stage.fleet.used)
        assert not stage.connected
        await asyncio.sleep(1000)
        assert not stage.connected
        assert len(stage.said) == 2
        stage.fleet.allow(1)
        await asyncio.sleep(100)
        assert not stage.connected  # it could not be replaced without a gap
        stage.fleet.allow(2)
        await stage.until_said(3)
        assert stage.said[2] == stage.said[0]

    listen(play)


def test_a_shard_that_waits_for_a_channel_ends_when_nothing_is_wanted_of_it() -> None:
    async def play(stage: Stage) -> None:
        await stage.until_said(3)
        stage.fleet.allow(3)
        await stage.until(lambda: stage.fleet.used == 2)
        (blind,) = [one.topics for one in stage.fleet.channels if one.state == "blind"]
        stage.fleet.follow([topic for topic in stage.topics if topic not in blind])
        await stage.until(lambda: stage.fleet.shards == 2)
        assert stage.fleet.problem is None
        assert stage.said[-1] == heard(*blind)

    listen(play, most_topics=2)


def test_a_replacement_that_is_under_way_is_given_up_with_its_place() -> None:
    async def play(stage: Stage) -> None:
        await stage.until_said(1)
        for wait in range(40):
            stage.fleet.replace(stage.topics, "test")
            await asyncio.sleep(wait / 100)
            stage.fleet.allow(0)
            await stage.until(lambda: not stage.fleet.used, 30)
            assert not stage.connected
            stage.fleet.allow(2)
            await stage.until(lambda: [one.state for one in stage.fleet.channels] == ["hears"])
            assert stage.fleet.used <= 2

    listen(play)
