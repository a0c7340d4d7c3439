"""Puts the parts together. Only this module and `checkup` name concrete adapters."""

import os
import random
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TextIO

import structlog

from ringback import __version__
from ringback.core.events import Event
from ringback.core.policy import Policy
from ringback.core.tracker import Tracker
from ringback.errors import RecordingError, SettingsError
from ringback.ports import Intake, Sink, Source, Store
from ringback.runtime.clock import SystemClock
from ringback.runtime.daemon import Budgets, Daemon
from ringback.runtime.pipeline import Pipeline
from ringback.runtime.quarantine import Quarantine
from ringback.runtime.replay import Replay
from ringback.runtime.signals import stop_requested
from ringback.runtime.tuning import tune
from ringback.settings import Settings
from ringback.simulator.centre import ContactCentre
from ringback.simulator.farewells import farewell
from ringback.simulator.genesys.server import GenesysCloud
from ringback.simulator.options import Options
from ringback.simulator.server import SimulatorServer
from ringback.sinks.console import Console
from ringback.sinks.recording import RecordingWriter
from ringback.sinks.stdout import JsonLines
from ringback.sources.recording import RecordingSource, read_recordings
from ringback.sources.websocket import WebsocketSource
from ringback.stores.memory import MemoryStore
from ringback.stores.sqlite import SqliteStore
from ringback.vitals.daemon import Vitals
from ringback.web.app import create_app
from ringback.web.metrics import Metrics
from ringback.web.server import WebServer
from ringback.wire.cloudevents import Encoder
from ringback.wire.decode import Decoder
from ringback.wire.privacy import Privacy

__all__ = ["replay", "run", "simulate"]

log = structlog.get_logger(__name__)

QUARANTINE_BYTES = 16 * 1024 * 1024
QUARANTINE_AGE = timedelta(days=7)
FLUSH_SECONDS = 1.0
FAR_TOO_LARGE = 4
"""Times the largest frame. What is merely too large is quarantined and stops nothing; what is far
too large would first have to be held, so it ends the connection instead."""


async def run(settings: Settings, out: TextIO) -> None:
    """Run the daemon until it is asked to stop. Raises `RingbackError` when it cannot go on."""
    _refuse_what_is_to_come(settings)
    _refuse_what_cannot_be_read(settings)
    tune()
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        wished = stack.enter_context(stop_requested())
        store = await _store(settings)
        stack.push_async_callback(store.close)
        aside = _writer(
            stack.enter_context(_aside(settings)) / "quarantine.jsonl",
            QUARANTINE_BYTES,
            QUARANTINE_AGE,
            setting="store.path",
        )
        recording = _recording(settings)
        writers = [aside] if recording is None else [aside, recording]
        for writer in writers:
            stack.callback(writer.close)
        pipeline = Pipeline(
            tracker=Tracker(_policy(settings)),
            decoder=_decoder(settings),
            encoder=Encoder(settings.source.org),
            store=store,
            clock=clock,
            source=settings.source.name,
            quarantine=Quarantine(aside.record),
            record=None if recording is None else recording.record,
        )
        source = await stack.enter_async_context(_source(settings, pipeline))
        daemon = Daemon(
            pipeline=pipeline,
            store=store,
            source=source,
            sinks=_sinks(settings, out),
            budgets=Budgets(
                settings.shutdown.intake_seconds,
                settings.shutdown.drain_seconds,
                settings.shutdown.close_seconds,
            ),
        )
        vitals = Vitals(daemon, pipeline, source)
        metrics = Metrics(vitals.measures, __version__)
        web = WebServer(
            create_app(vitals, metrics.expose),
            host=settings.web.host,
            port=settings.web.port,
            drain=settings.shutdown.close_seconds,
        )
        _greet(settings, web.bind(), aside.path)
        daemon.serve("web", web.run)
        for writer in writers:
            daemon.tend(f"flush {writer.path.name}", FLUSH_SECONDS, writer.flush)
        await daemon.run(wished)


def _refuse_what_is_to_come(settings: Settings) -> None:
    """Refuse options of later versions, before anything is opened or made."""
    if settings.source.kind == "genesys":
        raise SettingsError(
            "source.kind", "genesys is not in this version: simulator, websocket or recording"
        )
    if settings.store.kind == "jetstream":
        raise SettingsError("store.kind", "jetstream is not in this version: sqlite or memory")
    if settings.watch.rules:
        raise SettingsError(
            "watch.rules",
            f"{settings.watch.rules!r}: files of rules are not in this version; allowed: empty",
        )


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
    log.info(
        "starting",
        version=__version__,
        source=settings.source.kind,
        store=settings.store.path if settings.store.kind == "sqlite" else settings.store.kind,
        quarantine=str(quarantine),
        look_at=f"http://{settings.web.host}:{port}/readyz?verbose and /metrics",
    )
    if settings.source.kind == "simulator":
        log.info("simulating", note="following a simulated contact centre")


async def simulate(settings: Settings, port: int, out: TextIO) -> None:
    """Run the simulated contact centre alone until asked to stop."""
    async with AsyncExitStack() as stack:
        wished = stack.enter_context(stop_requested())
        clock = SystemClock()
        centre = _centre(settings, settings.simulator.seed, clock.now())
        cloud = GenesysCloud(centre, clock)
        try:
            server = await stack.enter_async_context(
                SimulatorServer(centre, clock, port=port, beside=[cloud])
            )
        except OSError as error:
            problem = os.strerror(error.errno or 0)
            raise SettingsError(
                "--port",
                f"{port} cannot be bound on 127.0.0.1 ({problem}): choose another, or 0",
            ) from None
        out.write(
            f"A simulated contact centre at http://127.0.0.1:{server.port}\n"
            "Point a daemon at it, as a plain websocket\n\n"
            "    [source]\n"
            '    kind = "websocket"\n'
            f'    url = "{server.url}"\n\n'
            "or as Genesys Cloud\n\n"
            "    [source]\n"
            '    kind = "genesys"\n\n'
            "    [genesys]\n"
            f'    login_url = "{cloud.url}"\n'
            f'    api_url = "{cloud.url}"\n'
            f'    client_id = "{cloud.client.id}"\n'
            f'    client_secret = "{cloud.client.secret}"\n\n'
        )
        out.flush()
        await wished.wait()


def replay(
    settings: Settings,
    paths: Iterable[Path],
    until: datetime | None,
    out: TextIO,
    complain: Callable[[RecordingError], None],
) -> Replay:
    """Replay recordings to CloudEvents on `out`; `complain` is told of each thing skipped."""
    encode = Encoder(settings.source.org).encode

    def emit(event: Event) -> None:
        out.write(encode(event).decode())
        out.write("\n")

    player = Replay(Tracker(_policy(settings)), _decoder(settings), emit, complain)
    player.run(read_recordings(paths), until)
    return player


def _policy(settings: Settings) -> Policy:
    return Policy(
        due_grace=timedelta(seconds=settings.watch.due_grace_seconds),
        not_dialled=timedelta(seconds=settings.watch.not_dialled_seconds),
        keep_ended=timedelta(hours=settings.store.keep_ended_hours),
    )


def _decoder(settings: Settings) -> Decoder:
    privacy = settings.privacy
    key = privacy.hash_key.reveal().encode() or None
    return Decoder(
        Privacy(numbers=privacy.numbers, names=privacy.names, hash_key=key),
        settings.source.max_frame_bytes,
    )


async def _store(settings: Settings) -> Store:
    keep_journal = timedelta(hours=settings.store.keep_journal_hours)
    match settings.store.kind:
        case "sqlite":
            return await SqliteStore.open(settings.store.path, keep_journal)
        case "memory":
            return MemoryStore(keep_journal)
        case "jetstream":
            raise NotImplementedError  # refused before


@asynccontextmanager
async def _source(settings: Settings, pipeline: Pipeline) -> AsyncIterator[Source]:
    """Make the source; the simulator's contact centre lives as long as it."""
    source = settings.source
    match source.kind:
        case "simulator":
            centre = _resumed_centre(settings)
            for queue in centre.queue_settings():
                pipeline.settings(queue)
            async with SimulatorServer(centre, SystemClock()) as server:
                websocket = _websocket(settings, f"{server.url}?latest=1")
                yield _SimulatedSource(websocket, centre, pipeline)
        case "websocket":
            yield _websocket(settings, source.url.reveal())
        case "recording":
            yield RecordingSource(
                source.name, [Path(source.path)], speed=source.speed, on_error=_say_bad_line
            )
        case "genesys":
            raise NotImplementedError  # refused before


class _SimulatedSource:
    """Listens to the centre inside; first ends what centres of former runs have left behind."""

    def __init__(self, source: WebsocketSource, centre: ContactCentre, pipeline: Pipeline) -> None:
        self.name = source.name
        self.problems: Sequence[str] = ()
        self._source = source
        self._centre = centre
        self._pipeline = pipeline

    async def run(self, intake: Intake) -> None:
        """Listen until cancelled."""
        tracker, now = self._pipeline.tracker, self._pipeline.clock.now()
        known = {truth.conversation_id for truth in self._centre.truth().values()}
        for conversation_id in [one for one in tracker.ids() if one not in known]:
            conversation = tracker.get(conversation_id)
            if conversation is not None and any(one.open for one in conversation.callbacks):
                await intake.room()
                intake.frame(farewell(conversation, now))
        await self._source.run(intake)


def _websocket(settings: Settings, url: str) -> WebsocketSource:
    source = settings.source
    return WebsocketSource(
        source.name,
        url,
        max_frame_bytes=FAR_TOO_LARGE * source.max_frame_bytes,
        watchdog=source.watchdog_seconds,
        first_wait=source.reconnect_first_seconds,
        most_wait=source.reconnect_most_seconds,
        chance=random.Random(),  # noqa: S311  # spreads reconnects, guards nothing
    )


def _centre(settings: Settings, seed: int, start: datetime) -> ContactCentre:
    simulator = settings.simulator
    options = Options(
        arrivals_per_minute=simulator.callbacks_per_hour / 60,
        queues=simulator.queues,
        agents=simulator.agents,
        speed=simulator.speed,
    )
    return ContactCentre(seed, start, options)


def _resumed_centre(settings: Settings) -> ContactCentre:
    """Make the centre as it would be by now, so that a restarted daemon finds its callbacks again.

    Every hour of the wall clock has a centre of its own, played from the beginning of the hour;
    with a higher speed, every part of an hour that holds as much.
    """
    now = SystemClock().now()
    length = timedelta(hours=1) / max(1.0, settings.simulator.speed)
    number, passed = divmod(now - datetime.fromtimestamp(0, UTC), length)
    centre = _centre(settings, settings.simulator.seed + number, now - passed)
    centre.advance(now)
    return centre


def _sinks(settings: Settings, out: TextIO) -> dict[str, Sink]:
    kind = settings.sinks.stdout
    if kind == "auto":
        kind = "console" if out.isatty() else "json"
    match kind:
        case "console":
            return {"stdout": Console(out, color=out.isatty())}
        case "json":
            return {"stdout": JsonLines(out)}
        case _:
            return {}


@contextmanager
def _aside(settings: Settings) -> Iterator[Path]:
    """Give the folder for frames that cannot be understood; they last as long as the store does."""
    if settings.store.kind == "sqlite":
        yield Path(settings.store.path).parent
        return
    try:
        folder = TemporaryDirectory(prefix="ringback-")
    except OSError as error:
        raise SettingsError(
            "store.kind",
            f"memory needs a temporary directory for bad frames ({error.strerror}): set TMPDIR",
        ) from None
    with folder as name:
        yield Path(name)


def _recording(settings: Settings) -> RecordingWriter | None:
    record = settings.record
    if not record.path:
        return None
    return _writer(
        Path(record.path), record.most_megabytes * 1024 * 1024, timedelta(days=record.most_days)
    )


def _writer(
    path: Path, most_bytes: int, most_age: timedelta, setting: str = "record.path"
) -> RecordingWriter:
    def stopped(error: OSError) -> None:
        log.error("recording_stopped", path=str(path), error=error.strerror)

    return RecordingWriter(
        path, most_bytes=most_bytes, most_age=most_age, on_stop=stopped, setting=setting
    )


def _say_bad_line(error: RecordingError) -> None:
    log.warning("recording_line_skipped", path=error.path, line=error.line, problem=error.problem)
