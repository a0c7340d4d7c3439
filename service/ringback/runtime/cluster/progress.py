"""How far a partition has dealt with its inputs, and all that it knows by then.

It follows from the inputs and their times alone, so whoever has the partition comes to the same.
"""

import asyncio
from collections.abc import Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

import msgspec
import structlog

from ringback.core.asides import is_aside
from ringback.core.changes import Change
from ringback.core.entries import NEVER
from ringback.core.tracker import Tracker
from ringback.core.watch.rules import RuleSet
from ringback.ports import Mark, Row
from ringback.runtime.cluster.asides import part_of
from ringback.runtime.cluster.checkpoint import Aside, Checkpoint
from ringback.runtime.cluster.consuming import Consuming
from ringback.runtime.cluster.means import Means
from ringback.runtime.cluster.noting import Stored

__all__ = ["Progress"]

log = structlog.get_logger(__name__)

ROWS_AT_ONCE = 2000


class Progress:
    """How far one partition is, and what it knows."""

    def __init__(self, number: int, means: Means) -> None:
        self.number = number
        self.tracker = Tracker(means.policy, means.rules)
        self.consuming = Consuming(self.tracker, means.source, means.counts)
        self.reached = 0
        """The last input that is dealt with, though maybe not committed."""
        self.read_at = 0.0
        """When it was read, on the loop's clock."""
        self.noted = 0
        """The last input that need not be read again."""
        self.begun = False
        """Whether it is known what time it is."""
        self.within = False
        """Whether an input is half dealt with."""
        self.dealing = 0
        """The input that all gathered rows are to have behind them though others have not."""
        self.ahead: dict[str, tuple[int, Row | None]] = {}
        """Conversations as they are after an input that is still to be read again, and which."""
        self.lost_since: datetime | None = None
        """Since when inputs are missing that nobody has read."""
        self._means = means
        self._now = NEVER

    # Time, as the input log tells it

    def now(self) -> datetime:
        """How far time has come in the log."""
        return self._now

    def reach(self, at: datetime) -> datetime:
        """Let time go on to when the engine has taken an input; in whole milliseconds.

        It never goes back.
        """
        at = at.replace(microsecond=at.microsecond // 1000 * 1000)
        self._now = max(self._now, at)
        return self._now

    def next_deadline(self) -> datetime | None:
        """When time alone next has something to do."""
        return self.consuming.next_deadline()

    # What is taken over, and handed on

    def take_over(self, checkpoint: Checkpoint) -> None:
        """Go on from where somebody was."""
        self.reached = self.noted = checkpoint.reached
        self.reach(checkpoint.at)
        means = self._means
        self.tracker = Tracker(means.policy, self._rules_of(checkpoint))
        self.tracker.skews.restore(checkpoint.skews)
        self.consuming = Consuming(self.tracker, means.source, means.counts)
        self.consuming.firing.reached = checkpoint.at
        self.consuming.pulses = dict(checkpoint.pulses)

    async def restore(self, stored: Stored, marks: Mapping[str, Mark]) -> None:
        """Know all rows again; `marks` say which of them are ahead."""
        now, rows = self._now, stored.conversations
        if self.lost_since is None:
            self.ahead = {
                key: (mark.reached, rows.get(key))
                for key, mark in marks.items()
                if mark.reached > self.noted and not is_aside(key)
            }
        self.consuming.restore(list(stored.apart.items()), now)
        known = [
            (key, row.state, row.wake_at)
            for key, row in rows.items()
            if row.state is not None and key not in self.ahead
        ]
        for start in range(0, len(known), ROWS_AT_ONCE):
            self.tracker.restore(known[start : start + ROWS_AT_ONCE], now, carry_on=True)
            await asyncio.sleep(0)

    def checkpoint(self, asides: list[Aside]) -> Checkpoint:
        """Give what whoever is next has to know beside the rows of conversations."""
        return Checkpoint(
            self.reached,
            self._now,
            self.tracker.rules.packed,
            self.tracker.skews.kept(),
            dict(self.consuming.pulses),
            asides,
        )

    def _rules_of(self, checkpoint: Checkpoint) -> RuleSet:
        """Give the rules in force; this process's own where they are not known here."""
        if not checkpoint.rules:
            return self._means.rules
        try:
            return RuleSet.unpack(checkpoint.rules, ZoneInfo)
        except (msgspec.DecodeError, ValueError, KeyError) as error:
            problem = f"maybe put in force by a newer version: {error}"
            log.warning("rules_not_understood", partition=self.number, problem=problem)
            return self._means.rules

    # What becomes of it

    def bring_in(self) -> None:
        """Let in what is not ahead any more."""
        come = [key for key, (reached, _) in self.ahead.items() if reached <= self.reached]
        rows = [row for key in come if (row := self.ahead.pop(key)[1]) is not None]
        self.tracker.restore(
            [
                (row.conversation_id, row.state, row.wake_at)
                for row in rows
                if row.state is not None
            ],
            self._now,
            carry_on=True,
        )

    def lose(self, reached: int) -> None:
        """Go on after an input, because those that follow the last one read are gone."""
        self._means.counts["lost"] += 1
        self.lost_since = self._now
        self.reached = reached
        self.noted = min(self.noted, reached)

    def missed(self) -> list[Change]:
        """Give what it changes that inputs are missing, now that it is known until when."""
        since, self.lost_since = self.lost_since, None
        if since is None or since == NEVER:
            since = self._now
        return self.consuming.missed(part_of(self.number), since, self._now)
