"""How long to wait before trying again: exponential, with full jitter."""

import random
from collections.abc import Iterator

__all__ = ["waits"]


def waits(first: float, most: float, chance: random.Random) -> Iterator[float]:
    """Give waits in seconds, without end, each drawn between 0 and a ceiling.

    The ceiling begins at `first` and doubles up to `most`. Full jitter spreads those who lost the
    same server at the same moment over the whole interval.
    """
    ceiling = min(first, most)
    while True:
        yield chance.uniform(0, ceiling)
        ceiling = min(ceiling * 2, most)
