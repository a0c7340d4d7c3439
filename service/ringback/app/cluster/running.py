"""`ringback run` where several processes share the work: this one's roles, joined."""

from contextlib import AsyncExitStack
from typing import TextIO

import structlog

from ringback import __version__
from ringback.app.cluster.joining import Joining
from ringback.app.cluster.roles import Role
from ringback.app.doors import Doors
from ringback.app.parts import beside_the_store
from ringback.app.receivers import refuse_bad_receivers
from ringback.app.starting import budgets_of, dashboard_at, make_web, refuse_unreadable
from ringback.runtime.clock import SystemClock
from ringback.runtime.cluster.member import Member
from ringback.runtime.signals import reload_requested, stop_requested
from ringback.runtime.tuning import tune
from ringback.settings import Settings
from ringback.vitals.access import measures_of_access
from ringback.vitals.audit import measures_of_audit
from ringback.vitals.member import MemberVitals
from ringback.web.app import create_app
from ringback.web.front import Front
from ringback.web.metrics import Metrics

__all__ = ["run"]

log = structlog.get_logger(__name__)

LOOK_SECONDS = 1.0


async def run(settings: Settings, roles: frozenset[Role], out: TextIO) -> None:
    """Run one process until it is asked to stop. Raises `RingbackError` when it cannot go on."""
    if Role.LISTEN in roles:
        refuse_unreadable(settings)
    refuse_bad_receivers(settings)
    tune()
    clock = SystemClock()
    async with AsyncExitStack() as stack:
        wished = stack.enter_context(stop_requested())
        reload = stack.enter_context(reload_requested())
        folder = stack.enter_context(beside_the_store(settings))
        doors = Doors(settings, folder, clock)
        stack.callback(doors.close)
        member = Member(budgets_of(settings))
        vitals = MemberVitals(member, lambda: joining.waits_for)
        metrics = Metrics(vitals.measures, __version__)
        front = Front(
            create_app(
                vitals,
                metrics.expose,
                access=doors.access,
                reach=doors.reach,
                refusals=doors.refusals,
            )
        )
        web = make_web(settings, doors, front)
        port = web.bind()
        joining = Joining(
            settings,
            roles,
            stack=stack,
            member=member,
            vitals=vitals,
            metrics=metrics,
            doors=doors,
            front=front,
            folder=folder,
            out=out,
            address=dashboard_at(settings, port),
            reload=reload,
            clock=clock,
        )
        vitals.add(
            doors.checks,
            lambda: (
                *measures_of_access(doors.refusals, doors.logins),
                *measures_of_audit(doors.audit),
            ),
        )
        log.info(
            "starting",
            version=__version__,
            roles=",".join(sorted(roles)),
            member=joining.name,
            source=settings.source.kind if Role.LISTEN in roles else None,
            store=settings.store.kind,
            servers=joining.servers,
            look_at=f"{dashboard_at(settings, port)}/readyz?verbose and /metrics",
        )
        member.serve("web", web.run)
        member.tend("doors", LOOK_SECONDS, doors.look)
        member.restore("roles", joining.join)
        await member.run(wished)
