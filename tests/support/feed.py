"""A journal that grows as a test wishes, and what its readers get."""

import asyncio
from datetime import timedelta
from typing import Any

from msgspec import UNSET

from ringback.core.events import AlertData, CallbackData, ClockUsed, Event, SourceData, rfc3339
from ringback.ports import Batch
from ringback.stores.memory import MemoryStore
from ringback.wire.cloudevents import Encoder
from support.callbacks import at

__all__ = ["GrowingJournal", "alert_told", "callback_told", "source_told"]

_encode = Encoder("acme").encode


def callback_told(
    name: str = "c-1", state: str = "waiting", sequence: int = 1, kind: str = "", **said: Any
) -> bytes:
    """Give the body of one event of a callback."""
    facts: dict[str, Any] = {"offers": 0, "hold_seconds": 0.0, "wait_seconds": 0.0} | said
    data = CallbackData(
        callback_id=name,
        conversation_id=name,
        state=state,
        cause="notification",
        clock=ClockUsed("observer"),
        observed_time=rfc3339(at(sequence)),
        **facts,
    )
    kind = f"ringback.callback.{kind or state}.v1"
    return _encode(
        Event(f"{name}/{sequence}", kind, name, rfc3339(at(sequence)), data, name, sequence)
    )


def alert_told(name: str = "c-1", kind: str = "firing", **said: Any) -> bytes:
    """Give the body of one event of an alert."""
    alert_id = f"{name}/late/1"
    data = AlertData(
        alert_id=alert_id,
        rule="late",
        callback_id=name,
        conversation_id=name,
        state="scheduled",
        state_since=rfc3339(at(0)),
        since=rfc3339(at(60)),
        summary="It is late.",
        observed_time=rfc3339(at(60)),
        **said,
    )
    kind_in_full = f"ringback.alert.{kind}.v1"
    return _encode(Event(f"{alert_id}/{kind}", kind_in_full, name, rfc3339(at(60)), data, name))


def source_told(kind: str = "connected") -> bytes:
    """Give the body of one event of a source."""
    data = SourceData(source_name="main", cause=UNSET, observed_time=rfc3339(at(0)))
    return _encode(
        Event(f"main/{kind}", f"ringback.source.{kind}.v1", "main", rfc3339(at(0)), data, "main")
    )


class GrowingJournal:
    """A store in memory, and who waits for it."""

    def __init__(self, keep: timedelta = timedelta(hours=1)) -> None:
        self.store = MemoryStore(keep)
        self.position = 0
        self.seconds = 0.0
        """Of the test's clock: when what is appended is told."""
        self._advanced = asyncio.Condition()

    async def append(self, *bodies: bytes) -> None:
        """Commit some entries."""
        batch = Batch({}, list(bodies), {})
        async with self._advanced:
            self.position = await self.store.commit(batch, at(self.seconds))
            self._advanced.notify_all()

    async def forget(self) -> None:
        """Let retention pass for all that is there."""
        self.seconds += 7200
        await self.store.prune(at(self.seconds))

    async def advanced(self, after: int) -> None:
        """Wait until the committed position is beyond another."""
        async with self._advanced:
            await self._advanced.wait_for(lambda: self.position > after)
