"""Composes what is shown over HTTP, whether this process tracks or only looks."""

import asyncio
import secrets
from collections.abc import Iterator, Sequence
from typing import Any

import structlog
from msgspec import UNSET, UnsetType

from ringback import __version__
from ringback.app.charting import Charting
from ringback.app.cleaning import Cleaner, Reads
from ringback.app.parts import make_policy
from ringback.app.sources import names_of_queues
from ringback.ports import Audit, Past, Source
from ringback.runtime.desk import Desk
from ringback.runtime.turns import in_turns
from ringback.settings import Settings
from ringback.sources.genesys.regions import REGIONS, find_region
from ringback.vitals.board import measures_of_board, measures_of_queues, measures_of_tally
from ringback.vitals.cleanup import measures_of_cleanup
from ringback.vitals.feed import measures_of_feed
from ringback.vitals.sources import beat_of, report_of
from ringback.web.api.alerts import alerts_handlers
from ringback.web.api.answers import Answers
from ringback.web.api.audit import audit_handlers
from ringback.web.api.callbacks import callbacks_handlers
from ringback.web.api.cleanup import cleanup_handlers
from ringback.web.api.life import life_handlers
from ringback.web.api.schemas import schemas_handlers
from ringback.web.api.session import Place, session_handlers
from ringback.web.api.sources import SourceReport, sources_handlers
from ringback.web.api.summary import summary_handlers
from ringback.web.api.trends import trends_handlers
from ringback.web.board.board import Board
from ringback.web.board.tally import Tally
from ringback.web.feed.events import events_handlers
from ringback.web.feed.feed import Feed
from ringback.web.feed.sockets import sockets_handlers
from ringback.web.journal import Journal
from ringback.web.metrics import Measure

__all__ = ["Showing", "platform_link"]

log = structlog.get_logger(__name__)


class Showing:
    """The board of one daemon, and the handlers that show it."""

    def __init__(
        self,
        settings: Settings,
        desk: Desk,
        past: Past,
        source: Source | None,
        audit: Audit,
    ) -> None:
        """`source` is that of this process; None: only others listen, as far as is known yet."""
        self.board = Board()
        policy = make_policy(settings)
        self.journal = Journal(past, desk.advanced, reaches=desk.reaches)
        self.charting = Charting(self.board, past, desk.clock, policy.due_grace)
        self.journal.listen(self.board.apply)
        self.journal.listen(self.charting.apply)
        self.tally = Tally(policy.due_grace)
        self.journal.listen(self.tally.apply)
        name = settings.source.name if source is None else source.name
        self.feed = Feed(self.journal, desk.clock, lambda: (beat_of(desk, name),))
        self._desk = desk
        self._source = source
        self._about = name, settings.source.kind
        names = self._names = names_of_queues(desk, source)
        self.answers = answers = Answers(self.board, desk.clock, secrets.token_hex(4))
        place = Place(__version__, settings.source.org, platform_link(settings))
        cleanup = settings.cleanup
        self.cleaner = Cleaner(cleanup, desk, audit) if cleanup.enabled else None
        self.handlers: Sequence[Any] = [
            *callbacks_handlers(answers, names),
            *life_handlers(answers, desk, past.history, policy=policy, place=place, audit=audit),
            *summary_handlers(answers, names, lambda: self.charting.trends, policy.due_grace),
            *alerts_handlers(answers, desk, audit),
            *sources_handlers(answers, self._reports, lambda: desk.position),
            *trends_handlers(answers, lambda: (self.charting.trends, self.charting.complete)),
            *session_handlers(answers, place, names),
            *audit_handlers(answers, audit),
            *([] if self.cleaner is None else cleanup_handlers(answers, self.cleaner, place)),
            *schemas_handlers(answers, __version__, asking=bool(settings.web.tokens)),
            *events_handlers(self.feed),
            *sockets_handlers(self.feed),
        ]

    def use(self, source: Source, intake: Reads) -> None:
        """Tell of this process's source, and act through it."""
        self._source = source
        if self.cleaner is not None:
            self.cleaner.use(source, intake)

    async def load(self) -> None:
        """Bring onto the board what was restored, then read the past for the trends."""
        await in_turns(self.board.load(self._desk.tracker))
        await self._desk.committed()
        self.board.complete(self._desk.position)
        log.info("board_loaded", callbacks=len(self.board.rows))
        await self.charting.fill()
        await asyncio.Event().wait()

    async def follow(self) -> None:
        """Follow the journal from where the daemon has restored."""
        self.board.position = self._desk.position
        await self.journal.follow(self._desk.position)

    def measures(self) -> Iterator[Measure]:
        """Give what is shown, in numbers, and to how many."""
        yield from measures_of_feed(self.feed)
        rules = [rule.name for rule in self._desk.tracker.rules.rules]
        yield from measures_of_board(self.board, rules)
        yield from measures_of_tally(self.tally, rules)
        if self.cleaner is not None:
            yield from measures_of_cleanup(self.cleaner.outcomes)
        if self.charting.begun:
            waiting, now = self.charting.trends.waiting, self._desk.clock.now()
            yield from measures_of_queues(self.board, waiting, self._names(), now)

    def _reports(self) -> list[SourceReport]:
        at = asyncio.get_running_loop().time()
        return [report_of(self._desk, self._source, *self._about, at)]


def platform_link(settings: Settings) -> str | UnsetType:
    """Say where the platform shows a conversation."""
    genesys = settings.genesys
    if settings.source.kind != "genesys" or not genesys.region:
        return UNSET
    domain = REGIONS[find_region(genesys.region)]
    return f"https://apps.{domain}/directory/#/engage/admin/interactions/{{conversationId}}"
