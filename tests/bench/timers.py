"""How late timers fire with a million armed and frames coming in."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from itertools import count
from random import Random

from bench import frames
from bench.result import Figure
from ringback.core.changes import Change
from ringback.core.policy import Policy
from ringback.core.tracker import Tracker
from ringback.runtime.clock import SystemClock
from ringback.runtime.pipeline import Pipeline
from ringback.runtime.quarantine import Quarantine
from ringback.runtime.tuning import restoring, tune
from ringback.runtime.wakeup import wake_forever
from ringback.stores.memory import MemoryStore
from ringback.wire.cloudevents import Encoder
from ringback.wire.decode import Decoder

ARMED = 1_000_000
DUE = 4_000
"""Of the armed ones, due within the seconds that are measured."""
SECONDS = 20
FRAMES_A_SECOND = 3_000


class _Lateness(Pipeline):
    """Notes how late each timer fires, by the moment at which its change is taken."""

    def __init__(self, *, due: dict[str, float], **parts: object) -> None:
        super().__init__(**parts)  # type: ignore[arg-type]  # passed through
        self.due = due
        self.late: list[float] = []

    def take(self, change: Change | None) -> None:
        if change is not None and change.conversation_id in self.due:
            due = self.due.pop(change.conversation_id)
            self.late.append(self.clock.now().timestamp() - due)
        super().take(change)


async def lateness() -> list[float]:
    """Give the lateness of every timer, seconds."""
    tune()
    random = Random(1)
    clock = SystemClock()
    tracker = Tracker(Policy())
    tracker.restore(frames.population(range(ARMED)), clock.now())
    tracker.next_deadline()
    stream = frames.stream(20_000)
    begin = clock.now() + timedelta(seconds=3)
    late = {
        number: begin + timedelta(milliseconds=random.randrange(SECONDS * 1000))
        for number in range(ARMED, ARMED + DUE)
    }
    soon = list(frames.population(late, late.__getitem__))
    with restoring():
        tracker.restore(soon, begin)
        tracker.next_deadline()
    due = {key: wake_at / 1000 for key, _, wake_at in soon if wake_at is not None}
    pipeline = _Lateness(
        due=due,
        tracker=tracker,
        decoder=Decoder(),
        encoder=Encoder("bench"),
        store=MemoryStore(timedelta(seconds=5)),
        clock=clock,
        source="bench",
        quarantine=Quarantine(lambda _at, _frame: None),
    )
    loop = asyncio.get_running_loop()
    tasks = [
        loop.create_task(wake_forever(pipeline)),
        loop.create_task(pipeline.commit_forever()),
        loop.create_task(_load(pipeline, stream)),
    ]
    await asyncio.sleep((begin - clock.now()).total_seconds() + SECONDS + 1)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return pipeline.late


async def _load(pipeline: Pipeline, stream: list[bytes]) -> None:
    """Feed frames at a steady rate."""
    for number in count():
        pipeline.frame(stream[number % len(stream)])
        if number % (FRAMES_A_SECOND // 100) == 0:
            await pipeline.room()
            await asyncio.sleep(0.01)


def measure() -> Iterator[Figure]:
    """Give the 99th percentile."""
    command = [sys.executable, "-P", "-m", "bench.timers"]
    told = subprocess.run(command, stdout=-1, check=True, text=True)
    late = sorted(json.loads(told.stdout))
    assert len(late) == DUE, f"{DUE - len(late)} timers did not fire"
    assert late[0] >= 0, "a timer fired early"
    p50, p99 = (late[int(len(late) * share)] * 1000 for share in (0.50, 0.99))
    yield Figure(
        f"lateness of timers, {ARMED:,} armed, {FRAMES_A_SECOND:,} frames/s beside",
        p99,
        "ms at p99",
        50,
        at_least=False,
        detail=f"p50 {p50:.1f} ms, worst {late[-1] * 1000:.0f} ms, {len(late):,} fired",
    )


if __name__ == "__main__":
    print(json.dumps(asyncio.run(lateness())))
