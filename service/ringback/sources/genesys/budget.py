"""Keeps to the number of requests a minute that the platform allows, the urgent ones first."""

import asyncio
import heapq
from collections import Counter, deque
from enum import IntEnum

from ringback.errors import PlatformError, PlatformFault

__all__ = ["WINDOW_SECONDS", "Budget", "Urgency"]

WINDOW_SECONDS = 60.0
MOST_WAITING = 10_000


class Urgency(IntEnum):
    """Who goes first."""

    CHANNEL = 0
    """Keeps the feed alive."""
    REPAIR = 1
    """Single reads after a gap."""
    SURVEY = 2
    """Bulk reads."""
    ROUTINE = 3
    """What can wait: queues and their settings."""


SHARES = {
    Urgency.CHANNEL: 1.0,
    Urgency.REPAIR: 0.95,
    Urgency.SURVEY: 0.8,
    Urgency.ROUTINE: 0.6,
}
"""How much of the window may be spent when one of this urgency goes; the rest is kept for those
before it."""


class Budget:
    """A sliding window of one minute. Among those of one urgency the first to come is the first.

    Seconds are those of the running loop. One timer waits, whoever many do. `spent` counts requests
    let through by urgency; `waited` those that had to wait.
    """

    def __init__(self, per_minute: int, most_waiting: int = MOST_WAITING) -> None:
        self.per_minute = per_minute
        """As many as are allowed at present."""
        self._most = per_minute
        self.spent: Counter[Urgency] = Counter()
        self.waited = 0
        self._most_waiting = most_waiting
        self._window: deque[float] = deque()
        self._waiting: list[tuple[Urgency, int, asyncio.Future[float]]] = []
        self._abandoned = 0
        self._arrivals = 0
        self._paused_until = 0.0
        self._timer: asyncio.TimerHandle | None = None

    @property
    def wanted(self) -> int:
        """Give the most that there can be: how many requests will be needed, nobody knows."""
        return self._most

    @property
    def used(self) -> int:
        """Count the requests of the last minute."""
        self._slide(asyncio.get_running_loop().time())
        return len(self._window)

    def allow(self, amount: int) -> None:
        """Let no more than so many go in a minute, from now on."""
        self.per_minute = amount
        self._serve()

    @property
    def waiting(self) -> int:
        """How many wait now."""
        return len(self._waiting) - self._abandoned

    def left(self, urgency: Urgency = Urgency.CHANNEL) -> int:
        """Say how many requests of this urgency could go at once."""
        now = asyncio.get_running_loop().time()
        self._slide(now)
        if now < self._paused_until:
            return 0
        return max(0, self._limit(urgency) - len(self._window))

    async def take(self, urgency: Urgency, request: str = "a request") -> None:
        """Wait until one more request may be sent, and count it as sent.

        Raises `PlatformError` when too many wait already.
        """
        loop = asyncio.get_running_loop()
        if not self._waits_before(urgency) and self.left(urgency):
            self._spend(urgency, loop.time())
            return
        if self.waiting >= self._most_waiting:
            raise PlatformError(
                PlatformFault.THROTTLED,
                request,
                f"{self.waiting} requests wait already for their turn",
                "give the client a higher limit and say so in [genesys] requests_per_minute, or"
                " follow fewer queues",
            )
        self.waited += 1
        self._arrivals += 1
        turn = loop.create_future()
        heapq.heappush(self._waiting, (urgency, self._arrivals, turn))
        self._serve()
        try:
            await turn
        except asyncio.CancelledError:
            self._give_back(urgency, turn)
            raise

    def pause(self, seconds: float) -> None:
        """Let nobody go for so long: the platform has said that it is too much."""
        now = asyncio.get_running_loop().time()
        self._paused_until = max(self._paused_until, now + seconds)
        self._serve()

    def _limit(self, urgency: Urgency) -> int:
        return max(min(1, self.per_minute), int(self.per_minute * SHARES[urgency]))

    def _spend(self, urgency: Urgency, now: float) -> None:
        self._window.append(now)
        self.spent[urgency] += 1

    def _slide(self, now: float) -> None:
        while self._window and self._window[0] + WINDOW_SECONDS <= now:
            self._window.popleft()

    def _waits_before(self, urgency: Urgency) -> bool:
        self._forget_abandoned()
        return bool(self._waiting) and self._waiting[0][0] <= urgency

    def _forget_abandoned(self) -> None:
        while self._waiting and self._waiting[0][2].done():
            heapq.heappop(self._waiting)
            self._abandoned = max(0, self._abandoned - 1)

    def _give_back(self, urgency: Urgency, turn: "asyncio.Future[float]") -> None:
        """Undo a wait that was broken off, before or just after its turn came."""
        if turn.cancelled():
            self._abandoned += 1
            if self._abandoned * 2 > len(self._waiting):
                self._waiting = [each for each in self._waiting if not each[2].done()]
                heapq.heapify(self._waiting)
                self._abandoned = 0
        elif turn.result() in self._window:
            self._window.remove(turn.result())
            self.spent[urgency] -= 1
        self._serve()

    def _serve(self) -> None:
        """Let go whoever may, and wake again when the next one may."""
        loop = asyncio.get_running_loop()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._forget_abandoned()
        while self._waiting:
            now = loop.time()
            urgency, _, turn = self._waiting[0]
            if not self.per_minute:
                return
            if not self.left(urgency):
                self._timer = loop.call_at(self._next(urgency, now), self._serve)
                return
            heapq.heappop(self._waiting)
            self._spend(urgency, now)
            turn.set_result(now)
            self._forget_abandoned()

    def _next(self, urgency: Urgency, now: float) -> float:
        """Say when one of this urgency may go at the earliest."""
        excess = len(self._window) - self._limit(urgency)
        freed = self._window[excess] + WINDOW_SECONDS if excess >= 0 else now
        return max(freed, self._paused_until)
