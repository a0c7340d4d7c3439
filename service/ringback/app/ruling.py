"""The rules of one daemon: read before the start, and anew while it runs."""

import asyncio
from collections.abc import Iterator
from typing import Any

import structlog

from ringback.app.parts import make_rules
from ringback.core.watch.rules import RuleSet
from ringback.errors import SettingsError
from ringback.ports import Audit
from ringback.runtime.desk import Desk
from ringback.settings import Settings
from ringback.web.api.answers import Answers
from ringback.web.api.rules import rules_handlers
from ringback.web.health import Check, Status

__all__ = ["Ruling"]

log = structlog.get_logger(__name__)

HANGUP = "SIGHUP"


class Ruling:
    """Reads the file of rules whenever somebody wishes it."""

    def __init__(self, settings: Settings, desk: Desk) -> None:
        self._settings = settings
        self._desk = desk
        self.trouble: str | None = None
        """Why the file's latest version is not in force; the one before is."""

    @property
    def rules(self) -> RuleSet:
        """Those in force."""
        return self._desk.tracker.rules

    def handlers(self, answers: Answers, audit: Audit) -> list[Any]:
        """Give the handlers that show the rules and read them anew."""
        return rules_handlers(answers, self, audit)

    async def reload(self, by: str) -> None:
        """Read the file and put its rules in force. Raises `SettingsError`, and changes nothing."""
        try:
            rules = make_rules(self._settings)
        except SettingsError as error:
            self.trouble = str(error)
            log.warning("rules_refused", by=by, problem=self.trouble)
            raise
        self.trouble = None
        await self._desk.adopt(rules, by)
        log.info("rules_in_force", by=by, rules=len(rules.rules))

    async def follow(self, wished: asyncio.Event) -> None:
        """Read the file whenever `wished` is set, until cancelled."""
        while True:
            await wished.wait()
            wished.clear()
            try:
                await self.reload(HANGUP)
            except SettingsError:
                continue  # it is logged, and the health says so

    def checks(self) -> Iterator[Check]:
        """Say what is wrong with them."""
        if self.trouble is not None:
            yield Check("rules", Status.DEGRADED, f"the former ones are in force: {self.trouble}")
