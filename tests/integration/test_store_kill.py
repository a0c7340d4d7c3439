"""SIGKILL at random moments: the database goes on where it was, again and again."""

import asyncio
import os
import sys
from contextlib import suppress
from pathlib import Path
from random import Random

from ringback.errors import StoreLocked
from ringback.stores.sqlite import SqliteStore, schema, writer
from support.store_history import KEEP, difference, proceed

KILLS = 20
ROOTS = [str(Path(__file__).parents[1]), str(Path(__file__).parents[2] / "service")]


async def work(path: str) -> None:
    """In the child: go on from where the store is, and tell each batch that is committed."""
    schema.CHECKPOINT_PAGES = 50
    writer.SLACK_ROWS = 50
    store = await SqliteStore.open(path, KEEP)
    async for _ in store.load():
        pass
    number = await store.cursor("history") or 0
    while True:
        number += 1
        await proceed(store, number)
        sys.stdout.write(f"{number}\n")
        sys.stdout.flush()


async def run_and_kill(path: Path, random: Random) -> int:
    """Run a child for a random while and kill it; return the last batch that it told of."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([*ROOTS, *filter(None, sys.path)])}
    child = await asyncio.create_subprocess_exec(
        sys.executable, __file__, str(path), stdout=asyncio.subprocess.PIPE, env=environment
    )
    assert child.stdout is not None
    told = await child.stdout.readline()
    assert told, "the child failed"
    with suppress(StoreLocked):
        await SqliteStore.open(path, KEEP)
        raise AssertionError("two processes opened one store")
    with suppress(TimeoutError):
        async with asyncio.timeout(random.uniform(0, 0.15)):
            while line := await child.stdout.readline():
                told = line
    child.kill()
    # What it told before it died, though not an end of line that death cut off.
    for line in (await child.stdout.read()).splitlines(keepends=True):
        told = line if line.endswith(b"\n") else told
    await child.wait()
    return int(told)


async def test_nothing_acknowledged_is_lost_by_sigkill(tmp_path: Path) -> None:
    random = Random(22)
    path = tmp_path / "store.db"
    acknowledged = 0
    for _ in range(KILLS):
        told = await run_and_kill(path, random)
        assert told > acknowledged
        acknowledged = told
        store = await SqliteStore.open(path, KEEP)
        assert await difference(store, acknowledged) is None
        await store.close()


if __name__ == "__main__":
    asyncio.run(work(sys.argv[1]))
