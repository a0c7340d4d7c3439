"""What an alert rests on: whether its conversation was read lately, or why it was not.

Frames get lost, so what they say may be long over. A conversation is asked for shortly before the
threshold, so that the answer is there in time; a callback that is gone never alarms anybody. A read
that fails proves nothing. What is kept here is not stored: after a restart it is asked for anew.
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec

from ringback.core.events import rfc3339
from ringback.core.gaps import Gap, Ledger
from ringback.core.watch.rules import Rule, Severity

__all__ = ["LEAD", "PATIENCE", "Proof", "Proofs", "Step"]

LEAD = timedelta(seconds=15)
"""How long before the threshold a conversation is read. What a frame brings later still counts."""
PATIENCE = timedelta(seconds=20)
"""How long the answer is waited for, from the threshold or from the asking if that was later."""

_RANKS = {Severity.CRITICAL: -3, Severity.WARNING: -2, Severity.INFO: -1}
"""Before whatever else is read: a person is about to be woken, or not to be."""


class Proof(NamedTuple):
    """What an alert rests on."""

    read_at: datetime | None
    """When the read was sent that has confirmed it."""
    why: str | None = None
    """Why nothing has, if so."""


class Step(NamedTuple):
    """What comes next of an alert that is not firing yet."""

    at: datetime | None
    """When; None: once a source hears again, or never."""
    proof: Proof | None = None
    """What it fires with then; None: its conversation is asked for."""


class _Asked(msgspec.Struct, gc=False):
    """A conversation that was asked for. Instants are on the daemon's clock."""

    at: datetime
    read_at: datetime | None = None


class Proofs:
    """Reads that alerts wait for, by conversation."""

    def __init__(self, ledger: Ledger, want: Callable[[str, int, datetime], None]) -> None:
        """`want` is told which conversation to read; the lower the rank, the sooner."""
        self._ledger = ledger
        self._want = want
        self._readers: set[str] = set()
        self._asked: dict[str, _Asked] = {}
        self._held: set[str] = set()

    def reads(self, source: str, *, can: bool) -> None:
        """Note whether a source can read conversations."""
        (self._readers.add if can else self._readers.discard)(source)

    @property
    def can_be_had(self) -> bool:
        """Whether any source can read conversations."""
        return bool(self._readers)

    def ask(self, conversation_id: str, severity: Severity, now: datetime) -> None:
        """Ask for a conversation to be read."""
        self._asked[conversation_id] = _Asked(now)
        self._want(conversation_id, _RANKS[severity], now)

    def came(self, conversation_id: str, sent_at: datetime) -> bool:
        """A conversation was read; whether it was asked for."""
        asked = self._asked.get(conversation_id)
        if asked is not None:
            asked.read_at = sent_at
        return asked is not None

    def forget(self, conversation_id: str) -> None:
        """Nothing of it can alarm any more."""
        self._asked.pop(conversation_id, None)
        self._held.discard(conversation_id)

    def forget_all(self) -> None:
        """The clock was set back: what was asked for counts as of a time to come."""
        self._asked.clear()

    def heard_again(self) -> list[str]:
        """Give the conversations of alerts that were held back while a source was blind."""
        held = sorted(self._held)
        self._held.clear()
        for conversation_id in held:
            self._asked.pop(conversation_id, None)
        return held

    def next_step(
        self, conversation_id: str, queue_id: str | None, rule: Rule, at: datetime, now: datetime
    ) -> Step:
        """Say what comes next of an alert whose threshold is passed at `at`, daemon's clock."""
        if rule.proof and self._readers:
            asked = self._asked.get(conversation_id)
            if asked is None or asked.at < at - LEAD:
                return Step(at - LEAD)
            if asked.read_at is not None and asked.read_at >= at - LEAD:
                return Step(at, Proof(asked.read_at))
            at = max(at, asked.at) + PATIENCE
        if at > now:
            return Step(at, Proof(None))
        gap = self._blind(queue_id)
        if gap is not None and rule.while_blind == "hold":
            self._held.add(conversation_id)
            return Step(None)
        return Step(at, Proof(None, self._why(rule, gap)))

    def _why(self, rule: Rule, gap: Gap | None) -> str:
        if gap is not None:
            return f"the source is blind since {rfc3339(gap.since)}"
        if not rule.proof:
            return "its rule asks for no read"
        return "not read in time" if self._readers else "the source cannot read"

    def _blind(self, queue_id: str | None) -> Gap | None:
        """Give the gap that hides what happens in a queue, if there is one."""
        for gap in self._ledger.open_gaps():
            queues = gap.queues
            if not queues or queue_id is None or queue_id in queues:
                return gap
        return None
