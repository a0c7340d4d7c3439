"""Makes of settings what the daemon listens to."""

import random
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import structlog

from ringback.app.simulating import make_centre
from ringback.core.tracker import Tracker
from ringback.errors import RecordingError
from ringback.ports import Clock, Intake, Source
from ringback.runtime.clock import SystemClock
from ringback.runtime.desk import Desk
from ringback.settings import Settings
from ringback.simulator.centre import ContactCentre
from ringback.simulator.farewells import farewell
from ringback.simulator.server import SimulatorServer
from ringback.sources.genesys.assembly import assemble
from ringback.sources.genesys.source import GenesysSource
from ringback.sources.recording import RecordingSource
from ringback.sources.websocket import WebsocketSource

__all__ = ["make_source", "names_of_queues", "queue_names", "resumed_centre"]

log = structlog.get_logger(__name__)

FAR_TOO_LARGE = 4
"""Times the largest frame. What is merely too large is quarantined and stops nothing; what is far
too large would first have to be held, so it ends the connection instead."""


@asynccontextmanager
async def make_source(
    settings: Settings, intake: Intake, clock: Clock, tracker: Tracker | None = None
) -> AsyncIterator[Source]:
    """Make the source; the simulator's contact centre lives as long as it.

    `tracker` knows what centres of former runs have left behind.
    """
    source = settings.source
    match source.kind:
        case "simulator":
            centre = resumed_centre(settings)
            for queue in centre.queue_settings():
                intake.settings(queue)
            async with SimulatorServer(centre, SystemClock()) as server:
                websocket = _websocket(settings, f"{server.url}?latest=1")
                yield _SimulatedSource(websocket, centre, clock, tracker)
        case "websocket":
            yield _websocket(settings, source.url.reveal())
        case "recording":
            yield RecordingSource(
                source.name, [Path(source.path)], speed=source.speed, on_error=_say_bad_line
            )
        case "genesys":
            yield assemble(
                settings,
                clock,
                random.SystemRandom(),
                max_frame_bytes=FAR_TOO_LARGE * source.max_frame_bytes,
            )


def queue_names(source: Source) -> Mapping[str, str]:
    """Give the names of queues by id, as far as a source knows them."""
    match source:
        case GenesysSource() | _SimulatedSource():
            return source.queue_names
        case _:
            return {}


def names_of_queues(desk: Desk, source: Source | None) -> Callable[[], Mapping[str, str]]:
    """Give what gives the names of queues: without a source those that trackers have heard."""
    if source is not None:
        return partial(queue_names, source)
    queues = desk.tracker.queues
    return lambda: {one.queue_id: one.name for one in queues.values() if one.name}


class _SimulatedSource:
    """Listens to the centre inside; first ends what centres of former runs have left behind."""

    def __init__(
        self,
        source: WebsocketSource,
        centre: ContactCentre,
        clock: Clock,
        tracker: Tracker | None,
    ) -> None:
        self.name = source.name
        self.problems: Sequence[str] = ()
        self.queue_names = {queue.id: queue.name for queue in centre.queues}
        self._source = source
        self._centre = centre
        self._clock = clock
        self._tracker = tracker

    async def run(self, intake: Intake) -> None:
        """Listen until cancelled."""
        if self._tracker is not None:
            await self._say_farewell(self._tracker, intake)
        await self._source.run(intake)

    async def _say_farewell(self, tracker: Tracker, intake: Intake) -> None:
        now = self._clock.now()
        known = {truth.conversation_id for truth in self._centre.truth().values()}
        for conversation_id in [one for one in tracker.conversations.ids() if one not in known]:
            conversation = tracker.conversations.get(conversation_id)
            if conversation is not None and any(one.open for one in conversation.callbacks):
                await intake.room()
                intake.frame(farewell(conversation, now))


def _websocket(settings: Settings, url: str) -> WebsocketSource:
    source = settings.source
    return WebsocketSource(
        source.name,
        url,
        max_frame_bytes=FAR_TOO_LARGE * source.max_frame_bytes,
        watchdog=source.watchdog_seconds,
        first_wait=source.reconnect_first_seconds,
        most_wait=source.reconnect_most_seconds,
        chance=random.SystemRandom(),
    )


def resumed_centre(settings: Settings) -> ContactCentre:
    """Make the centre as it would be by now, so that a restarted daemon finds its callbacks again.

    Every hour of the wall clock has a centre of its own, played from the beginning of the hour;
    with a higher speed, every part of an hour that holds as much.
    """
    now = SystemClock().now()
    length = timedelta(hours=1) / max(1.0, settings.simulator.speed)
    number, passed = divmod(now - datetime.fromtimestamp(0, UTC), length)
    centre = make_centre(settings, settings.simulator.seed + number, now - passed)
    centre.advance(now)
    return centre


def _say_bad_line(error: RecordingError) -> None:
    log.warning("recording_line_skipped", path=error.path, line=error.line, problem=error.problem)
