import pytest

from ringback.core.changes import Change
from ringback.core.events import AlertData
from ringback.errors import AlertOver, AlertUnknown
from support.callbacks import Follower, alert, at, customer, told

LATE = customer(state="scheduled", scheduled_at=60)
ALERT = "c-1/due_not_released/1"


def firing() -> Follower:
    follower = Follower()
    follower.follow(0, LATE)
    alert(follower.wait(180))
    return follower


def acknowledge(follower: Follower, seconds: float, by: str = "ada") -> Change | None:
    follower.wait(seconds)
    change = follower.tracker.alerts.acknowledge(ALERT, by, follower.now)
    if change is not None:
        follower._commit(change)
    return change


def test_it_is_told_who_has_seen_it_and_the_alert_goes_on() -> None:
    follower = firing()
    change = acknowledge(follower, 200)
    assert change is not None
    (event,) = change.events
    assert (event.id, event.type, event.sequence) == (
        f"{ALERT}/acknowledged",
        "ringback.alert.acknowledged.v1",
        None,
    )
    assert event.time == "2026-11-22T08:03:20.000Z"
    assert isinstance(event.data, AlertData)
    assert told(event)["by"] == "ada"
    assert event.data.since == "2026-11-22T08:03:00.000Z"
    (alarm,) = follower.callback.alarms
    assert (alarm.since, alarm.acknowledged_by, alarm.acknowledged_at) == (
        at(180),
        "ada",
        at(200),
    )
    resolved = alert(follower.follow(300, customer(connected_at=300, scheduled_at=60)))
    assert (resolved.alert_id, "by" in told(follower.told[-1])) == (ALERT, False)


def test_the_first_who_has_seen_it_stays() -> None:
    follower = firing()
    acknowledge(follower, 200, "ada")
    assert acknowledge(follower, 210, "bob") is None
    assert follower.callback.alarms[0].acknowledged_by == "ada"


def test_it_lasts_over_a_restart() -> None:
    follower = firing()
    acknowledge(follower, 200)
    follower.restart(300)
    assert acknowledge(follower, 310, "bob") is None
    assert follower.callback.alarms[0].acknowledged_by == "ada"


def test_the_next_episode_has_not_been_seen() -> None:
    follower = firing()
    acknowledge(follower, 200)
    follower.follow(210, customer(state="scheduled", scheduled_at=600))
    follower.wait(720)
    (alarm,) = follower.callback.alarms
    assert (alarm.episode, alarm.acknowledged_by, alarm.acknowledged_at) == (2, None, None)
    with pytest.raises(AlertOver, match="c-1/due_not_released/1 is over"):
        follower.tracker.alerts.acknowledge(ALERT, "ada", follower.now)


def test_what_is_over_is_said_to_be() -> None:
    follower = firing()
    follower.follow(200, customer(connected_at=200, scheduled_at=60))
    with pytest.raises(AlertOver):
        follower.tracker.alerts.acknowledge(ALERT, "ada", follower.now)


@pytest.mark.parametrize(
    "alert_id",
    [
        "",
        "c-1",
        "c-2/due_not_released/1",
        "c-1.2/due_not_released/1",
        "c-1/connected_not_dialled/1",
        "c-1/due_not_released/2",
        "c-1/due_not_released/0",
        "c-1/due_not_released/",
        "c-1/due_not_released/1/2",
        "c-1/due_not_released/\N{SUPERSCRIPT TWO}",
    ],
)
def test_what_there_never_was_is_said_to_be_unknown(alert_id: str) -> None:
    with pytest.raises(AlertUnknown, match="there is no alert"):
        firing().tracker.alerts.acknowledge(alert_id, "ada", at(200))


def test_an_alert_of_a_further_callback_is_found() -> None:
    follower = Follower()
    follower.follow(0, customer(connected_at=0, ended_at=10))
    follower.follow(20, customer(2, state="scheduled", scheduled_at=60))
    fired = alert(follower.wait(180))
    assert fired.alert_id == "c-1.2/due_not_released/1"
    assert follower.tracker.alerts.acknowledge(fired.alert_id, "ada", follower.now) is not None
