"""Joins the roles of one process once the engine is there: each role's parts, and its duties."""

import asyncio
import os
import socket
from contextlib import AsyncExitStack
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TextIO

import structlog

from ringback import __version__
from ringback.app.cluster.alerting import Alerting
from ringback.app.cluster.listening import join_listening
from ringback.app.cluster.roles import Role
from ringback.app.doors import Doors
from ringback.app.parts import make_policy, make_rules, make_sinks
from ringback.app.routes import all_handlers
from ringback.app.ruling import Ruling
from ringback.app.showing import Showing
from ringback.core.events import rfc3339
from ringback.core.tracker import Tracker
from ringback.errors import EngineUnreachable
from ringback.ports import Clock, PartitionStore
from ringback.runtime.cluster.duties import Duty
from ringback.runtime.cluster.means import Means
from ringback.runtime.cluster.member import Member, when_reached
from ringback.runtime.cluster.mirror import Mirror
from ringback.runtime.cluster.ownership import Ownership
from ringback.runtime.cluster.tracking import ROLE as TRACKS
from ringback.runtime.cluster.tracking import Tracking
from ringback.settings import Settings
from ringback.stores.jetstream.engine import Engine
from ringback.stores.jetstream.leases import JetStreamLeases, leases_of
from ringback.stores.jetstream.streams import steps_kept
from ringback.stores.jetstream.subjects import partition_of
from ringback.stores.jetstream.wants import JetStreamWants
from ringback.vitals.engine import checks_of_engine, measures_of_engine
from ringback.vitals.member import MemberVitals
from ringback.vitals.mirror import checks_of_mirror, measures_of_mirror
from ringback.vitals.ownership import (
    checks_of_ownership,
    measures_of_members,
    measures_of_ownership,
)
from ringback.vitals.tracking import checks_of_tracking, measures_of_tracking
from ringback.web.app import create_app
from ringback.web.front import Front
from ringback.web.metrics import Metrics
from ringback.wire.cloudevents import Encoder
from ringback.wire.members import Member as Said

__all__ = ["Joining"]

log = structlog.get_logger(__name__)

ALERTS_LAPSE = 0.8
"""Of a lease: whoever cannot renew it ceases to tell before another begins, as far as it can."""
TELLS = "alert"
"""The one name of the duty to tell receivers."""


class Joining:
    """One process on its way to its roles."""

    def __init__(
        self,
        settings: Settings,
        roles: frozenset[Role],
        *,
        stack: AsyncExitStack,
        member: Member,
        vitals: MemberVitals,
        metrics: Metrics,
        doors: Doors,
        front: Front,
        folder: Path,
        out: TextIO,
        address: str,
        reload: asyncio.Event,
        clock: Clock,
    ) -> None:
        """`stack` closes what is opened, once the process has ended."""
        self.name = settings.jetstream.member or f"{socket.gethostname()}-{os.getpid()}"
        """What this process is called among the others."""
        self._settings = settings
        self._roles = roles
        self._stack = stack
        self._member = member
        self._vitals = vitals
        self._metrics = metrics
        self._doors = doors
        self._front = front
        self._folder = folder
        self._out = out
        self._address = address
        self._reload = reload
        self._clock = clock
        self._rules = make_rules(settings)
        self._duties: list[Duty] = []
        self._unreached: str | None = None
        self._engine: Engine | None = None
        self._showing: Showing | None = None
        self._partition_of = partial(partition_of, partitions=settings.jetstream.partitions)

    @property
    def servers(self) -> str:
        """Where the engine is, without a password."""
        return ", ".join(
            one.strip().rpartition("@")[2] for one in self._settings.jetstream.servers.split(",")
        )

    @property
    def waits_for(self) -> str | None:
        """What keeps it from knowing anything; None if nothing but that there is much to read."""
        return self._unreached if self._engine is None else self._engine.connection.problem

    async def join(self) -> None:
        """Open the engine and join all parts. Raises `StoreError` for what waiting cannot mend."""
        engine = self._engine = await self._reach()
        self._stack.push_async_callback(engine.close)
        for finding in engine.findings:
            log.warning("engine_not_as_it_should_be", finding=finding)
        self._vitals.add(partial(checks_of_engine, engine), partial(measures_of_engine, engine))
        leases = JetStreamLeases(
            engine.connection, leases_of(self._settings.jetstream, engine.subjects), self.name
        )
        if Role.TRACK in self._roles:
            await self._track(engine)
        if self._roles & {Role.SERVE, Role.ALERT}:
            await self._mirror(engine)
        said = Said(
            sorted(self._roles),
            __version__,
            self._address if Role.SERVE in self._roles else "",
            rfc3339(self._clock.now()),
        )
        ownership = Ownership(leases, said, self._duties)
        self._vitals.add(
            partial(checks_of_ownership, ownership),
            lambda: (*measures_of_members(ownership), *measures_of_ownership(ownership)),
        )
        self._member.follow("ownership", ownership.run)
        if Role.LISTEN in self._roles:
            heard_with = await join_listening(
                self._settings,
                engine,
                self._member,
                self._vitals,
                self._stack,
                said=said,
                name=self.name,
                folder=self._folder,
                partition_of=self._partition_of,
            )
            if self._showing is not None:
                self._showing.use(*heard_with)
        # After all that was heard is stored.
        self._member.drain(ownership.leave)

    async def _reach(self) -> Engine:
        """Open the engine; wait for it as long as it cannot be reached, and say so."""
        settings = self._settings
        return await when_reached(
            lambda: Engine.open(
                settings.jetstream,
                settings.source.org,
                settings.store.keep_journal_hours,
                f"ringback {settings.source.org} {self.name}",
            ),
            self._wait_for_it,
        )

    def _wait_for_it(self, error: EngineUnreachable) -> None:
        if self._unreached is None:
            log.warning("engine_unreachable", problem=str(error))
        self._unreached = str(error)

    async def _track(self, engine: Engine) -> None:
        """Take part in tracking partitions."""
        settings = self._settings

        async def open_store(number: int) -> PartitionStore:
            return engine.store(number)

        tracking = Tracking(
            Means(
                inputs=engine.inputs,
                wants=JetStreamWants(engine.connection, engine.subjects),
                encoder=Encoder(settings.source.org),
                clock=self._clock,
                source=settings.source.name,
                policy=make_policy(settings),
                rules=self._rules,
                keep=timedelta(hours=steps_kept(settings.store.keep_journal_hours)),
            ),
            open_store,
        )
        names = [f"{TRACKS}.{number}" for number in range(settings.jetstream.partitions)]
        self._duties.append(Duty(Role.TRACK, names, tracking))
        start = f"{self.name} {rfc3339(self._clock.now())}"
        await tracking.begin(settings.jetstream.partitions, start)
        # While the engine is away nothing can progress, and a restart would mend nothing.
        self._member.complain(
            lambda: tracking.complaint() if engine.connection.problem is None else None
        )
        self._vitals.add(
            partial(checks_of_tracking, tracking), partial(measures_of_tracking, tracking)
        )

    async def _mirror(self, engine: Engine) -> None:
        """Show all that is tracked, wherever that is, and tell of alerts when it is its turn."""
        settings = self._settings
        mirror = Mirror(
            tracker=Tracker(make_policy(settings), self._rules),
            steps=engine.steps,
            inputs=engine.inputs,
            clock=self._clock,
            source=settings.source.name,
            partitions=settings.jetstream.partitions,
            partition_of=self._partition_of,
        )
        await mirror.load()
        self._member.follow("mirror", mirror.follow_forever)
        self._member.follow("mirror's distance", mirror.measure_forever)
        self._vitals.add(partial(checks_of_mirror, mirror), partial(measures_of_mirror, mirror))

        async def open_store() -> PartitionStore:
            return engine.store(settings.jetstream.partitions)

        alerting = Alerting(
            settings,
            mirror,
            open_store=open_store,
            out=self._out,
            dashboard=lambda: self._address,
            sinks=make_sinks(settings, self._out) if Role.ALERT in self._roles else None,
        )
        self._stack.push_async_callback(alerting.close)
        if Role.ALERT in self._roles:
            lapse = ALERTS_LAPSE * settings.jetstream.lease_seconds
            self._duties.append(Duty(Role.ALERT, [TELLS], alerting.duty, lapse))
            self._vitals.add(alerting.checks, alerting.measures)
        if Role.SERVE in self._roles:
            self._serve(mirror, alerting)

    def _serve(self, mirror: Mirror, alerting: Alerting) -> None:
        doors, member = self._doors, self._member
        ruling = Ruling(self._settings, mirror)
        showing = self._showing = Showing(self._settings, mirror, mirror, None, doors.audit)
        member.follow("journal", showing.follow)
        member.follow("feed", showing.feed.run)
        member.follow("board", showing.load)
        member.follow("reload", partial(ruling.follow, self._reload))
        self._vitals.add(ruling.checks, showing.measures)
        self._front.app = create_app(
            self._vitals,
            self._metrics.expose,
            access=doors.access,
            reach=doors.reach,
            refusals=doors.refusals,
            handlers=all_handlers(doors, showing, ruling, alerting),
        )
