"""Several processes that could tell a receiver of alerts, one of which does at a time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from ringback.core.watch.messages import Phase
from ringback.core.watch.notices import Limits
from ringback.errors import DeliveryError, DeliveryFault, Fenced, StoreError
from ringback.ports import PartitionStore, Row
from ringback.runtime.cluster.keeping import Keeping
from ringback.runtime.cluster.telling import Telling
from ringback.stores.memory_log import MemoryPartitionStore
from support.alerts import Crew, Friend, alert_event, an_alert
from support.mirrored import Tracking
from support.runtime import LoopClock, settled

pytestmark = pytest.mark.looptime

FIRING, ACKNOWLEDGED, RESOLVED = Phase
DOWN = DeliveryError(DeliveryFault.UNREACHABLE, "nobody is there")
LIMITS = Limits(acknowledged=True)
KEEP = timedelta(hours=1)


class FailingStore(MemoryPartitionStore):
    """Stores so many more rows, then nothing."""

    def __init__(self, tracking: Tracking, left: int) -> None:
        super().__init__(tracking.steps, tracking.partitions)
        self.left = left

    async def _append(self, row: Row, reached: int, told: object) -> None:
        if not self.left:
            raise StoreError("memory", "it was killed", "begin anew")
        self.left -= 1
        await super()._append(row, reached, [])


class Office:
    """A log, and whoever tells one friend of what is in it."""

    def __init__(self, *trouble: DeliveryError | Exception) -> None:
        self.friend = Friend(*trouble)
        self.clock = LoopClock()
        self.tracking = Tracking(self.clock)

    @asynccontextmanager
    async def process(self, left: int = -1) -> AsyncIterator[Telling]:
        """Begin a process that may tell; its first store takes so many rows."""
        stores = [left, -1]

        async def open_store() -> PartitionStore:
            return FailingStore(self.tracking, stores.pop(0) if stores else -1)

        async with self.tracking.mirroring() as mirror:
            telling = Telling(
                mirror,
                open_store,
                lambda b: Crew(self.friend, mirror, b, LIMITS),
                drain_seconds=5,
                keep=KEEP,
            )
            try:
                yield telling
            finally:
                await telling.lose("alert")

    async def say(self, phase: Phase, *numbers: int) -> None:
        """Let something become of alerts."""
        now = self.clock.now()
        await self.tracking.tell(*(alert_event(phase, an_alert(one), now) for one in numbers))
        await asyncio.sleep(0.01)

    @property
    def open(self) -> list[str]:
        """What the friend believes to be firing."""
        return sorted(key.partition("/")[0] for key in self.friend.world.open)


async def test_who_takes_over_tells_what_the_one_before_had_only_heard() -> None:
    office = Office()
    async with office.process() as first, office.process() as second:
        await first.take("alert")
        await office.say(FIRING, 1, 2)
        await asyncio.sleep(2)  # it gathers for five seconds
        await first.lose("alert")
        await office.say(FIRING, 3)
        await office.say(RESOLVED, 2)
        assert office.friend.tries == 0
        await second.take("alert")
        await asyncio.sleep(10)
        assert office.open == ["c-1", "c-3"]
        await office.say(RESOLVED, 1, 3)
        await asyncio.sleep(10)
        assert office.open == []


@pytest.mark.parametrize("left", range(28))
async def test_killed_at_any_row_it_is_told_all_and_nothing_stays_open(left: int) -> None:
    office = Office()
    async with office.process(left) as first, office.process() as second:
        await first.take("alert")
        await office.say(FIRING, 1, 2)
        await asyncio.sleep(6)
        await office.say(RESOLVED, 2)
        await office.say(ACKNOWLEDGED, 1)
        await asyncio.sleep(6)
        await office.say(FIRING, 3)
        await office.say(RESOLVED, 1)
        await asyncio.sleep(3)
        await first.lose("alert")
        await second.take("alert")
        await asyncio.sleep(10)
        assert office.open == ["c-3"]
        await office.say(RESOLVED, 3)
        await asyncio.sleep(10)
        assert office.open == []
        assert office.friend.world.incidents == {}
        told = {key for key, _ in office.friend.world.heard}
        assert told >= {f"c-{one}/due_not_released/1" for one in (1, 3)}


async def test_one_that_was_overtaken_sends_nothing_that_it_cannot_store() -> None:
    office = Office()
    async with office.process() as first, office.process() as second:
        await first.take("alert")
        await office.say(FIRING, 1)
        await asyncio.sleep(10)
        await second.take("alert")  # the first does not know
        await office.say(FIRING, 2)
        with capture_logs() as said:
            await asyncio.sleep(10)
        assert office.open == ["c-1", "c-2"]
        heard = [key for key, _ in office.friend.world.heard]
        assert sorted(heard) == sorted(set(heard))
        assert "Fenced" in str([one for one in said if one["event"] == "receivers_stopped"])


async def test_one_that_gives_it_up_ends_what_it_is_about_and_the_next_does_not_repeat_it() -> None:
    office = Office()
    async with office.process() as first, office.process() as second:
        await first.take("alert")
        await office.say(FIRING, 1)
        await asyncio.sleep(10)
        await office.say(FIRING, 2)
        await first.give("alert")
        assert first.team is None
        await second.take("alert")
        await asyncio.sleep(10)
        messages = [
            [item.alert.callback_id for item in m.items] for m in office.friend.world.messages
        ]
        assert messages == [["c-1"], ["c-2"]]


async def test_a_message_that_was_being_sent_is_the_same_from_the_next() -> None:
    office = Office(DOWN, DOWN, DOWN)
    async with office.process() as first, office.process() as second:
        await first.take("alert")
        await office.say(FIRING, 1)
        await asyncio.sleep(6)
        assert office.friend.tries >= 1
        await first.lose("alert")
        await office.say(RESOLVED, 1)
        await second.take("alert")
        await asyncio.sleep(60)
        assert [m.number for m in office.friend.world.messages] == [1, 2]
        assert office.open == []


async def test_what_cannot_be_stored_is_begun_anew() -> None:
    office = Office()
    async with office.process(2) as telling:
        await telling.take("alert")
        await office.say(FIRING, 1)
        await asyncio.sleep(20)
        assert telling.begun == 2
        assert office.open == ["c-1"]


async def test_what_fires_for_longer_than_steps_are_kept_is_not_forgotten() -> None:
    office = Office()
    async with office.process() as first, office.process() as second:
        await first.take("alert")
        await office.say(FIRING, 1)
        for _ in range(18):
            await asyncio.sleep(600)
            office.tracking.steps.forget(office.clock.now() - KEEP)
        await first.give("alert")
        await second.take("alert")
        await office.say(RESOLVED, 1)
        await asyncio.sleep(10)
        assert [m.number for m in office.friend.world.messages] == [1, 2]
        assert office.open == []


async def test_how_far_readers_are_is_stored_though_they_keep_nothing() -> None:
    office = Office()
    async with office.tracking.mirroring() as mirror:
        store = MemoryPartitionStore(office.tracking.steps, 2)
        keeping = Keeping(store, mirror, [], KEEP)
        task = asyncio.create_task(keeping.commit_forever())
        await keeping.note_told("receiver ops", 7)
        await asyncio.sleep(6)
        assert await keeping.cursor("receiver ops") == 7
        keeping.keep({"~receiver/ops/counts": b"1"})
        await keeping.committed()
        assert mirror.position == 0
        await settled()
        assert mirror.kept == {"~receiver/ops/counts": b"1"}
        keeping.keep({"~receiver/ops/counts": None})
        await keeping.committed()
        await settled()
        assert mirror.kept == {}
        other = MemoryPartitionStore(office.tracking.steps, 2)
        async for _ in other.load():
            pass
        await Keeping(other, mirror, [], KEEP).note_told("x", 1)
        keeping.keep({"~receiver/ops/counts": b"2"})
        await keeping.committed()
        late = Keeping(other, mirror, [], KEEP)
        late.keep({"~receiver/ops/counts": b"3"})
        with pytest.raises(Fenced):
            await late.commit()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def test_gathering_is_what_the_test_above_says() -> None:
    assert LIMITS.gather == timedelta(seconds=5)
