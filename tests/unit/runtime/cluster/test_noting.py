"""Rows that belong together, wherever it was cut."""

import asyncio

import pytest

from ringback.core.snapshots import QueueSettings
from ringback.runtime.cluster import noting as noting_module
from ringback.wire.log import Hearing, Settled
from support.callbacks import at
from support.tracked import Logs, gaps, kill, silence

pytestmark = pytest.mark.looptime


@pytest.mark.parametrize("rows", range(9))
async def test_what_belongs_together_is_told_once_wherever_it_was_cut(rows: int) -> None:
    logs = Logs()
    first, store = await logs.cut()
    store.left = rows
    await logs.listen()
    await logs.put(Hearing("ear", "disconnected", "lost", at(0)))
    await logs.put(silence("s-1", 600))
    await asyncio.sleep(3)
    await kill(first)
    second = await logs.tracked()
    await asyncio.sleep(2)
    told = [kind for _, kind in await logs.told()]
    assert told == ["source.connected", "source.disconnected", "source.gap_opened"]
    assert len(gaps(second)) == 1
    assert [one.id for one in second.partitions[0].tracker.silences] == ["s-1"]
    await second.close()


async def test_a_note_that_is_too_large_is_stored_in_parts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(noting_module, "MOST_NOTED", 1000)
    logs = Logs()
    tracking = await logs.tracked()
    await logs.put(*(Settled(QueueSettings(f"queue-{number}")) for number in range(100)))
    await asyncio.sleep(2)
    await kill(tracking)
    second = await logs.tracked()
    assert len(second.partitions[0].tracker.queues) == 100
    await second.close()
