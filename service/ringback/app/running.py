"""`ringback run`: the daemon."""

import os
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
from ringback.core.tracker import Tracker
from ringback.errors import SettingsError
from ringback.ports import Source
from ringback.runtime.clock import SystemClock
from ringback.runtime.daemon import Daemon
from ringback.runtime.pipeline import Pipeline
from ringback.runtime.quarantine import Quarantine
from ringback.runtime.signals import reload_requested, stop_requested
from ringback.runtime.supervision import Budgets
from ringback.runtime.tuning import tune
from ringback.settings import Settings
from ringback.settings.describing import listed
from ringback.sources.genesys.source import GenesysSource
from ringback.vitals.access import measures_of_access
from ringback.vitals.audit import measures_of_audit
from ringback.vitals.daemon import Vitals
from ringback.vitals.genesys import measures_of
from ringback.vitals.store import measures_of_store
from ringback.web.app import create_app
from ringback.web.metrics import Measure, Metrics
from ringback.web.server import WebServer
from ringback.wire.cloudevents import Encoder

__all__ = ["run"]

log = structlog.get_logger(__name__)

QUARANTINE_BYTES = 16 * 1024 * 1024
QUARANTINE_AGE = timedelta(days=7)
FLUSH_SECONDS = 1.0
LOOK_SECONDS = 1.0


async def run(settings: Settings, out: TextIO) -> None:
    """Run the daemon until it is asked to stop. Raises `RingbackError` when it cannot go on."""
    _refuse_what_is_to_come(settings)
    _refuse_what_cannot_be_read(settings)
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
        source = await stack.enter_async_context(make_source(settings, pipeline))
        daemon = Daemon(
            pipeline=pipeline,
            store=store,
            source=source,
            sinks=make_sinks(settings, out),
            budgets=Budgets(
                settings.shutdown.intake_seconds,
                settings.shutdown.drain_seconds,
                settings.shutdown.close_seconds,
            ),
        )
        ruling = Ruling(settings, pipeline)
        doors = Doors(settings, folder, clock)
        stack.callback(doors.close)
        showing = Showing(settings, pipeline, store, source, doors.audit, intake=pipeline)
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
        web = WebServer(
            create_app(
                vitals,
                metrics.expose,
                access=doors.access,
                reach=doors.reach,
                refusals=doors.refusals,
                handlers=all_handlers(doors, showing, ruling, delivery),
            ),
            host=settings.web.host,
            port=settings.web.port,
            drain=settings.shutdown.close_seconds,
            tls=doors.tls,
            refusals=doors.refusals,
            trusted=doors.trusts,
        )
        _greet(settings, web.bind(), aside.path)
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


def _refuse_what_is_to_come(settings: Settings) -> None:
    """Refuse options of later versions, before anything is opened or made."""
    if settings.store.kind == "jetstream":
        raise SettingsError("store.kind", "jetstream is not in this version: sqlite or memory")


def _refuse_what_cannot_be_read(settings: Settings) -> None:
    """Refuse a recording that is not there, before anything is opened or made."""
    path = settings.source.path
    # Not by opening it: a pipe would take that for its reader.
    if settings.source.kind == "recording" and (
        not os.access(path, os.R_OK) or Path(path).is_dir()
    ):
        raise SettingsError("source.path", f"{path} is no file that this user can read")


def _greet(settings: Settings, port: int, quarantine: Path) -> None:
    """Say in the first lines what this is and where to look."""
    address = _bound_at(settings, port)
    log.info(
        "starting",
        version=__version__,
        source=settings.source.kind,
        store=settings.store.path if settings.store.kind == "sqlite" else settings.store.kind,
        quarantine=str(quarantine),
        dashboard=f"{address}/",
        look_at=f"{address}/readyz?verbose and /metrics",
    )
    if settings.source.kind == "simulator":
        log.info("simulating", note="following a simulated contact centre")


def dashboard_at(settings: Settings, port: int) -> str:
    """Say where people open the dashboard, without a slash at its end."""
    web = settings.web
    if web.address:
        return web.address.rstrip("/")
    names = listed(web.names)
    if names and web.proxies:
        return f"https://{names[0]}"
    return _bound_at(settings, port, names[0] if names else web.host)


def _bound_at(settings: Settings, port: int, host: str | None = None) -> str:
    scheme = "https" if settings.web.tls_certificate else "http"
    host = host or settings.web.host
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
