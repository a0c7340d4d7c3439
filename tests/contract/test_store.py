"""What every store promises, whatever it is made of."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio

from ringback.errors import PositionGone
from ringback.ports import Batch, Row, Store
from ringback.stores.jetstream.store import JetStreamStore
from ringback.stores.memory import MemoryStore
from ringback.stores.sqlite import SqliteStore
from support.engine import JETSTREAM, new_org, open_engine
from support.store_history import all_rows, at, batch, difference

KEEP = timedelta(seconds=100)

Reopen = Callable[[], Awaitable[Store]]


@pytest_asyncio.fixture(params=["memory", "sqlite", *JETSTREAM])
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    """Every store: one partition's, where there are several."""
    match request.param:
        case server if server in JETSTREAM:
            engine = await open_engine(request.getfixturevalue(JETSTREAM[server]))
            made: Store = engine.store(1)
            yield made
            await engine.close()
        case name:
            made = await local_store(name, tmp_path)
            yield made
    await made.close()


@pytest_asyncio.fixture(params=["memory", "sqlite"])
async def local(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    """Stores of a machine's own, whose positions have no holes, and which prune when told to."""
    made = await local_store(request.param, tmp_path)
    yield made
    await made.close()


async def local_store(name: str, folder: Path) -> Store:
    if name == "memory":
        return MemoryStore(KEEP)
    return await SqliteStore.open(folder / "store.db", KEEP)


@pytest_asyncio.fixture(params=["sqlite", *JETSTREAM])
async def reopen(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Reopen]:
    """Opens the same lasting store again and again, closing what was open."""
    async with AsyncExitStack() as last:
        org = new_org()

        async def again() -> Store:
            await last.aclose()
            if request.param == "sqlite":
                found: Store = await SqliteStore.open(tmp_path / "store.db", KEEP)
            else:
                url = request.getfixturevalue(JETSTREAM[request.param])
                engine = await open_engine(url, org)
                last.push_async_callback(engine.close)
                found = engine.store(1)
            last.push_async_callback(found.close)
            return found

        yield again


def of(
    *rows: Row, events: list[bytes] | None = None, cursors: dict[str, int] | None = None
) -> Batch:
    return Batch({row.conversation_id: row for row in rows}, events or [], cursors or {})


def many(store: Store) -> int:
    """How many rows are more than a chunk."""
    return 1_200 if isinstance(store, JetStreamStore) else 25_000


async def bodies(store: Store, after: int = 0, limit: int = 1_000) -> list[bytes]:
    return [entry.body for entry in await store.read(after, limit)]


async def test_a_new_store_is_empty(store: Store) -> None:
    assert await all_rows(store) == {}
    assert await store.position() == 0
    assert await store.read(0, 10) == []
    assert await store.cursor("alerts") is None
    assert await store.prune(at(10**6)) == 0


async def test_a_batch_is_there_with_all_its_parts(store: Store) -> None:
    row = Row("c1", b"state", 1_700_000_000_000)
    done = await store.commit(of(row, events=[b"one", b"two"], cursors={"alerts": 1}), at(0))
    assert await store.position() == done
    assert await all_rows(store) == {"c1": row}
    entries = await store.read(0, 10)
    assert [entry.body for entry in entries] == [b"one", b"two"]
    assert 0 < entries[0].position < entries[1].position <= done
    assert await store.cursor("alerts") == 1


async def test_an_empty_batch_changes_nothing(store: Store) -> None:
    done = await store.commit(of(events=[b"one"]), at(0))
    assert await store.commit(of(), at(1)) == done
    assert await bodies(store) == [b"one"]


async def test_the_latest_row_counts(store: Store) -> None:
    for number in range(50):
        await store.commit(of(Row("c1", b"%d" % number, number)), at(number))
    assert await all_rows(store) == {"c1": Row("c1", b"49", 49)}


async def test_a_deadline_can_be_taken_away(store: Store) -> None:
    await store.commit(of(Row("c1", b"a", 5)), at(0))
    await store.commit(of(Row("c1", b"a", None)), at(1))
    assert await all_rows(store) == {"c1": Row("c1", b"a", None)}


async def test_a_row_is_removed_and_may_come_back(store: Store) -> None:
    await store.commit(of(Row("c1", b"a"), Row("c2", b"b")), at(0))
    await store.commit(of(Row("c1", None)), at(1))
    assert await all_rows(store) == {"c2": Row("c2", b"b")}
    await store.commit(of(Row("c1", b"again")), at(2))
    assert await all_rows(store) == {"c1": Row("c1", b"again"), "c2": Row("c2", b"b")}


async def test_removing_what_was_never_there_is_no_error(store: Store) -> None:
    await store.commit(of(Row("ghost", None)), at(0))
    assert await all_rows(store) == {}
    await store.commit(of(Row("ghost", None)), at(0))
    assert await all_rows(store) == {}


async def test_an_empty_state_is_a_state(store: Store) -> None:
    await store.commit(of(Row("c1", b"")), at(0))
    assert await all_rows(store) == {"c1": Row("c1", b"")}


async def test_any_text_is_an_id_and_any_bytes_are_a_body(store: Store) -> None:
    row = Row("naïve \x00 ☎ '; DROP TABLE journal; --", bytes(range(256)))
    await store.commit(of(row, events=[bytes(range(256)), b""]), at(0))
    assert await all_rows(store) == {row.conversation_id: row}
    assert await bodies(store) == [bytes(range(256)), b""]


async def test_big_rows_and_bodies(store: Store) -> None:
    big = bytes(5_000_000)
    await store.commit(of(Row("c1", big), events=[big]), at(0))
    assert (await all_rows(store))["c1"].state == big
    assert await bodies(store) == [big]


async def test_reading_goes_on_where_it_stopped(store: Store) -> None:
    for number in range(5):
        await store.commit(of(events=[b"%d-%d" % (number, n) for n in range(3)]), at(number))
    every = await store.read(0, 100)
    assert [entry.body for entry in every] == [
        b"%d-%d" % (n, m) for n in range(5) for m in range(3)
    ]
    positions = [entry.position for entry in every]
    assert positions == sorted(set(positions))
    assert await store.read(0, 4) == every[:4]
    for index, entry in enumerate(every, start=1):
        assert await store.read(entry.position, 100) == every[index:]
    assert await store.read(positions[-1], 10) == []
    assert await store.read(positions[-1] + 99, 10) == []


async def test_cursors_are_kept_apart_and_move_alone(store: Store) -> None:
    await store.commit(of(cursors={"a": 1, "b": 2}), at(0))
    await store.commit(of(cursors={"b": 3}), at(1))
    assert [await store.cursor(name) for name in "abc"] == [1, 3, None]


async def test_pruning_removes_what_is_older_than_the_retention(local: Store) -> None:
    for second in (0, 50, 101):
        await local.commit(of(events=[b"%d" % second]), at(second))
    assert await local.prune(at(150)) == 1
    assert await bodies(local, after=1) == [b"50", b"101"]
    with pytest.raises(PositionGone) as gone:
        await local.read(0, 10)
    assert gone.value.oldest == 2
    assert await local.prune(at(150)) == 0


async def test_positions_go_on_when_everything_was_pruned(local: Store) -> None:
    await local.commit(of(events=[b"1", b"2"]), at(0))
    assert await local.prune(at(1_000)) == 2
    assert await local.position() == 2
    assert await local.read(2, 10) == []
    with pytest.raises(PositionGone) as gone:
        await local.read(1, 10)
    assert gone.value.oldest == 3
    assert await local.commit(of(events=[b"3"]), at(1_000)) == 3
    assert await bodies(local, after=2) == [b"3"]


async def test_pruning_is_bounded_and_ends(local: Store) -> None:
    total = 25_000
    await local.commit(of(events=[b"x"] * total), at(0))
    removed = [await local.prune(at(1_000)) for _ in range(4)]
    assert sum(removed) == total
    assert 0 < removed[0] < total
    assert removed[-1] == 0


async def test_a_clock_that_went_back_does_not_hold_up_pruning(local: Store) -> None:
    await local.commit(of(events=[b"from the future"]), at(10_000))
    await local.commit(of(events=[b"after the correction"]), at(0))
    assert await local.prune(at(200)) == 2


async def test_pruning_spares_rows_and_cursors(local: Store) -> None:
    await local.commit(of(Row("c1", b"a"), events=[b"1"], cursors={"alerts": 1}), at(0))
    await local.prune(at(1_000))
    assert await all_rows(local) == {"c1": Row("c1", b"a")}
    assert await local.cursor("alerts") == 1


async def test_loading_gives_chunks_of_everything(store: Store) -> None:
    count = many(store)
    rows = [Row(f"c{number}", b"s", number) for number in range(count)]
    await store.commit(of(*rows), at(0))
    chunks = [len(chunk) async for chunk in store.load()]
    assert len(chunks) > 1
    assert sum(chunks) == count
    assert await all_rows(store) == {row.conversation_id: row for row in rows}


async def test_loading_is_of_one_moment(store: Store) -> None:
    count = many(store)
    rows = [Row(f"c{number}", b"old") for number in range(count)]
    await store.commit(of(*rows), at(0))
    loading = aiter(store.load())
    seen = list(await anext(loading))
    await store.commit(of(*(Row(f"c{n}", b"new") for n in range(0, count, 2))), at(1))
    seen += [row async for chunk in loading for row in chunk]
    assert sorted(row.conversation_id for row in seen) == sorted(r.conversation_id for r in rows)
    assert {row.state for row in seen} == {b"old"}
    assert sum(row.state == b"new" for row in (await all_rows(store)).values()) == count // 2


async def test_commits_at_once_get_positions_of_their_own(store: Store) -> None:
    ends = await asyncio.gather(
        *(store.commit(of(events=[b"%d" % n, b"%d" % n]), at(0)) for n in range(40))
    )
    assert len(set(ends)) == 40
    assert max(ends) == await store.position()
    found = await bodies(store)
    assert found[::2] == found[1::2]


async def test_readers_see_whole_batches_while_commits_go_on(store: Store) -> None:
    stop = asyncio.Event()

    async def read_on() -> int:
        rounds = 0
        while not stop.is_set():
            found = await bodies(store, limit=100_000)
            assert found == [b"%d" % (index // 10) for index in range(len(found))]
            assert len(found) % 10 == 0
            rounds += 1
            await asyncio.sleep(0)
        return rounds

    reading = asyncio.create_task(read_on())
    for number in range(60):
        await store.commit(of(events=[b"%d" % number] * 10), at(number))
        await asyncio.sleep(0)
    stop.set()
    assert await reading > 0


async def test_a_position_that_was_told_can_be_read(store: Store) -> None:
    before = 0
    for number in range(50):
        told = await store.commit(of(events=[b"%d" % number]), at(number))
        entries = await store.read(before, 10)
        assert [entry.body for entry in entries] == [b"%d" % number]
        assert before < entries[0].position <= told
        before = told


async def test_a_long_history(store: Store) -> None:
    async for _ in store.load():
        pass
    for number in range(1, 301):
        await store.commit(batch(number), at(number))
    gapless = not isinstance(store, JetStreamStore)
    assert await difference(store, 300, gapless=gapless) is None


async def test_everything_is_there_after_reopening(reopen: Reopen) -> None:
    store = await reopen()
    for number in range(1, 101):
        await store.commit(batch(number), at(number))
    for number in range(101, 201):
        if number % 10 == 1:
            store = await reopen()
            if number % 20 == 1:
                await all_rows(store)
        await store.commit(batch(number), at(number))
    store = await reopen()
    gapless = not isinstance(store, JetStreamStore)
    assert await difference(store, 200, gapless=gapless) is None


async def test_positions_go_on_after_pruning_everything_and_reopening(tmp_path: Path) -> None:
    store = await SqliteStore.open(tmp_path / "store.db", KEEP)
    await store.commit(of(events=[b"1", b"2"]), at(0))
    await store.prune(at(1_000))
    await store.close()
    store = await SqliteStore.open(tmp_path / "store.db", KEEP)
    assert await store.position() == 2
    with pytest.raises(PositionGone):
        await store.read(0, 10)
    assert await store.commit(of(events=[b"3"]), at(1_000)) == 3
    await store.close()


async def test_closing_ends_every_thread(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    store = await SqliteStore.open(tmp_path / "store.db", KEEP)
    await store.commit(batch(1), at(1))
    await store.read(0, 10)
    await store.close()
    assert not [thread for thread in set(threading.enumerate()) - before if thread.is_alive()]


def about(subject: str, number: int) -> bytes:
    return b'{"subject":"%s","number":%d}' % (subject.encode(), number)


async def tell(store: Store, *subjects: str, first: int = 1, seconds: int = 0) -> None:
    """Append entries about these, numbered from `first` on."""
    events = [about(subject, number) for number, subject in enumerate(subjects, first)]
    await store.commit(Batch({}, events, {}, list(subjects)), at(seconds))


async def numbers(store: Store, subject: str, limit: int = 1_000) -> list[int]:
    """Give the numbers of what a history has of one, which is what the journal has there."""
    entries = await store.history(subject, limit)
    found = [msgspec.json.decode(entry.body)["number"] for entry in entries]
    assert [entry.body for entry in entries] == [about(subject, number) for number in found]
    for entry in (*entries[:1], *entries[-1:]):
        assert await store.read(entry.position - 1, 1) == [entry]
    return found


async def test_the_history_of_one_is_what_was_told_of_it_oldest_first(store: Store) -> None:
    assert await numbers(store, "c-1") == []
    await tell(store, "c-1", "c-2", "c-1")
    await tell(store, "c-2", "c-1", "c-10", first=4)
    assert await numbers(store, "c-1") == [1, 3, 5]
    assert await numbers(store, "c-2") == [2, 4]
    assert await numbers(store, "c-3") == []


async def test_a_history_that_is_long_gives_its_end(store: Store) -> None:
    await tell(store, *["c-1", "c-2"] * 3000)
    assert await numbers(store, "c-1", 3) == [5995, 5997, 5999]
    assert len(await numbers(store, "c-2", 10_000)) == 3000


async def test_what_retention_has_removed_is_in_no_history(local: Store) -> None:
    await tell(local, *["c-1", "c-2"] * 3000, seconds=0)
    await tell(local, "c-1", "c-3", first=6001, seconds=60)
    assert await local.prune(at(110)) == 6000
    assert await numbers(local, "c-1") == [6001]
    assert await numbers(local, "c-2") == []
    await tell(local, "c-2", first=6003, seconds=120)
    assert await numbers(local, "c-2") == [6003]


async def test_what_is_about_nothing_in_particular_is_in_no_history(store: Store) -> None:
    await store.commit(of(events=[about("c-1", 1)]), at(0))
    await tell(store, "c-1", first=2)
    assert await numbers(store, "c-1") == [2]


async def test_a_history_lasts(reopen: Reopen) -> None:
    await tell(await reopen(), "c-1", "c-2")
    again = await reopen()
    await tell(again, "c-1", first=3)
    assert await numbers(again, "c-1") == [1, 3]
