"""A Genesys Cloud organisation as a source: its queues found, their topics heard, its gaps mended.

Whatever the platform refuses or cannot do makes the source degraded, never the daemon end: what was
stored stays, and it is tried again.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta

import structlog

from ringback.errors import PlatformError, SourceError
from ringback.ports import Clock, Intake, Limit
from ringback.sources.genesys.client import RestClient
from ringback.sources.genesys.fleet import Fleet
from ringback.sources.genesys.gate import Gate
from ringback.sources.genesys.patterns import Patterns
from ringback.sources.genesys.plan import TopicChoice, topics_of
from ringback.sources.genesys.queues import (
    Difference,
    FollowedQueue,
    difference,
    discover,
    refuse_none,
)
from ringback.sources.genesys.reconciliation import Reconciliation
from ringback.wire.topics import split, subject

__all__ = ["GenesysSource"]

log = structlog.get_logger(__name__)

FIRST_TRY_SECONDS = 2.0
MOST_TRY_SECONDS = 60.0
QUIET_LOOK_SECONDS = 30.0
SILENT_FEED = "silent feed"
"""Heartbeats go on, and what they were to bring does not come."""


class GenesysSource:
    """Listens to an organisation for as long as the daemon runs."""

    def __init__(
        self,
        name: str,
        client: RestClient,
        fleet: Fleet,
        clock: Clock,
        *,
        patterns: Patterns,
        topics: TopicChoice,
        queues_every: float,
        reconcile_every: float,
        quiet_after: float,
    ) -> None:
        """Take the client unopened; seconds are on the loop's clock."""
        self.name = name
        self.client = client
        self.fleet = fleet
        self.queues: Mapping[str, FollowedQueue] = {}
        """Those that are followed, by id."""
        self.queue_names: Mapping[str, str] = {}
        """What they are called; asked for each alert and each page."""
        self.reconciliation = Reconciliation(
            client,
            clock,
            queue_ids=lambda: list(self.queues),
            every=reconcile_every,
            missed=self.missed,
        )
        self._patterns = patterns
        self._topics: TopicChoice = topics
        self._queues_every = queues_every
        self._quiet_after = quiet_after
        self._discovery_problem: str | None = None
        self._clock = clock
        self._gate: Gate | None = None

    @property
    def problems(self) -> Sequence[str]:
        """Say what keeps it from working as it should."""
        found = (self._discovery_problem, self.fleet.problem, self.reconciliation.problem)
        return [problem for problem in found if problem is not None]

    @property
    def limits(self) -> Mapping[str, Limit]:
        """What the platform limits for all processes together, by name."""
        return {"channels": self.fleet, "requests": self.client.budget}

    async def run(self, intake: Intake) -> None:
        """Listen until cancelled."""
        gate = self._gate = Gate(intake, self.reconciliation.ask)
        async with self.client, asyncio.TaskGroup() as tasks:
            await self._discover_first(intake, gate)
            tasks.create_task(self.fleet.run(gate), name="genesys.fleet")
            tasks.create_task(self._discover_forever(intake, gate), name="genesys.queues")
            tasks.create_task(self.reconciliation.run(intake), name="genesys.reconciliation")
            tasks.create_task(self._suspect_forever(intake), name="genesys.suspicion")

    def missed(self, queues: frozenset[str]) -> None:
        """A read has shown what no frame had told, in these queues.

        One frame may be lost. A channel that has brought nothing at all for long is proved silent
        by that: it was blind since, and is replaced.
        """
        now = asyncio.get_running_loop().time()
        for channel in self.fleet.channels:
            silent = now - channel.conversation_at
            covered = {each.id for topic in channel.topics if (each := subject(topic)) is not None}
            if covered.isdisjoint(queues):
                continue
            log.warning("frames_missed", silent_seconds=round(silent))
            if silent > self._quiet_after and channel.state == "hears" and self._gate is not None:
                since = self._clock.now() - timedelta(seconds=silent)
                self._gate.disconnected(SILENT_FEED, since, channel.topics)
                self.fleet.distrust(channel)

    # Which queues

    async def _discover_first(self, intake: Intake, gate: Gate) -> None:
        """Find queues to begin with, however long that takes."""
        pause = FIRST_TRY_SECONDS
        while not await self._discover(intake, gate):
            intake.disconnected("cannot read queues")
            await asyncio.sleep(pause)
            pause = min(2 * pause, MOST_TRY_SECONDS)

    async def _discover_forever(self, intake: Intake, gate: Gate) -> None:
        while True:
            pause = self._queues_every
            if self._discovery_problem is not None:
                pause = min(pause, MOST_TRY_SECONDS)
            await asyncio.sleep(pause)
            await self._discover(intake, gate)

    async def _discover(self, intake: Intake, gate: Gate) -> bool:
        """Read the queues and follow what is meant; whether that could be done."""
        try:
            found = await discover(self.client, self._patterns)
            refuse_none(self.name, found, self._patterns)
            self._follow(difference(self.queues, found), intake, gate)
            # One that has another name now is followed as before.
            self.queues = {id_: found.queues.get(id_, one) for id_, one in self.queues.items()}
            self.queue_names = {id_: one.name for id_, one in self.queues.items()}
        except (PlatformError, SourceError) as error:
            if self._discovery_problem is None:
                log.warning("queues_not_read", problem=str(error))
            self._discovery_problem = str(error)
            return False
        self._discovery_problem = None
        return True

    def _follow(self, news: Difference, intake: Intake, gate: Gate) -> None:
        """Follow what there is now. Raises `SourceError` when that takes too many channels."""
        for queue in (*news.appeared, *news.changed):
            intake.settings(queue.settings)
        known = {id_: queue for id_, queue in self.queues.items() if id_ not in news.vanished}
        queues = known | {queue.id: queue for queue in (*news.appeared, *news.changed)}
        topics = [topic for id_ in queues for topic in topics_of(id_, self._topics)]
        if news.appeared or news.vanished:
            self.fleet.follow(topics)  # or it raises, and all stays as it was
        self.queues = queues
        if not (news.appeared or news.vanished):
            return
        log.info(
            "queues_followed",
            queues=len(self.queues),
            appeared=len(news.appeared),
            vanished=len(news.vanished),
        )
        intake.follows(self.queues.keys())
        gate.follow([name for topic in topics for name in split(topic)])

    # Whether silence is to be believed

    async def _suspect_forever(self, intake: Intake) -> None:
        """Survey when a channel lives and brings nothing for long; `missed` hears what that shows.

        By day a busy queue is never silent for so long, and by night a survey costs little.
        """
        suspected: dict[frozenset[str], float] = {}
        clock = asyncio.get_running_loop().time
        while True:
            await asyncio.sleep(QUIET_LOOK_SECONDS)
            quiet = {
                frozenset(channel.topics): channel.conversation_at
                for channel in self.fleet.channels
                if clock() - channel.conversation_at > self._quiet_after
            }
            if any(suspected.get(topics) != since for topics, since in quiet.items()):
                log.info("channels_quiet", channels=len(quiet))
                await self.reconciliation.survey(intake)
            suspected = quiet
