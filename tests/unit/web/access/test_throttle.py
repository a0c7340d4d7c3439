import pytest

from ringback.web.access.throttle import MOST_ADDRESSES, MOST_FAILURES, WINDOW_SECONDS, Throttle


class Watch:
    seconds = 1000.0

    def time(self) -> float:
        return self.seconds


def fail(throttle: Throttle, address: str, times: int = MOST_FAILURES) -> None:
    for _ in range(times):
        throttle.failed(address)


def test_who_fails_too_often_waits_until_the_window_ends() -> None:
    watch = Watch()
    throttle = Throttle(watch.time)
    fail(throttle, "192.0.2.1", MOST_FAILURES - 1)
    assert throttle.wait("192.0.2.1") == 0
    watch.seconds += 20
    fail(throttle, "192.0.2.1", 1)
    assert throttle.wait("192.0.2.1") == 41
    assert throttle.wait("192.0.2.2") == 0
    watch.seconds += WINDOW_SECONDS - 20
    assert throttle.wait("192.0.2.1") == 0
    fail(throttle, "192.0.2.1", 1)
    assert throttle.wait("192.0.2.1") == 0


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8::1", "2001:db8::ffff:2", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("fe80::1%eth0", "fe80::2", True),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("", "192.0.2.1", False),
    ],
)
def test_a_network_of_ipv6_counts_as_one(one: str, other: str, *, same: bool) -> None:
    throttle = Throttle(Watch().time)
    fail(throttle, one)
    assert (throttle.wait(other) > 0) is same


def test_memory_is_bounded() -> None:
    throttle = Throttle(Watch().time)
    for number in range(MOST_ADDRESSES + 1):
        fail(throttle, f"10.0.{number // 256}.{number % 256}")
    assert throttle.wait("10.0.0.0") == 0
    assert throttle.wait("10.0.0.1") > 0
