import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from ringback.errors import StepTooLarge, StoreError
from ringback.runtime.cluster import putting as module
from ringback.runtime.cluster.putting import AT_ONCE, Putting
from ringback.wire.log import ReadFailed, Tick, encode_message
from support.listened import AwayLog
from support.runtime import LoopClock, settled

pytestmark = pytest.mark.looptime

BODY = encode_message(Tick())


def said(number: int) -> bytes:
    return encode_message(ReadFailed(f"{number}"))


@asynccontextmanager
async def running(putting: Putting) -> AsyncIterator[None]:
    task = asyncio.create_task(putting.run())
    await settled()
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_each_lane_keeps_its_order_while_many_go_on_at_once() -> None:
    log = AwayLog(LoopClock())
    log.slowest = 1.0
    putting = Putting(log)
    async with running(putting):
        for number in range(500):
            key = f"c-{number % 100}"
            putting.bring(number % 5, key, key, said(number), f"{number}")
        await settled()
        assert len(log.under_way) == len(set(log.under_way)) == AT_ONCE
        await putting.all_stored()
    assert len(log.all) == putting.put == 500
    for lane in range(100):
        of_lane = [message for _, key, message in log.all if key == f"c-{lane}"]
        assert of_lane == [ReadFailed(f"{number}") for number in range(lane, 500, 100)]


async def test_what_stands_before_what_it_comes_after_is_put_again_and_once() -> None:
    log = AwayLog(LoopClock())
    for number in (2, 1):
        await log.put(0, "c", said(number), f"{number}")
    putting = Putting(log)
    async with running(putting):
        for number in (1, 2, 3):
            putting.bring(0, "c", "c", said(number), f"{number}", about="c/voice")
        putting.bring(0, "c", "c", said(2), "2", about="c/other")
        putting.bring(0, "c", "c", said(2), "2")
        await putting.all_stored()
    assert [message for *_, message in log.all] == [ReadFailed(one) for one in "2123"]
    assert putting.put_again == 1


async def test_it_is_not_remembered_for_ever_where_things_stand(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MOST_KNOWN", 10)
    log = AwayLog(LoopClock())
    made = Putting(log)
    async with running(made):
        for number in range(30):
            made.bring(0, f"{number}", "c", said(number), f"{number}", about=number)
        await made.all_stored()
    assert len(made._reached) == 10


async def test_while_the_engine_is_away_nothing_is_dropped_and_there_is_no_room() -> None:
    log = AwayLog(LoopClock())
    log.there.clear()
    putting = Putting(log, most=10)
    async with running(putting):
        for number in range(10):
            await asyncio.wait_for(putting.room(), 1)
            putting.bring(0, number, "c", said(number), f"{number}")
        waits = asyncio.ensure_future(putting.room())
        await asyncio.sleep(600)
        assert not waits.done()
        assert len(putting) == 10
        assert [putting.pending_since] == [0]
        log.there.set()
        await waits
        await putting.all_stored()
    assert [putting.pending_since] == [None]
    assert sorted(str(one) for *_, one in log.all) == sorted(
        str(ReadFailed(f"{number}")) for number in range(10)
    )


async def test_what_is_brought_after_a_bar_waits_for_it_in_its_partition_alone() -> None:
    log = AwayLog(LoopClock())
    log.there.clear()
    putting = Putting(log)
    async with running(putting):
        putting.bring(0, "reports", "~all", BODY, "1", bars=True)
        putting.bring(0, "c", "c", BODY, "2")
        putting.bring(1, "d", "d", BODY, "3")
        await settled()
        assert log.under_way == ["0/~all", "1/d"]
        # One that does not bar, before one that does, in the same lane: nothing is stuck.
        putting.bring(0, "reports", "~all", BODY, "4")
        putting.bring(0, "reports", "~all", BODY, "5", bars=True)
        log.there.set()
        await asyncio.wait_for(putting.all_stored(), 1)
    assert [key for partition, key, _ in log.all if partition == 0] == ["~all"] * 3 + ["c"]


async def test_what_was_under_way_before_a_bar_goes_on_and_its_lane_then_waits() -> None:
    log = AwayLog(LoopClock())
    log.there.clear()
    putting = Putting(log)
    async with running(putting):
        putting.bring(0, "c", "c", said(1), "1")
        putting.bring(0, "c", "c", said(2), "2")
        await settled()
        putting.bring(0, "reports", "~all", BODY, "3", bars=True)
        log.there.set()
        await putting.all_stored()
    assert [one for *_, one in log.all] == [ReadFailed("1"), Tick(), ReadFailed("2")]


async def test_what_is_urgent_goes_before_all_but_its_own_lane() -> None:
    log = AwayLog(LoopClock())
    putting = Putting(log, at_once=1)
    for number in range(5):
        putting.bring(0, number, "c", said(number), f"{number}")
    putting.bring(0, "reports", "~all", BODY, "5", bars=True)
    putting.bring(0, "reports", "~all", BODY, "6", urgent=True)
    putting.bring(1, "reports", "~all", BODY, "7", urgent=True)
    async with running(putting):
        await putting.all_stored()
    assert [(partition, key) for partition, key, _ in log.all] == [
        (1, "~all"),
        *[(0, "c")] * 5,
        *[(0, "~all")] * 2,
    ]


class Refusing(AwayLog):
    def __init__(self, error: StoreError) -> None:
        super().__init__(LoopClock())
        self.error = error

    async def put(self, partition: int, key: str, body: bytes, once: str) -> int:
        if once == "refused":
            raise self.error
        return await super().put(partition, key, body, once)


async def test_what_is_too_large_is_counted_and_holds_nothing_up() -> None:
    log = Refusing(StepTooLarge("nats", 2_000_000, 1_000_000))
    putting = Putting(log)
    async with running(putting):
        putting.bring(0, "c", "c", said(1), "refused")
        putting.bring(0, "c", "c", said(2), "taken")
        await putting.all_stored()
    assert putting.too_large == 1
    assert [one for *_, one in log.all] == [ReadFailed("2")]


async def test_an_engine_that_will_never_take_anything_ends_it() -> None:
    putting = Putting(Refusing(StoreError("nats", "it is gone", "bring it back")))
    task = asyncio.create_task(putting.run())
    putting.bring(0, "c", "c", said(1), "refused")
    with pytest.raises(StoreError, match="it is gone"):
        await task
