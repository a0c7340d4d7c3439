"""How topics are spread: all of them, stable, and never more channels than there may be."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.errors import SourceError
from ringback.sources.genesys.client import RestClient
from ringback.sources.genesys.plan import (
    ChannelPlan,
    TopicChoice,
    count_channels,
    needed,
    shards,
    topics_of,
)
from support.platform import FakePlatform
from support.rest_client import talk


@pytest.mark.parametrize(
    ("choice", "topics"),
    [
        ("conversations", ["v2.routing.queues.q.conversations"]),
        ("callbacks", ["v2.routing.queues.q.conversations.callbacks"]),
        ("both", ["v2.routing.queues.q?conversations&conversations.callbacks"]),
    ],
)
def test_each_choice_takes_one_topic_a_queue(choice: TopicChoice, topics: list[str]) -> None:
    assert topics_of("q", choice) == topics


def names(count: int, prefix: str = "t") -> list[str]:
    return [f"{prefix}{number}" for number in range(count)]


def test_topics_fill_one_channel_after_the_other() -> None:
    assert [len(shard) for shard in shards(names(2500))] == [1000, 1000, 500]
    assert shards([]) == []
    assert [needed(count) for count in (0, 1, 1000, 1001, 19_000)] == [0, 1, 1, 2, 19]


def test_a_new_topic_goes_where_there_is_room_and_nothing_else_moves() -> None:
    present = shards(names(1500))
    later = shards([*names(1500), "new"], present)
    assert later == [present[0], [*present[1], "new"]]
    full = shards(names(2000))
    assert shards([*names(2000), "new"], full) == [*full, ["new"]]


def test_a_topic_that_vanishes_leaves_room_for_the_next() -> None:
    present = shards(names(2000))
    left = [name for name in names(2000) if name != "t5"]
    without = shards(left, present)
    assert without == [[name for name in present[0] if name != "t5"], present[1]]
    again = shards([*left, "new"], without)
    assert again == [[*without[0], "new"], without[1]]


def test_a_channel_that_is_not_needed_is_dissolved_but_not_to_and_fro() -> None:
    present = [names(1000), names(30, "u")]
    kept = shards([*names(800), *names(30, "u")], present)
    assert [len(shard) for shard in kept] == [800, 30]
    dissolved = shards([*names(700), *names(30, "u")], present)
    assert dissolved == [[*names(700), *names(30, "u")], []]


def test_they_are_packed_tightly_when_there_would_be_too_many() -> None:
    present = [names(600), names(600, "u"), names(600, "v")]
    topics = [name for shard in present for name in shard]
    assert [len(shard) for shard in shards(topics, present)] == [600, 600, 600]
    tight = shards(topics, present, most_shards=2)
    assert sorted(len(shard) for shard in tight) == [0, 800, 1000]
    assert {name for shard in tight for name in shard} == set(topics)


@given(
    st.lists(st.sets(st.integers(0, 60)), max_size=6),
    st.integers(1, 8),
)
def test_every_topic_is_on_exactly_one_channel_whatever_comes_and_goes(
    steps: list[set[int]], most: int
) -> None:
    present: list[list[str]] = []
    for step in steps:
        wanted = [f"t{number}" for number in step]
        after = shards(wanted, present, most_topics=most)
        placed = [name for shard in after for name in shard]
        assert sorted(placed) == sorted(wanted)
        assert all(len(shard) <= most for shard in after)
        assert len(after) >= len(present)
        present = after


def test_what_fits_is_not_refused() -> None:
    plan = ChannelPlan(topics=200, channels=1, most_channels=20, others=18)
    assert (plan.wanted, plan.free) == (2, 2)
    assert plan.problem() is None
    plan.refuse("main")


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        (
            ChannelPlan(topics=19_001, channels=20, most_channels=20, others=0),
            "19001 topics take 20 channels, and 1 more to replace one without a gap: 21; the",
        ),
        (
            ChannelPlan(topics=1200, channels=2, most_channels=2, others=0),
            "3; [genesys] most_channels allows 2; raise it to 3, or follow fewer queues",
        ),
        (
            ChannelPlan(topics=1200, channels=2, most_channels=20, others=18),
            "18 are in use already; give Ringback an OAuth client of its own",
        ),
    ],
)
def test_what_does_not_fit_is_refused_with_the_numbers(plan: ChannelPlan, words: str) -> None:
    with pytest.raises(SourceError) as caught:
        plan.refuse("main")
    assert words in str(caught.value)


def test_channels_of_the_client_are_counted_whoever_made_them() -> None:
    async def work(platform: FakePlatform, client: RestClient) -> None:
        assert await count_channels(client) == 3
        assert platform.asked[-1][1] == {"includechannels": "oauthclient"}

    entities = [{"id": None}, {}, {"id": "canary", "connectUri": "wss://x/canary"}]
    talk(work, {"GET /api/v2/notifications/channels": {"entities": entities}})
