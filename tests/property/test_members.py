"""Members that come, go, hang and lose sight of the engine at random, in virtual time."""

import asyncio
import random
from contextlib import suppress

from hypothesis import given, settings
from hypothesis import strategies as st

from ringback.runtime.cluster.duties import Duty
from ringback.runtime.cluster.ownership import Ownership
from ringback.stores.memory_leases import LeaseTable, MemoryLeases
from ringback.wire.members import Member
from support.virtual import run_virtually

LEASE = 3.0
NAMES = [f"track.{number}" for number in range(7)]
SLOTS = [f"slots.{number}" for number in range(5)]
MEMBERS = ["ann", "ben", "cat", "dan"]


class Hands:
    """Who works on what, as it really is."""

    def __init__(self) -> None:
        self.at: dict[str, set[str]] = {name: set() for name in [*NAMES, *SLOTS]}

    def together(self) -> list[str]:
        """Give the slots that two use."""
        return [name for name in SLOTS if len(self.at[name]) > 1]


class Hand:
    """One member's work: it takes a while to begin and to finish, and may hang with it."""

    def __init__(self, hands: Hands, member: str, chance: random.Random) -> None:
        self._hands = hands
        self._member = member
        self._chance = chance

    async def take(self, name: str) -> None:
        those = self._hands.at[name]
        assert self._member not in those
        those.add(self._member)
        assert name not in self._hands.together(), (name, those)
        await asyncio.sleep(self._chance.choice((0, 0.01, 0.5)))

    async def give(self, name: str) -> None:
        await asyncio.sleep(self._chance.choice((0, 0.01, 0.5)))
        self._hands.at[name].remove(self._member)

    async def lose(self, name: str) -> None:
        self._hands.at[name].remove(self._member)


class SlowLeases(MemoryLeases):
    """Those of a member that the engine answers late, or not while it is stopped."""

    def __init__(self, table: LeaseTable, holder: str, chance: random.Random) -> None:
        super().__init__(table, holder)
        self.runs = asyncio.Event()
        self.runs.set()
        self._chance = chance

    async def _reach(self) -> None:
        await self.runs.wait()
        await asyncio.sleep(self._chance.choice((0, 0, 0.01, 0.2)))
        await super()._reach()
        await asyncio.sleep(self._chance.choice((0, 0, 0.01, 0.2)))
        await self.runs.wait()


class Life:
    """One life of a member."""

    def __init__(self, table: LeaseTable, hands: Hands, name: str, chance: random.Random) -> None:
        self.name = name
        self.leases = SlowLeases(table, name, chance)
        hand = Hand(hands, name, chance)
        duties = [Duty("track", NAMES, hand), Duty("track", SLOTS, hand, 0.6 * LEASE)]
        self.ownership = Ownership(self.leases, Member(["track"]), duties)
        self._hands = hands
        self._task = asyncio.create_task(self.ownership.run())

    async def leave(self) -> None:
        await self.ownership.leave(5.0)
        await self.die()

    async def die(self) -> None:
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
        for those in self._hands.at.values():
            those.discard(self.name)


class House:
    """All members, and what befalls them."""

    def __init__(self, chance: random.Random) -> None:
        self.table = LeaseTable(LEASE)
        self.hands = Hands()
        self.lives: dict[str, Life] = {}
        self._chance = chance

    def join(self) -> None:
        if free := [name for name in MEMBERS if name not in self.lives]:
            name = self._chance.choice(free)
            self.lives[name] = Life(self.table, self.hands, name, self._chance)

    async def befall(self) -> None:
        """Do something to somebody."""
        if not self.lives:
            self.join()
            return
        one = self._chance.choice(list(self.lives.values()))
        match self._chance.choice(("join", "join", "leave", "die", "cut", "stop", "heal", "away")):
            case "join":
                self.join()
            case "leave" if one.leases.runs.is_set():
                del self.lives[one.name]
                await one.leave()
            case "die":
                del self.lives[one.name]
                await one.die()
            case "cut":
                one.leases.cut = True
            case "stop":
                one.leases.runs.clear()
            case "heal":
                self.heal()
            case "away":
                for life in self.lives.values():
                    life.leases.cut = True
            case _:
                pass

    def heal(self) -> None:
        for life in self.lives.values():
            life.leases.cut = False
            life.leases.runs.set()


async def play(chance: random.Random, rounds: int) -> None:
    house = House(chance)
    house.join()
    try:
        for _ in range(rounds):
            await house.befall()
            await asyncio.sleep(chance.choice((0, 0.1, 1, 2, 5)))
        house.heal()
        house.join()
        await asyncio.sleep(10 * LEASE)
        # All is done, by one each, and evenly.
        at = house.hands.at
        assert all(len(those) == 1 for those in at.values()), at
        for names in (NAMES, SLOTS):
            shares = [sum(name in at[one] for one in names) for name in house.lives]
            assert max(shares) - min(shares) <= 1, at
    finally:
        for life in house.lives.values():
            await life.die()


@settings(max_examples=40)
@given(st.integers(0, 2**32), st.integers(1, 30))
def test_whatever_befalls_them_all_is_done_in_the_end_and_slots_by_one_at_a_time(
    seed: int, rounds: int
) -> None:
    run_virtually(play(random.Random(seed), rounds))
