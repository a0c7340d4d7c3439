"""Members that come, go, hang and cannot reach the engine, in virtual time."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager, suppress

import pytest
import pytest_asyncio

from ringback.errors import StoreError
from ringback.runtime.cluster.duties import Duty
from ringback.runtime.cluster.ownership import Ownership
from ringback.stores.memory_leases import LeaseTable, MemoryLeases
from ringback.wire.members import Member

pytestmark = pytest.mark.looptime

LEASE = 3.0
NAMES = [f"track.{number}" for number in range(8)]


class Hands:
    """The work of all members: who does what, as it really is, leases or not."""

    def __init__(self) -> None:
        self.at: dict[str, set[str]] = {}
        """By name: who works on it."""
        self.said: list[tuple[float, str, str, str]] = []
        self.seconds = 0.0
        """How long it takes to begin and to finish."""
        self.together = 0
        """How often two came to work on one."""

    def of(self, member: str) -> "Hand":
        return Hand(self, member)

    def note(self, member: str, what: str, name: str) -> None:
        self.said.append((asyncio.get_running_loop().time(), member, what, name))

    def done_by(self, member: str) -> set[str]:
        return {name for name, those in self.at.items() if member in those}

    def when(self, member: str, what: str) -> list[float]:
        return [at for at, who, said, _ in self.said if (who, said) == (member, what)]


class Hand:
    """One member's work."""

    def __init__(self, hands: Hands, member: str) -> None:
        self.fault: StoreError | None = None
        self._hands = hands
        self._member = member

    async def take(self, name: str) -> None:
        those = self._hands.at.setdefault(name, set())
        self._hands.together += bool(those)
        assert self._member not in those
        those.add(self._member)
        await asyncio.sleep(self._hands.seconds)
        if self.fault is not None:
            raise self.fault
        self._hands.note(self._member, "take", name)

    async def give(self, name: str) -> None:
        await asyncio.sleep(self._hands.seconds)
        if self.fault is not None:
            raise self.fault
        self._end("give", name)

    async def lose(self, name: str) -> None:
        self._end("lose", name)

    def _end(self, what: str, name: str) -> None:
        self._hands.at[name].remove(self._member)
        self._hands.note(self._member, what, name)


class HungLeases(MemoryLeases):
    """Those of a process that can be stopped: then nothing comes back from them."""

    def __init__(self, table: LeaseTable, holder: str) -> None:
        super().__init__(table, holder)
        self.runs = asyncio.Event()
        self.runs.set()

    async def _reach(self) -> None:
        await self.runs.wait()
        await super()._reach()
        await self.runs.wait()


class Someone:
    """A member that runs."""

    def __init__(self, ownership: Ownership, leases: HungLeases, hand: Hand) -> None:
        self.ownership = ownership
        self.leases = leases
        self.hand = hand
        self._task = asyncio.create_task(ownership.run())

    async def leave(self) -> None:
        """As at SIGTERM."""
        await self.ownership.leave()
        await self.die()

    async def die(self) -> None:
        """As at SIGKILL, but that its work is still counted as done by it."""
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task


class House:
    """All members, and the table of leases that they share."""

    def __init__(self) -> None:
        self.table = LeaseTable(LEASE)
        self.hands = Hands()
        self.all: list[Someone] = []

    def join(
        self,
        name: str,
        *,
        roles: Collection[str] = ("track",),
        lapse: float | None = None,
        most: Callable[[], int] | None = None,
    ) -> Someone:
        leases = HungLeases(self.table, name)
        hand = self.hands.of(name)
        duties = [
            Duty("track", NAMES, hand, lapse, most),
            Duty("alert", ["alert"], hand, 0.9 * LEASE),
        ]
        someone = Someone(Ownership(leases, Member(tuple(roles)), duties), leases, hand)
        self.all.append(someone)
        return someone

    def shares(self, *members: str) -> list[int]:
        return [len(self.hands.done_by(member) & set(NAMES)) for member in members]

    @property
    def now(self) -> float:
        return asyncio.get_running_loop().time()

    async def until(self, so: Callable[[], object], seconds: float = 60.0) -> float:
        """Wait until something is so; give how long that took."""
        began = self.now
        async with asyncio.timeout(seconds):
            while not so():  # noqa: ASYNC110  # what is looked at knows no events
                await asyncio.sleep(0.01)
        return self.now - began


@asynccontextmanager
async def made() -> AsyncIterator[House]:
    house = House()
    try:
        yield house
    finally:
        for someone in house.all:
            await someone.die()


@pytest_asyncio.fixture
async def house() -> AsyncIterator[House]:
    async with made() as one:
        yield one


async def test_one_member_has_everything(house: House) -> None:
    ann = house.join("ann", roles=("track", "alert", "serve"))
    took = await house.until(lambda: house.hands.done_by("ann") == {*NAMES, "alert"})
    assert took < 0.1
    assert set(ann.ownership.owned("track")) == set(NAMES)
    assert ann.ownership.owned("alert") == ["alert"]
    assert ann.ownership.takeovers == {"track": 8, "alert": 1}
    assert ann.ownership.problem is None
    assert ann.ownership.members.keys() == {"ann"}
    await asyncio.sleep(100 * LEASE)
    assert not ann.ownership.losses
    assert not ann.ownership.hand_overs


async def test_who_has_not_the_role_gets_nothing(house: House) -> None:
    house.join("ann", roles=("serve",))
    house.join("ben", roles=("alert",))
    await asyncio.sleep(10 * LEASE)
    assert house.hands.at == {"alert": {"ben"}}


async def test_who_joins_gets_a_share_and_nobody_works_on_what_another_does(house: House) -> None:
    house.hands.seconds = 0.2
    ann = house.join("ann")
    await house.until(lambda: house.shares("ann") == [8])
    await asyncio.sleep(1)
    house.join("ben")
    took = await house.until(lambda: len(house.hands.when("ben", "take")) == 4)
    assert took < 1.0
    house.join("cat")
    await house.until(lambda: sorted(house.shares("ann", "ben", "cat")) == [2, 3, 3])
    await asyncio.sleep(1)
    assert ann.ownership.hand_overs["track"] in {5, 6}
    assert house.hands.together == 0
    before = len(house.hands.said)
    await asyncio.sleep(20 * LEASE)
    assert len(house.hands.said) == before


async def test_all_join_at_once(house: House) -> None:
    house.hands.seconds = 0.2
    members = ["ann", "ben", "cat"]
    for name in members:
        house.join(name)
    await house.until(lambda: sorted(house.shares(*members)) == [2, 3, 3])
    await asyncio.sleep(LEASE)
    assert sorted(house.shares(*members)) == [2, 3, 3]
    assert house.hands.together == 0


async def test_who_leaves_is_followed_at_once(house: House) -> None:
    house.hands.seconds = 0.1
    ann = house.join("ann", roles=("track", "alert"))
    await house.until(lambda: house.shares("ann") == [8])
    house.join("ben", roles=("track", "alert"))
    await house.until(lambda: house.shares("ann", "ben") == [4, 4])
    await asyncio.sleep(1)
    before = house.now
    await ann.leave()
    assert house.now - before < 0.3
    await house.until(lambda: house.hands.done_by("ben") == {*NAMES, "alert"})
    assert house.now - before < 0.5
    assert not house.hands.done_by("ann")
    assert not ann.ownership.losses
    assert house.hands.together == 0
    assert house.table.holder("member.ann") is None


async def test_who_leaves_while_beginning_leaves_nothing_begun(house: House) -> None:
    house.hands.seconds = 5.0
    ann = house.join("ann")
    await house.until(lambda: house.shares("ann") == [8])
    before = house.now
    await ann.leave()
    assert house.now - before < 0.1
    assert house.shares("ann") == [0]
    assert house.hands.when("ann", "take") == []
    assert not [name for name in NAMES if house.table.holder(name)]


async def test_who_dies_is_followed_after_the_lease(house: House) -> None:
    ann = house.join("ann")
    await house.until(lambda: house.shares("ann") == [8])
    house.join("ben")
    await house.until(lambda: house.shares("ann", "ben") == [4, 4])
    await asyncio.sleep(7.3)
    await ann.die()
    took = await house.until(lambda: house.shares("ben") == [8])
    assert LEASE / 2 < took < LEASE + 0.5


async def test_who_hangs_is_followed_and_ends_as_soon_as_it_goes_on(house: House) -> None:
    ann = house.join("ann", roles=("track", "alert"))
    await house.until(lambda: house.shares("ann") == [8])
    house.join("ben", roles=("track", "alert"))
    await house.until(lambda: house.shares("ann", "ben") == [4, 4])
    theirs = house.hands.done_by("ann") & set(NAMES)
    ann.leases.runs.clear()
    await house.until(lambda: house.hands.done_by("ben") == {*NAMES, "alert"})
    # Nothing tells it; what it stores is fenced by the engine.
    assert house.hands.done_by("ann") & set(NAMES) == theirs
    # But what the engine does not fence has ended by itself.
    assert "alert" not in house.hands.done_by("ann")
    await asyncio.sleep(20)
    ann.leases.runs.set()
    took = await house.until(lambda: len(house.hands.when("ann", "lose")) == 5)
    assert took < LEASE / 3 + 0.1
    assert ann.ownership.losses == {"track": 4, "alert": 1}
    await house.until(lambda: house.shares("ann", "ben") == [4, 4])


async def test_while_the_engine_is_away_work_goes_on_and_nothing_is_claimed(house: House) -> None:
    ann, ben = house.join("ann"), house.join("ben")
    await house.until(lambda: house.shares("ann", "ben") == [4, 4])
    await asyncio.sleep(1)
    before = len(house.hands.said)
    ann.leases.cut = ben.leases.cut = True
    await asyncio.sleep(20 * LEASE)
    assert not [name for name in NAMES if house.table.holder(name)]
    assert house.shares("ann", "ben") == [4, 4]
    assert "the engine cannot be reached" in (ann.ownership.problem or "")
    assert not ann.ownership.members
    ann.leases.cut = ben.leases.cut = False
    await asyncio.sleep(10 * LEASE)
    assert len(house.hands.said) == before
    assert ann.ownership.problem is None
    assert not ann.ownership.losses
    assert {house.table.holder(name) for name in NAMES} == {"ann", "ben"}


async def test_after_an_outage_nobody_takes_what_others_still_do(house: House) -> None:
    members = [house.join(name) for name in ("ann", "ben", "cat")]
    await house.until(lambda: sorted(house.shares("ann", "ben", "cat")) == [2, 3, 3])
    await asyncio.sleep(1)
    before = len(house.hands.said)
    for one in members:
        one.leases.cut = True
    await asyncio.sleep(2 * LEASE)
    await members[2].die()
    for one in members[:2]:
        one.leases.cut = False
        await asyncio.sleep(LEASE / 2)
    # They go on with what they had, whoever was the first to come back.
    assert len(house.hands.said) == before
    took = await house.until(lambda: sum(house.shares("ann", "ben")) == 8)
    assert took < LEASE
    assert {what for _, _, what, _ in house.hands.said[before:]} == {"take"}


@pytest.mark.parametrize("lapse", [None, 0.9 * LEASE])
async def test_what_the_engine_has_forgotten_is_claimed_again(
    house: House, lapse: float | None
) -> None:
    ann, ben = house.join("ann", lapse=lapse), house.join("ben", lapse=lapse)
    await house.until(lambda: house.shares("ann", "ben") == [4, 4])
    await asyncio.sleep(1)
    before = len(house.hands.said)
    ann.leases.cut = ben.leases.cut = True
    await asyncio.sleep(LEASE / 2)
    for name in [*NAMES, "member.ann", "member.ben"]:
        house.table.remove(name)
    ann.leases.cut = ben.leases.cut = False
    await asyncio.sleep(10 * LEASE)
    assert len(house.hands.said) == before
    assert {house.table.holder(name) for name in NAMES} == {"ann", "ben"}


async def test_who_alone_cannot_reach_the_engine_loses_to_the_others(house: House) -> None:
    ann, _ = house.join("ann"), house.join("ben")
    await house.until(lambda: house.shares("ann", "ben") == [4, 4])
    ann.leases.cut = True
    await house.until(lambda: house.shares("ben") == [8])
    await asyncio.sleep(10)
    ann.leases.cut = False
    # In the end each has its share again, and nobody has what another has.
    await house.until(lambda: house.shares("ann", "ben") == [4, 4])
    assert ann.ownership.losses["track"] == 4
    assert all(len(those) == 1 for those in house.hands.at.values())


async def test_what_the_engine_does_not_fence_ends_before_another_may_begin(house: House) -> None:
    ann = house.join("ann", lapse=LEASE / 2)
    await house.until(lambda: house.shares("ann") == [8])
    house.join("ben", lapse=LEASE / 2)
    await house.until(lambda: house.shares("ann", "ben") == [4, 4])
    for _ in range(5):
        ann.leases.cut = True
        await house.until(lambda: house.shares("ann", "ben") == [0, 8])
        ann.leases.cut = False
        await house.until(lambda: house.shares("ann", "ben") == [4, 4])
    assert house.hands.together == 0
    assert ann.ownership.losses["track"] == 20


async def test_no_more_is_taken_than_is_of_use(house: House) -> None:
    wanted = 3
    ann = house.join("ann", most=lambda: wanted)
    await house.until(lambda: house.shares("ann") == [3])
    await asyncio.sleep(LEASE)
    assert house.shares("ann") == [3]
    wanted = 5
    await house.until(lambda: house.shares("ann") == [5])
    wanted = 2
    await house.until(lambda: house.shares("ann") == [2])
    assert ann.ownership.takeovers["track"] == 5
    assert ann.ownership.hand_overs["track"] == 3
    house.join("ben", most=lambda: 8)
    await house.until(lambda: house.shares("ann", "ben") == [2, 4])


async def test_what_cannot_be_begun_is_left_to_others(house: House) -> None:
    ann = house.join("ann")
    ann.hand.fault = StoreError("there", "it is full", "make room")
    await asyncio.sleep(LEASE / 2)
    assert house.shares("ann") == [0]
    assert not [name for name in NAMES if house.table.holder(name)]
    assert ann.ownership.takeovers["track"] == 8
    ann.hand.fault = None
    await house.until(lambda: house.shares("ann") == [8])
    assert ann.ownership.takeovers["track"] == 16


async def test_what_cannot_be_finished_is_handed_over_all_the_same(house: House) -> None:
    ann = house.join("ann")
    await house.until(lambda: house.shares("ann") == [8])
    ann.hand.fault = StoreError("there", "it is full", "make room")
    house.join("ben")
    await house.until(lambda: house.shares("ann", "ben") == [4, 4])
    assert len(house.hands.when("ann", "lose")) == 4
    assert house.hands.together == 0


async def test_two_of_one_name_do_not_take_part_both(house: House) -> None:
    ann = house.join("ann")
    await house.until(lambda: house.shares("ann") == [8])
    second = house.join("ann")
    await asyncio.sleep(5 * LEASE)
    assert second.ownership.takeovers["track"] == 0
    assert "another process takes part under the same name" in (second.ownership.problem or "")
    await ann.leave()
    await house.until(lambda: second.ownership.owned("track") == NAMES)
    assert second.ownership.problem is None


async def test_a_next_life_waits_for_what_the_former_held(house: House) -> None:
    first = house.join("ann")
    await house.until(lambda: house.shares("ann") == [8])
    await asyncio.sleep(LEASE)
    await first.die()
    for those in house.hands.at.values():
        those.clear()  # it is dead
    await asyncio.sleep(0.5)
    second = house.join("ann")
    took = await house.until(lambda: len(second.ownership.owned("track")) == 8)
    assert LEASE / 2 < took < 1.5 * LEASE
