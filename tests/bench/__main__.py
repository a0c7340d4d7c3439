"""`make bench`: every figure beside its reference in one run, as a table and as JSON.

Arguments choose among the parts: decode, path, population, timers, feed, engine, listening.
Exit code 0 whether or not the figures are reached: a measurement is no test.
"""

import sys
from collections.abc import Callable, Iterator

import msgspec

from bench import decode, engine, feed, listening, path, population, timers
from bench.result import Figure

PARTS: dict[str, Callable[[], Iterator[Figure]]] = {
    "decode": decode.measure,
    "path": path.measure,
    "population": population.measure,
    "timers": timers.measure,
    "feed": feed.measure,
    "engine": engine.measure,
    "listening": listening.measure,
}


def main() -> None:
    """Measure, and tell each figure as soon as it is there."""
    chosen = sys.argv[1:] or list(PARTS)
    figures = []
    for part in chosen:
        for figure in PARTS[part]():
            figures.append(figure)
            mark = "reached" if figure.reached else "MISSED "
            bound = f"{'≥' if figure.at_least else '≤'} {figure.reach:g}"
            print(f"{mark}  {figure.value:8.2f} {figure.unit:<26} {bound:<7} {figure.what}")
            print(f"{'':19}{figure.detail}", flush=True)
    print(msgspec.json.encode(figures).decode())


main()
