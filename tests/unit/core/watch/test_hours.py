from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ringback.core.watch.hours import Hours

BERLIN = ZoneInfo("Europe/Berlin")
ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "UTC")
MINUTE = timedelta(minutes=1)
OFFICE = Hours(opens=time(8), closes=time(18), zone=BERLIN, closed=frozenset({date(2026, 12, 25)}))
NIGHT = Hours(days=frozenset(range(7)), opens=time(22), closes=time(6), zone=BERLIN)


def local(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN).astimezone(UTC)


def within(hours: Hours, at: datetime) -> bool:
    return hours.later(at, timedelta()) == at


@pytest.mark.parametrize(
    ("at", "minutes", "reached"),
    [
        ("2026-11-23 09:00", 10, "2026-11-23 09:10"),
        ("2026-11-23 07:00", 10, "2026-11-23 08:10"),
        ("2026-11-23 17:55", 5, "2026-11-23 18:00"),
        ("2026-11-23 17:55", 10, "2026-11-24 08:05"),
        ("2026-11-27 17:55", 10, "2026-11-30 08:05"),  # over a weekend
        ("2026-12-24 17:55", 10, "2026-12-28 08:05"),  # over a closed day and a weekend
        ("2026-11-23 18:00", 0, "2026-11-24 08:00"),
        ("2026-11-23 12:00", 0, "2026-11-23 12:00"),
        ("2026-11-23 12:00", 20 * 60, "2026-11-25 12:00"),
    ],
)
def test_a_threshold_is_reached_by_the_time_that_passes_within_them(
    at: str, minutes: int, reached: str
) -> None:
    assert OFFICE.later(local(at), minutes * MINUTE) == local(reached)


def test_a_span_over_midnight_belongs_to_the_day_it_begins_on() -> None:
    fridays = Hours(days=frozenset({4}), opens=time(22), closes=time(6), zone=BERLIN)
    assert within(fridays, local("2026-11-27 23:00"))
    assert within(fridays, local("2026-11-28 05:59"))
    assert not within(fridays, local("2026-11-28 06:00"))
    assert not within(fridays, local("2026-11-27 05:00"))


def test_a_night_is_an_hour_longer_or_shorter_when_the_clocks_change() -> None:
    assert NIGHT.later(local("2026-10-24 22:00"), 9 * 60 * MINUTE) == local("2026-10-25 06:00")
    assert NIGHT.later(local("2026-03-28 22:00"), 7 * 60 * MINUTE) == local("2026-03-29 06:00")


def test_a_time_that_the_clocks_jump_over_is_the_jump() -> None:
    early = Hours(days=frozenset({6}), opens=time(2, 30), closes=time(4), zone=BERLIN)
    jump = datetime(2026, 3, 29, 1, tzinfo=UTC)
    assert early.later(jump - MINUTE, timedelta()) == jump


def test_of_a_time_that_comes_twice_the_first_counts() -> None:
    early = Hours(days=frozenset({6}), opens=time(2, 30), closes=time(4), zone=BERLIN)
    midnight = datetime(2026, 10, 25, tzinfo=UTC)
    assert early.later(midnight, timedelta()) == midnight + 30 * MINUTE


def test_what_never_opens_is_never_reached() -> None:
    jumped = Hours(days=frozenset({6}), opens=time(8), closes=time(8, 1), zone=BERLIN)
    assert jumped.later(local("2026-11-23 12:00"), timedelta(days=300)) is None
    assert jumped.later(datetime(9999, 12, 31, tzinfo=UTC), MINUTE) is None
    assert jumped.later(datetime(1, 1, 1, tzinfo=UTC), MINUTE) is not None


minutes_of_day = st.integers(0, 24 * 60 - 1)
any_hours = st.builds(
    lambda begin, long, **rest: Hours(
        opens=time(*divmod(begin, 60)), closes=time(*divmod((begin + long) % 1440, 60)), **rest
    ),
    begin=minutes_of_day,
    long=st.integers(30, 24 * 60),
    days=st.frozensets(st.integers(0, 6), min_size=1),
    zone=st.sampled_from(ZONES).map(ZoneInfo),
    closed=st.frozensets(st.dates(date(2026, 1, 1), date(2026, 12, 31)), max_size=3),
)
changes = st.sampled_from(
    [date(2026, *day) for day in [(3, 7), (3, 28), (4, 4), (10, 3), (10, 24), (10, 31), (6, 15)]]
)
instants = st.builds(
    lambda day, minutes: datetime.combine(day, time(), UTC) + minutes * MINUTE,
    changes,
    st.integers(0, 5 * 24 * 60),
)


@given(any_hours, instants, st.integers(0, 3000))
def test_minutes_counted_one_by_one_say_the_same(hours: Hours, at: datetime, minutes: int) -> None:
    """Every change of the clocks happens at a whole minute, so minutes are open or are not."""
    reached = hours.later(at, minutes * MINUTE)
    assert reached is not None
    assert reached >= at
    # Bounded, as half an hour a week takes a year to add up.
    until = min(reached, at + timedelta(days=2))
    passed = sum(within(hours, at + n * MINUTE) for n in range((until - at) // MINUTE))
    if until == reached:
        assert passed == minutes
    else:
        assert passed <= minutes
    assert within(hours, reached) or within(hours, reached - MINUTE)


@given(any_hours, instants)
def test_within_them_is_what_the_clock_on_the_wall_says(hours: Hours, at: datetime) -> None:
    wall = at.astimezone(hours.zone)
    near = [wall + n * timedelta(hours=1) for n in range(-26, 27)]
    if len({one.utcoffset() for one in near}) > 1:
        return  # the clocks change nearby: above
    now, today = wall.time(), wall.date()
    before = today - timedelta(days=1)
    if hours.opens < hours.closes:
        expected = _opens_on(hours, today) and hours.opens <= now < hours.closes
    else:
        expected = (_opens_on(hours, today) and hours.opens <= now) or (
            _opens_on(hours, before) and now < hours.closes
        )
    assert within(hours, at) is expected


@given(any_hours, instants, st.integers(0, 3000), st.integers(0, 3000))
def test_what_begins_later_or_takes_longer_is_reached_later(
    hours: Hours, at: datetime, minutes: int, more: int
) -> None:
    first = hours.later(at, minutes * MINUTE)
    longer = hours.later(at, (minutes + more) * MINUTE)
    after = hours.later(at + more * MINUTE, minutes * MINUTE)
    assert first is not None
    assert longer is not None
    assert after is not None
    assert first <= longer
    assert first <= after


def _opens_on(hours: Hours, day: date) -> bool:
    return day.weekday() in hours.days and day not in hours.closed
