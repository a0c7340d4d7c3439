import msgspec
import pytest

from ringback.core.events import EVENT_TYPES, AlertData, CallbackData, SourceData, rfc3339
from ringback.core.lifecycle import State
from support.callbacks import Follower, agent, at, customer, only, queue, told


def test_the_list_of_types_is_closed() -> None:
    callbacks = [state.value for state in State] + ["updated", "unverified", "verified", "anomaly"]
    wanted = {f"ringback.callback.{name}.v1": CallbackData for name in callbacks}
    alerts = ("firing", "acknowledged", "resolved")
    sources = ("connected", "disconnected", "gap_opened", "gap_closed")
    assert wanted | {f"ringback.alert.{name}.v1": AlertData for name in alerts} | {
        f"ringback.source.{name}.v1": SourceData for name in sources
    } == dict(EVENT_TYPES)


def test_times_are_rfc_3339_utc_with_milliseconds() -> None:
    assert rfc3339(at(0)) == "2026-11-22T08:00:00.000Z"
    assert rfc3339(at(0.0129)) == "2026-11-22T08:00:00.012Z"


def test_the_data_of_an_event_has_the_names_of_the_contract() -> None:
    follower = Follower()
    legs = (
        customer(connected_at=0, scheduled_at=-5),
        queue(connected_at=0, ended_at=10),
        agent(connected_at=10, timeout_seconds=30),
    )
    assert told(only(follower.follow(10.5, *legs))) == {
        "callbackId": "c-1",
        "conversationId": "c-1",
        "state": "connected",
        "trigger": "connect",
        "cause": "notification",
        "queueId": "queue-1",
        "userId": "user-1",
        "scheduledTime": "2026-11-22T07:59:55.000Z",
        "autoDialAt": "2026-11-22T08:00:40.000Z",
        "offers": 1,
        "holdSeconds": 0.0,
        "waitSeconds": 10.0,
        "clock": {"name": "cloud", "skewSeconds": 0.0},
        "observedTime": "2026-11-22T08:00:10.500Z",
    }


def test_what_is_not_known_is_absent() -> None:
    follower = Follower()
    event = only(follower.follow(0, customer(state="none")))
    assert set(told(event)) == {
        *("callbackId", "conversationId", "state", "trigger", "cause", "offers", "holdSeconds"),
        *("waitSeconds", "clock", "observedTime"),
    }
    assert (event.subject, event.partition, event.sequence) == ("c-1", "c-1", 1)


@pytest.mark.parametrize(("late", "told_so"), [(0.9, False), (1.0, True)])
def test_a_timer_is_late_from_one_second_on(late: float, told_so: bool) -> None:
    follower = Follower()
    follower.follow(10, customer(connected_at=0), agent(connected_at=10, timeout_seconds=30))
    follower.now = at(40 + late)
    assert ("lateSeconds" in told(only(follower.fire()))) is told_so


def test_seconds_are_whole_milliseconds() -> None:
    follower = Follower()
    follower.follow(0, customer(connected_at=0))
    event = only(follower.follow(2, agent(connected_at=1.23456)))
    assert told(event)["waitSeconds"] == 1.235
    assert msgspec.json.encode(event.data)


def test_a_duration_that_was_read_from_two_clocks_says_so() -> None:
    follower = Follower()
    legs = (customer(connected_at=0), queue(connected_at=0, ended_at=10), agent(connected_at=10))
    assert "mixed" not in told(only(follower.follow(10.5, *legs)))["clock"]
    held = (*legs[:2], agent(connected_at=10, held=True, hold_started_at=20))
    assert told(only(follower.follow(21, *held)))["clock"]["mixed"] == ["holdSeconds"]
    retrieved = told(only(follower.follow(30, *legs)))
    assert retrieved["holdSeconds"] == 10.0
    assert retrieved["clock"]["mixed"] == ["holdSeconds"]


def test_a_wait_that_ends_on_another_clock_says_so_and_is_never_negative() -> None:
    follower = Follower()
    follower.follow(5, customer(connected_at=0), queue(connected_at=0))
    ended = (customer(connected_at=0, ended_at=-2), queue(connected_at=0, ended_at=-2))
    lost = told(only(follower.follow(6, *ended)))
    assert lost["waitSeconds"] == 0.0
    assert lost["clock"]["mixed"] == ["waitSeconds"]
    assert lost["clock"]["negative"] == ["waitSeconds"]
