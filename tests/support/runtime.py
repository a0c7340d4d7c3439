"""Parts of a daemon for tests in virtual time: a clock that follows the loop, and what it fills."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from ringback.core.policy import Policy
from ringback.core.tracker import Tracker
from ringback.core.watch.rules import RuleSet
from ringback.errors import FrameError
from ringback.ports import Batch, Clock, Entry, Intake, Store
from ringback.runtime.intake import Recorder
from ringback.runtime.pipeline import Pipeline
from ringback.stores.memory import MemoryStore
from ringback.wire.cloudevents import Encoder
from ringback.wire.decode import Decoder
from ringback.wire.privacy import Privacy
from support.callbacks import START

__all__ = [
    "KEEP",
    "Ear",
    "HeldStore",
    "Listener",
    "LoopClock",
    "LostFrames",
    "decoder",
    "make_pipeline",
    "settled",
    "types",
]

KEEP = timedelta(hours=1)


class LoopClock:
    """A wall clock that goes with the loop's, and can be set."""

    def __init__(self) -> None:
        self.offset = timedelta()

    def now(self) -> datetime:
        """Give the instant: `START` when the loop's clock is at 0."""
        return START + self.offset + timedelta(seconds=asyncio.get_running_loop().time())

    def set_forward(self, seconds: float) -> None:
        """Set it forward, or with a negative number back."""
        self.offset += timedelta(seconds=seconds)


class HeldStore(MemoryStore):
    """A store whose commits wait while `free` is not set, and fail with `error` if there is one."""

    def __init__(self) -> None:
        super().__init__(KEEP)
        self.free = asyncio.Event()
        self.free.set()
        self.error: Exception | None = None
        self.batches: list[Batch] = []

    async def commit(self, batch: Batch, now: datetime) -> int:
        """Commit, when it may."""
        self.batches.append(batch)
        await self.free.wait()
        if self.error is not None:
            raise self.error
        return await super().commit(batch, now)


class LostFrames:
    """A quarantine that only remembers why."""

    def __init__(self) -> None:
        self.put_aside: list[tuple[bytes | str, str]] = []

    def put(self, frame: bytes | str, error: FrameError, now: datetime) -> None:
        """Remember."""
        self.put_aside.append((frame, error.fault.value))


class Listener:
    """A sink that remembers, and may be slow or fail."""

    def __init__(self, error: Exception | None = None) -> None:
        self.entries: list[Entry] = []
        self.free = asyncio.Event()
        self.free.set()
        self.error = error
        self.closed = False

    async def tell(self, entries: Sequence[Entry]) -> None:
        """Take entries, when it may."""
        await self.free.wait()
        if self.error is not None:
            raise self.error
        self.entries.extend(entries)

    async def close(self) -> None:
        """Note that nothing more will come."""
        self.closed = True


class Ear:
    """A source that does what the test wants, then listens for ever."""

    def __init__(self, *said: bytes, error: Exception | None = None, ends: bool = False) -> None:
        self.name = "main"
        self.problems: Sequence[str] = ()
        self.said = said
        self.error = error
        self.ends = ends
        self.closed = False

    async def run(self, intake: Intake) -> None:
        """Hear everything at once."""
        intake.connected()
        for frame in self.said:
            await intake.room()
            intake.frame(frame)
        if self.error is not None:
            raise self.error
        try:
            await (asyncio.sleep(0) if self.ends else asyncio.Event().wait())
        finally:
            self.closed = True


def decoder() -> Decoder:
    """Make a decoder as by default."""
    return Decoder(Privacy(), 1 << 20)


def make_pipeline(
    store: Store,
    clock: Clock,
    *,
    policy: Policy | None = None,
    rules: RuleSet | None = None,
    record: Recorder | None = None,
    quarantine: LostFrames | None = None,
) -> Pipeline:
    """Join a pipeline of new parts."""
    return Pipeline(
        tracker=Tracker(policy or Policy(), rules),
        decoder=decoder(),
        encoder=Encoder("acme"),
        store=store,
        clock=clock,
        source="main",
        quarantine=quarantine or LostFrames(),
        record=record,
    )


async def settled() -> None:
    """Let everything go on that can go on now."""
    for _ in range(50):
        await asyncio.sleep(0)


def types(entries: Sequence[Entry]) -> list[str]:
    """Give the types of events, without `ringback.` and the version."""
    events: list[dict[str, Any]] = [msgspec.json.decode(entry.body) for entry in entries]
    return [str(event["type"]).removeprefix("ringback.").removesuffix(".v1") for event in events]
