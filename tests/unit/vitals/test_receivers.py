import asyncio
from datetime import timedelta

import pytest

from ringback.core.watch.messages import Phase
from ringback.core.watch.notices import Limits
from ringback.errors import DeliveryError, DeliveryFault
from ringback.vitals.receivers import (
    MOST_SHOWN,
    checks_of_receivers,
    measures_of_receivers,
    report_of_receiver,
)
from support.alerts import Friend, Post, an_alert

pytestmark = pytest.mark.looptime

DOWN = DeliveryError(DeliveryFault.UNREACHABLE, "nobody is there")
REFUSED = DeliveryError(DeliveryFault.REFUSED, "it does not like it")


def numbers(post: Post) -> dict[str, float]:
    """Give what is not 0, by name and the label that tells reasons apart."""
    return {
        f"{each.name} {each.labels.get('reason', '')}".strip(): float(each.value)
        for each in measures_of_receivers(post.outboxes)
        if isinstance(each.value, (int, float)) and each.value
    }


async def test_what_a_receiver_was_told_is_counted() -> None:
    friend = Friend(REFUSED, DOWN)
    async with Post(friend, limits=Limits(gather=timedelta())) as post:
        assert numbers(post) == {}
        assert {each.labels["receiver"] for each in measures_of_receivers(post.outboxes)} == {"ops"}
        await post.say(Phase.FIRING, an_alert(1))
        await asyncio.sleep(0.3)
        await post.say(Phase.FIRING, an_alert(2))
        await asyncio.sleep(0.3)
        assert numbers(post) == {
            "ringback_message_failures refused": 1,
            "ringback_message_failures unreachable": 1,
            "ringback_messages_dead": 1,
            "ringback_dead_letters": 1,
            "ringback_alerts_untold": 1,
            "ringback_receiver_failing": 1,
        }
        await asyncio.sleep(5)
        assert numbers(post)["ringback_messages_sent"] == 1
        assert "ringback_receiver_failing" not in numbers(post)


async def test_one_that_takes_nothing_for_a_minute_is_worth_a_word() -> None:
    async with Post(Friend(*[DOWN] * 20), Friend()) as post:
        await post.say(Phase.FIRING, an_alert(1))
        await asyncio.sleep(30)
        assert list(checks_of_receivers(post.outboxes, post.clock.now())) == []
        await asyncio.sleep(60)
        (check,) = checks_of_receivers(post.outboxes, post.clock.now())
        assert check.name == "receiver ops"
        assert check.reason == "takes nothing since 2026-11-22T08:00:05.010Z: nobody is there"


async def test_a_dead_letter_says_what_it_would_have_told_and_why_it_has_not() -> None:
    alerts = [an_alert(number) for number in range(MOST_SHOWN + 5)]
    async with Post(Friend(REFUSED)) as post:
        await post.say(Phase.FIRING, *alerts)
        await asyncio.sleep(10)
        report = report_of_receiver(post.outbox, "webhook")
        (letter,) = report.dead_letters
        assert (letter.number, letter.tries, letter.why) == (1, 1, REFUSED.problem)
        assert (len(letter.alerts), letter.alert_count) == (MOST_SHOWN, len(alerts))
        assert (letter.alerts[0].alert_id, letter.alerts[0].status) == (
            "c-0/due_not_released/1",
            "firing",
        )
        assert report.problem == REFUSED.problem
