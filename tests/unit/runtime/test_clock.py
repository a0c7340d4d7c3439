from datetime import UTC, datetime, timedelta

from ringback.runtime.clock import SystemClock


def test_it_is_the_present_in_whole_milliseconds() -> None:
    before = datetime.now(UTC)
    now = SystemClock().now()
    after = datetime.now(UTC)
    assert before - timedelta(milliseconds=1) < now <= after
    assert now.utcoffset() == timedelta()
    assert now.microsecond % 1000 == 0
