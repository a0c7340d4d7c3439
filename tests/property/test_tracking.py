"""Whoever tracks, and whatever becomes of them: what is committed is as if one had done it calmly.

The simulator is the oracle. Processes are killed between any two of their writes, stopped while
others take over and go on as if nothing were, and hand over; inputs come twice.

`RINGBACK_STORMS=50` has fifty times as many, with `HYPOTHESIS_PROFILE=explore` others every time.
"""

import asyncio
import os
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from ringback.core.events import rfc3339
from ringback.ports import Step
from ringback.runtime.cluster.tracking import ROLE
from support import checker
from support.storm import PARTITIONS, Storm, Unfenced
from support.tracked import Logs, kill
from support.virtual import run_virtually

seeds = st.integers(0, 2**32 - 1)
TIMES = int(os.environ.get("RINGBACK_STORMS", "1"))


async def storm(
    seed: int, *, fenced: bool = True, gaps: bool = False
) -> tuple[checker.Logs, list[checker.Fault]]:
    logs = Logs()
    if not fenced:
        logs.steps = Unfenced(logs.engine)
    raging = Storm(seed, logs, gaps=gaps)
    found = await raging.run(minutes=1.5)
    now = logs.clock.now()
    settled = now - timedelta(seconds=1)
    calm = await of_calm(raging, found)
    # Halted between two of its frames, the centre may be where nobody can know it to be.
    unknowable = list(checker.untrue(calm, raging.centre, raging.heard))
    faults = checker.faults_of(found, checker.over_one_socket(raging.heard), raging.centre, now)
    if fenced and not gaps:
        assert events_of(found.steps, settled) == events_of(calm.steps, settled)
    left = asyncio.all_tasks() - {asyncio.current_task()}
    assert not left
    return found, [fault for fault in faults if fault not in unknowable]


async def of_calm(raging: Storm, found: checker.Logs) -> checker.Logs:
    """Give what one process makes of the same inputs, that nothing happens to."""
    logs = Logs()
    logs.inputs = raging.logs.inputs
    tracking = logs.tracking()
    for partition in range(PARTITIONS):
        await tracking.take(f"{ROLE}.{partition}")
    await asyncio.sleep(5)
    await kill(tracking)
    return checker.Logs(PARTITIONS, found.inputs, await logs.all_steps())


def events_of(steps: Iterable[Step], until: datetime) -> dict[str, list[Any]]:
    """Give what was told by then, in order, by what it was about.

    But for when it was noticed: of several timers that are due at once, one that is late makes the
    others wait for the present.
    """
    events: dict[str, list[Any]] = {}
    for step in steps:
        for subject, body in zip(step.subjects, step.events, strict=True):
            event = msgspec.json.decode(body)
            if event["data"].pop("observedTime") <= rfc3339(until):
                events.setdefault(subject, []).append(event)
    return events


@settings(max_examples=5 * TIMES)
@given(seeds)
def test_a_storm_leaves_what_calm_would_have(seed: int) -> None:
    _, faults = run_virtually(storm(seed))
    assert faults == []


@settings(max_examples=3 * TIMES)
@given(seeds)
def test_gaps_in_a_storm_are_told_once_by_one(seed: int) -> None:
    found, faults = run_virtually(storm(seed, gaps=True))
    assert faults == []
    assert {step.partition for step in found.steps if is_of_source(step)} <= {0}


def is_of_source(step: Step) -> bool:
    return any(b'"type":"ringback.source.' in body for body in step.events)


def test_without_the_fence_it_does_not() -> None:
    faults = [fault for seed in range(2) for fault in run_virtually(storm(seed, fenced=False))[1]]
    assert faults
