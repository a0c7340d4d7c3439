"""Composes what is shown of a daemon over HTTP."""

import asyncio
import secrets
from collections.abc import Sequence
from functools import partial
from typing import Any

from ringback import __version__
from ringback.app.sources import queue_names
from ringback.ports import Source, Store
from ringback.runtime.pipeline import Pipeline
from ringback.runtime.turns import in_turns
from ringback.settings import Settings
from ringback.sources.genesys.regions import REGIONS, find_region
from ringback.web.api.alerts import alerts_handlers
from ringback.web.api.answers import Answers
from ringback.web.api.callbacks import callbacks_handlers
from ringback.web.api.session import Place, session_handlers
from ringback.web.api.summary import summary_handlers
from ringback.web.board.board import Board
from ringback.web.journal import Told
from ringback.wire.cloudevents import decode

__all__ = ["Showing"]

CHUNK = 500


class Showing:
    """The board of one daemon, and the handlers that show it."""

    def __init__(
        self, settings: Settings, pipeline: Pipeline, store: Store, source: Source
    ) -> None:
        self.board = Board()
        self._pipeline = pipeline
        self._store = store
        names = partial(queue_names, source)
        answers = Answers(self.board, pipeline.clock, secrets.token_hex(4))
        place = Place(__version__, settings.source.org, _platform_link(settings))
        self.handlers: Sequence[Any] = [
            *callbacks_handlers(answers, names),
            *summary_handlers(answers, names),
            *alerts_handlers(answers),
            *session_handlers(answers, place, names),
        ]

    async def load(self) -> None:
        """Bring onto the board what was restored; from then on it follows the journal."""
        await in_turns(self.board.load(self._pipeline.tracker))
        await self._pipeline.committed()
        self.board.complete(self._pipeline.position)
        await asyncio.Event().wait()

    async def follow(self) -> None:
        """Follow the journal from where the daemon has restored."""
        position = self.board.position = self._pipeline.position
        while True:
            await self._pipeline.advanced(position)
            entries = await self._store.read(position, CHUNK)
            self.board.apply([Told(one.position, one.body, decode(one.body)) for one in entries])
            position = self.board.position


def _platform_link(settings: Settings) -> str | None:
    """Say where the platform shows a conversation."""
    genesys = settings.genesys
    if settings.source.kind != "genesys" or not genesys.region:
        return None
    domain = REGIONS[find_region(genesys.region)]
    return f"https://apps.{domain}/directory/#/engage/admin/interactions/{{conversationId}}"
