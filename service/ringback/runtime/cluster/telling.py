"""Tells receivers of alerts while it is this process that does, one of several that could.

Whoever takes it over begins with what was stored: what was to be told, what was being told, and how
far the journal was heard. The one before may not know yet; it cannot store anything any more, and
what is not stored is not sent.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Protocol

import structlog

from ringback.errors import RingbackError, TaskDied
from ringback.ports import PartitionStore
from ringback.runtime.cluster.keeping import Keeping
from ringback.runtime.desk import Books, Present
from ringback.runtime.outbox import Outbox
from ringback.runtime.tasks import Tasks

__all__ = ["Team", "Telling"]

AGAIN = 1.0
"""Seconds before it begins anew, after it could not go on."""
CLOSING = 1.0
"""Seconds that tasks have to end in."""

log = structlog.get_logger(__name__)


class Team(Protocol):
    """All receivers of a daemon, each with its outbox."""

    @property
    def outboxes(self) -> Sequence[Outbox]:
        """One for each receiver."""

    async def close(self) -> None:
        """Release what they hold."""


class Telling:
    """Work that one process does at a time: `take`, `give` and `lose` are for whoever decides."""

    def __init__(
        self,
        journal: Present,
        open_store: Callable[[], Awaitable[PartitionStore]],
        make: Callable[[Books], Team],
        *,
        drain_seconds: float,
        keep: timedelta,
        beside: Callable[[Books], Mapping[str, Coroutine[None, None, None]]] = lambda _: {},
    ) -> None:
        """`open_store` opens what receivers keep, `make` makes a team that keeps it there.

        `keep` is how long a step lasts that is not stored again; `beside` gives what else is to run
        for as long, by name.
        """
        self.team: Team | None = None
        """Who tells; None while it is another process that does."""
        self.begun = 0
        """How often it was begun here."""
        self._journal = journal
        self._open_store = open_store
        self._make = make
        self._drain_seconds = drain_seconds
        self._keep = keep
        self._beside = beside
        self._store: PartitionStore | None = None
        self._keeping: Keeping | None = None
        self._tasks = Tasks()
        self._watch: asyncio.Task[None] | None = None

    async def take(self, name: str) -> None:
        """Begin. Raises `StoreError`."""
        await self._begin()
        self._watch = asyncio.create_task(self._go_on(), name=f"{name} goes on")

    async def give(self, name: str) -> None:
        """Finish what is being sent, store it, and end."""
        await self._leave()
        if self.team is not None and self._keeping is not None:
            with suppress(TimeoutError, RingbackError):
                async with asyncio.timeout(self._drain_seconds):
                    for outbox in self.team.outboxes:
                        await outbox.drain()
                    await self._keeping.commit()
        await self._end()
        log.info("receivers_given", duty=name)

    async def lose(self, name: str) -> None:
        """End at once: another may have begun."""
        await self._leave()
        await self._end()
        log.info("receivers_lost", duty=name)

    async def _begin(self) -> None:
        self._store = store = await self._open_store()
        known: list[tuple[str, bytes]] = []
        async for rows in store.load():
            known += [(row.conversation_id, row.state) for row in rows if row.state is not None]
        self._keeping = keeping = Keeping(store, self._journal, known, self._keep)
        self.team = team = self._make(keeping)
        self._tasks.start("receivers store", keeping.commit_forever())
        for outbox in team.outboxes:
            outbox.restore(known)
            self._tasks.start(f"receiver {outbox.name} hears", outbox.hear())
            self._tasks.start(f"receiver {outbox.name} tells", outbox.tell())
        for name, work in self._beside(keeping).items():
            self._tasks.start(name, work)
        self.begun += 1
        log.info("receivers_taken", receivers=len(team.outboxes), rows=len(known))

    async def _go_on(self) -> None:
        """Begin anew whenever it cannot go on, as when another has written."""
        while True:
            with suppress(TaskDied):
                await self._died()
            await self._end()
            while self.team is None:
                await asyncio.sleep(AGAIN)
                try:
                    await self._begin()
                except RingbackError as error:
                    log.warning("receivers_not_taken", problem=str(error))
                    await self._end()

    async def _died(self) -> None:
        try:
            await self._tasks.first_death()
        except TaskDied as died:
            log.warning("receivers_stopped", problem=str(died))
            raise

    async def _leave(self) -> None:
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.cancel()
            await asyncio.gather(watch, return_exceptions=True)

    async def _end(self) -> None:
        team, self.team = self.team, None
        store, self._store = self._store, None
        self._keeping = None
        await self._tasks.stop(self._tasks.names, CLOSING)
        if team is not None:
            await team.close()
        if store is not None:
            await store.close()
