from datetime import timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ringback.core.events import CallbackData, ClockUsed, Event, rfc3339
from ringback.web.board.trends import MOST_HOURS, Minute, Trends, minute_of
from support.callbacks import START, at

GRACE = timedelta(minutes=2)
FIRST = minute_of(START)


def event(seconds: float, kind: str, state: str, name: str = "c-1", **said: Any) -> Event:
    effect = said.pop("effect", seconds)
    data = CallbackData(
        callback_id=name,
        conversation_id=name,
        state=state,
        cause="notification",
        offers=0,
        hold_seconds=0,
        wait_seconds=0,
        clock=ClockUsed("cloud"),
        observed_time=rfc3339(at(seconds)),
        **said,
    )
    kind = f"ringback.callback.{kind}.v1"
    return Event(f"{name}/1", kind, name, rfc3339(at(effect)), data, name, 1)


def fold(*events: Event, begin: int = FIRST) -> Trends:
    trends = Trends(begin, (), GRACE)
    for each in events:
        trends.tell(each)
    return trends


def test_a_minute_says_who_waited_at_its_end_and_for_how_long() -> None:
    trends = fold(
        event(10, "waiting", "waiting"),
        event(50, "waiting", "waiting", "c-2"),
        event(70, "alerting", "alerting"),
        event(130, "talking", "talking", "c-2"),
    )
    first, minutes = trends.last(10, at(185))
    assert first == FIRST
    assert [(one.waiting, one.oldest_seconds) for one in minutes] == [
        (2, 50.0),
        (1, 70.0),
        (0, 0.0),
        (0, 0.0),
    ]


def test_the_present_minute_is_as_of_now() -> None:
    trends = fold(event(10, "waiting", "waiting"))
    assert trends.last(1, at(30))[1] == [Minute(1, 20.0)]
    assert trends.last(1, at(40))[1] == [Minute(1, 30.0)]


def test_offers_misses_and_ends_are_counted_in_the_minute_they_were_observed() -> None:
    trends = fold(
        event(10, "alerting", "alerting"),
        event(20, "updated", "alerting", reasons=["offered", "agent_changed"]),
        event(30, "connected", "connected", skipped=["alerting"]),
        event(70, "updated", "auto_dialing", reasons=["auto_dial_missed"], effect=50),
        event(80, "disconnected", "disconnected"),
        event(81, "updated", "disconnected", reasons=["hold_corrected"]),
    )
    _, minutes = trends.last(5, at(90))
    assert [(one.offers, one.missed, one.ended) for one in minutes] == [(3, 0, 0), (0, 1, 1)]


def test_a_release_is_in_time_up_to_the_grace() -> None:
    def released(seconds: float, **said: Any) -> Event:
        said = {"previous_state": "scheduled", "scheduled_time": rfc3339(at(0))} | said
        return event(seconds, "waiting", "waiting", **said)

    trends = fold(
        released(120),
        released(120.001),
        released(500, effect=30),
        released(501, previous_state="held"),
        event(502, "disconnected", "disconnected", previous_state="scheduled"),
    )
    _, minutes = trends.last(60, at(600))
    assert (sum(one.released for one in minutes), sum(one.in_time for one in minutes)) == (3, 2)


def test_no_more_is_kept_than_can_be_asked_for() -> None:
    trends = fold(event(0, "waiting", "waiting"))
    for hours in range(1, 60):
        trends.go_on(FIRST + hours * 60)
    first, minutes = trends.last(10**6, at(60 * 3600))
    assert len(minutes) == MOST_HOURS * 60 + 2
    assert first == FIRST + 60 * 60 - len(minutes) + 1


def test_after_a_long_sleep_there_is_nothing_to_tell_of_it() -> None:
    trends = fold(event(0, "waiting", "waiting"))
    days = timedelta(days=400).total_seconds()
    _, minutes = trends.last(10, at(days))
    assert [one.waiting for one in minutes] == [1, 1]


def test_a_clock_that_was_set_back_adds_to_the_present_minute() -> None:
    trends = fold(event(130, "alerting", "alerting"), event(10, "alerting", "alerting", "c-2"))
    _, minutes = trends.last(10, at(20))
    assert [one.offers for one in minutes] == [0, 0, 2]


KINDS = ("waiting", "alerting", "talking", "disconnected")


@given(
    st.lists(
        st.tuples(st.integers(0, 900), st.sampled_from(KINDS), st.integers(1, 4)), max_size=30
    ),
    st.integers(0, 30),
)
def test_past_and_present_folded_apart_and_joined_are_as_folded_at_once(
    told: list[tuple[int, str, int]], cut: int
) -> None:
    """As after a restart: the present goes on while the past is read."""
    events = [event(s, kind, kind, f"c-{number}") for s, kind, number in sorted(told)]
    before, after = events[:cut], events[cut:]
    whole = fold(*events)
    began = before[-1].data.observed_time if before else rfc3339(START)
    board: dict[str, str] = {}
    for each in before:
        board.pop(each.subject, None)
        if each.type.endswith(".waiting.v1"):
            board[each.subject] = each.time
    start = minute_of(at((cut and before and told and sorted(told)[len(before) - 1][0]) or 0))
    assert rfc3339(START) <= began
    present = Trends(start, board.items(), GRACE)
    for each in after:
        present.tell(each)
    present.join(fold(*before))
    assert present.last(100, at(1000)) == whole.last(100, at(1000))
