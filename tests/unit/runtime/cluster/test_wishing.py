from ringback.runtime.cluster.wishing import AGAIN, STALE, Wishing


class Time:
    def __init__(self) -> None:
        self.at = 0.0

    def __call__(self) -> float:
        return self.at


def test_the_most_urgent_of_each_tracker_comes_first() -> None:
    wishing = Wishing(Time())
    wishing.add(["a1", "a2", "a3"])
    wishing.add(["b1", "b2"])
    assert wishing.take(3) == ["a1", "b1", "a2"]
    assert wishing.take(10) == ["b2", "a3"]
    assert wishing.take(10) == []


def test_nothing_is_given_twice_within_a_while() -> None:
    time = Time()
    wishing = Wishing(time)
    wishing.add(["a"])
    assert wishing.take(1) == ["a"]
    wishing.add(["a", "b"])
    assert wishing.take(9) == ["b"]
    time.at = AGAIN
    wishing.add(["a"])
    assert wishing.take(9) == ["a"]


def test_what_was_wished_long_ago_is_forgotten() -> None:
    time = Time()
    wishing = Wishing(time)
    wishing.add(["a", "b"])
    time.at = STALE / 2
    wishing.add(["b"])
    time.at = STALE
    assert wishing.take(9) == ["b"]


def test_wishes_are_bounded() -> None:
    wishing = Wishing(Time())
    wishing.add([f"{number}" for number in range(5_000)])
    assert len(wishing.take(10_000)) == 1_000
