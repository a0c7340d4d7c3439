"""Power failures at random moments: what was acknowledged is there, and batches are whole."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from random import Random

import pytest

from ringback.errors import StoreError
from ringback.stores.sqlite import SqliteStore, schema, writer
from support.crash_vfs import Disk
from support.store_history import KEEP, difference, proceed

RUNS = 100
FATES_A_RUN = 4
CONTROL_RUNS = 15


@pytest.fixture(autouse=True)
def everything_happens_early(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "CHECKPOINT_PAGES", 25)
    monkeypatch.setattr(writer, "SLACK_ROWS", 20)


async def run_until_crash(directory: Path, disk: Disk) -> int:
    """Work until the disk dies; return how many batches were acknowledged."""
    acknowledged = 0
    try:
        store = await SqliteStore.open(directory / "store.db", KEEP, vfs=disk.name)
    except StoreError:
        return 0
    try:
        async for _ in store.load():
            pass
        while True:
            await proceed(store, acknowledged + 1)
            acknowledged += 1
    except StoreError:
        # Also when the batch was stored and only the prune after it failed: unknown is allowed.
        return acknowledged
    finally:
        with suppress(StoreError):  # the disk is dead
            await store.close()


async def findings(directory: Path, seeds: Iterator[int], *, honest: bool) -> list[str]:
    """Crash once for each seed; give what the checker found, with the seed that shows it."""
    found: list[str] = []
    for seed in seeds:
        random = Random(seed)
        disk = Disk(f"crash-{seed}", honest=honest)
        disk.crash_after = random.randrange(1, 600)
        run = directory / f"{honest}-{seed}"
        run.mkdir()
        acknowledged = await run_until_crash(run, disk)
        for fate in range(FATES_A_RUN):
            restarted = run / f"restarted-{fate}"
            restarted.mkdir()
            disk.remains(restarted, random)
            if finding := await finding_after_restart(restarted, acknowledged):
                found.append(f"seed {seed}, fate {fate}: {finding}")
        disk.close()
    return found


async def finding_after_restart(directory: Path, acknowledged: int) -> str | None:
    try:
        store = await SqliteStore.open(directory / "store.db", KEEP)
    except StoreError as error:
        return str(error)
    try:
        if finding := await difference(store, acknowledged):
            return finding
        reached = await store.cursor("history") or 0
        await proceed(store, reached + 1)
        return await difference(store, reached + 1)
    except StoreError as error:
        return str(error)
    finally:
        await store.close()


async def test_a_power_failure_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    assert await findings(tmp_path, iter(range(RUNS)), honest=True) == []


async def test_control_the_checker_sees_what_synchronous_normal_loses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema, "SYNCHRONOUS", "NORMAL")
    found = await findings(tmp_path, iter(range(CONTROL_RUNS)), honest=True)
    assert any("lost" in finding for finding in found)


async def test_control_the_checker_sees_what_a_lying_disk_loses(tmp_path: Path) -> None:
    found = await findings(tmp_path, iter(range(CONTROL_RUNS)), honest=False)
    assert len(found) > CONTROL_RUNS
