"""`ringback run`: the daemon."""

from collections.abc import Iterator
from contextlib import AsyncExitStack
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TextIO

import structlog

from ringback import __version__
from ringback.app.delivering import Delivery
from ringback.app.doors import Doors
from ringback.app.parts import (
    beside_the_store,
    make_decoder,
    make_policy,
    make_recording,
    make_rules,
    make_sinks,
    make_store,
    make_writer,
)
from ringback.app.pulsing import Pulsing
from ringback.app.receivers import refuse_bad_receivers
from ringback.app.routes import all_handlers
from ringback.app.ruling import Ruling
from ringback.app.showing import Showing
from ringback.app.sources import make_source
from ringback.app.starting import (
    budgets_of,
    dashboard_at,
    greet,
    make_web,
    refuse_unreadable,
)
from ringback.core.tracker import Tracker
from ringback.ports import Source
from ringback.runtime.clock import SystemClock
from ringback.runtime.daemon import Daemon
from ringback.runtime.pipeline import Pipeline
from ringback.runtime.quarantine import Quarantine
from ringback.runtime.signals import reload_requested, stop_requested
from ringback.runtime.tuning import tune
from ringback.settings import Settings
from ringback.sources.genesys.source import GenesysSource
from ringback.vitals.access import measures_of_access
from ringback.vitals.audit import measures_of_audit
from ringback.vitals.daemon import Vitals
from ringback.vitals.genesys import measures_of
from ringback.vitals.store import measures_of_store
from ringback.web.app import create_app
from ringback.web.metrics import Measure, Metrics
from ringback.wire.cloudevents import Encoder

__all__ = ["run"]

log = structlog.get_logger(__name__)

QUARANTINE_BYTES = 16 * 1024 * 1024
QUARANTINE_AGE = timedelta(days=7)
FLUSH_SECONDS = 1.0
LOOK_SECONDS = 1.0


async def run(settings: Settings, out: TextIO) -> None:
    """Run the daemon until it is asked to stop. Raises `RingbackError` when it cannot go on."""
    refuse_unreadable(settings)
    refuse_bad_receivers(settings)
    rules = make_rules(settings)
    tune()
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        wished = stack.enter_context(stop_requested())
        reload = stack.enter_context(reload_requested())
        store = await make_store(settings)
        stack.push_async_callback(store.close)
        folder = stack.enter_context(beside_the_store(settings))
        aside = make_writer(
            folder / "quarantine.jsonl",
            QUARANTINE_BYTES,
            QUARANTINE_AGE,
            setting="store.path",
        )
        recording = make_recording(settings)
        writers = [aside] if recording is None else [aside, recording]
        for writer in writers:
            stack.callback(writer.close)
        pipeline = Pipeline(
            tracker=Tracker(make_policy(settings), rules),
            decoder=make_decoder(settings),
            encoder=Encoder(settings.source.org),
            store=store,
            clock=clock,
            source=settings.source.name,
            quarantine=Quarantine(aside.record),
            record=None if recording is None else recording.record,
            reads=settings.source.kind == "genesys",
        )
        source = await stack.enter_async_context(
            make_source(settings, pipeline, clock, pipeline.tracker)
        )
        daemon = Daemon(
            pipeline=pipeline,
            store=store,
            source=source,
            sinks=make_sinks(settings, out),
            budgets=budgets_of(settings),
        )
        ruling = Ruling(settings, pipeline)
        doors = Doors(settings, folder, clock)
        stack.callback(doors.close)
        showing = Showing(settings, pipeline, store, source, doors.audit)
        showing.use(source, pipeline)
        delivery = Delivery(
            settings,
            pipeline,
            past=store,
            books=pipeline,
            source=source,
            out=out,
            dashboard=lambda: dashboard_at(settings, web.port),
        )
        stack.push_async_callback(delivery.close)
        delivery.join(daemon)
        measures = partial(_measures, settings, source, showing, doors, delivery)
        vitals = Vitals(
            daemon,
            pipeline,
            source,
            measures,
            lambda: (*doors.checks(), *ruling.checks(), *delivery.checks()),
        )
        metrics = Metrics(vitals.measures, __version__)
        daemon.follow("journal", showing.follow)
        daemon.follow("feed", showing.feed.run)
        daemon.follow("board", showing.load)
        daemon.follow("reload", partial(ruling.follow, reload))
        app = create_app(
            vitals,
            metrics.expose,
            access=doors.access,
            reach=doors.reach,
            refusals=doors.refusals,
            handlers=all_handlers(doors, showing, ruling, delivery),
        )
        web = make_web(settings, doors, app)
        greet(settings, web.bind(), aside.path)
        daemon.serve("web", web.run)
        Pulsing(pipeline, source).join(daemon)
        daemon.tend("doors", LOOK_SECONDS, doors.look)
        for writer in writers:
            daemon.tend(f"flush {writer.path.name}", FLUSH_SECONDS, writer.flush)
        await daemon.run(wished)


def _measures(
    settings: Settings, source: Source, showing: Showing, doors: Doors, delivery: Delivery
) -> Iterator[Measure]:
    """Give what only some sources and stores say of themselves, and what is shown to whom."""
    if isinstance(source, GenesysSource):
        yield from measures_of(source)
    if settings.store.kind == "sqlite":
        yield from measures_of_store(Path(settings.store.path))
    yield from showing.measures()
    yield from measures_of_access(doors.refusals, doors.logins)
    yield from measures_of_audit(doors.audit)
    yield from delivery.measures()
