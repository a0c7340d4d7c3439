"""What this member has of the names that members share: claimed, renewed, handed over, lost.

A member keeps a key with its name as a sign of life. From who lives and who holds what follows,
by `core.ownership`, what it should claim and what it should hand over.

**A lease is a hint.** While the engine is away nobody learns who holds what: nothing is claimed and
nothing handed over, and work goes on. It can do no harm, since all that it stores is fenced by the
engine, and to begin anew costs a load of everything. As soon as the engine answers, a lease that
has run out meanwhile is claimed again; only if another has it by now the work ends, at once. So
that this does not depend on who is first, nobody claims what was another's for a while after that.
Where work has effects that the engine does not fence, as a request to the platform, its duty says
after how many seconds without a renewal it has to end by itself: `lapse`.

Time is the loop's, so the wall clock may be set as it likes. A process that was stopped for a while
finds out with its next renewal, or is fenced before.
"""

import asyncio
from collections import Counter
from collections.abc import Collection, Coroutine, Mapping, Sequence
from math import inf
from typing import Literal

import structlog

from ringback.core.ownership import wish
from ringback.errors import RingbackError, StoreError
from ringback.ports import Claim, Leases
from ringback.runtime.cluster.duties import Duty
from ringback.runtime.cluster.presence import Presence
from ringback.wire.members import MEMBER, Member

__all__ = ["Ownership"]

log = structlog.get_logger(__name__)

MOST_AGAIN_SECONDS = 10.0
"""After which it is tried again what could not be begun; after a lease, if that is shorter."""
STRANGER = ""
"""Whoever holds something and does not take part, a member's former life among them."""


class _Held:
    """A name that is held, and where its work stands."""

    def __init__(self, duty: Duty, claim: Claim, confirmed_at: float) -> None:
        self.duty = duty
        self.claim = claim
        self.confirmed_at = confirmed_at
        """When the last renewal was sent that was answered."""
        self.state: Literal["taking", "working", "giving", "lost"] = "taking"
        self.begun = False
        """Whether there is something to end."""
        self.task: asyncio.Task[None] | None = None


class Ownership:
    """One member's part in all duties of one bucket. Counters only grow."""

    def __init__(self, leases: Leases, member: Member, duties: Sequence[Duty]) -> None:
        self.takeovers: Counter[str] = Counter()
        """Names that were taken, by role; as are the next two."""
        self.hand_overs: Counter[str] = Counter()
        self.losses: Counter[str] = Counter()
        self._leases = leases
        self._duties = duties
        self._presence = Presence(leases, member, self._heed)
        self._held: dict[str, _Held] = {}
        self._claiming: set[str] = set()
        self._not_before: dict[str, float] = {}
        self._news = asyncio.Event()
        self._tasks = asyncio.TaskGroup()
        self._leaving = asyncio.Event()

    # How it is

    @property
    def problem(self) -> str | None:
        """What keeps it from taking its part, and what to do; None if nothing does."""
        return self._presence.problem

    @property
    def roles(self) -> Sequence[str]:
        """Those of its duties."""
        return list(dict.fromkeys(duty.role for duty in self._duties))

    def holds(self, name: str) -> bool:
        """Whether a name is held here, as far as is known."""
        return name in self._held

    def owned(self, role: str) -> list[str]:
        """Give the names of a role whose work is done here."""
        return [name for name, one in self._held.items() if one.duty.role == role]

    @property
    def members(self) -> Mapping[str, Member]:
        """Those who are present, by name; none while it is not known."""
        return self._presence.members

    # What it does

    async def run(self) -> None:
        """Take part until cancelled; what is held then runs out by itself. Run it once.

        Before it is cancelled `leave`, or end all work otherwise.
        """
        async with self._tasks as tasks:
            tasks.create_task(self._presence.watch_forever(), name="ownership.watch")
            tasks.create_task(self._renew_forever(), name="ownership.renew")
            await self._decide_forever()

    async def leave(self, within: float | None = None) -> None:
        """Hand everything over, and be gone: others need not wait for anything to run out.

        What takes longer than so many seconds runs out by itself.
        """
        self._leaving.set()
        # First, so that nobody waits for this member to claim what it gives.
        await self._presence.leave()
        for name, one in list(self._held.items()):
            if one.state in {"taking", "working"}:
                self._begin(one, self._give(name, one, one.task))
        under_way = [one.task for one in self._held.values() if one.task is not None]
        if under_way:
            await asyncio.wait(under_way, timeout=within)

    async def _renew_forever(self) -> None:
        loop, presence = asyncio.get_running_loop(), self._presence
        await presence.known.wait()  # what leases are kept in may be made only then
        due = loop.time()
        while True:
            held = [one for one in self._held.values() if one.state != "lost"]
            done = await asyncio.gather(presence.renew(), *map(self._renew, held))
            due = max(due + (presence.pause if all(done) else presence.look), loop.time())
            await asyncio.sleep(due - loop.time())

    async def _decide_forever(self) -> None:
        while True:
            self._news.clear()
            lapses_in = self._lapse()
            self._decide()
            try:
                async with asyncio.timeout(min(lapses_in, self._presence.look)):
                    await self._news.wait()
            except TimeoutError:
                pass

    # To hold

    async def _renew(self, one: _Held) -> bool:
        """Renew one; whether the engine has answered."""
        sent_at = asyncio.get_running_loop().time()
        name = one.claim.name
        try:
            renewed = await self._leases.renew(one.claim)
            if renewed is None and one.state in {"taking", "working"}:
                # It has run out, or the engine has forgotten it: what it keeps is in memory.
                renewed = await self._leases.claim(name)
        except StoreError as error:
            self._presence.complain(error)
            return False
        if self._held.get(name) is not one or one.state == "lost":
            return True
        if renewed is None:
            self._lose(name, one, "not renewed")
        else:
            one.claim, one.confirmed_at = renewed, sent_at
        return True

    def _heed(self, view: Mapping[str, Claim]) -> None:
        """Lose what another is seen to hold."""
        for name, one in list(self._held.items()):
            seen = view.get(name)
            if seen is not None and not seen.mine and seen.revision > one.claim.revision:
                self._lose(name, one, "another holds it")
        self._news.set()

    def _lapse(self) -> float:
        """Lose what has not been renewed for too long; say in how many seconds the next lapses."""
        now = asyncio.get_running_loop().time()
        first = inf
        for name, one in list(self._held.items()):
            if one.duty.lapse is None or one.state == "lost":
                continue
            left = one.confirmed_at + one.duty.lapse - now
            if left <= 0:
                self._lose(name, one, "lapsed")
            else:
                first = min(first, left)
        return first

    def _lose(self, name: str, one: _Held, why: str) -> None:
        if one.state == "lost":
            return
        one.state = "lost"
        self.losses[one.duty.role] += 1
        self._log(one.duty, "ownership_lost", lease=name, why=why)
        before = one.task
        if before is not None:
            before.cancel()
        self._begin(one, self._end(name, one, before))

    async def _end(self, name: str, one: _Held, before: asyncio.Task[None] | None) -> None:
        if before is not None and not before.done():
            await asyncio.wait({before})
        await self._end_work(name, one)
        self._forget(name, one)

    async def _end_work(self, name: str, one: _Held) -> None:
        if one.begun:
            await one.duty.work.lose(name)
            one.begun = False

    # To claim and to hand over

    def _decide(self) -> None:
        view, now = self._presence.view, asyncio.get_running_loop().time()
        if view is None or self._leaving.is_set() or not self._presence.counts:
            return
        present = self._presence.members
        for duty in self._duties:
            members = [name for name, member in present.items() if duty.role in member.roles]
            holders = self._holders(view, members, patient=duty.patient)
            names = duty.names
            if duty.lapse is not None:
                # What the dead hold here may be theirs for long: what is left is shared meanwhile.
                names = [name for name in names if holders.get(name) != STRANGER]
            wished = wish(self._leases.holder, names, members, holders)
            owned = sum(name in self._held or name in self._claiming for name in duty.names)
            room = len(duty.names) if duty.most is None else duty.most() - owned
            free = [
                name
                for name in wished.claim
                if name not in self._claiming and now >= self._not_before.get(name, now)
            ]
            for name in free[: max(0, room)]:
                self._claiming.add(name)
                self._tasks.create_task(self._claim(name, duty), name=f"ownership.{name}")
            for name in [*wished.hand_over, *self._surplus(duty, -room, wished.hand_over)]:
                one = self._held.get(name)
                if one is not None and one.state == "working":
                    self._begin(one, self._give(name, one, one.task))

    def _holders(
        self, view: Mapping[str, Claim], members: Collection[str], *, patient: bool
    ) -> dict[str, str]:
        """Say who holds what, as far as names are held."""
        me = self._leases.holder
        live = {claim.life for name, claim in view.items() if name.startswith(MEMBER)}
        holders = {
            name: claim.holder
            if (patient or claim.life in live) and claim.holder in members and claim.holder != me
            else STRANGER
            for name, claim in view.items()
        }
        return holders | dict.fromkeys(self._held, me)

    def _surplus(self, duty: Duty, count: int, going: Collection[str]) -> Sequence[str]:
        """Give what is of no use here."""
        kept = [name for name in duty.names if name in self._held and name not in going]
        count -= len(going)
        return kept[len(kept) - count :] if count > 0 else ()

    async def _claim(self, name: str, duty: Duty) -> None:
        sent_at = asyncio.get_running_loop().time()
        try:
            claim = await self._leases.claim(name)
        except StoreError as error:
            self._presence.complain(error)
            claim = None
        finally:
            self._claiming.discard(name)
        if claim is None:
            # Another was quicker, or has not been gone for as long as it seems.
            self._not_before[name] = sent_at + self._presence.look
            return
        if self._leaving.is_set():
            await self._presence.release(claim)
            return
        one = self._held[name] = _Held(duty, claim, sent_at)
        self.takeovers[duty.role] += 1
        self._log(duty, "ownership_taken", lease=name)
        self._begin(one, self._take(name, one))

    async def _take(self, name: str, one: _Held) -> None:
        one.begun = True
        try:
            await one.duty.work.take(name)
        except RingbackError as error:
            log.warning("ownership_not_taken", lease=name, problem=str(error))
            pause = min(MOST_AGAIN_SECONDS, self._leases.seconds)
            self._not_before[name] = asyncio.get_running_loop().time() + pause
            await self._end_work(name, one)
            await self._presence.release(one.claim)
            self._forget(name, one)
            return
        one.state = "working"
        self._news.set()

    async def _give(self, name: str, one: _Held, taking: asyncio.Task[None] | None) -> None:
        finish, one.state = one.state == "working", "giving"
        if taking is not None and not taking.done():
            taking.cancel()
            await asyncio.wait({taking})
        try:
            if finish:
                await one.duty.work.give(name)
                one.begun = False
        except RingbackError as error:
            log.warning("ownership_not_finished", lease=name, problem=str(error))
        await self._end_work(name, one)
        await self._presence.release(one.claim)
        self.hand_overs[one.duty.role] += 1
        self._log(one.duty, "ownership_handed_over", lease=name)
        self._forget(name, one)

    # What these are made of

    def _log(self, duty: Duty, event: str, **facts: str) -> None:
        """Log what is worth a line: parts of something that comes in parts are not, each."""
        (log.info if duty.most is None else log.debug)(event, **facts)

    def _forget(self, name: str, one: _Held) -> None:
        if self._held.get(name) is one:
            del self._held[name]
        self._news.set()

    def _begin(self, one: _Held, work: Coroutine[None, None, None]) -> None:
        one.task = self._tasks.create_task(work, name=f"ownership.{one.claim.name}")
