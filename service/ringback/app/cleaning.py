"""Disconnects what is stuck for sure: when somebody asks for it, one after the other, as noted.

Each is read once more right before, and left alone unless it is the very same as it was seen. What
is about to be done is in the audit trail before, what came of it after. How many there were in the
last minute is read from there, so that no restart makes room for more.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Protocol

import structlog

from ringback.core.events import rfc3339
from ringback.core.records import Conversation
from ringback.core.snapshots import Snapshot
from ringback.core.watch.zombies import Zombie, let_be, zombies
from ringback.errors import AuditError, FrameError, PlatformError, PlatformFault
from ringback.ports import Audit, Deed, Reading, Source
from ringback.runtime.desk import Desk
from ringback.settings import CleanupSettings
from ringback.settings.describing import listed
from ringback.sources.genesys.disconnecting import DISCONNECT, Hand
from ringback.sources.genesys.source import GenesysSource
from ringback.web.api.cleanup import Outcome, Result
from ringback.wire.decode import Decoder

__all__ = ["Cleaner"]

log = structlog.get_logger(__name__)

DEED = "disconnect"
ABOUT_TO = "about to: "
"""How the note begins that is made before; what came of it has another."""
GONE = "the platform knows no such conversation"
MINUTE = timedelta(minutes=1)
FRESH = timedelta(seconds=20)
"""What was read is not acted on later."""
DEEDS = 1000
"""Of the audit trail, looked at for those of the last minute: far more than there can be."""


class Reads(Protocol):
    """Whoever takes the answers of reads."""

    @property
    def decoder(self) -> Decoder:
        """What understands them."""

    def read(self, reading: Reading) -> frozenset[str]:
        """Take one; give the queues of which frames must have been lost."""


class Cleaner:
    """Ends conversations of a source that can."""

    def __init__(
        self,
        settings: CleanupSettings,
        desk: Desk,
        audit: Audit,
    ) -> None:
        """It is unable to do anything before it is told of a source."""
        self.kinds: Sequence[str] = listed(settings.kinds)
        self.per_minute = settings.per_minute
        self.action = f"POST {DISCONNECT.replace('{id}', '{conversationId}')}"
        self.unable: str | None = "This process has no source: ask one that listens."
        self.outcomes: Counter[Result] = Counter()
        """What came of it, how often."""
        self._source: Source | None = None
        self._intake: Reads | None = None
        self._desk = desk
        self._audit = audit
        self._one_by_one = asyncio.Lock()
        self._asked: dict[str, datetime] | None = None
        """The conversations of the last minute; None before it was read what there were."""

    def use(self, source: Source, intake: Reads) -> None:
        """Act through this process's source; `intake` takes what it reads."""
        self._source, self._intake, self.unable = source, intake, None
        if not isinstance(source, GenesysSource):
            self.unable = "This source cannot disconnect anything: that takes one of kind genesys."

    def zombies(self, conversation_ids: Iterable[str]) -> list[tuple[Conversation, Zombie]]:
        """Give what is stuck of these conversations."""
        get_open = self._desk.tracker.conversations.get_open
        found = (get_open(one) for one in conversation_ids)
        return [
            (conversation, zombie)
            for conversation in found
            if conversation is not None
            for zombie in zombies(conversation, self.kinds)
        ]

    async def left(self) -> int:
        """Say how many may be disconnected now. Raises `AuditError`."""
        return max(0, self.per_minute - len(await self._lately()))

    async def disconnect(
        self, conversation_id: str, seen: str, who: str, facts: dict[str, str]
    ) -> Outcome:
        """End one, if it is still as it was seen. Raises `AuditError` before anything was done."""
        async with self._one_by_one:
            result, why = await self._disconnect(conversation_id, seen, who, facts)
        self.outcomes[result] += 1
        log.info("cleanup", conversation=conversation_id, result=result, why=why)
        return Outcome(conversation_id=conversation_id, result=result, why=why)

    async def _disconnect(
        self, key: str, seen: str, who: str, facts: dict[str, str]
    ) -> tuple[Result, str]:
        source = self._source
        assert isinstance(source, GenesysSource)  # noqa: S101  # else nobody gets here
        hand = Hand(source.client)
        lately = await self._lately()
        why = self._let_be(key, seen, None)
        if why is None and key in lately:
            why = "the platform was asked to end it less than a minute ago"
        if why is not None:
            return "left_alone", why
        if len(lately) >= self.per_minute:
            return "over_limit", f"{self.per_minute} a minute are allowed by [cleanup] per_minute"
        try:
            picture = await self._look(source, hand, key)
        except (PlatformError, FrameError) as error:
            return "unread", str(error)
        if picture is None:
            return "left_alone", GONE
        why = self._let_be(key, seen, picture)
        if why is not None:
            return "left_alone", why
        try:
            await self._audit.note(who, DEED, key, **facts, result=self._case(key, picture))
        except AuditError:
            return "not_noted", "it cannot be noted who does this: see /readyz"
        # Whatever has come while that was written, has come in time.
        why = self._let_be(key, seen, picture)
        if why is not None:
            return await self._noted(key, who, facts, "left_alone", why)
        lately[key] = self._desk.clock.now()
        try:
            sure = await hand.disconnect(key)
        except PlatformError as error:
            if error.fault is PlatformFault.NOT_FOUND:
                return await self._noted(key, who, facts, "left_alone", GONE)
            return await self._noted(key, who, facts, "refused", str(error))
        if not sure:
            why = "the platform did not answer: it may have been done"
            return await self._noted(key, who, facts, "unknown", why)
        return await self._noted(key, who, facts, "disconnected", "")

    async def _look(self, source: GenesysSource, hand: Hand, key: str) -> Snapshot | None:
        """Read a conversation once more, and let the core know what it shows.

        Raises `PlatformError`, and `FrameError` for an answer that cannot be understood.
        """
        reading = await hand.read(key)
        if reading is None:
            return None
        intake = self._intake
        assert intake is not None  # noqa: S101  # whoever has a source has its intake
        queues = intake.read(reading)
        if queues:
            source.missed(queues)
        decoded = intake.decoder.decode(reading.body, reading.sent_at)
        return decoded if isinstance(decoded, Snapshot) else None

    def _let_be(self, key: str, seen: str, picture: Snapshot | None) -> str | None:
        tracker, now = self._desk.tracker, self._desk.clock.now()
        conversation = tracker.conversations.get_open(key)
        if conversation is not None and self._blind(conversation):
            return "the source is blind: what happens meanwhile would not be seen"
        if picture is not None and picture.read_at is not None and now - picture.read_at > FRESH:
            return "it took too long to read it again"
        return let_be(conversation, self.kinds, seen, picture, now)

    def _blind(self, conversation: Conversation) -> bool:
        queues = {callback.queue_id for callback in conversation.callbacks if callback.open}
        name = None if self._source is None else self._source.name
        gaps = self._desk.tracker.repair.ledger.open_gaps(name)
        return any(not gap.queues or None in queues or gap.queues & queues for gap in gaps)

    def _case(self, key: str, picture: Snapshot) -> str:
        """Say for the audit trail what is about to be ended, and why."""
        conversation = self._desk.tracker.conversations.get_open(key)
        assert conversation is not None  # noqa: S101  # it was found to be a zombie just now
        (zombie,) = zombies(conversation, self.kinds)
        callback = zombie.callback
        rules = ", ".join(alarm.rule for alarm in zombie.alarms)
        read_at = "" if picture.read_at is None else rfc3339(picture.read_at)
        return (
            f"{ABOUT_TO}{callback.id_in(key)} is {callback.state} since {rfc3339(callback.since)};"
            f" {rules}; read at {read_at}"
        )

    async def _noted(
        self, key: str, who: str, facts: dict[str, str], result: Result, why: str
    ) -> tuple[Result, str]:
        """Note what came of it."""
        try:
            said = f"{result}: {why}" if why else result
            await self._audit.note(who, DEED, key, **facts, result=said)
        except AuditError:
            return result, f"{why}; this could not be noted" if why else "this could not be noted"
        return result, why

    async def _lately(self) -> dict[str, datetime]:
        """Give the conversations of the last minute, and when each was to be ended."""
        if self._asked is None:
            deeds = await self._audit.deeds(None, DEEDS, _any)
            self._asked = {
                deed.subject: datetime.fromisoformat(deed.time)
                for deed in reversed(deeds)
                if deed.action == DEED and deed.result.startswith(ABOUT_TO)
            }
        now = self._desk.clock.now()
        for key, at in list(self._asked.items()):
            # A clock that was set back is no reason for more.
            if abs(now - at) >= MINUTE:
                del self._asked[key]
        return self._asked


def _any(_: Deed) -> bool:
    return True
