import subprocess
from collections.abc import Iterable
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from ringback.web.metrics import Buckets, Measure, MeasureKind, Metrics
from support.debian import require_debian

MEASURES = [
    Measure("ringback_frames", "Frames taken.", MeasureKind.COUNTER, 7, {"source": "main"}),
    Measure("ringback_live_callbacks", "Now.", MeasureKind.GAUGE, 2.0, {"state": "held"}),
    Measure("ringback_frames", "Frames taken.", MeasureKind.COUNTER, 1, {"source": "other"}),
    Measure(
        "ringback_commit_seconds",
        "Time taken by commits.",
        MeasureKind.HISTOGRAM,
        Buckets([0.005, 1], [3, 0, 2], 6.5),
    ),
]


def metrics(measures: Iterable[Measure] = MEASURES) -> Metrics:
    return Metrics(lambda: measures, "1.2.3")


def lines(accept: str = "") -> set[str]:
    return set(metrics().expose(accept)[0].decode().splitlines())


def test_plain_text_by_default() -> None:
    body, content_type = metrics().expose("")
    assert content_type == "text/plain; version=0.0.4; charset=utf-8"
    assert {
        "# TYPE ringback_frames_total counter",
        'ringback_frames_total{source="main"} 7.0',
        'ringback_frames_total{source="other"} 1.0',
        'ringback_live_callbacks{state="held"} 2.0',
        'ringback_build_info{version="1.2.3"} 1.0',
        'ringback_commit_seconds_bucket{le="0.005"} 3.0',
        'ringback_commit_seconds_bucket{le="1.0"} 3.0',
        'ringback_commit_seconds_bucket{le="+Inf"} 5.0',
        "ringback_commit_seconds_count 5.0",
        "ringback_commit_seconds_sum 6.5",
    } <= set(body.decode().splitlines())


def test_the_samples_of_one_name_stand_together() -> None:
    body = metrics().expose("")[0].decode()
    assert body.count("# HELP ringback_frames_total") == 1


def test_openmetrics_when_asked_for() -> None:
    body, content_type = metrics().expose("application/openmetrics-text; version=1.0.0")
    assert content_type.startswith("application/openmetrics-text; version=1.0.0")
    assert body.endswith(b"# EOF\n")
    parse: Any = text_string_to_metric_families  # has no types
    names = {family.name for family in parse(body.decode())}
    assert {"ringback_frames", "ringback_build", "process_cpu_seconds"} <= names


def test_numbers_are_read_at_each_scrape() -> None:
    value = 0

    def measures() -> list[Measure]:
        return [Measure("ringback_x", "X.", MeasureKind.GAUGE, value)]

    exposed = Metrics(measures, "1")
    value = 5
    assert b"ringback_x 5.0" in exposed.expose("")[0]


@pytest.mark.parametrize(
    "measure",
    [
        Measure("frames", "No prefix.", MeasureKind.COUNTER, 1),
        Measure("ringback_x", "No number.", MeasureKind.GAUGE, Buckets([], [0], 0)),
        Measure("ringback_x", "No buckets.", MeasureKind.HISTOGRAM, 1),
    ],
)
def test_a_measure_that_makes_no_sense_is_a_mistake(measure: Measure) -> None:
    with pytest.raises((ValueError, TypeError), match=measure.name):
        metrics([measure]).expose("")


def test_promtool_has_nothing_to_complain_about() -> None:
    promtool = require_debian("prometheus", "promtool")
    done = subprocess.run(
        [promtool, "check", "metrics"],
        input=metrics().expose("")[0],
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
