"""Leases within one process, for tests in virtual time: what holds in them holds for an engine."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from datetime import UTC, datetime, timedelta

from msgspec.structs import replace

from ringback.errors import StoreError
from ringback.ports import Claim
from ringback.wire.members import former_seconds

__all__ = ["LeaseTable", "MemoryLeases"]

NAME = "memory"
BEGIN = datetime(2000, 1, 1, tzinfo=UTC)
"""The engine's clock as the loop's begins."""
A_MOMENT = 0.001
"""Seconds: an instant is in whole microseconds, and so may lie before what it was made from."""


class LeaseTable:
    """What an engine knows: who holds what, and until when."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self._claims: dict[str, tuple[MemoryLeases, Claim]] = {}
        self._timers: dict[str, list[asyncio.TimerHandle]] = {}
        self._revision = 0
        self._lives = 0
        self._news = asyncio.Event()

    def leases(self, holder: str) -> "MemoryLeases":
        """Give a member its own; a second time, its next life's."""
        return MemoryLeases(self, holder)

    def begin_life(self, holder: str) -> str:
        """Name another life of a member."""
        self._lives += 1
        return f"{holder}, {self._lives}"

    def holder(self, name: str) -> str | None:
        """Say who holds a name."""
        found = self._claims.get(name)
        return None if found is None else found[1].holder

    def find(self, name: str) -> "tuple[MemoryLeases, Claim] | None":
        """Give who holds a name, and its claim."""
        return self._claims.get(name)

    def seen_by(self, member: "MemoryLeases") -> Mapping[str, Claim]:
        """Give all claims as a member sees them; what its former life has left behind is free."""
        left = [name for name in self._claims if self._left_behind(name, member)]
        for name in left:
            self.remove(name)
        return {
            name: replace(one, mine=holder is member)
            for name, (holder, one) in self._claims.items()
        }

    def write(self, member: "MemoryLeases", name: str, said: bytes, *, left: bool = False) -> Claim:
        """Have a member hold a name from now on."""
        loop = asyncio.get_running_loop()
        self._revision += 1
        now = BEGIN + timedelta(seconds=loop.time())
        claim = Claim(
            name,
            member.holder,
            member.life,
            mine=True,
            revision=self._revision,
            renewed=now,
            said=said,
            left=left,
        )
        before = self._claims.get(name)
        self._claims[name] = (member, claim)
        self._stop_timers(name)
        self._timers[name] = [
            loop.call_later(former_seconds(name) + A_MOMENT, self.tell),
            loop.call_later(self.seconds, self.remove, name),
        ]
        if before is None or before[0] is not member or before[1].said != said:
            self.tell()
        return claim

    def find_former(self, member: "MemoryLeases") -> None:
        """Note what a former life of a member holds, once: from now on that counts as its age."""
        for name, (holder, claim) in list(self._claims.items()):
            if self._is_formers(name, member) and not claim.left:
                self.write(holder, name, claim.said, left=True)

    def _left_behind(self, name: str, member: "MemoryLeases") -> bool:
        """Whether a former life of a member held it, which has long been found."""
        _, claim = self._claims[name]
        age = asyncio.get_running_loop().time() - (claim.renewed - BEGIN).total_seconds()
        return self._is_formers(name, member) and claim.left and age >= former_seconds(name)

    def _is_formers(self, name: str, member: "MemoryLeases") -> bool:
        """Whether a former life of a member holds it, for longer than its next need wait."""
        holder, claim = self._claims[name]
        is_one = claim.holder == member.holder and holder is not member
        return is_one and former_seconds(name) < self.seconds

    def remove(self, name: str) -> None:
        """Have nobody hold it."""
        if self._claims.pop(name, None) is not None:
            self._stop_timers(name)
            self.tell()

    def tell(self) -> None:
        """Wake those who watch."""
        self._news.set()
        self._news = asyncio.Event()

    @property
    def news(self) -> asyncio.Event:
        """Set at the next change."""
        return self._news

    def _stop_timers(self, name: str) -> None:
        for timer in self._timers.pop(name, ()):
            timer.cancel()


class MemoryLeases:
    """One member's access; `cut` stands for an engine that it cannot reach."""

    def __init__(self, table: LeaseTable, holder: str) -> None:
        self.holder = holder
        self.life = table.begin_life(holder)
        self.seconds = table.seconds
        self._table = table
        self._cut = False

    @property
    def cut(self) -> bool:
        """Whether the engine cannot be reached."""
        return self._cut

    @cut.setter
    def cut(self, cut: bool) -> None:
        self._cut = cut
        self._table.tell()

    async def claim(self, name: str, said: bytes = b"") -> Claim | None:
        """Hold a name; None when another does."""
        await self._reach()
        found = self._table.find(name)
        if found is not None and found[0] is not self:
            return None
        return self._table.write(self, name, said)

    async def renew(self, claim: Claim, said: bytes | None = None) -> Claim | None:
        """Hold it for longer; None when it is not held any more."""
        await self._reach()
        if not self._holds(claim):
            return None
        return self._table.write(self, claim.name, claim.said if said is None else said)

    async def release(self, claim: Claim) -> None:
        """Let others have it."""
        await self._reach()
        if self._holds(claim):
            self._table.remove(claim.name)

    async def watch(self) -> AsyncGenerator[Mapping[str, Claim], None]:
        """Give all claims, at once and with every change."""
        await self._reach()
        self._table.find_former(self)
        while True:
            news = self._table.news
            await self._reach()
            yield self._table.seen_by(self)
            await news.wait()

    def _holds(self, claim: Claim) -> bool:
        found = self._table.find(claim.name)
        return found is not None and found[0] is self

    async def _reach(self) -> None:
        await asyncio.sleep(0)  # noqa: TID251  # an engine answers no sooner
        if self._cut:
            raise StoreError(NAME, "the engine cannot be reached", "it is tried again")
