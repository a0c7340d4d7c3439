"""What is stuck for sure, and whether it is still the very same."""

import pytest

from ringback.core.snapshots import Sighting, Snapshot
from ringback.core.watch.zombies import Zombie, let_be, mark_of, zombies
from support.callbacks import QUEUE, Follower, agent, at, call, customer, queue, snapshot

KINDS = ("due_not_released",)
LATE = customer(state="scheduled", scheduled_at=60)
TOPIC = f"v2.routing.queues.{QUEUE}.conversations"


def confirmed() -> Follower:
    """Follow one that is due and not released; a read has shown it so before the alert fired."""
    follower = Follower()
    follower.tracker.proofs.reads("main", can=True)
    follower.hears(0)
    follower.follow(0, LATE)
    follower.wait(170)
    follower.follow(171, LATE, read_at=170)
    follower.wait(181)
    return follower


def the_zombie(follower: Follower) -> Zombie:
    (found,) = zombies(follower.conversation, KINDS)
    return found


def judged(
    follower: Follower, *shown: Sighting, mark: str | None = None, seconds: float = 300
) -> str | None:
    """Read it once more; say why it is let be."""
    mark = mark or mark_of(follower.conversation)
    picture: Snapshot = snapshot(*shown, read_at=seconds)
    follower.observe(seconds, picture)
    return let_be(follower.conversation, KINDS, mark, picture, at(seconds))


def test_one_that_a_read_has_confirmed_may_go() -> None:
    follower = confirmed()
    found = the_zombie(follower)
    assert (found.callback.ordinal, found.why_not) == (1, None)
    assert [(alarm.rule, alarm.read_at) for alarm in found.alarms] == [
        ("due_not_released", at(170))
    ]
    assert judged(follower, LATE) is None
    assert judged(follower, LATE, seconds=400) is None


def test_other_kinds_of_alerts_do_not_make_one() -> None:
    follower = confirmed()
    assert zombies(follower.conversation, ("too_old",)) == []
    mark = mark_of(follower.conversation)
    assert let_be(follower.conversation, ("too_old",), mark, None, at(300)) == (
        "it is not stuck any more"
    )


def test_one_that_no_read_has_confirmed_is_listed_and_let_be() -> None:
    follower = Follower()
    follower.follow(0, LATE)
    follower.wait(180)
    why = "no read has confirmed it: the source cannot read"
    assert the_zombie(follower).why_not == why
    mark = mark_of(follower.conversation)
    assert let_be(follower.conversation, KINDS, mark, None, at(180)) == why


def test_one_in_doubt_is_let_be_until_a_read_has_shown_it() -> None:
    follower = confirmed()
    follower.blind(200, TOPIC)
    follower.hears(260, TOPIC)
    follower.wait(330)
    assert follower.callback.unverified
    assert (
        the_zombie(follower).why_not == "a gap has touched it, and nothing has confirmed it since"
    )
    follower.follow(340, LATE, read_at=340)
    assert the_zombie(follower).why_not is None


def test_a_conversation_with_two_open_callbacks_is_let_be() -> None:
    follower = confirmed()
    second = customer(2, state="scheduled", scheduled_at=9000)
    follower.follow(200, LATE, second)
    assert the_zombie(follower).why_not == (
        "its conversation has 2 open callbacks, and would be ended with all of them"
    )
    assert judged(follower, LATE, second) == the_zombie(follower).why_not


def test_one_that_was_released_meanwhile_is_not_stuck() -> None:
    released = customer(connected_at=299, scheduled_at=60)
    waiting = queue(connected_at=299)
    follower = confirmed()
    mark = mark_of(follower.conversation)
    follower.follow(299, released, waiting)
    assert let_be(follower.conversation, KINDS, mark, None, at(299)) == "it is not stuck any more"
    # Without a frame the read tells it.
    assert judged(confirmed(), released, waiting) == "it is not stuck any more"
    assert judged(confirmed(), customer(ended_at=299)) == "it is not stuck any more"
    assert let_be(None, KINDS, mark, None, at(300)) == "it is not stuck any more"


def test_one_that_was_moved_and_is_stuck_again_is_not_the_one_that_was_seen() -> None:
    moved = customer(state="scheduled", scheduled_at=240)
    follower = confirmed()
    mark = mark_of(follower.conversation)
    follower.follow(200, moved)
    follower.follow(350, moved, read_at=350)
    # The alert is damped: it has fired shortly before.
    follower.wait(400)
    assert the_zombie(follower).why_not is None
    assert judged(follower, moved, seconds=401) is None
    said = judged(follower, moved, mark=mark, seconds=402)
    assert said is not None
    assert said.startswith("it has changed: scheduled since ")


def test_marks_are_the_same_after_a_restart_and_a_look() -> None:
    follower = confirmed()
    mark = mark_of(follower.conversation)
    follower.follow(250, LATE)
    follower.restart(260)
    follower.follow(270, LATE, read_at=269)
    assert mark_of(follower.conversation) == mark


HELD_KINDS = ("connected_not_dialled",)
WITH_AGENT = (
    customer(connected_at=0),
    queue(ended_at=10, disconnect_type="transfer"),
    agent(connected_at=10),
)


def with_agent() -> Follower:
    follower = Follower()
    follower.tracker.proofs.reads("main", can=True)
    follower.hears(0)
    follower.follow(10, *WITH_AGENT)
    follower.wait(296)
    follower.follow(297, *WITH_AGENT, read_at=296)
    follower.wait(311)
    (found,) = zombies(follower.conversation, HELD_KINDS)
    assert found.why_not is None
    return follower


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ((), None),
        ((agent(2, state="alerting"),), "it has changed: "),
        ((call(connected_at=390),), "it is not stuck any more"),
        (
            (call(connected_at=0, inbound=True),),
            "the conversation has a call that came in, and would end it too",
        ),
        ((call(connected_at=0, ended_at=5, inbound=True),), None),
    ],
)
def test_whatever_else_a_read_shows_is_seen(more: tuple[Sighting, ...], why: str | None) -> None:
    follower = with_agent()
    mark = mark_of(follower.conversation)
    picture = snapshot(*WITH_AGENT, *more, read_at=400)
    follower.observe(400, picture)
    said = let_be(follower.conversation, HELD_KINDS, mark, picture, at(400))
    assert (said or "").startswith(why or "")
    assert bool(said) == bool(why)


def test_a_picture_that_shows_it_otherwise_is_believed_before_the_record() -> None:
    """What the core drops as outdated is still no proof that nothing has changed."""
    follower = with_agent()
    mark = mark_of(follower.conversation)
    gone = (*WITH_AGENT[:2], agent(connected_at=10, ended_at=350))
    picture = snapshot(*gone, read_at=400)
    said = let_be(follower.conversation, HELD_KINDS, mark, picture, at(400))
    assert said == "the platform shows it otherwise than it is known"
    another = snapshot(*WITH_AGENT, customer(2, connected_at=390), read_at=400)
    said = let_be(follower.conversation, HELD_KINDS, mark, another, at(400))
    assert said == "the platform shows another callback of its conversation"
    other = snapshot(*WITH_AGENT, read_at=400, conversation="c-2")
    said = let_be(follower.conversation, HELD_KINDS, mark, other, at(400))
    assert said == "the platform has shown another conversation"
