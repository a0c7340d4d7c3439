"""Whatever happens: who follows events knows the same as who asks the tracker."""

from collections.abc import Callable
from datetime import timedelta

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import UNSET

from ringback.core.policy import Policy
from ringback.core.snapshots import QueueSettings, Role, Sighting
from ringback.core.tracker import Tracker
from ringback.web.board.board import Board
from ringback.web.board.rows import Row
from ringback.web.journal import Told
from support.callbacks import Follower, agent, call, customer, queue, snapshot

Act = Callable[[Follower, float], object]

seconds = st.none() | st.integers(0, 600)
number = st.integers(1, 2)


def shown(of: Callable[..., Sighting], *names: str) -> st.SearchStrategy[Sighting]:
    """Show a leg somehow."""
    said = dict.fromkeys(names, seconds)
    return st.builds(of, number, **said, hold_started_at=st.none() | st.none() | seconds)


sightings = st.one_of(
    shown(customer, "connected_at", "ended_at", "scheduled_at"),
    shown(queue, "connected_at", "ended_at"),
    shown(agent, "connected_at", "ended_at"),
    st.builds(agent, number, state=st.just("alerting")),
    st.builds(call, number, st.sampled_from([Role.CUSTOMER, Role.EXTERNAL]), connected_at=seconds),
    st.builds(customer, number, state=st.just("scheduled"), scheduled_at=st.integers(0, 600)),
)


def see(*legs: Sighting, conversation: str, read: bool) -> Act:
    def act(follower: Follower, at: float) -> object:
        sent = at if read else None
        return follower.observe(at, snapshot(*legs, conversation=conversation, read_at=sent))

    return act


def acknowledge(follower: Follower, at: float) -> None:
    follower.wait(at)
    for conversation_id in list(follower.tracker.conversations.ids()):
        conversation = follower.tracker.conversations.get(conversation_id)
        for callback in () if conversation is None else conversation.callbacks:
            for alarm in callback.alarms:
                if alarm.since is not None:
                    alert = f"{callback.id_in(conversation_id)}/{alarm.rule}/{alarm.episode}"
                    change = follower.tracker.alerts.acknowledge(alert, "ada", follower.now)
                    if change is not None:
                        follower.told += change.events


acts: st.SearchStrategy[Act] = st.one_of(
    st.builds(
        lambda legs, conversation, read: see(*legs, conversation=conversation, read=read),
        st.lists(sightings, min_size=1, max_size=4),
        st.sampled_from(["c-1", "c-1", "c-2"]),
        st.booleans(),
    ),
    st.just(lambda follower, at: follower.hears(at)),
    st.just(lambda follower, at: follower.blind(at)),
    st.just(lambda follower, at: follower.settings(at, QueueSettings("queue-1", 30))),
    st.just(acknowledge),
)
lives = st.lists(st.tuples(st.integers(0, 200), acts), min_size=6, max_size=25)

SHORT = Policy(
    due_grace=timedelta(seconds=30),
    not_dialled=timedelta(seconds=60),
    unverified_patience=timedelta(seconds=20),
)


def told(follower: Follower, board: Board) -> None:
    """Let a board follow all that was told since it last did."""
    news = follower.told[board.position :]
    board.apply([Told(board.position + at, b"", event) for at, event in enumerate(news, 1)])


def loaded(tracker: Tracker) -> Board:
    board = Board()
    for _ in board.load(tracker):
        pass
    return board


def same(board: Board, other: Board) -> None:
    """Compare; what runs on without an event may be known up to different moments.

    A deadline that is corrected once it has passed is not told either.
    """

    def known(row: Row) -> Row:
        return msgspec.structs.replace(row, hold_seconds=0, wait_seconds=0, auto_dial_at=UNSET)

    assert {key: known(row) for key, row in board.rows.items()} == {
        key: known(row) for key, row in other.rows.items()
    }
    assert board.alarms == other.alarms


@settings(max_examples=300)
@given(lives)
def test_who_follows_events_knows_what_the_tracker_knows(
    life: list[tuple[int, Act]],
) -> None:
    follower, board, at = Follower(SHORT), Board(), 0
    for pause, act in life:
        at += pause
        act(follower, at)
        told(follower, board)
        same(board, loaded(follower.tracker))
    follower.wait(at + 1000)
    told(follower, board)
    same(board, loaded(follower.tracker))


@settings(max_examples=300)
@given(lives, st.integers(0, 25), st.integers(0, 25), st.integers(0, 10))
def test_events_may_come_while_it_is_loaded(
    life: list[tuple[int, Act]], begin: int, end: int, behind: int
) -> None:
    """The tracker is ahead of what is told; loading takes its time; at the end all is right."""
    follower, board, at = Follower(SHORT), Board(), 0
    loading = None
    for step, (pause, act) in enumerate(life):
        at += pause
        act(follower, at)
        if step == begin:
            board.position = max(0, len(follower.told) - behind)
            loading = board.load(follower.tracker)
        if loading is not None and step >= end:
            next(loading, None)
            told(follower, board)
    for _ in loading or board.load(follower.tracker):
        pass
    told(follower, board)
    same(board, loaded(follower.tracker))
