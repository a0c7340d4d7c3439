from datetime import timedelta

from ringback.core.clocks import MEMORY, NO_SKEW, NONSENSE, Clock, Skews
from support.callbacks import at


def test_a_clock_is_right_until_shown_otherwise() -> None:
    assert Skews().ahead(Clock.CLOUD, at(0)) == NO_SKEW


def test_skew_is_learnt_from_the_future_and_per_clock() -> None:
    skews = Skews()
    skews.notice(Clock.CLOUD, at(3), at(0))
    assert skews.ahead(Clock.CLOUD, at(1)) == timedelta(seconds=3)
    assert skews.ahead(Clock.PROVIDER, at(1)) == NO_SKEW


def test_lateness_teaches_nothing() -> None:
    skews = Skews()
    skews.notice(Clock.CLOUD, at(-3600), at(0))
    skews.notice(Clock.CLOUD, at(0), at(0))
    skews.notice(Clock.CLOUD, None, at(0))
    assert skews.ahead(Clock.CLOUD, at(0)) == NO_SKEW


def test_the_largest_skew_of_late_counts() -> None:
    skews = Skews()
    for seconds in (2, 5, 1):
        skews.notice(Clock.CLOUD, at(seconds), at(0))
    assert skews.ahead(Clock.CLOUD, at(0)) == timedelta(seconds=5)


def test_a_mistake_is_no_skew_and_is_counted() -> None:
    skews = Skews()
    skews.notice(Clock.PROVIDER, at(0) + NONSENSE + timedelta(milliseconds=1), at(0))
    assert (skews.ahead(Clock.PROVIDER, at(0)), skews.nonsense) == (NO_SKEW, 1)
    skews.notice(Clock.PROVIDER, at(0) + NONSENSE, at(0))
    assert (skews.ahead(Clock.PROVIDER, at(0)), skews.nonsense) == (NONSENSE, 1)


def test_a_skew_is_forgotten_once_it_is_not_seen_any_more() -> None:
    skews = Skews()
    hour = MEMORY.total_seconds()
    skews.notice(Clock.CLOUD, at(4), at(0))
    assert skews.ahead(Clock.CLOUD, at(hour + 1)) == timedelta(seconds=4)
    assert skews.ahead(Clock.CLOUD, at(2 * hour + 1)) == NO_SKEW


def test_a_skew_from_long_ago_is_not_believed_at_all() -> None:
    skews = Skews()
    skews.notice(Clock.CLOUD, at(4), at(0))
    assert skews.ahead(Clock.CLOUD, at(2 * MEMORY.total_seconds())) == NO_SKEW


def test_a_daemon_clock_that_is_set_back_does_no_harm() -> None:
    skews = Skews()
    skews.notice(Clock.CLOUD, at(4), at(0))
    assert skews.ahead(Clock.CLOUD, at(-7200)) == timedelta(seconds=4)
