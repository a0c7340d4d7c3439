"""What is counted of clean-up, as metrics."""

from collections.abc import Iterator, Mapping
from typing import get_args

from ringback.vitals.measuring import counters
from ringback.web.api.cleanup import Result
from ringback.web.metrics import Measure

__all__ = ["measures_of_cleanup"]

RESULTS: tuple[Result, ...] = get_args(Result)


def measures_of_cleanup(outcomes: Mapping[Result, int]) -> Iterator[Measure]:
    """Give every number there is."""
    yield from counters(
        "cleanup",
        "Conversations that somebody wanted disconnected, by what came of it.",
        "result",
        RESULTS,
        outcomes,
    )
