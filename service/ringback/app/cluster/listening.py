"""Joins the role of a listener: a source, and its way into the input log."""

from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from datetime import timedelta
from functools import partial
from pathlib import Path

from ringback.app.cluster.sharing import shared_limits
from ringback.app.parts import make_decoder, make_recording, make_writer
from ringback.app.pulsing import Pulsing
from ringback.app.sources import make_source
from ringback.ports import Source
from ringback.runtime.clock import SystemClock
from ringback.runtime.cluster.listening import Listening, last_heard
from ringback.runtime.cluster.member import Member
from ringback.runtime.cluster.ownership import Ownership
from ringback.runtime.quarantine import Quarantine
from ringback.settings import Settings
from ringback.sources.genesys.source import GenesysSource
from ringback.stores.jetstream.engine import Engine
from ringback.stores.jetstream.leases import JetStreamLeases, budgets_of
from ringback.stores.jetstream.wants import JetStreamWants
from ringback.vitals.genesys import measures_of
from ringback.vitals.listening import checks_of_listening, measures_of_listening
from ringback.vitals.member import MemberVitals
from ringback.vitals.ownership import checks_of_ownership, measures_of_ownership
from ringback.web.metrics import Measure
from ringback.wire.members import Member as Said

__all__ = ["join_listening"]

QUARANTINE_BYTES = 16 * 1024 * 1024
QUARANTINE_AGE = timedelta(days=7)
FLUSH_SECONDS = 1.0
GIVE_BACK_SECONDS = 0.5
"""What was used of a limit a moment ago is given back by itself, later."""


async def join_listening(
    settings: Settings,
    engine: Engine,
    member: Member,
    vitals: MemberVitals,
    stack: AsyncExitStack,
    *,
    said: Said,
    name: str,
    folder: Path,
    partition_of: Callable[[str], int],
) -> tuple[Source, Listening]:
    """Let a process listen; give what it listens to, and what takes it in.

    `folder` is for frames that cannot be understood. What the platform limits it shares with others
    that listen: `said` is what it says to them.
    """
    aside = make_writer(
        folder / f"quarantine-{name}.jsonl", QUARANTINE_BYTES, QUARANTINE_AGE, setting="store.path"
    )
    recording = make_recording(settings)
    for writer in [aside] if recording is None else [aside, recording]:
        stack.callback(writer.close)
        member.tend(f"flush {writer.path.name}", FLUSH_SECONDS, writer.flush)
    clock = SystemClock()
    listening = Listening(
        member=name,
        source=settings.source.name,
        decoder=make_decoder(settings),
        inputs=engine.inputs,
        partitions=settings.jetstream.partitions,
        partition_of=partition_of,
        clock=clock,
        quarantine=Quarantine(aside.record),
        wishes=JetStreamWants(engine.connection, engine.subjects),
        record=None if recording is None else recording.record,
        reads=settings.source.kind == "genesys",
    )
    source = await stack.enter_async_context(make_source(settings, listening, clock))
    if isinstance(source, GenesysSource):
        listening.suspect = source.missed
    listening.resume(await last_heard(engine.steps, settings.source.name))
    member.follow("listening", listening.run)
    member.follow("source", partial(listening.listen, source))
    Pulsing(listening, source).join(member)
    member.drain(listening.finish)
    if duties := shared_limits(settings, source):
        config = budgets_of(settings.jetstream, engine.subjects)
        shares = Ownership(JetStreamLeases(engine.connection, config, name), said, duties)
        member.follow("shares", shares.run)
        member.drain(partial(shares.leave, GIVE_BACK_SECONDS))
        vitals.add(
            partial(checks_of_ownership, shares, "limits"), partial(measures_of_ownership, shares)
        )
    vitals.add(
        partial(checks_of_listening, listening, source),
        partial(_measures, listening, source),
    )
    return source, listening


def _measures(listening: Listening, source: Source) -> Iterator[Measure]:
    yield from measures_of_listening(listening)
    if isinstance(source, GenesysSource):
        yield from measures_of(source)
