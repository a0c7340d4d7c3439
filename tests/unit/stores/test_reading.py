"""A store is read as its daemon has left it, whatever became of that, and left as it was."""

import shutil
from datetime import timedelta
from pathlib import Path

from ringback.ports import Batch, Row
from ringback.stores.sqlite import SqliteReader, SqliteStore
from ringback.stores.sqlite.reading import Kept
from support.store_history import at

KEEP = timedelta(seconds=10)


def batch(number: int, *rows: Row) -> Batch:
    return Batch({row.conversation_id: row for row in rows}, [b'{"n":%d}' % number], {"r": number})


def contents(folder: Path) -> dict[str, bytes]:
    """Give the bytes of what is stored; the index of the log of changes is none of it."""
    return {
        path.name: path.read_bytes() for path in folder.iterdir() if not path.name.endswith("-shm")
    }


async def killed(folder: Path) -> Path:
    """Leave a store as a killed daemon does: with changes that are only in the log of them."""
    alive, dead = folder / "alive", folder / "dead"
    alive.mkdir()
    dead.mkdir()
    store = await SqliteStore.open(alive / "store.db", KEEP)
    await store.commit(batch(1, Row("a", b"1", 5), Row("b", b"1")), at(1))
    await store.commit(batch(2, Row("a", b"2", 6), Row("c", b"1"), Row("b", None)), at(2))
    for path in alive.iterdir():
        shutil.copy(path, dead / path.name)
    await store.close()
    return dead / "store.db"


async def test_what_a_killed_daemon_has_left_is_read_and_not_touched(tmp_path: Path) -> None:
    path = await killed(tmp_path)
    assert (path.parent / "store.db-wal").stat().st_size > 0
    before = contents(path.parent)
    with SqliteReader.open(path) as reader:
        assert set(reader.rows()) == {Row("a", b"2", 6), Row("c", b"1")}
        assert [entry.body for entry in reader.entries(1)] == [b'{"n":1}', b'{"n":2}']
        assert reader.cursors() == {"r": 2}
        assert reader.kept == Kept(1, 2)
    assert contents(path.parent) == before


async def test_rows_come_in_the_same_order_each_time(tmp_path: Path) -> None:
    path = await killed(tmp_path)
    with SqliteReader.open(path) as reader:
        assert list(reader.rows()) == list(reader.rows())


async def test_a_journal_of_which_the_beginning_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    store = await SqliteStore.open(path, KEEP)
    for number in range(1, 31):
        await store.commit(batch(number), at(number))
    await store.prune(at(30))
    await store.close()
    with SqliteReader.open(path) as reader:
        first, last = reader.kept
        assert (first, last) == (20, 30)
        assert [entry.position for entry in reader.entries(first)] == list(range(20, 31))
        newest = reader.newest()
        assert newest == int(at(30).timestamp() * 1000)
        assert reader.first_since(newest - 2_000) == 28
        assert reader.first_since(newest + 1) == 31


async def test_a_journal_of_which_all_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    store = await SqliteStore.open(path, KEEP)
    await store.commit(batch(1), at(1))
    await store.prune(at(100))
    await store.close()
    with SqliteReader.open(path) as reader:
        assert reader.kept == Kept(2, 1)
        assert list(reader.entries(1)) == []
        assert reader.newest() is None
