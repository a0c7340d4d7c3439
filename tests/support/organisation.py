"""An organisation and a daemon that follows it, in one loop and in virtual time.

A simulated contact centre, the simulated Genesys Cloud around it on loopback, and a whole daemon
with the real source: login, channels, REST. Only the store is memory, since threads do not fit in.
"""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import msgspec

from ringback.core.policy import Policy
from ringback.core.tracker import Tracker
from ringback.ports import Entry, Reading
from ringback.runtime.daemon import Daemon
from ringback.runtime.pipeline import Pipeline
from ringback.runtime.supervision import Budgets
from ringback.settings import Secret, Settings
from ringback.settings.sources import GenesysSettings, SourceSettings
from ringback.simulator.centre import ContactCentre, Emission
from ringback.simulator.genesys.limits import Limits
from ringback.simulator.genesys.server import GenesysCloud
from ringback.simulator.options import Options
from ringback.sources.genesys.assembly import assemble
from ringback.sources.genesys.source import GenesysSource
from ringback.stores.memory import MemoryStore
from ringback.wire.cloudevents import Encoder
from ringback.wire.decode import Decoder
from ringback.wire.privacy import Privacy
from support.callbacks import START
from support.runtime import LostFrames
from support.truth import differences

__all__ = [
    "KEEP",
    "POLICY",
    "Following",
    "MillisecondClock",
    "following",
    "make_source",
    "organisation",
]

KEEP = timedelta(days=3)
POLICY = Policy(keep_ended=KEEP)
"""So that all of a day can be compared at its end."""
LARGEST = 16 << 20
ODD_INSTANT = 0.0137
"""Seconds: looked at between two things, since these happen at whole milliseconds."""


class MillisecondClock:
    """A wall clock that goes with the loop's, in whole milliseconds as the real one."""

    def now(self) -> datetime:
        """Give the instant: `START` when the loop's clock is at 0."""
        # The loop's clock is a sum of floats, a hair before or behind the millisecond it means.
        return START + timedelta(milliseconds=int(asyncio.get_running_loop().time() * 1000 + 1e-3))


@dataclass
class Following:
    """A daemon that follows an organisation, and all that a test wants to know of it."""

    pipeline: Pipeline
    source: GenesysSource
    store: MemoryStore
    platform: GenesysCloud
    lost: LostFrames
    heard: Counter[bytes] = field(default_factory=Counter)
    """Every frame that came in, by content."""

    @property
    def tracker(self) -> Tracker:
        """The core."""
        return self.pipeline.tracker

    def wrong(self, *, holds: bool = False) -> list[str]:
        """Give every difference from the truth."""
        return differences(self.tracker.conversations, self.platform.centre, holds=holds)

    async def until(self, seen: Callable[[], object], seconds: float = 600) -> None:
        """Wait until something is so; look twice a second."""
        async with asyncio.timeout(seconds):
            while not seen():  # noqa: ASYNC110  # virtual time costs nothing
                await asyncio.sleep(0.5)
        await asyncio.sleep(ODD_INSTANT)

    async def hearing(self) -> None:
        """Wait until it hears all of it."""
        await self.until(lambda: self.tracker.repair.ledger.hears_all("main"))

    async def journal(self) -> Sequence[Entry]:
        """Give all that was told."""
        await self.pipeline.commit()
        return await self.store.read(0, 10_000_000)

    async def events(self, kind: str) -> list[dict[str, object]]:
        """Give the events whose type ends so."""
        events = [msgspec.json.decode(entry.body) for entry in await self.journal()]
        return [event for event in events if event["type"] == f"ringback.{kind}.v1"]


@asynccontextmanager
async def organisation(
    options: Options | None = None, limits: Limits | None = None, seed: int = 1
) -> AsyncIterator[tuple[GenesysCloud, list[Emission]]]:
    """Serve a contact centre; give it with a list of all that it sends from now on."""
    clock = MillisecondClock()
    centre = ContactCentre(seed, clock.now(), options)
    async with GenesysCloud(centre, clock, limits=limits, seed=seed) as platform:
        sent: list[Emission] = []
        deliver = platform.deliver

        def noting(emissions: Sequence[Emission]) -> None:
            sent.extend(emissions)
            deliver(emissions)

        platform.deliver = noting  # type: ignore[method-assign]  # only listened to
        yield platform, sent


def make_source(
    platform: GenesysCloud, seed: int = 2, most_topics: int = 1000, **genesys: object
) -> GenesysSource:
    """Make what listens to an organisation; `genesys` are settings of that section."""
    settings = Settings(
        source=SourceSettings(kind="genesys"),
        genesys=msgspec.structs.replace(
            GenesysSettings(
                client_id=platform.client.id,
                client_secret=Secret(platform.client.secret),
                login_url=platform.url,
                api_url=platform.url,
            ),
            **genesys,
        ),
    )
    return assemble(
        settings,
        MillisecondClock(),
        random.Random(seed),
        max_frame_bytes=LARGEST,
        most_topics=most_topics,
    )


@asynccontextmanager
async def following(
    platform: GenesysCloud,
    store: MemoryStore | None = None,
    record: Callable[..., None] | None = None,
    seed: int = 2,
    most_topics: int = 1000,
    **genesys: object,
) -> AsyncIterator[Following]:
    """Run a daemon on an organisation; `genesys` are settings of that section."""
    clock = MillisecondClock()
    heard: Counter[bytes] = Counter()

    def recorded(
        at: datetime, frame: bytes | str, kind: str, reading: Reading | None = None, /
    ) -> None:
        if kind == "frame" and isinstance(frame, bytes):
            heard[frame] += 1
        if record is not None:
            record(at, frame, kind, reading)

    store = store or MemoryStore(KEEP)
    lost = LostFrames()
    pipeline = Pipeline(
        tracker=Tracker(POLICY),
        decoder=Decoder(Privacy(), LARGEST),
        encoder=Encoder("acme"),
        store=store,
        clock=clock,
        source="main",
        quarantine=lost,
        record=recorded,
        reads=True,
    )
    source = make_source(platform, seed, most_topics, **genesys)
    daemon = Daemon(
        pipeline=pipeline, store=store, source=source, sinks={}, budgets=Budgets(5, 5, 5)
    )
    wished = asyncio.Event()
    running = asyncio.create_task(daemon.run(wished), name="daemon")
    try:
        yield Following(pipeline, source, store, platform, lost, heard)
    finally:
        wished.set()
        await running
