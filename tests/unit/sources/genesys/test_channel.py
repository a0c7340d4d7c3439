"""How long a new channel lives, as the platform tells it, and as far as that can be believed."""

from datetime import datetime, timedelta

import pytest

from ringback.sources.genesys.channel import USUAL_LIFE, singles
from ringback.sources.genesys.channel import _life as life_of
from ringback.sources.genesys.exchange import Answer
from ringback.wire.rest import Channel
from support.callbacks import at


def told(expires: datetime | int | None, date: datetime | None) -> timedelta:
    """Give the life of a channel that was asked for at 0 s."""
    return life_of(Channel("c", "wss://localhost/c", expires), Answer(200, b"", at(0), date))


def test_it_is_counted_on_the_clock_that_tells_it() -> None:
    ahead = at(600)
    assert told(ahead + timedelta(hours=24), ahead) == timedelta(hours=24)


def test_without_a_date_it_is_counted_from_the_request() -> None:
    assert told(at(1800), None) == timedelta(minutes=30)


@pytest.mark.parametrize("seconds", [-3600, 0, 299, 72 * 3600 + 1])
def test_a_life_that_cannot_be_is_not_believed(seconds: float) -> None:
    assert told(at(seconds), at(0)) == USUAL_LIFE


@pytest.mark.parametrize("seconds", [300, 72 * 3600])
def test_a_life_that_can_be_is_believed(seconds: float) -> None:
    assert told(at(seconds), at(0)) == timedelta(seconds=seconds)


@pytest.mark.parametrize("expires", [None, 10**20])
def test_what_is_not_told_or_no_instant_is_the_usual_life(expires: int | None) -> None:
    assert told(expires, at(0)) == USUAL_LIFE


def test_a_combined_topic_stands_for_its_single_ones() -> None:
    combined = "v2.routing.queues.q-1?conversations&conversations.callbacks"
    assert singles([combined]) == {
        "v2.routing.queues.q-1.conversations",
        "v2.routing.queues.q-1.conversations.callbacks",
    }
