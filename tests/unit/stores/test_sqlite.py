"""What only the SQLite store promises: its file, its lock, its schema and its errors."""

import asyncio
import fcntl
import os
import stat
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO

import apsw
import pytest
import pytest_asyncio

from ringback.errors import StoreDamaged, StoreError, StoreFull, StoreLocked, StoreTooNew
from ringback.ports import Batch, Row
from ringback.stores.sqlite import SqliteStore, backup, marks, schema, writer
from ringback.stores.sqlite import store as store_module
from ringback.stores.sqlite.schema import MIGRATIONS, Migration
from support.crash_vfs import Disk
from support.store_history import all_rows, at, batch, difference

KEEP = timedelta(days=1)
ADDITION = Migration("ALTER TABLE journal ADD COLUMN origin TEXT", readable_by=1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.db"


@pytest_asyncio.fixture
async def written(path: Path) -> Path:
    """A closed store with some history in it."""
    store = await SqliteStore.open(path, KEEP)
    for number in range(1, 31):
        await store.commit(batch(number), at(number))
    await store.close()
    return path


@pytest_asyncio.fixture
async def disk() -> AsyncIterator[Disk]:
    made = Disk("failing")
    yield made
    made.close()


def ask(path: Path, sql: str) -> object:
    connection = apsw.Connection(str(path))
    try:
        return connection.execute(sql).get
    finally:
        connection.close()


def names(directory: Path) -> list[str]:
    return sorted(file.name for file in directory.iterdir())


def overwrite(path: Path, start: int, step: int, size: int) -> None:
    """Put `size` bytes of nonsense at every `step`th place from `start` on."""
    content = bytearray(path.read_bytes())
    for offset in range(start, len(content), step):
        content[offset : offset + size] = b"\xff" * size
    path.write_bytes(content)


async def refusal(path: Path, migrations: tuple[Migration, ...] = schema.MIGRATIONS) -> StoreError:
    with pytest.raises(StoreError) as refused:
        await SqliteStore.open(path, KEEP, migrations=migrations)
    assert str(path) in str(refused.value)
    return refused.value


# the file


async def test_files_are_private_whatever_the_umask(path: Path) -> None:
    before = os.umask(0)
    try:
        store = await SqliteStore.open(path, KEEP)
        await store.commit(batch(1), at(1))
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
        await store.close()
    finally:
        os.umask(before)
    assert modes == dict.fromkeys(
        ["store.db", "store.db-lock", "store.db-shm", "store.db-wal"], 0o600
    )


async def test_every_commit_is_synced_in_wal_mode(path: Path) -> None:
    store = await SqliteStore.open(path, KEEP)
    connection = store._opened.writer._connection
    assert connection.pragma("journal_mode") == "wal"
    assert connection.pragma("synchronous") == 2
    assert connection.pragma("trusted_schema") == 0
    await store.close()


async def test_one_row_is_kept_for_each_conversation_in_the_long_run(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "SLACK_ROWS", 10)
    store = await SqliteStore.open(path, KEEP)
    await all_rows(store)
    idle = {f"idle-{n}": Row(f"idle-{n}", b"idle") for n in range(200)}
    await store.commit(Batch(idle, [], {}), at(0))
    for number in range(2_000):
        busy = Row(f"busy-{number % 7}", b"%d" % number)
        await store.commit(Batch({busy.conversation_id: busy}, [], {}), at(0))
    rows = await all_rows(store)
    await store.close()
    assert len(rows) == 207
    assert {key: row for key, row in rows.items() if key in idle} == idle
    kept = ask(path, "SELECT count(*) FROM conversation")
    assert isinstance(kept, int)
    assert kept <= 207 * 3 // 2 + 20


async def test_rows_committed_during_a_load_outlive_the_compaction_after_it(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store_module, "ROWS_A_CHUNK", 1)
    monkeypatch.setattr(writer, "SLACK_ROWS", 0)
    store = await SqliteStore.open(path, KEEP)
    old = {key: Row(key, b"old") for key in ("changed", "removed", "same")}
    await store.commit(Batch(old, [], {}), at(0))
    loading = aiter(store.load())
    await anext(loading)
    during = [Row("changed", b"new"), Row("removed", None), Row("added", b"new")]
    await store.commit(Batch({row.conversation_id: row for row in during}, [], {}), at(1))
    async for _ in loading:
        pass
    for number in range(50):
        await store.commit(Batch({"busy": Row("busy", b"%d" % number)}, [], {}), at(2))
    assert {key: row.state for key, row in (await all_rows(store)).items()} == {
        "changed": b"new",
        "same": b"old",
        "added": b"new",
        "busy": b"49",
    }
    await store.close()


async def test_removed_conversations_leave_nothing_behind_in_the_long_run(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "SLACK_ROWS", 10)
    store = await SqliteStore.open(path, KEEP)
    await all_rows(store)
    for number in range(500):
        key = f"c{number}"
        await store.commit(Batch({key: Row(key, b"x")}, [], {}), at(0))
        await store.commit(Batch({key: Row(key, None)}, [], {}), at(0))
    assert await all_rows(store) == {}
    await store.close()
    kept = ask(path, "SELECT count(*) FROM conversation")
    assert isinstance(kept, int)
    assert kept <= 20


# one daemon at a time


async def test_a_second_store_on_the_file_is_refused_at_once(path: Path) -> None:
    store = await SqliteStore.open(path, KEEP)
    assert isinstance(await refusal(path), StoreLocked)
    link = path.with_name("link.db")
    link.symlink_to(path)
    with pytest.raises(StoreLocked):
        await SqliteStore.open(link, KEEP)
    await store.commit(batch(1), at(1))
    await store.close()
    again = await SqliteStore.open(path, KEEP)
    assert await difference(again, 1) is None
    await again.close()


async def test_a_refused_open_lets_go_of_the_lock(written: Path) -> None:
    await refusal(written, migrations=())
    store = await SqliteStore.open(written, KEEP)
    assert await difference(store, 30) is None
    await store.close()


async def test_a_refused_open_removes_only_a_lock_file_of_its_own(
    path: Path, written: Path
) -> None:
    overwrite(written, 0, 4096, 16)
    lock = f"{path.name}-lock"
    await refusal(path)
    assert names(path.parent) == [path.name, lock]
    await asyncio.to_thread(path.with_name(lock).unlink)
    await refusal(path)
    assert names(path.parent) == [path.name]


async def test_a_lock_file_that_was_removed_locks_nothing(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    take, name = fcntl.flock, Path(f"{path}-lock")

    def too_late(lock: BinaryIO, operation: int) -> None:
        name.unlink()
        take(lock, operation)

    monkeypatch.setattr("ringback.stores.sqlite.store.fcntl.flock", too_late)
    assert isinstance(await refusal(path), StoreLocked)


async def test_other_programs_may_read_while_the_store_is_open(path: Path) -> None:
    store = await SqliteStore.open(path, KEEP)
    await store.commit(batch(1), at(1))
    assert ask(path, "SELECT position FROM cursor WHERE reader = 'history'") == 1
    await store.commit(batch(2), at(2))
    assert await difference(store, 2) is None
    await store.close()


async def test_a_foreign_writer_is_reported_and_nothing_is_half_done(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schema, "BUSY_MILLISECONDS", 1)
    store = await SqliteStore.open(path, KEEP)
    foreign = apsw.Connection(str(path))
    foreign.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreLocked):
        await store.commit(batch(1), at(1))
    foreign.close()
    with pytest.raises(StoreError, match="an earlier commit failed"):
        await store.commit(batch(1), at(1))
    assert await store.position() == 0
    await store.close()


# the schema


async def test_a_new_store_is_stamped_with_the_schema_of_this_code(written: Path) -> None:
    assert ask(written, "PRAGMA application_id") == schema.APPLICATION_ID
    assert ask(written, "SELECT value FROM meta WHERE name = 'schema_version'") == len(MIGRATIONS)


async def test_an_older_store_is_brought_up_to_date_with_its_content(written: Path) -> None:
    store = await SqliteStore.open(written, KEEP, migrations=(*MIGRATIONS, ADDITION))
    assert await difference(store, 30) is None
    await store.commit(batch(31), at(31))
    await store.close()
    version = ask(written, "SELECT value FROM meta WHERE name = 'schema_version'")
    assert version == len(MIGRATIONS) + 1
    assert ask(written, "SELECT count(origin) FROM journal") == 0


async def test_a_migration_that_fails_leaves_the_store_as_it_was(written: Path) -> None:
    broken = Migration("CREATE TABLE extra (x); SELECT no_such_function()", readable_by=1)
    await refusal(written, migrations=(*MIGRATIONS, ADDITION, broken))
    store = await SqliteStore.open(written, KEEP)
    assert await difference(store, 30) is None
    await store.close()
    assert ask(written, "SELECT count(*) FROM sqlite_schema WHERE name = 'extra'") == 0
    assert ask(written, "SELECT value FROM meta WHERE name = 'schema_version'") == len(MIGRATIONS)


async def test_entries_from_before_there_were_histories_are_found_too(path: Path) -> None:
    store = await SqliteStore.open(path, KEEP)
    events = [b'{"subject":"c-%d"}' % (number % 3) for number in range(10_000)]
    await store.commit(Batch({}, [*events, b"{}", b"no JSON"], {}), at(0))
    assert await store.history("c-1", 10) == []
    await store.close()
    connection = apsw.Connection(str(path))
    connection.execute("DROP TABLE trace; UPDATE meta SET value = 1 WHERE name = 'schema_version'")
    connection.close()
    store = await SqliteStore.open(path, KEEP)
    found = await store.history("c-1", 10_000)
    await store.close()
    assert [entry.position for entry in found] == list(range(2, 10_001, 3))
    assert {entry.body for entry in found} == {b'{"subject":"c-1"}'}


async def test_one_of_the_same_mark_is_not_taken_for_another(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(marks, "_hash", lambda _: 7)
    store = await SqliteStore.open(path, KEEP)
    await store.commit(Batch({}, [b'{"subject":"a"}', b'{"subject":"b"}'], {}, ["a", "b"]), at(0))
    found = await store.history("b", 10)
    await store.close()
    assert [entry.position for entry in found] == [2]


async def test_a_newer_store_is_refused_unless_it_says_that_older_code_may_use_it(
    written: Path,
) -> None:
    newer = await SqliteStore.open(written, KEEP, migrations=(*MIGRATIONS, ADDITION))
    await newer.close()
    store = await SqliteStore.open(written, KEEP)
    await store.commit(batch(31), at(31))
    assert await difference(store, 31) is None
    await store.close()
    connection = apsw.Connection(str(written))
    connection.execute("UPDATE meta SET value = 9 WHERE name IN ('schema_version', 'readable_by')")
    connection.close()
    refused = await refusal(written)
    assert isinstance(refused, StoreTooNew)
    assert "schema version is 9" in str(refused)


async def test_an_old_sqlite_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apsw, "sqlite_lib_version", lambda: "3.51.2")
    assert "3.51.3 or later" in str(await refusal(path))


def test_the_sqlite_that_comes_with_apsw_is_new_enough() -> None:
    assert tuple(map(int, apsw.sqlite_lib_version().split("."))) >= (3, 51, 3)


# what cannot be opened


async def test_a_database_of_another_program_is_left_alone(path: Path) -> None:
    other = apsw.Connection(str(path))
    other.execute("CREATE TABLE theirs (x)")
    other.close()
    assert "another program" in str(await refusal(path))
    assert ask(path, "SELECT count(*) FROM sqlite_schema") == 1


async def test_a_file_that_is_no_database(path: Path) -> None:
    other = apsw.Connection(str(path))
    other.execute("CREATE TABLE theirs (x)")
    other.close()
    overwrite(path, 0, 4096, 100)
    assert "not a SQLite database" in str(await refusal(path))


async def test_a_missing_directory(tmp_path: Path) -> None:
    assert "No such file or directory" in str(await refusal(tmp_path / "missing" / "store.db"))
    assert names(tmp_path) == []


async def test_a_directory_in_place_of_the_file(tmp_path: Path) -> None:
    assert "cannot be opened" in str(await refusal(tmp_path))


@pytest.mark.parametrize("target", ["store.db", "store.db-lock"])
async def test_what_this_user_may_not_write(
    written: Path, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Root may write anything, so the kernel's answer is played.
    real = os.open

    def deny(path: str, flags: int, mode: int = 0o777) -> int:
        if Path(path).name == target and flags & (os.O_WRONLY | os.O_RDWR):
            raise PermissionError(13, "Permission denied", path)
        return real(path, flags, mode)

    monkeypatch.setattr(os, "open", deny)
    assert "Permission denied" in str(await refusal(written))


async def test_a_read_only_database(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read_write = apsw.SQLITE_OPEN_READWRITE
    monkeypatch.setattr(apsw, "SQLITE_OPEN_READWRITE", apsw.SQLITE_OPEN_READONLY)
    assert "cannot be written" in str(await refusal(path))
    monkeypatch.setattr(apsw, "SQLITE_OPEN_READWRITE", read_write)
    store = await SqliteStore.open(path, KEEP)
    await store.close()


async def test_a_damaged_database_is_found_when_it_is_opened(written: Path) -> None:
    overwrite(written, 4096, 4096, 64)
    assert isinstance(await refusal(written), StoreDamaged)


async def test_damage_where_opening_does_not_look_is_found_too(path: Path) -> None:
    store = await SqliteStore.open(path, KEEP)
    rows = {f"c{number}": Row(f"c{number}", bytes(600)) for number in range(1_000)}
    await store.commit(Batch(rows, [], {}), at(0))
    await store.close()
    overwrite(path, 80 * 4096, 10**9, 64)
    refused = await refusal(path)
    assert isinstance(refused, StoreDamaged)
    assert "quick_check" in str(refused)


# what fails while it runs


async def test_damage_is_told_when_it_is_met(written: Path) -> None:
    store = await SqliteStore.open(written, KEEP)
    overwrite(written, 4096, 4096, 4096)
    with pytest.raises(StoreDamaged):
        await all_rows(store)
    await store.close()


async def commit_until_failure(store: SqliteStore, number: int) -> tuple[int, StoreError]:
    """Commit batches from `number` on; return the last that was acknowledged and the error."""
    while True:
        try:
            await store.commit(batch(number), at(number))
        except StoreError as error:
            return number - 1, error
        number += 1


@pytest.mark.parametrize(
    ("failure", "expected", "text"),
    [
        (apsw.FullError, StoreFull, "the disk is full"),
        (apsw.IOError, StoreError, "the disk failed"),
        (apsw.ReadOnlyError, StoreError, "cannot be written"),
    ],
)
async def test_a_disk_that_fails_at_any_operation_leaves_whole_batches(
    tmp_path: Path,
    disk: Disk,
    failure: type[apsw.Error],
    expected: type[StoreError],
    text: str,
) -> None:
    disk.failure = failure
    for operations in range(12):
        path = tmp_path / f"{operations}.db"
        disk.crash_after = None
        store = await SqliteStore.open(path, KEEP, vfs=disk.name)
        for number in range(1, 6):
            await store.commit(batch(number), at(number))
        disk.crash_after = disk.operations + operations
        done, error = await commit_until_failure(store, 6)
        assert isinstance(error, expected)
        assert text in str(error)
        position = await store.position()
        assert len(await store.read(0, 1_000)) == position
        with pytest.raises(StoreError, match="an earlier commit failed"):
            await store.commit(batch(done + 1), at(done + 1))
        disk.crash_after = None
        await store.close()
        again = await SqliteStore.open(path, KEEP)
        assert await difference(again, done) is None
        await again.close()


async def test_a_limit_on_the_size_counts_as_full(path: Path) -> None:
    store = await SqliteStore.open(path, KEEP)
    store._opened.writer._connection.pragma("max_page_count", 20)
    with pytest.raises(StoreFull):
        await store.commit(Batch({}, [bytes(200_000)], {}), at(0))
    assert await store.position() == 0
    assert await store.read(0, 10) == []
    await store.close()


async def test_a_body_that_is_no_bytes_stores_nothing_of_its_batch(path: Path) -> None:
    store = await SqliteStore.open(path, KEEP)
    wrong = Batch({"c1": Row("c1", b"x")}, [object()], {})  # type: ignore[list-item]  # the fault
    with pytest.raises(TypeError):
        await store.commit(wrong, at(0))
    assert await all_rows(store) == {}
    await store.close()


async def test_the_loop_runs_on_while_sqlite_works(path: Path) -> None:
    store = await SqliteStore.open(path, KEEP)
    rows = {f"c{number}": Row(f"c{number}", bytes(500)) for number in range(20_000)}
    ticks = 0
    committing = asyncio.ensure_future(store.commit(Batch(rows, [], {}), at(0)))
    while not committing.done():
        ticks += 1
        await asyncio.sleep(0)
    assert ticks > 10
    await store.close()


async def test_a_cancelled_commit_is_still_carried_out(path: Path) -> None:
    store = await SqliteStore.open(path, KEEP)
    committing = asyncio.ensure_future(store.commit(batch(1), at(1)))
    await asyncio.sleep(0)
    committing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await committing
    await store.commit(batch(2), at(2))
    assert await difference(store, 2) is None
    await store.close()


# backups


async def test_a_backup_of_a_running_store_is_a_store(path: Path, tmp_path: Path) -> None:
    store = await SqliteStore.open(path, KEEP)
    for number in range(1, 31):
        await store.commit(batch(number), at(number))
    target = tmp_path / "copy.db"
    _, told = await asyncio.gather(backup(path, target), store.commit(batch(31), at(31)))
    assert told == await store.position()
    await store.close()
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    copy = await SqliteStore.open(target, KEEP)
    assert await difference(copy, 30) is None
    await copy.close()


async def test_a_backup_never_overwrites(written: Path, tmp_path: Path) -> None:
    target = tmp_path / "copy.db"
    target.write_text("precious")
    with pytest.raises(StoreError, match="exists already"):
        await backup(written, target)
    assert target.read_text() == "precious"


async def test_a_backup_that_fails_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(StoreError):
        await backup(tmp_path / "missing.db", tmp_path / "copy.db")
    assert names(tmp_path) == []
