"""A single machine's store is carried into JetStream, whole and in order."""

import asyncio
import hashlib
import io
import json
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from ringback.app.migrating import migrate
from ringback.errors import EngineForeign, SettingsError, StoreError, StoreLocked
from ringback.ports import Batch, Row
from ringback.runtime.clock import SystemClock
from ringback.settings import Settings
from ringback.settings.schema import SourceSettings, StoreSettings
from ringback.simulator.centre import ContactCentre
from ringback.simulator.server import SimulatorServer
from ringback.stores.jetstream.engine import Engine
from ringback.stores.jetstream.subjects import partition_of
from ringback.stores.sqlite import SqliteReader, SqliteStore
from support.daemon import SOON, running
from support.engine import engine_settings, new_org
from support.gateway import BUSY
from support.store_history import at

KEEP = timedelta(days=7)
PARTITIONS = 4


def settings(url: str, org: str = "", prefix: str = "ringback") -> Settings:
    jetstream = msgspec.structs.replace(engine_settings(url, PARTITIONS), prefix=prefix)
    return Settings(
        source=SourceSettings(org=org or new_org()),
        store=StoreSettings(kind="jetstream"),
        jetstream=jetstream,
    )


async def opened(found: Settings) -> Engine:
    return await Engine.open(found.jetstream, found.source.org, found.store.keep_journal_hours)


async def run(found: Settings, source: Path | None, **more: object) -> str:
    out = io.StringIO()
    await migrate(found, source, out, **more)  # type: ignore[arg-type]
    return out.getvalue()


def told(conversation: str, number: int, org: str) -> bytes:
    kind = "updated" if number > 1 else "scheduled"
    return json.dumps(
        {
            "id": f"{conversation}/{number}",
            "source": f"/orgs/{org}",
            "type": f"ringback.callback.{kind}.v1",
            "subject": conversation,
            "partitionkey": conversation,
            "sequence": number,
        }
    ).encode()


async def made(path: Path, org: str, conversations: int = 50, rounds: int = 4) -> None:
    """Make a store as a daemon leaves it, small and known."""
    store = await SqliteStore.open(path, KEEP)
    names = [f"conversation.{number} *>" for number in range(conversations)]
    for number in range(1, rounds + 1):
        rows = {name: Row(name, f"{name} {number}".encode(), number) for name in names}
        events = [told(name, number, org) for name in names]
        await store.commit(Batch(rows, events, {"stdout": number * 10}, names), at(number))
    others = {"~silence/1": Row("~silence/1", b"s"), "~receiver/ops": Row("~receiver/ops", b"r")}
    gone = {names[0]: Row(names[0], None)}
    await store.commit(Batch(others | gone, [], {}), at(rounds + 1))
    await store.close()


@pytest_asyncio.fixture
async def target(nats_url: str) -> Settings:
    return settings(nats_url)


async def kept(found: Settings, partition: int) -> dict[str, Row]:
    engine = await opened(found)
    try:
        rows = [row async for chunk in engine.store(partition).load() for row in chunk]
    finally:
        await engine.close()
    return {row.conversation_id: row for row in rows}


async def journal(found: Settings, after: int = 0) -> list[bytes]:
    engine = await opened(found)
    try:
        store, bodies = engine.store(0), []
        while entries := await store.read(after, 1000):
            bodies += [entry.body for entry in entries]
            after = entries[-1].position
    finally:
        await engine.close()
    return bodies


async def entries_of(path: Path) -> list[bytes]:
    with SqliteReader.open(path) as reader:
        return [entry.body for entry in reader.entries(1)]


async def messages(found: Settings) -> list[tuple[int, int, str, bytes | None]]:
    """Give all that the log of steps has, in order."""
    engine = await opened(found)
    try:
        steps = await engine.steps.read(0, 100_000)
    finally:
        await engine.close()
    return [(one.sequence, one.partition, one.row.conversation_id, one.row.state) for one in steps]


async def test_a_daemons_store_is_there_byte_for_byte_and_its_history_in_order(
    tmp_path: Path, nats_url: str
) -> None:
    async with running(tmp_path, simulator__speed=50, simulator__callbacks_per_hour=20_000) as one:
        await one.tells("connected", 100)
        one.process.terminate()
        assert await one.ends() == 0
    path = tmp_path / "ringback.db"
    before = hashlib.sha256(path.read_bytes()).hexdigest()
    with SqliteReader.open(path) as reader:
        rows = {row.conversation_id: row for row in reader.rows()}
        entries = [entry.body for entry in reader.entries(1)]
        cursors = reader.cursors()
    assert len(entries) > 100
    found = settings(nats_url, "local", prefix=new_org())
    said = await run(found, path)
    assert "Done." in said
    assert f"{len(entries)} events" in said
    assert hashlib.sha256(path.read_bytes()).hexdigest() == before

    everywhere = [await kept(found, partition) for partition in range(PARTITIONS + 1)]
    for key, row in rows.items():
        if not key.startswith("~"):
            number = partition_of(key, PARTITIONS)
            assert [key in each for each in everywhere] == [
                each == number for each in range(PARTITIONS + 1)
            ]
            assert everywhere[number][key] == row
    ours = {key for key in rows if key.startswith("~") and not key.startswith("~source/")}
    for each in everywhere[:PARTITIONS]:
        assert {key: each[key] for key in ours} == {key: rows[key] for key in ours}

    history = await journal(found)
    assert history[: len(entries)] == entries
    # Nobody has heard since the single machine stopped.
    rest = [json.loads(body) for body in history[len(entries) :]]
    assert [event["type"] for event in rest] == ["ringback.source.gap_opened.v1"]
    events = [json.loads(entry) for entry in entries]
    counts = Counter(event["subject"] for event in events if "sequence" in event)
    subject, count = counts.most_common(1)[0]
    engine = await opened(found)
    try:
        past = await engine.store(0).history(subject, 999)
    finally:
        await engine.close()
    about = [json.loads(entry.body) for entry in past]
    numbers = [event["sequence"] for event in about if "sequence" in event]
    assert numbers == list(range(1, count + 1))

    engine = await opened(found)
    try:
        alerts = engine.store(PARTITIONS)
        position = await alerts.cursor("stdout")
        assert position is not None
        left = await alerts.read(position, 1000)
    finally:
        await engine.close()
    assert [entry.body for entry in left] == history[cursors["stdout"] :]


async def test_several_machines_go_on_where_the_single_one_ended(
    tmp_path: Path, nats_url: str
) -> None:
    found = settings(nats_url)
    org = found.source.org
    centre = ContactCentre(5, SystemClock().now(), BUSY)
    single, several = tmp_path / "single", tmp_path / "several"
    for folder in (single, several):
        folder.mkdir()
    async with SimulatorServer(centre, SystemClock()) as platform:
        heard: dict[str, Any] = {
            "source__kind": "websocket",
            "source__url": platform.url,
            "source__org": org,
        }
        async with running(single, **heard) as one:
            await one.tells("connected", 50)
            one.process.terminate()
            assert await one.ends() == 0
        before = [json.loads(body) for body in await entries_of(single / "ringback.db")]
        await run(found, single / "ringback.db")
        engine: dict[str, Any] = {
            "store__kind": "jetstream",
            "jetstream__servers": nats_url,
            "jetstream__replicas": 1,
            "jetstream__most_megabytes": 64,
            "jetstream__partitions": PARTITIONS,
        }
        async with running(several, **heard, **engine) as many:
            async with asyncio.timeout(SOON):
                while len(await journal(found)) < len(before) + 300:  # noqa: ASYNC110  # another process
                    await asyncio.sleep(0.2)
            many.process.terminate()
            assert await many.ends() == 0, many.err.decode()
    events = [json.loads(body) for body in await journal(found)]
    assert events[: len(before)] == before
    numbers: dict[str, list[int]] = {}
    for event in events:
        if "sequence" in event:
            numbers.setdefault(event["subject"], []).append(event["sequence"])
    assert all(found == list(range(1, len(found) + 1)) for found in numbers.values())
    known = {event["subject"] for event in before if "sequence" in event}
    went_on = {event["subject"] for event in events[len(before) :] if event["subject"] in known}
    assert went_on
    gaps = [event["type"] for event in events if ".gap_" in event["type"]]
    assert gaps[:2] == ["ringback.source.gap_opened.v1", "ringback.source.gap_closed.v1"]


async def test_rows_of_receivers_are_those_of_who_alerts(tmp_path: Path, target: Settings) -> None:
    await made(tmp_path / "ringback.db", target.source.org)
    await run(target, tmp_path / "ringback.db")
    everywhere = [await kept(target, partition) for partition in range(PARTITIONS + 1)]
    assert everywhere[PARTITIONS] == {"~receiver/ops": Row("~receiver/ops", b"r")}
    for each in everywhere[:PARTITIONS]:
        assert each["~silence/1"] == Row("~silence/1", b"s")
        assert "~receiver/ops" not in each


async def test_what_was_interrupted_is_finished_by_another_run_and_no_daemon_comes_between(
    tmp_path: Path, nats_url: str
) -> None:
    org = new_org()
    path = tmp_path / "ringback.db"
    await made(path, org, conversations=300)
    whole, parted = settings(nats_url, org), settings(nats_url, org, prefix="other")

    class Interrupted(Exception):
        pass

    for after in (500, 1000):

        def interrupt(done: int, total: int, after: int = after) -> None:
            if done >= after:
                raise Interrupted

        with pytest.raises(Interrupted):
            await run(parted, path, progress=interrupt)
        with pytest.raises(EngineForeign, match="is not finished"):
            await opened(parted)
    assert "are there already" in await run(parted, path, check=True)
    assert "Done." in await run(parted, path)
    await run(whole, path)
    assert await messages(parted) == await messages(whole)
    assert "there already" in await run(parted, path)


async def test_it_is_not_gone_on_with_from_another_state_of_the_store(
    tmp_path: Path, target: Settings
) -> None:
    path = tmp_path / "ringback.db"
    await made(path, target.source.org, conversations=300)

    def interrupt(done: int, total: int) -> None:
        raise KeyError

    with pytest.raises(KeyError):
        await run(target, path, progress=interrupt)
    path.unlink()
    await made(path, target.source.org, conversations=301)
    with pytest.raises(EngineForeign, match="another state"):
        await run(target, path)


async def test_a_target_in_use_is_refused(tmp_path: Path, target: Settings) -> None:
    path = tmp_path / "ringback.db"
    await made(path, target.source.org)
    engine = await opened(target)
    await engine.store(0).commit(Batch({"c": Row("c", b"x")}, [], {}), at(0))
    await engine.close()
    with pytest.raises(EngineForeign, match="in use"):
        await run(target, path)
    assert set(await kept(target, 0)) == {"c"}


async def test_a_target_that_daemons_have_opened_and_not_used_is_taken(
    tmp_path: Path, target: Settings
) -> None:
    path = tmp_path / "ringback.db"
    await made(path, target.source.org)
    assert "are there" in await run(target, None)
    assert "Done." in await run(target, path)


async def test_a_target_that_only_listeners_have_used_is_refused(
    tmp_path: Path, target: Settings
) -> None:
    path = tmp_path / "ringback.db"
    await made(path, target.source.org)
    engine = await opened(target)
    await engine.inputs.put(0, "c", b"x", "once")
    await engine.close()
    with pytest.raises(EngineForeign, match="in use"):
        await run(target, path)


async def test_a_store_that_a_daemon_holds_is_refused(tmp_path: Path, target: Settings) -> None:
    path = tmp_path / "ringback.db"
    await made(path, target.source.org)
    store = await SqliteStore.open(path, KEEP)
    try:
        with pytest.raises(StoreLocked):
            await run(target, path)
    finally:
        await store.close()


async def test_no_daemon_opens_a_store_that_is_being_read(tmp_path: Path) -> None:
    path = tmp_path / "ringback.db"
    await made(path, "local")
    with SqliteReader.open(path), pytest.raises(StoreLocked):
        await SqliteStore.open(path, KEEP)


async def test_what_is_no_store_is_refused(tmp_path: Path, target: Settings) -> None:
    other, empty = tmp_path / "other.db", tmp_path / "empty.db"
    other.write_text("no database at all, however long it is\n" * 100)
    empty.touch()
    for path in (other, empty, tmp_path / "nowhere.db"):
        with pytest.raises(StoreError):
            await run(target, path)


async def test_another_organisations_store_is_refused(tmp_path: Path, target: Settings) -> None:
    await made(tmp_path / "ringback.db", "somebody-else")
    with pytest.raises(SettingsError, match="somebody-else"):
        await run(target, tmp_path / "ringback.db")


async def test_a_check_changes_nothing(tmp_path: Path, target: Settings) -> None:
    path = tmp_path / "ringback.db"
    await made(path, target.source.org)
    for _ in range(2):
        said = await run(target, path, check=True)
        assert "49 conversations and 200 events" in said
        assert "It can be carried over. Nothing was changed." in said
        assert "would be made" in await run(target, None, check=True)


async def test_only_as_much_history_as_is_wished_but_all_that_was_not_told(
    tmp_path: Path, target: Settings
) -> None:
    path = tmp_path / "ringback.db"
    await made(path, target.source.org, conversations=20, rounds=4)
    # stdout has dealt with 40 of 80 entries; the last 20 are a second younger than those before.
    await run(target, path, history_hours=0.5 / 3600)
    found = await journal(target)
    assert [json.loads(body)["sequence"] for body in found] == [3] * 20 + [4] * 20


async def test_what_cannot_be_understood_of_the_journal_is_carried_all_the_same(
    tmp_path: Path, target: Settings
) -> None:
    path = tmp_path / "ringback.db"
    store = await SqliteStore.open(path, KEEP)
    odd = [b"no event at all", b'{"type":"of a later version"}']
    await store.commit(Batch({"c": Row("c", b"x")}, odd, {}), at(0))
    await store.close()
    await run(target, path)
    assert await journal(target) == odd


async def test_an_empty_store_is_carried_as_well(tmp_path: Path, target: Settings) -> None:
    path = tmp_path / "ringback.db"
    await (await SqliteStore.open(path, KEEP)).close()
    assert "0 conversations and 0 events" in await run(target, path)
    assert await journal(target) == []


async def test_too_much_for_the_stream_is_refused(tmp_path: Path, nats_url: str) -> None:
    found = settings(nats_url)
    small = msgspec.structs.replace(found.jetstream, most_megabytes=16)
    found = msgspec.structs.replace(found, jetstream=small)
    path = tmp_path / "ringback.db"
    store = await SqliteStore.open(path, KEEP)
    big = {f"c{number}": Row(f"c{number}", bytes(500_000)) for number in range(30)}
    await store.commit(Batch(big, [], {}), at(0))
    await store.close()
    with pytest.raises(SettingsError, match="most_megabytes"):
        await run(found, path)


async def test_it_needs_a_place_to_migrate_to(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"store\.kind"):
        await run(Settings(), None)


async def test_the_command_carries_over_what_the_daemon_has_left(
    tmp_path: Path, nats_url: str
) -> None:
    org = new_org()
    await made(tmp_path / "ringback.db", org)
    async with running(
        tmp_path,
        "migrate",
        "--from",
        "ringback.db",
        store__kind="jetstream",
        source__org=org,
        jetstream__servers=nats_url,
        jetstream__replicas=1,
        jetstream__most_megabytes=64,
        jetstream__partitions=PARTITIONS,
    ) as child:
        async with asyncio.timeout(SOON):
            assert await child.ends() == 0, child.err.decode()
        assert b"Done. Start the daemons" in child.out
    assert sum([len(await kept(settings(nats_url, org), one)) for one in range(PARTITIONS)]) == 53
