"""Alerts as events, and receivers that remember what they are told."""

import asyncio
import random
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any, Self

import msgspec

from ringback.core.changes import Change
from ringback.core.events import AlertData, Event, rfc3339
from ringback.core.watch.messages import Item, Message, Phase
from ringback.core.watch.notices import Limits, Notices
from ringback.errors import DeliveryError
from ringback.ports import Past, Receiver
from ringback.runtime.desk import Books
from ringback.runtime.outbox import Outbox, Patience
from ringback.runtime.pipeline import Pipeline
from ringback.stores.memory import MemoryStore
from support.callbacks import START
from support.runtime import LoopClock, make_pipeline, settled

__all__ = ["Crew", "Friend", "Post", "World", "alert_event", "an_alert", "restarted"]


def an_alert(
    number: int = 1, rule: str = "due_not_released", queue: str | None = "q-1", **more: Any
) -> AlertData:
    """Make the data of an alert on callback `c-<number>`."""
    known: dict[str, Any] = {
        "alert_id": f"c-{number}/{rule}/1",
        "rule": rule,
        "callback_id": f"c-{number}",
        "conversation_id": f"c-{number}",
        "state": "scheduled",
        "state_since": rfc3339(START),
        "since": rfc3339(START),
        "summary": "due, and not released into the queue",
        "observed_time": rfc3339(START),
    }
    if queue is not None:
        known["queue_id"] = queue
    return AlertData(**known | more)


def alert_event(phase: Phase, data: AlertData, at: datetime) -> Event:
    """Make the event of what has become of an alert."""
    return Event(
        id=f"{data.alert_id}/{phase.value}",
        type=f"ringback.alert.{phase.value}.v1",
        subject=data.callback_id or "",
        time=rfc3339(at),
        data=data,
        partition=data.conversation_id or "",
    )


class World:
    """What a receiver knows, who believes all that it is told, and keeps count of it."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.open: dict[str, Phase] = {}
        self.heard: list[tuple[str, Phase]] = []
        """Every alert of every message that was new, with what it said."""
        self.incidents: dict[str, str] = {}
        self._seen: dict[int, bytes] = {}

    def has(self, message: Message) -> bool:
        """Whether this message was told."""
        return message.number in self._seen

    def take(self, message: Message) -> None:
        """Be told."""
        packed = msgspec.json.encode(message)
        again = message.number in self._seen
        assert not again or self._seen[message.number] == packed
        self._seen[message.number] = packed
        self.messages.append(message)
        if again:
            return
        for item in message.items:
            key = item.alert.alert_id
            assert item.first is (key not in self.open), (key, item)
            self.heard.append((key, item.phase))
            if item.phase is Phase.RESOLVED:
                self.open.pop(key, None)
            else:
                self.open[key] = item.phase
        if message.opens is not None:
            assert message.opens not in self.incidents
            self.incidents[message.opens] = "open"
        for incident in message.acknowledges:
            assert incident in self.incidents
            self.incidents[incident] = "acknowledged"
        for incident in message.closes:
            del self.incidents[incident]


class Friend:
    """A receiver that takes messages, or fails as it is told to."""

    def __init__(self, *trouble: DeliveryError | Exception) -> None:
        self.world = World()
        self.trouble = list(trouble)
        """What goes wrong, attempt by attempt; then nothing does."""
        self.refresh_seconds: float | None = None
        self.refreshed: list[list[str]] = []
        self.tries = 0
        self.closed = False

    async def deliver(self, message: Message) -> None:
        """Take a message."""
        self.tries += 1
        if self.trouble:
            raise self.trouble.pop(0)
        self.world.take(message)

    async def refresh(self, items: Iterable[Item]) -> None:
        """Be told what still fires."""
        if self.trouble:
            raise self.trouble.pop(0)
        self.refreshed.append(sorted(item.alert.alert_id for item in items))

    async def close(self) -> None:
        """Note that nothing more will come."""
        self.closed = True


def restarted(notices: Notices, rows: dict[str, bytes], now: datetime) -> Notices:
    """Give what a process knows that comes after one that was killed."""
    fresh = Notices("ops", notices._limits, notices._wanted, notices._silent)
    fresh.restore(rows.items(), now)
    return fresh


class Crew:
    """All receivers of a process, which is one."""

    def __init__(self, friend: Receiver, past: Past, books: Books, limits: Limits) -> None:
        self.outboxes = [
            Outbox(
                "ops",
                friend,
                Notices("ops", limits),
                past=past,
                books=books,
                patience=Patience(),
                chance=random.Random(1),
                fires=lambda _: True,
            )
        ]

    async def close(self) -> None:
        """Hold nothing."""


NAMES = ("ops", "night", "desk", "chat", "mail", "wall")


class Post:
    """An outbox at work in virtual time, on a store that outlives it."""

    def __init__(self, *friends: Receiver, limits: Limits | None = None, **more: Any) -> None:
        self.friends = friends
        self.store = MemoryStore(timedelta(days=7))
        self.clock = LoopClock()
        self.limits = limits or Limits()
        self.fires: Callable[[str], bool] = lambda _: True
        self.patience = Patience(**more)
        self.silences: list[tuple[str, datetime]] = []
        """Callbacks that are silenced, and until when."""
        self.pipeline: Pipeline
        self.outboxes: list[Outbox] = []
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Start a process that knows what is stored."""
        self.pipeline = make_pipeline(self.store, self.clock)
        self.pipeline.position = await self.store.position()
        rows = [
            (row.conversation_id, row.state)
            async for chunk in self.store.load()
            for row in chunk
            if row.state is not None
        ]
        self.outboxes = [
            Outbox(
                name,
                friend,
                Notices(name, self.limits, silent=self._until),
                past=self.store,
                books=self.pipeline,
                patience=self.patience,
                chance=random.Random(1),
                fires=self.fires,
            )
            for name, friend in zip(NAMES, self.friends, strict=False)
        ]
        work = [self.pipeline.commit_forever()]
        for outbox in self.outboxes:
            outbox.restore(rows)
            work += [outbox.hear(), outbox.tell()]
        self._tasks = [asyncio.create_task(each) for each in work]
        await settled()

    async def kill(self) -> None:
        """End it at once, whatever is not stored."""
        for task in self._tasks:
            task.cancel()
        for ended in await asyncio.gather(*self._tasks, return_exceptions=True):
            if isinstance(ended, Exception):
                raise ended
        self._tasks = []

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.kill()

    @property
    def outbox(self) -> Outbox:
        """The first one's."""
        return self.outboxes[0]

    async def say(self, phase: Phase, *alerts: AlertData) -> None:
        """Let something become of alerts."""
        events = [alert_event(phase, alert, self.clock.now()) for alert in alerts]
        self.pipeline.take(Change("c", b"", None, events))
        await asyncio.sleep(0.01)

    def _until(self, alert: AlertData, now: datetime) -> datetime | None:
        ends = [until for key, until in self.silences if key == alert.callback_id and until > now]
        return max(ends, default=None)
