import asyncio
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from ringback.core.events import Event
from ringback.core.watch.messages import Message, Phase
from ringback.core.watch.notices import Limits
from ringback.errors import DeliveryError, DeliveryFault
from ringback.ports import Batch
from ringback.wire.cloudevents import Encoder
from support.alerts import Friend, Post, World, alert_event, an_alert
from support.runtime import settled

pytestmark = pytest.mark.looptime

FIRING, ACKNOWLEDGED, RESOLVED = Phase
DOWN = DeliveryError(DeliveryFault.UNREACHABLE, "nobody is there")
REFUSED = DeliveryError(DeliveryFault.REFUSED, "it does not like it")


def body_of(event: Event) -> bytes:
    return Encoder("acme").encode(event)


def numbers(world: World) -> list[list[str]]:
    """Give the callbacks of each message."""
    return [[item.alert.callback_id or "" for item in one.items] for one in world.messages]


async def test_what_fires_together_is_one_message_and_its_end_another() -> None:
    friend = Friend()
    async with Post(friend) as post:
        await post.say(FIRING, an_alert(1))
        await asyncio.sleep(3)
        await post.say(FIRING, an_alert(2))
        assert numbers(friend.world) == []
        await asyncio.sleep(3)
        assert numbers(friend.world) == [["c-1", "c-2"]]
        await post.say(RESOLVED, an_alert(1))
        await asyncio.sleep(6)
        assert numbers(friend.world) == [["c-1", "c-2"], ["c-1"]]
        assert friend.world.open == {"c-2/due_not_released/1": FIRING}
        assert post.outbox.sent == 2


async def test_a_new_receiver_is_told_only_of_what_still_fires() -> None:
    friend = Friend()
    post = Post(friend)
    happened = [
        *(alert_event(FIRING, an_alert(number), post.clock.now()) for number in (1, 2)),
        alert_event(RESOLVED, an_alert(1), post.clock.now()),
    ]
    bodies = [body_of(event) for event in happened]
    await post.store.commit(Batch({}, bodies, {}), post.clock.now())
    async with post:
        await asyncio.sleep(10)
        assert numbers(friend.world) == [["c-2"]]
        await post.say(FIRING, an_alert(3))
        await post.say(RESOLVED, an_alert(3))
        await asyncio.sleep(10)
        (item,) = friend.world.messages[-1].items
        assert (item.alert.callback_id, item.first, item.phase) == ("c-3", True, RESOLVED)


async def test_an_entry_of_another_version_is_passed_over() -> None:
    friend = Friend()
    post = Post(friend)
    bodies = [b'{"type":"ringback.alert.firing.v1"}', b'{"type":"ringback.alert.escalated.v7"}']
    await post.store.commit(Batch({}, bodies, {}), post.clock.now())
    async with post:
        await post.say(FIRING, an_alert(1))
        await asyncio.sleep(10)
        assert numbers(friend.world) == [["c-1"]]


async def test_one_that_fails_is_tried_at_longer_and_longer_intervals_until_it_takes_it() -> None:
    friend = Friend(*[DOWN] * 7)
    async with Post(friend, limits=Limits(gather=timedelta())) as post:
        tried = []
        await post.say(FIRING, an_alert(1))
        for _ in range(300):
            await asyncio.sleep(1)
            tried.append(friend.tries)
        assert friend.tries == 8
        assert len(friend.world.messages) == 1
        assert [tried.index(number) for number in range(2, 9)] == sorted(
            {tried.index(number) for number in range(2, 9)}
        )
        assert tried.index(8) - tried.index(7) >= 32
        assert post.outbox.failures == {DeliveryFault.UNREACHABLE: 7}
        assert post.outbox.problem is None


async def test_attempts_count_as_messages_do() -> None:
    """They may have arrived, whatever was answered."""
    mad = DeliveryError(DeliveryFault.GARBAGE, "what?")
    friend = Friend(*[mad] * 4)
    async with Post(friend, limits=Limits(gather=timedelta(), most=3), first=0.01) as post:
        await post.say(FIRING, an_alert(1))
        await asyncio.sleep(59)
        assert friend.tries == 3
        await asyncio.sleep(60)
        assert friend.tries == 5


async def test_it_is_left_alone_for_as_long_as_it_asks() -> None:
    busy = DeliveryError(DeliveryFault.THROTTLED, "HTTP 429", after=120)
    friend = Friend(busy)
    async with Post(friend, limits=Limits(gather=timedelta())) as post:
        await post.say(FIRING, an_alert(1))
        await asyncio.sleep(119)
        assert friend.tries == 1
        await asyncio.sleep(2)
        assert numbers(friend.world) == [["c-1"]]


async def test_what_is_not_taken_in_time_is_put_aside_with_the_reason_and_told_anew() -> None:
    friend = Friend(*[DOWN] * 9)
    async with Post(friend, give_up=100) as post:
        await post.say(FIRING, an_alert(1), an_alert(2))
        await asyncio.sleep(30)
        await post.say(RESOLVED, an_alert(2))
        await post.say(FIRING, an_alert(3))
        with capture_logs() as said:
            await asyncio.sleep(400)
        (dead,) = post.outbox.notices.dead.values()
        assert (dead.why, dead.message.number, len(dead.message.items)) == (DOWN.problem, 1, 2)
        assert [one["alerts"] for one in said if one["event"] == "message_given_up"] == [2]
        # What came and went is in the dead letter; what still fires is told.
        assert sorted(friend.world.open) == ["c-1/due_not_released/1", "c-3/due_not_released/1"]
        assert post.outbox.bury(1)
        assert not post.outbox.bury(1)


async def test_what_is_refused_is_put_aside_at_once_and_holds_up_nothing() -> None:
    friend = Friend(REFUSED)
    async with Post(friend) as post:
        await post.say(FIRING, an_alert(1))
        await asyncio.sleep(10)
        assert friend.tries == 1
        (dead,) = post.outbox.notices.dead.values()
        assert dead.why == REFUSED.problem
        await post.say(FIRING, an_alert(2))
        await asyncio.sleep(10)
        assert numbers(friend.world) == [["c-2"]]


async def test_a_fault_of_ours_is_a_dead_letter_and_no_end_of_the_daemon() -> None:
    friend, other = Friend(ValueError("canary")), Friend()
    async with Post(friend, other) as post:
        with capture_logs() as said:
            await post.say(FIRING, an_alert(1))
            await asyncio.sleep(10)
        assert "ValueError" in post.outbox.notices.dead[1].why
        assert "canary" not in post.outbox.notices.dead[1].why
        assert [one["receiver"] for one in said if one["event"] == "receiver_broken"] == ["ops"]
        assert numbers(other.world) == [["c-1"]]


async def test_a_receiver_that_hangs_holds_up_no_other() -> None:
    class Slow(Friend):
        async def deliver(self, message: Message) -> None:
            await asyncio.sleep(3600)

    friend = Friend()
    async with Post(Slow(), friend) as post:
        for number in range(3):
            await post.say(FIRING, an_alert(number, queue=f"q-{number}"))
            await asyncio.sleep(6)
            assert len(friend.world.messages) == number + 1


@pytest.mark.parametrize("moment", ["before it is sent", "while it is sent", "after it was sent"])
async def test_after_a_kill_the_same_message_is_sent_and_nothing_else(moment: str) -> None:
    class Cut(Friend):
        async def deliver(self, message: Message) -> None:
            if moment == "after it was sent":
                await Friend.deliver(self, message)
            await asyncio.Event().wait()

    friend = Friend() if moment == "before it is sent" else Cut()
    post = Post(friend)
    await post.start()
    await post.say(FIRING, an_alert(1))
    await asyncio.sleep(1 if moment == "before it is sent" else 10)
    await post.kill()
    sent = list(friend.world.messages)
    post.friends = (Friend(),)
    post.friends[0].world = friend.world
    await post.start()
    await asyncio.sleep(10)
    assert len(friend.world.messages) == len(sent) + 1
    assert friend.world.open == {"c-1/due_not_released/1": FIRING}
    await post.say(RESOLVED, an_alert(1))
    await asyncio.sleep(10)
    assert friend.world.open == {}
    await post.kill()
    rows = [row async for chunk in post.store.load() for row in chunk]
    assert [row.conversation_id for row in rows] == ["c", "~receiver/ops/counts"]


async def test_what_is_open_is_repeated_to_one_that_wants_it() -> None:
    friend = Friend()
    friend.refresh_seconds = 60
    async with Post(friend, limits=Limits(gather=timedelta(), most=0)) as post:
        await post.say(FIRING, an_alert(1), an_alert(2))
        await asyncio.sleep(65)
        assert friend.refreshed == [["c-1/due_not_released/1", "c-2/due_not_released/1"]]
        await post.say(RESOLVED, an_alert(1))
        await asyncio.sleep(1)
        friend.trouble = [DOWN]
        await asyncio.sleep(56)
        assert len(friend.refreshed) == 1
        await asyncio.sleep(15)
        assert friend.refreshed[1:] == [["c-2/due_not_released/1"]]
        assert post.outbox.failures == {DeliveryFault.UNREACHABLE: 1}


async def test_what_is_open_is_repeated_at_once_after_a_restart() -> None:
    friend = Friend()
    friend.refresh_seconds = 60
    post = Post(friend)
    await post.start()
    await post.say(FIRING, an_alert(1))
    await asyncio.sleep(10)
    await post.kill()
    await post.start()
    await asyncio.sleep(1)
    assert friend.refreshed == [["c-1/due_not_released/1"]]
    await post.kill()


async def test_at_a_stop_what_is_under_way_is_ended_and_nothing_is_begun() -> None:
    class Slow(Friend):
        async def deliver(self, message: Message) -> None:
            await asyncio.sleep(2)
            await Friend.deliver(self, message)

    friend = Slow()
    post = Post(friend, limits=Limits(gather=timedelta()))
    await post.start()
    await post.say(FIRING, an_alert(1))
    await asyncio.sleep(1)
    await post.say(FIRING, an_alert(2, queue="q-2"))
    await post.outbox.drain()
    await post.pipeline.commit()
    await asyncio.sleep(100)
    await post.kill()
    assert numbers(friend.world) == [["c-1"]]
    post.friends = (Friend(),)
    await post.start()
    await asyncio.sleep(10)
    await post.kill()
    assert numbers(post.friends[0].world) == [["c-2"]]


async def test_a_silenced_alert_is_sent_once_the_silence_ends_and_it_still_fires() -> None:
    friend = Friend()
    async with Post(friend) as post:
        post.silences = [
            (f"c-{number}", post.clock.now() + timedelta(hours=1)) for number in (1, 2, 3)
        ]
        await post.say(FIRING, an_alert(1), an_alert(2), an_alert(3), an_alert(4))
        await asyncio.sleep(60)
        assert numbers(friend.world) == [["c-4"]]
        assert post.outbox.notices.held == 3
        await post.say(RESOLVED, an_alert(1))
        del post.silences[2]
        post.outbox.silences_changed()
        await asyncio.sleep(60)
        assert numbers(friend.world)[1:] == [["c-3"]]
        await asyncio.sleep(3600)
        assert numbers(friend.world)[2:] == [["c-2"]]
        assert post.outbox.notices.silenced == 1


async def test_one_behind_retention_learns_what_is_over() -> None:
    friend = Friend()
    post = Post(friend)
    await post.start()
    await post.say(FIRING, an_alert(1), an_alert(2))
    await asyncio.sleep(10)
    await post.kill()
    bodies = [body_of(alert_event(RESOLVED, an_alert(1), post.clock.now()))] * 2
    await post.store.commit(Batch({}, bodies, {}), post.clock.now())
    await asyncio.sleep(8 * 86_400)
    await post.store.prune(post.clock.now())
    await post.store.commit(Batch({}, bodies[:1], {}), post.clock.now())
    post.fires = lambda key: key.startswith("c-2")
    await post.start()
    await asyncio.sleep(10)
    await settled()
    assert friend.world.open == {"c-2/due_not_released/1": FIRING}
    await post.kill()
