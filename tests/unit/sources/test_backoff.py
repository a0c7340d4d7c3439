import random
from itertools import islice

from hypothesis import given
from hypothesis import strategies as st

from ringback.sources.backoff import waits


class Highest(random.Random):
    def uniform(self, a: float, b: float) -> float:
        return max(a, b)


def test_the_ceiling_doubles_up_to_the_most() -> None:
    assert list(islice(waits(0.5, 5, Highest()), 6)) == [0.5, 1, 2, 4, 5, 5]


def test_the_first_wait_never_exceeds_the_most() -> None:
    assert list(islice(waits(9, 3, Highest()), 2)) == [3, 3]


def test_the_same_seed_gives_the_same_waits() -> None:
    one, other = (list(islice(waits(1, 60, random.Random(7)), 20)) for _ in range(2))
    assert one == other


@given(st.integers(), st.floats(0.01, 10), st.floats(0.01, 3600))
def test_every_wait_lies_below_its_ceiling(seed: int, first: float, most: float) -> None:
    for turn, wait in enumerate(islice(waits(first, most, random.Random(seed)), 30)):
        assert 0 <= wait <= min(first * 2**turn, most)


def test_those_who_start_together_spread_out() -> None:
    firsts = {round(next(waits(10, 60, random.Random(seed)))) for seed in range(100)}
    assert len(firsts) > 8
