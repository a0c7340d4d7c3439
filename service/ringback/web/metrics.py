"""Metrics in the formats of Prometheus, read from plain numbers at the moment of a scrape.

Nothing is counted here: whoever works keeps an integer of its own, which costs the hot path
nothing, and `Measure`s of these are made when somebody asks.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from enum import StrEnum

import msgspec
from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
)
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

__all__ = ["Buckets", "Measure", "MeasureKind", "Metrics"]

PREFIX = "ringback_"
Family = CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily


class MeasureKind(StrEnum):
    """What a number means."""

    COUNTER = "counter"
    """Only grows, from 0 at the start of the process."""
    GAUGE = "gauge"
    HISTOGRAM = "histogram"
    """Its value is `Buckets`."""


class Buckets(msgspec.Struct, frozen=True):
    """How many observations fell where."""

    bounds: Sequence[float]
    """Upper bounds, rising, without infinity."""
    counts: Sequence[int]
    """Observations in each bucket alone, and at the end those above the last bound."""
    total: float
    """The sum of all observations."""


class Measure(msgspec.Struct, frozen=True):
    """One number with its labels. Those of one name have the same kind, help and label names."""

    name: str
    """In full, without `_total`: `ringback_frames`. Base units at its end: `_seconds`, `_bytes`."""
    help: str
    kind: MeasureKind
    value: float | Buckets
    labels: Mapping[str, str] = {}
    """From small, closed sets: never a number of a phone or an address, and never an id but that of
    a queue whose name is not known."""


class Metrics:
    """Everything there is to scrape. Owns its registry: nothing else in the process adds to it."""

    def __init__(self, measures: Callable[[], Iterable[Measure]], version: str) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(_Numbers(measures, version))
        ProcessCollector(registry=self._registry)
        PlatformCollector(registry=self._registry)

    def expose(self, accept: str) -> tuple[bytes, str]:
        """Give the exposition and its content type: OpenMetrics where `accept` asks for it."""
        encode, content_type = choose_encoder(accept)
        return encode(self._registry), content_type


class _Numbers(Collector):
    def __init__(self, measures: Callable[[], Iterable[Measure]], version: str) -> None:
        self._measures = measures
        self._version = version

    def collect(self) -> Iterator[Family | InfoMetricFamily]:
        yield InfoMetricFamily(
            f"{PREFIX}build", "The version that is running.", {"version": self._version}
        )
        families: dict[str, Family] = {}
        for measure in self._measures():
            family = families.get(measure.name)
            if family is None:
                family = families[measure.name] = _family(measure)
            _add(family, measure)
        yield from families.values()


def _family(measure: Measure) -> Family:
    if not measure.name.startswith(PREFIX):
        raise ValueError(f"the metric {measure.name} does not begin with {PREFIX}")
    labels = list(measure.labels)
    match measure.kind:
        case MeasureKind.COUNTER:
            return CounterMetricFamily(measure.name, measure.help, labels=labels)
        case MeasureKind.GAUGE:
            return GaugeMetricFamily(measure.name, measure.help, labels=labels)
        case MeasureKind.HISTOGRAM:
            return HistogramMetricFamily(measure.name, measure.help, labels=labels)


def _add(family: Family, measure: Measure) -> None:
    labels = list(measure.labels.values())
    value = measure.value
    if isinstance(family, HistogramMetricFamily) and isinstance(value, Buckets):
        family.add_metric(labels, _cumulated(value), value.total)
    elif not isinstance(family, HistogramMetricFamily) and not isinstance(value, Buckets):
        family.add_metric(labels, value)
    else:
        raise TypeError(f"the value of the metric {measure.name} does not fit its kind")


def _cumulated(buckets: Buckets) -> list[tuple[str, float]]:
    bounds = [*map(str, map(float, buckets.bounds)), "+Inf"]
    so_far, cumulated = 0, []
    for bound, count in zip(bounds, buckets.counts, strict=True):
        so_far += count
        cumulated.append((bound, float(so_far)))
    return cumulated
