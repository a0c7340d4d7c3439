import pytest

from ringback.wire.topics import (
    CALLBACKS,
    CONVERSATIONS,
    LONGEST,
    Subject,
    combine,
    queue_topic,
    split,
    subject,
    user_topic,
)

QUEUE = "0b9f2d0c-1111-4222-8333-444455556666"


def test_names_are_built() -> None:
    assert queue_topic("q") == "v2.routing.queues.q.conversations"
    assert queue_topic("q", CALLBACKS) == "v2.routing.queues.q.conversations.callbacks"
    assert user_topic("u") == "v2.users.u.conversations"
    assert user_topic("u", "presence") == "v2.users.u.presence"


def test_names_of_one_subject_are_combined_and_split_again() -> None:
    names = [queue_topic(QUEUE, CONVERSATIONS), queue_topic(QUEUE, CALLBACKS)]
    combined = combine(names)
    assert combined == [f"v2.routing.queues.{QUEUE}?conversations&conversations.callbacks"]
    assert len(combined[0]) <= LONGEST
    assert list(split(combined[0])) == names
    assert combine([*combined, *names]) == combined


def test_others_are_left_alone() -> None:
    names = [queue_topic("a"), "v2.outbound.campaigns.c", user_topic("u"), queue_topic("a")]
    assert combine(names) == [queue_topic("a"), "v2.outbound.campaigns.c", user_topic("u")]
    assert split("channel.metadata") == ("channel.metadata",)


def test_a_combined_name_is_never_too_long() -> None:
    names = [user_topic(QUEUE, f"conversations.{'x' * 30}{number}") for number in range(9)]
    combined = combine(names)
    assert max(map(len, combined)) <= LONGEST
    assert len(combined) < len(names)
    assert [name for each in combined for name in split(each)] == names


@pytest.mark.parametrize(
    ("topic", "about"),
    [
        (queue_topic("q"), Subject("queue", "q")),
        (queue_topic("q", CALLBACKS), Subject("queue", "q")),
        ("v2.routing.queues.q?conversations&presence", Subject("queue", "q")),
        ("V2.Routing.Queues.Q.conversations", Subject("queue", "q")),
        (user_topic("u"), Subject("user", "u")),
        ("channel.metadata", None),
        ("v2.system.socket_closing", None),
        ("v2.users.", None),
    ],
)
def test_a_topic_tells_whom_it_is_about(topic: str, about: Subject | None) -> None:
    assert subject(topic) == about
