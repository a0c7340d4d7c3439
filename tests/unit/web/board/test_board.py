from ringback.core.policy import Policy
from ringback.core.watch.defaults import built_in
from ringback.web.board.board import Board
from ringback.web.journal import Told
from support.callbacks import Follower, customer, queue, snapshot


def lost() -> Follower:
    """Give a callback that has ended, and that no agent ever had."""
    policy = Policy()
    follower = Follower(policy, rules=built_in(policy.due_grace, policy.not_dialled))
    follower.observe(0, snapshot(customer(1, connected_at=0), queue(1, connected_at=0)))
    gone = customer(1, connected_at=0, ended_at=60), queue(1, connected_at=0, ended_at=60)
    follower.observe(60, snapshot(*gone))
    follower.wait(90)
    return follower


def told(follower: Follower) -> Board:
    board = Board()
    board.apply([Told(at, b"", event) for at, event in enumerate(follower.told, 1)])
    return board


def loaded(follower: Follower) -> Board:
    board = Board()
    for _ in board.load(follower.tracker):
        pass
    return board


def test_an_alert_about_a_callback_that_has_ended_is_on_the_board() -> None:
    follower = lost()
    board = told(follower)
    assert board.rows == {}
    (alarm,) = board.alarms.values()
    assert (alarm.alert.rule, alarm.place.state) == ("lost", "disconnected")
    assert loaded(follower).alarms == board.alarms


def test_it_goes_when_it_was_told_for_long_enough() -> None:
    follower = lost()
    follower.wait(2 * 3600)
    assert told(follower).alarms == {}
    follower.wait(48 * 3600)
    assert (
        follower.tracker.conversations.get(next(iter(follower.tracker.conversations.ids())))
        is not None
    )  # its tombstone
    assert loaded(follower).alarms == {}
