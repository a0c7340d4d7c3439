"""`ringback top` without a terminal and without a daemon: both do what the test says."""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime, timedelta
from typing import Any, Self

import msgspec
import pytest
from textual.pilot import Pilot

from ringback.errors import DaemonError, DaemonFault
from ringback.terminal.answers import (
    Alert,
    Alerts,
    Beat,
    Callbacks,
    EventData,
    Row,
    Session,
    Source,
    Sources,
    ToldEvent,
)
from ringback.terminal.client import Client
from ringback.terminal.clock import DaemonClock
from ringback.terminal.stream import Message, Reset, Told
from ringback.terminal.top.app import Top
from support.terminal import NOW, QUEUE, rich_life

__all__ = ["Scripted", "alert_of", "gone", "numbered", "screen", "topping", "until"]

SECOND = timedelta(seconds=1)
SHOWN = 20.0
"""Seconds after which what should stand on the screen will not."""


def gone() -> DaemonError:
    """Give what a connection says that breaks."""
    return DaemonError(DaemonFault.UNREACHABLE, "the connection broke", "try again")


def numbered(number: int, state: str = "waiting", age: float = 0, **facts: Any) -> Row:
    """Give the row of a callback with a number."""
    id_ = f"{number:08x}-0000-4000-8000-000000000000"
    known: dict[str, Any] = {"queue_id": QUEUE, "clock": "cloud", "sequence": 1}
    since = NOW - (age or number) * SECOND
    return Row(callback_id=id_, conversation_id=id_, state=state, since=since, **(known | facts))


def alert_of(row: Row, rule: str = "connected_not_dialled", **facts: Any) -> Alert:
    """Give an alert of a callback."""
    known: dict[str, Any] = {
        "summary": "an agent has accepted, nothing is dialled",
        "since": NOW - 90 * SECOND,
        "queue_id": row.queue_id,
    }
    return Alert(
        alert_id=f"{row.callback_id}/{rule}/1",
        rule=rule,
        callback_id=row.callback_id,
        conversation_id=row.conversation_id,
        **(known | facts),
    )


class Scripted(Client):
    """A daemon that knows what it is given, and tells what the test says."""

    def __init__(self, rows: Sequence[Row] = (), alerts: Sequence[Alert] = ()) -> None:
        super().__init__("http://127.0.0.1:8080")
        self.rows = list(rows)
        self.firing = list(alerts)
        self.heard = [Source(name="main", hears=True)]
        self.position = 1
        self.failing: DaemonError | None = None
        """What every question fails with, while that is set."""
        self.snapshots = 0
        self.followed_from = list[int]()
        self.acknowledged = list[str]()
        self.silenced = list[tuple[Mapping[str, str], datetime, str]]()
        self.lives = dict[str, dict[str, Any]]()
        self._feed = asyncio.Queue[list[Message] | DaemonError]()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        return

    # What the test says

    def tell(self, *messages: Message) -> None:
        """Have the feed tell something, all of it at once."""
        self._feed.put_nowait(list(messages))

    def enter(self, row: Row, state: str, *, at: datetime = NOW, **facts: Any) -> None:
        """Have it tell that a callback enters a state."""
        self.tell(self.told(row, f"callback.{state}", at=at, state=state, **facts))

    def told(self, row: Row, kind: str, *, at: datetime = NOW, **facts: Any) -> Told:
        """Make what it tells of a callback; its sequence grows."""
        self.position += 1
        sequence = facts.pop("sequence", row.sequence + 1)
        known: dict[str, Any] = {
            "callback_id": row.callback_id,
            "conversation_id": row.conversation_id,
            "state": row.state,
            "queue_id": row.queue_id,
            "user_id": row.user_id,
        }
        event = ToldEvent(
            type=f"ringback.{kind}.v1",
            time=at,
            sequence=sequence,
            data=EventData(**(known | facts)),
        )
        return Told(self.position, event)

    def beat(self, position: int | None = None, *sources: Source) -> None:
        """Have the feed's heart beat."""
        at = self.position if position is None else position
        self.tell(Beat(position=at, now=NOW, sources=list(sources)))

    def reset(self) -> None:
        """Have the feed ask for a new snapshot."""
        self.tell(Reset("it is gone"))

    def go_away(self) -> None:
        """Break the feed, and answer nothing."""
        self.failing = gone()
        self._feed.put_nowait(gone())

    def come_back(self) -> None:
        """Answer again."""
        self.failing = None

    # What it answers

    async def session(self) -> Session:
        self._may_fail()
        return Session(
            position=self.position, now=NOW, role="operator", org="acme", queues={QUEUE: "Support"}
        )

    async def sources(self) -> Sources:
        self._may_fail()
        return Sources(position=self.position, now=NOW, sources=self.heard)

    async def alerts(self) -> Alerts:
        self._may_fail()
        return Alerts(position=self.position, now=NOW, alerts=self.firing)

    async def callbacks(self) -> Callbacks:
        self._may_fail()
        self.snapshots += 1
        return Callbacks(position=self.position, now=NOW, callbacks=self.rows)

    async def life_text(self, callback_id: str) -> bytes:
        self._may_fail()
        return msgspec.json.encode(self.lives.get(callback_id, rich_life()))

    async def acknowledge(self, alert_id: str) -> None:
        self._may_fail()
        self.acknowledged.append(alert_id)

    async def silence(self, matchers: Mapping[str, str], until: datetime, comment: str) -> None:
        self._may_fail()
        self.silenced.append((matchers, until, comment))
        rule = matchers["rule"]
        self.firing = [
            msgspec.structs.replace(alert, silenced_until=until) if alert.rule == rule else alert
            for alert in self.firing
        ]

    async def follow(self, position: int) -> AsyncGenerator[list[Message], None]:
        self._may_fail()
        self.followed_from.append(position)
        while True:
            said = await self._feed.get()
            if isinstance(said, DaemonError):
                raise said
            yield said

    def _may_fail(self) -> None:
        if self.failing is not None:
            raise self.failing


@asynccontextmanager
async def topping(
    client: Scripted, *, width: int = 100, height: int = 24
) -> AsyncIterator[tuple[Top, Pilot[DaemonError]]]:
    """Run it without a terminal, in Greenwich, at a time that stands still."""
    with pytest.MonkeyPatch.context() as patch, _greenwich():
        patch.setattr(DaemonClock, "now", lambda _: NOW)
        top = Top(client)
        async with top.run_test(size=(width, height), notifications=True) as pilot:
            await until(pilot, lambda: client.failing or "Connecting" not in screen(top))
            yield top, pilot


@contextmanager
def _greenwich() -> Iterator[None]:
    """Have local times be those of Greenwich."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "UTC")
        time.tzset()
        yield
    time.tzset()


async def until(pilot: Pilot[DaemonError], seen: Callable[[], object]) -> None:
    """Wait until something is seen."""
    async with asyncio.timeout(SHOWN):
        while True:
            pilot.app.call_later(pilot.app.paint)  # type: ignore[attr-defined]  # of `Top`
            await pilot.pause()
            if seen():
                return


def screen(top: Top) -> str:
    """Give what stands on the screen."""
    strips = top.screen._compositor.render_strips()
    return "".join(f"{strip.text.rstrip()}\n" for strip in strips)
