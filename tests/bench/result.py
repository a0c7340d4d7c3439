"""One figure, beside what it was measured against, and what is to be reached."""

import math
import time
from collections.abc import Callable

import msgspec


class Figure(msgspec.Struct, frozen=True):
    """A measured figure."""

    what: str
    value: float
    unit: str
    reach: float
    at_least: bool
    detail: str = ""

    @property
    def reached(self) -> bool:
        """Whether it is as good as wanted, or better."""
        return self.value >= self.reach if self.at_least else self.value <= self.reach


def best_of(runs: int, work: Callable[[], object]) -> float:
    """Give the least processor seconds that `work` took, of several runs."""
    least = math.inf
    for _ in range(runs):
        began = time.process_time()
        work()
        least = min(least, time.process_time() - began)
    return least
