"""Joins a daemon's snapshot and feed without a hole, for as long as it is wanted.

It knows how fresh what is known is, and comes back by itself.
"""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing
from datetime import UTC, datetime
from enum import Enum

from ringback.errors import DaemonError, DaemonFault
from ringback.terminal.answers import Beat, Session
from ringback.terminal.client import Client
from ringback.terminal.clock import DaemonClock
from ringback.terminal.known import Known
from ringback.terminal.stream import Message, Reset

__all__ = ["Link", "Phase"]

FIRST_WAIT_SECONDS = 1.0
LONGEST_WAIT_SECONDS = 5.0
NOBODY = Session(position=0, now=datetime.min.replace(tzinfo=UTC))


class Phase(Enum):
    """How fresh what is known is."""

    LOADING = "loading"
    """Nothing is known yet."""
    LIVE = "live"
    """It is the present."""
    BEHIND = "behind"
    """What happened meanwhile is still coming."""
    LOST = "lost"
    """It is of `as_of`; the next try is at `retry_at`."""


class Link:
    """Keeps `known` up to date. To be run once."""

    def __init__(self, client: Client, known: Known, clock: DaemonClock) -> None:
        self.client = client
        self.known = known
        self.clock = clock
        self.phase = Phase.LOADING
        self.session = NOBODY
        self.as_of: datetime | None = None
        """Of when what is known is, by the daemon's clock."""
        self.behind_seconds = 0.0
        self.problem = ""
        self.retry_at = 0.0
        """By the loop's time."""
        self._failures = 0
        self._position = -1
        self._retry = asyncio.Event()

    def shown(self) -> datetime:
        """Give the time for which what is known is true: it stands still while nothing is heard."""
        lost = self.phase is Phase.LOST and self.as_of is not None
        return self.as_of if lost and self.as_of is not None else self.clock.now()

    def retry_now(self) -> None:
        """Do not wait any longer."""
        self._retry.set()

    async def run(self) -> None:
        """Follow the daemon until cancelled.

        Raises `DaemonError` if nothing can be known: whoever starts wants to be told. Afterwards
        everything is waited for.
        """
        while True:
            try:
                if self._position < 0:
                    await self._load()
                await self._follow()
            except DaemonError as error:
                if self.as_of is None and error.fault is not DaemonFault.NOT_READY:
                    raise
                await self._wait(error.problem)

    async def _load(self) -> None:
        client = self.client
        session, snapshot, alerts, sources = await asyncio.gather(
            client.session(), client.callbacks(), client.alerts(), client.sources()
        )
        self.clock.hear(sources.now)
        self.known.replace(snapshot.callbacks, alerts.alerts, sources.sources)
        self.session = session
        # They may be of different positions: the feed goes on behind the first of them.
        self._position = min(snapshot.position, alerts.position, sources.position)
        self._fresh()

    async def _follow(self) -> None:
        async with aclosing(self.client.follow(self._position)) as batches:
            async for batch in batches:
                if not self._take(batch):
                    self._position = -1
                    return
        raise DaemonError(DaemonFault.UNREACHABLE, "the daemon has ended the feed", "it may stop")

    def _take(self, batch: Sequence[Message]) -> bool:
        """Take what has come; say whether the feed goes on."""
        for message in batch:
            match message:
                case Reset():
                    return False
                case Beat():
                    self.clock.hear(message.now)
                    self._heartbeat(message)
                case _:
                    self._position = max(self._position, message.position)
                    self.known.apply(message.event)
                    if self.phase is Phase.LOST:
                        self._set(Phase.BEHIND)
                    if self.phase is Phase.BEHIND:
                        told = message.event.data.observed_time or message.event.time
                        late = (self.clock.now() - told).total_seconds()
                        self.behind_seconds = max(0.0, late)
        if self.phase is Phase.LIVE:
            self.as_of = self.clock.now()
        return True

    def _heartbeat(self, beat: Beat) -> None:
        if beat.sources:
            self.known.hear_of(beat.sources)
        # It is of the journal's end; until the feed has come there, the present is not known.
        if beat.position > self._position and self.phase is not Phase.LIVE:
            self._set(Phase.BEHIND)
            return
        self._position = max(self._position, beat.position)
        self._fresh()

    def _fresh(self) -> None:
        self._failures = 0
        self.behind_seconds = 0.0
        self.problem = ""
        self.as_of = self.clock.now()
        self._set(Phase.LIVE)

    async def _wait(self, problem: str) -> None:
        wait = min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2.0**self._failures)
        self._failures += 1
        self.problem = problem
        self.retry_at = asyncio.get_running_loop().time() + wait
        self._set(Phase.LOADING if self.as_of is None else Phase.LOST)
        self._retry.clear()
        try:
            async with asyncio.timeout(wait):
                await self._retry.wait()
        except TimeoutError:
            return

    def _set(self, phase: Phase) -> None:
        self.phase = phase
        self.known.version += 1
