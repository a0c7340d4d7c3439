"""A store is looked at without being changed."""

import os
from datetime import timedelta
from pathlib import Path

import apsw
import pytest

from ringback.errors import StoreError, StoreLocked, StoreTooNew
from ringback.stores.sqlite import SqliteStore, inspect
from ringback.stores.sqlite.schema import MIGRATIONS, Migration

KEEP = timedelta(days=1)
LATER = (*MIGRATIONS, Migration("CREATE TABLE more (x INTEGER)", readable_by=len(MIGRATIONS) + 1))
HARMLESS = (*MIGRATIONS, Migration("CREATE TABLE more (x INTEGER)", readable_by=1))


def contents(path: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in path.parent.iterdir()}


async def test_one_that_is_not_there_will_be_made(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    assert await inspect(path) == f"{path} will be made at the first start"
    assert contents(path) == {}


async def test_one_that_is_there_can_be_opened_and_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    await (await SqliteStore.open(path, KEEP)).close()
    before = contents(path)
    assert (await inspect(path)).startswith(f"{path} can be opened, 0.")
    assert contents(path)["store.db"] == before["store.db"]


async def test_one_that_is_in_use_is_locked_and_its_user_undisturbed(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    store = await SqliteStore.open(path, KEEP)
    with pytest.raises(StoreLocked):
        await inspect(path)
    assert await store.position() == 0
    await store.close()
    await inspect(path)


async def test_one_of_a_newer_ringback_is_told(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    await (await SqliteStore.open(path, KEEP, migrations=LATER)).close()
    with pytest.raises(StoreTooNew):
        await inspect(path)
    harmless = tmp_path / "harmless.db"
    await (await SqliteStore.open(harmless, KEEP, migrations=HARMLESS)).close()
    await inspect(harmless)


async def test_an_empty_file_will_do(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    path.touch()
    assert "can be opened" in await inspect(path)


async def test_one_of_another_program_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    connection = apsw.Connection(str(path))
    connection.execute("CREATE TABLE other (x)")
    connection.close()
    with pytest.raises(StoreError, match="belongs to another program"):
        await inspect(path)
    path.write_bytes(b"no database" * 100)
    with pytest.raises(StoreError, match="not a SQLite database"):
        await inspect(path)


async def test_a_directory_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"its directory is not there, .*; make it, or correct"):
        await inspect(tmp_path / "no" / "store.db")


async def test_one_that_may_not_be_written_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "store.db"
    await (await SqliteStore.open(path, KEEP)).close()
    # Said, not done: whoever runs the tests may be allowed everything.
    monkeypatch.setattr(os, "access", lambda asked, _: str(asked) != str(path))
    with pytest.raises(StoreError, match="this user may not read and write it"):
        await inspect(path)
