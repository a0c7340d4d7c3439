"""Makes measures of plain numbers."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

from ringback.web.health import Check, Status
from ringback.web.metrics import Measure, MeasureKind

__all__ = ["counter", "counters", "gauge", "measures_of_checks"]

Value = TypeVar("Value", bound=str)


def counters(
    name: str, text: str, label: str, values: Sequence[Value], counts: Mapping[Value, int]
) -> Iterator[Measure]:
    """Give a counter for each value of a closed set, those that are still 0 included."""
    for value in values:
        yield counter(name, text, counts.get(value, 0), **{label: str(value)})


def counter(name: str, text: str, value: float, **labels: str) -> Measure:
    """Give what only grows; `name` is without `ringback_` and `_total`."""
    return Measure(f"ringback_{name}", text, MeasureKind.COUNTER, value, labels)


def gauge(name: str, text: str, value: float, **labels: str) -> Measure:
    """Give what goes up and down; `name` is without `ringback_`."""
    return Measure(f"ringback_{name}", text, MeasureKind.GAUGE, value, labels)


def measures_of_checks(checks: Iterable[Check]) -> Iterator[Measure]:
    """Give how many parts are well, and how many are not."""
    found = Counter(check.status for check in checks)
    for status in Status:
        yield gauge(
            "checks",
            "Parts of the daemon by how they are; /readyz says which, and why.",
            found[status],
            status=status.value,
        )
