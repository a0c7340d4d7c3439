"""What readers need of whoever knows the present: the pipeline of a single machine, or a mirror.

Whoever shows, tells or is asked works with these alone, so it does the same on every machine.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

import msgspec

from ringback.core.gaps import Gap
from ringback.core.tracker import Tracker
from ringback.core.watch.rules import RuleSet
from ringback.core.watch.silences import Matcher, Silence
from ringback.ports import Clock

__all__ = ["Books", "Desk", "Freshness", "Present"]


class Freshness(msgspec.Struct, frozen=True):
    """How far what is known of a source can be relied on."""

    hears: bool
    """Whether it hears all that it is to hear, and what it hears gets here."""
    blind_since: datetime | None = None
    last_frame: datetime | None = None


class Present(Protocol):
    """How far the journal is."""

    @property
    def clock(self) -> Clock:
        """The wall clock."""

    @property
    def position(self) -> int:
        """Of the last committed journal entry."""

    async def advanced(self, after: int) -> None:
        """Wait until the journal's committed position is beyond `after`."""

    async def committed(self) -> None:
        """Wait until what was decided here so far is committed, and seen to be."""


class Desk(Present, Protocol):
    """Whoever knows all callbacks, and takes what people do."""

    @property
    def tracker(self) -> Tracker:
        """All that is known. Only to be looked at."""

    async def reaches(self, position: int) -> bool:
        """Whether the journal has come to a position, wherever that was told."""

    def freshness(self, source: str) -> Freshness:
        """Say how fresh a source is."""

    def gaps(self, source: str) -> list[Gap]:
        """Give the gaps of a source, oldest first."""

    def gaps_about(self, conversation_id: str) -> list[Gap]:
        """Give the gaps that may have touched a conversation, oldest first."""

    async def acknowledge(self, alert_id: str, by: str) -> None:
        """Note who has seen that an alert is firing. Raises `AlertError`."""

    async def silence(
        self, matchers: Sequence[Matcher], until: datetime, by: str, comment: str
    ) -> Silence:
        """Let nobody be told of some alerts for a while. Raises `SilenceRefused`."""

    async def end_silence(self, silence_id: str, by: str) -> None:
        """End a silence before its time. Raises `SilenceUnknown`."""

    async def adopt(self, rules: RuleSet, by: str) -> None:
        """Put other rules in force."""


class Books(Present, Protocol):
    """Where those who are told of the journal keep how far they are, and what they must not forget.

    What is kept and noted without a pause in between is stored together.
    """

    async def cursor(self, reader: str) -> int | None:
        """Give how far a reader was; None for a new one."""

    def keep(self, rows: Mapping[str, bytes | None]) -> None:
        """Store what a reader keeps, by its own keys; None removes."""

    async def note_told(self, reader: str, position: int) -> None:
        """Note how far a reader is, to be stored with what is kept next."""
