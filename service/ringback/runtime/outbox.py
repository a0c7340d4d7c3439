"""Tells one receiver of alerts: at least once, at its own pace, whatever becomes of the others.

What is to be told is taken from the journal and stored before the cursor moves on; a message is
stored before it is sent, and struck out once it has arrived. So after a crash at any point the
receiver is told all that it was not told yet, and of the rest at most the last message once more.
"""

import asyncio
import math
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from typing import NamedTuple

import structlog

from ringback.core.events import AlertData, rfc3339
from ringback.core.watch.messages import Message, Phase
from ringback.core.watch.notices import Notices
from ringback.errors import DeliveryError, DeliveryFault, PositionGone
from ringback.ports import Entry, Past, Receiver
from ringback.runtime.desk import Books
from ringback.wire.cloudevents import decode_known

__all__ = ["Outbox", "Patience"]

CHUNK = 500
PACE = 0.2
"""Seconds between two looks at the journal: most of it is not about alerts."""
LONGEST = 60.0
"""Seconds after which to look again, lest a clock that was set goes unnoticed."""
SHORTEST = 0.001
LONGEST_AFTER = 3600.0
"""A receiver that asks to be left alone for longer is asked again all the same."""
NOT_SENT = {DeliveryFault.UNREACHABLE, DeliveryFault.FORBIDDEN_TARGET, DeliveryFault.TLS}
"""Attempts that fail so have told nobody anything."""
ALERT = b'"type":"ringback.alert.'

log = structlog.get_logger(__name__)


class Patience(NamedTuple):
    """How a receiver that does not take a message is treated, in seconds."""

    first: float = 1.0
    """The first wait; each is twice as long as the one before, and up to half of it by chance."""
    most: float = 300.0
    give_up: float = 3600.0
    """From when a message was made until it is put aside."""


class Outbox:
    """One receiver. `hear` and `tell` are two tasks, so that neither waits for the other."""

    def __init__(
        self,
        name: str,
        receiver: Receiver,
        notices: Notices,
        *,
        past: Past,
        books: Books,
        patience: Patience,
        chance: random.Random,
        fires: Callable[[str], bool],
    ) -> None:
        """`fires` says whether an alert does, by its id."""
        self.name = name
        self.receiver = receiver
        self.notices = notices
        self.sent = 0
        """Messages that have arrived."""
        self.failures: Counter[DeliveryFault] = Counter()
        """Attempts that have failed, by why."""
        self.given_up = 0
        """Messages that were put aside."""
        self.problem: str | None = None
        """Why the last attempt failed; None if it did not."""
        self.failing_since: datetime | None = None
        self._reader = f"receiver {name}"
        self._past = past
        self._books = books
        self._patience = patience
        self._chance = chance
        self._fires = fires
        self._news = asyncio.Event()
        self._waits = self._doubling()
        """From one failure to the next attempt; it goes on over messages."""
        self._stopping = False
        self._idle = asyncio.Event()
        self._idle.set()

    def restore(self, rows: Iterable[tuple[str, bytes]]) -> None:
        """Take over what was stored, this receiver's and others' alike."""
        mine = [row for row in rows if row[0].startswith(self.notices.prefix)]
        self.notices.restore(mine, self._books.clock.now())

    def silences_changed(self) -> None:
        """Look again at what is silenced."""
        self.notices.recheck(self._books.clock.now())
        self._books.keep(self.notices.unsaved())
        self._news.set()

    def bury(self, number: int) -> bool:
        """Let a dead letter go; whether there was one."""
        found = self.notices.bury(number)
        self._books.keep(self.notices.unsaved())
        return found

    async def hear(self) -> None:
        """Take in what is told of alerts, until cancelled."""
        cursor = await self._books.cursor(self._reader)
        # To a new receiver only what still fires is news.
        past = self._books.position if cursor is None else 0
        cursor = cursor or 0
        await self._books.note_told(self._reader, cursor)
        while True:
            if cursor >= self._books.position:
                await self._books.advanced(cursor)
            upto = self._books.position
            try:
                entries = await self._past.read(cursor, CHUNK)
            except PositionGone as gone:
                self._fell_behind(cursor, gone)
                cursor = gone.oldest - 1
                continue
            self._take(entries, past)
            # Positions may leave some out: where no entry is, there is nothing to wait for.
            cursor = entries[-1].position if entries else upto
            # Without a pause before the cursor is noted: both go into one commit.
            self._books.keep(self.notices.unsaved())
            await self._books.note_told(self._reader, cursor)
            if len(entries) < CHUNK:
                await asyncio.sleep(PACE)

    async def tell(self) -> None:
        """Send what is due, until cancelled."""
        refresh_at = self._next_refresh(0.0)
        while True:
            self._news.clear()
            now = self._books.clock.now()
            message = self.notices.message or self.notices.compose(now)
            if message is not None:
                await self._deliver(message)
            elif asyncio.get_running_loop().time() >= refresh_at:
                error = await self._attempt(self._refresh)
                refresh_at = self._next_refresh(0.25 if error else 1.0)
            else:
                await self._rest(refresh_at, now)

    async def drain(self) -> None:
        """Begin nothing more, and wait for what is under way."""
        self._stopping = True
        self._news.set()
        await self._idle.wait()

    def _take(self, entries: Sequence[Entry], past: int) -> None:
        now = self._books.clock.now()
        for entry in entries:
            event = decode_known(entry.body) if ALERT in entry.body else None
            if event is not None and isinstance(event.data, AlertData):
                phase = Phase(event.type.split(".")[2])
                self.notices.take(phase, event.data, event.time, now, past=entry.position <= past)
                self._news.set()

    def _fell_behind(self, cursor: int, gone: PositionGone) -> None:
        """Part of what was told is not kept any more: compare with what is."""
        now = self._books.clock.now()
        if cursor:
            log.warning("reader_fell_behind", reader=self._reader, after=cursor, oldest=gone.oldest)
        self.notices.forget_unless(self._fires, rfc3339(now), now)
        self._news.set()

    async def _deliver(self, message: Message) -> None:
        """Send one message until it has arrived or is given up."""
        await self._stored()
        tries = 0
        while True:
            tries += 1
            began = self._books.clock.now()
            error = await self._attempt(lambda: self.receiver.deliver(message))
            now = self._books.clock.now()
            if tries > 1 and (error is None or error.fault not in NOT_SENT):
                self.notices.tried(began)
            if error is None:
                self.sent += 1
                self._waits = self._doubling()
                self.notices.delivered(now)
                self._books.keep(self.notices.unsaved())
                return
            if error.fault is DeliveryFault.REFUSED:
                self._give_up(error, tries, now, again=False)
                return
            given_up = (now - message.made_at).total_seconds() >= self._patience.give_up
            if given_up:
                self._give_up(error, tries, now, again=True)
            free = (self.notices.may_try_at() - now).total_seconds()
            await asyncio.sleep(max(next(self._waits), min(error.after, LONGEST_AFTER), free))
            if given_up:
                return

    async def _attempt(self, send: Callable[[], Awaitable[None]]) -> DeliveryError | None:
        """Try once; give what went wrong. Whatever that is, it is this receiver's trouble alone."""
        if self._stopping:
            await asyncio.Event().wait()
        self._idle.clear()
        problem: DeliveryError | None = None
        try:
            await send()
        except DeliveryError as error:
            problem = error
        except Exception as error:
            log.exception("receiver_broken", receiver=self.name)
            said = f"Ringback failed to say it ({type(error).__name__}): report that"
            problem = DeliveryError(DeliveryFault.REFUSED, said)
        finally:
            self._idle.set()
        self._note(problem)
        return problem

    def _note(self, error: DeliveryError | None) -> None:
        if error is None:
            if self.failing_since is not None:
                log.info("receiver_takes_again", receiver=self.name)
            self.failing_since = self.problem = None
            return
        self.failures[error.fault] += 1
        if self.failing_since is None or error.problem != self.problem:
            log.warning("receiver_fails", receiver=self.name, problem=error.problem)
        self.failing_since = self.failing_since or self._books.clock.now()
        self.problem = error.problem

    def _give_up(self, error: DeliveryError, tries: int, now: datetime, *, again: bool) -> None:
        dead = self.notices.give_up(error.problem, tries, now, again=again)
        self.given_up += 1
        self._books.keep(self.notices.unsaved())
        log.error(
            "message_given_up",
            receiver=self.name,
            message=dead.message.number,
            alerts=len(dead.message.items),
            tries=tries,
            problem=error.problem,
        )

    async def _stored(self) -> None:
        """Wait until all that was decided on is stored."""
        self._books.keep(self.notices.unsaved())
        await self._books.committed()

    async def _refresh(self) -> None:
        if items := list(self.notices.open()):
            await self.receiver.refresh(items)

    def _next_refresh(self, part: float = 1.0) -> float:
        every = self.receiver.refresh_seconds
        return math.inf if every is None else asyncio.get_running_loop().time() + part * every

    async def _rest(self, refresh_at: float, now: datetime) -> None:
        """Wait for news, or until something is due."""
        delay = min(LONGEST, refresh_at - asyncio.get_running_loop().time())
        due = self.notices.next_at()
        if due is not None:
            delay = min(delay, (due - now).total_seconds())
        with suppress(TimeoutError):
            async with asyncio.timeout(max(SHORTEST, delay)):
                await self._news.wait()

    def _doubling(self) -> Iterator[float]:
        ceiling = self._patience.first
        while True:
            yield self._chance.uniform(ceiling / 2, ceiling)
            ceiling = min(ceiling * 2, self._patience.most)
