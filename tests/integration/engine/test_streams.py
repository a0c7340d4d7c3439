"""Streams that are somebody else's, of another version, or otherwise; and retention."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
import pytest_asyncio
from msgspec.structs import replace

from ringback.errors import EngineForeign, EngineRefused, Fenced, PositionGone, StoreError
from ringback.ports import Batch, Row
from ringback.settings.jetstream import JetStreamSettings
from ringback.stores.jetstream import following, pulling, store, streams
from ringback.stores.jetstream.connection import Connection
from ringback.stores.jetstream.engine import Engine
from ringback.stores.jetstream.faults import DeniedError, Refusal, RefusalError, UnsureError
from ringback.stores.jetstream.streams import Config, ensure, wanted
from ringback.stores.jetstream.subjects import Subjects
from support.engine import KEEP_HOURS, engine_settings, new_org, open_engine
from support.nats import Server, one_node

NOW = datetime.now(UTC)


@pytest_asyncio.fixture
async def link(nats_url: str) -> AsyncIterator[Connection]:
    made = await Connection.open(engine_settings(nats_url), name="test")
    yield made
    await made.close()


def configs(url: str, org: str) -> list[Config]:
    return wanted(engine_settings(url), Subjects("ringback", org), KEEP_HOURS)


async def ask(link: Connection, what: str, request: object = None) -> dict[str, Any]:
    return await link.ask(what, request, dict[str, Any])


OTHERS = {
    "no description": ({"description": ""}, "not Ringback's.*jetstream.prefix"),
    "another's": ({"description": "orders"}, "not Ringback's"),
    "newer": ({"description": "ringback format 2, partitions 4"}, "format is 2.*run the newer"),
    "other partitions": (
        {"description": "ringback format 1, partitions 8"},
        "made for 8 partitions.*set jetstream.partitions to 8",
    ),
}


async def test_organisations_whose_names_read_the_same_do_not_take_each_others_streams(
    nats_url: str, link: Connection
) -> None:
    org = new_org()
    first = wanted(engine_settings(nats_url), Subjects("one", f"two-{org}"), KEEP_HOURS)
    second = wanted(engine_settings(nats_url), Subjects("one-two", org), KEEP_HOURS)
    for mine, theirs in zip(first, second, strict=True):
        assert mine.name == theirs.name
        await ensure(link, mine)
        with pytest.raises(EngineForeign, match="read the same"):
            await ensure(link, theirs)
        found = await ask(link, f"STREAM.INFO.{mine.name}")
        assert found["config"]["subjects"] == mine.subjects


@pytest.mark.parametrize("other", OTHERS)
@pytest.mark.parametrize("which", [0, 1])
async def test_a_stream_that_is_not_ours_is_refused_and_left_alone(
    nats_url: str, link: Connection, other: str, which: int
) -> None:
    org, (change, said) = new_org(), OTHERS[other]
    config = msgspec.to_builtins(configs(nats_url, org)[which]) | change
    before = await ask(link, f"STREAM.CREATE.{config['name']}", config)
    with pytest.raises(EngineForeign, match=said):
        await open_engine(nats_url, org)
    after = await ask(link, f"STREAM.INFO.{config['name']}")
    assert after["config"] == before["config"]


async def test_subjects_that_another_stream_has_are_refused(
    nats_url: str, link: Connection
) -> None:
    org = new_org()
    config = msgspec.to_builtins(configs(nats_url, org)[0]) | {"name": f"mirror-{org}"}
    await ask(link, f"STREAM.CREATE.{config['name']}", config)
    with pytest.raises(EngineForeign, match="another stream has its subjects"):
        await open_engine(nats_url, org)


async def test_an_older_stream_is_brought_up_to_date_with_what_others_have_set(
    nats_url: str, link: Connection
) -> None:
    org = new_org()
    first, second = configs(nats_url, org)
    old = {"description": "ringback format 0, partitions 4", "max_age": 3600 * 10**9}
    kept = {"max_consumers": 99}
    await ask(link, f"STREAM.CREATE.{first.name}", msgspec.to_builtins(first) | old | kept)
    await (await open_engine(nats_url, org)).close()
    for config in (first, second):
        found = (await ask(link, f"STREAM.INFO.{config.name}"))["config"]
        assert found["description"] == "ringback format 1, partitions 4"
        assert found["max_age"] == config.max_age
    assert (await ask(link, f"STREAM.INFO.{first.name}"))["config"]["max_consumers"] == 99


async def test_what_cannot_be_changed_is_refused_with_what_it_is(
    nats_url: str, link: Connection
) -> None:
    org = new_org()
    first, _ = configs(nats_url, org)
    await ask(
        link, f"STREAM.CREATE.{first.name}", msgspec.to_builtins(first) | {"storage": "memory"}
    )
    with pytest.raises(StoreError, match="storage"):
        await open_engine(nats_url, org)


class Later(Config):
    """A setting that old servers do not know, and drop without a word."""

    allow_msg_ttl: bool = True


async def test_what_the_server_has_dropped_without_a_word_is_found(tmp_path: Path) -> None:
    async with one_node(tmp_path, server=Server.OLDEST) as node:
        settings = JetStreamSettings(servers=node.url, replicas=1, most_megabytes=64)
        first, _ = wanted(settings, Subjects("ringback", "acme"), KEEP_HOURS)
        later = Later(**msgspec.structs.asdict(first))
        link = await Connection.open(settings, name="test")
        try:
            with pytest.raises(EngineForeign, match=r"not taken .*allow_msg_ttl is None, not True"):
                await ensure(link, later)
        finally:
            await link.close()


async def test_more_servers_or_room_than_there_is_are_refused(nats_url: str) -> None:
    settings = engine_settings(nats_url)
    with pytest.raises(EngineRefused, match=r"not 3 servers.*jetstream.replicas"):
        await Engine.open(replace(settings, replicas=3), new_org(), KEEP_HOURS)
    with pytest.raises(EngineRefused, match=r"no room.*jetstream.most_megabytes"):
        await Engine.open(replace(settings, most_megabytes=900_000), new_org(), KEEP_HOURS)


async def test_processes_that_start_at_once_make_one_stream(
    nats_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    org = new_org()
    first = await open_engine(nats_url, org)
    look, looked = streams._look, []

    async def blind(link: Connection, name: str) -> dict[str, Any] | None:
        looked.append(name)
        return None if looked.count(name) == 1 else await look(link, name)

    monkeypatch.setattr(streams, "_look", blind)
    settings = replace(engine_settings(nats_url), keep_input_hours=2)
    second = await Engine.open(settings, org, KEEP_HOURS)
    assert len(looked) > 2
    await second.inputs.put(0, "k", b"", "x")
    assert await first.inputs.position() == 1
    await first.close()
    await second.close()


async def test_who_may_not_update_goes_on_with_what_there_is_and_says_so(
    nats_url: str, link: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, _ = configs(nats_url, new_org())
    await ensure(link, first)
    write = streams._write

    async def denied(*args: Any) -> dict[str, Any]:
        raise DeniedError("$JS.API.STREAM.UPDATE")

    monkeypatch.setattr(streams, "_write", denied)
    assert await ensure(link, first) == []
    [said] = await ensure(link, replace(first, max_age=first.max_age * 2))
    assert "max_age is" in said
    assert "the one for setup" in said
    with pytest.raises(EngineForeign, match="discard"):
        await ensure(link, replace(first, discard="new"))
    monkeypatch.setattr(streams, "_write", write)


@pytest.mark.parametrize("code", [streams.NAME_IN_USE, streams.OVERLAPS])
async def test_who_finds_that_another_makes_it_at_that_moment_takes_it(
    nats_url: str, link: Connection, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    first, _ = configs(nats_url, new_org())
    write = streams._write

    async def beaten(*args: Any) -> dict[str, Any]:
        await write(*args)
        raise RefusalError(Refusal(400, code, "it is taken"))

    with monkeypatch.context() as patched:
        patched.setattr(streams, "_write", beaten)
        assert await ensure(link, first) == []


async def test_a_bucket_that_keeps_leases_for_another_time_is_refused(
    nats_url: str, link: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    org, settings = new_org(), engine_settings(nats_url)
    other = replace(settings, lease_seconds=settings.lease_seconds * 10)
    await (await Engine.open(settings, org, KEEP_HOURS)).close()

    async def denied(*args: Any) -> dict[str, Any]:
        raise DeniedError("$JS.API.STREAM.UPDATE")

    with monkeypatch.context() as patched:
        patched.setattr(streams, "_write", denied)
        with pytest.raises(EngineForeign, match=r"max_age is .*jetstream\.lease_seconds"):
            await Engine.open(other, org, KEEP_HOURS)
        # What says how safely, not for how long, can wait.
        engine = await Engine.open(replace(settings, replicas=3), org, KEEP_HOURS)
        assert sum("num_replicas is 1, not 3" in one for one in engine.findings) == 4
        await engine.close()
    await (await Engine.open(other, org, KEEP_HOURS)).close()


async def test_who_is_behind_what_is_kept_is_told_where_it_begins(
    nats_url: str, link: Connection
) -> None:
    engine = await open_engine(nats_url)
    partition = engine.store(0)
    for number in range(6):
        await engine.inputs.put(0, "k", b"%d" % number, f"{number}")
        await partition.commit(Batch({"a": Row("a", b"%d" % number)}, [b"e"], {}, [], ["a"]), NOW)
    for stream in (engine.subjects.inputs, engine.subjects.steps):
        await ask(link, f"STREAM.PURGE.{stream}", {"seq": 4})
    for behind in (engine.inputs.follow(0, 2), engine.steps.follow(2)):
        with pytest.raises(PositionGone) as gone:
            await anext(behind)
        assert gone.value.oldest == 4
    with pytest.raises(PositionGone) as gone:
        await partition.read(0, 10)
    assert len(await partition.read(gone.value.oldest - 1, 10)) == 3
    with pytest.raises(PositionGone):
        await engine.steps.read(2, 10)
    assert len(await engine.steps.read(3, 10)) == 3
    assert len(await partition.history("", 10)) == 3
    await engine.close()


async def test_a_stream_that_was_emptied_is_not_taken_for_a_quiet_one(
    nats_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "CATCHING_UP", 0.1)
    engine = await open_engine(nats_url)
    await engine.inputs.put(0, "k", b"", "x")
    with pytest.raises(EngineForeign, match="ends at 1, and 9 was read"):
        await anext(engine.inputs.follow(0, 9))
    await engine.close()


async def test_a_sign_of_life_before_what_there_is_does_not_say_that_there_is_nothing(
    nats_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = await open_engine(nats_url)
    await engine.inputs.put(0, "k", b"1", "1")
    take = pulling.Pull._take

    def later(self: pulling.Pull, message: Any) -> None:
        self._news.set()
        asyncio.get_running_loop().call_later(0.05, take, self, message)

    monkeypatch.setattr(pulling.Pull, "_take", later)
    follower = engine.inputs.follow(0, 0)
    assert [one.body for one in await anext(follower)] == [b"1"]
    assert await anext(follower) == []
    await follower.aclose()  # type: ignore[attr-defined]
    await engine.close()


async def test_a_consumer_that_counts_what_is_not_there_does_not_hide_that_nothing_follows(
    nats_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = await open_engine(nats_url)
    await engine.inputs.put(0, "k", b"1", "1")
    make, understand, wrong = pulling.Pull._make, pulling.Pull._understand, True

    async def make_wrongly(self: pulling.Pull) -> pulling._Consumer:
        made = await make(self)
        return replace(made, num_pending=made.num_pending + wrong)

    def understand_wrongly(self: pulling.Pull, message: Any) -> pulling.Found | None:
        found = understand(self, message)
        return found and replace(found, left=found.left + wrong)

    monkeypatch.setattr(pulling.Pull, "_make", make_wrongly)
    monkeypatch.setattr(pulling.Pull, "_understand", understand_wrongly)
    follower = engine.inputs.follow(0, 0)
    assert [one.body for one in await anext(follower)] == [b"1"]
    assert await anext(follower) == []
    assert await anext(follower) == []  # of one that counts wrongly from the start
    wrong = False
    assert await anext(follower) == []
    await engine.inputs.put(0, "k", b"2", "2")
    while not (chunk := await anext(follower)):
        pass
    assert [one.body for one in chunk] == [b"2"]
    await follower.aclose()  # type: ignore[attr-defined]
    await engine.close()


async def test_a_row_comes_back_after_retention_has_removed_that_it_was_gone(
    nats_url: str, link: Connection
) -> None:
    engine = await open_engine(nats_url)
    owner, late = engine.store(0), engine.store(0)
    await owner.commit(Batch({"a": Row("a", b"1")}, [], {}), NOW)
    await owner.commit(Batch({"a": Row("a", None)}, [], {}), NOW)
    assert await late.cursor("") is None
    await ask(link, f"STREAM.PURGE.{engine.subjects.steps}", {})
    await owner.commit(Batch({"a": Row("a", b"2")}, [], {}), NOW)
    with pytest.raises(Fenced):
        await late.commit(Batch({"a": Row("a", b"late")}, [], {}), NOW)
    await engine.close()


async def test_what_retention_would_remove_is_written_again(
    nats_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "LOOK", 0.0)
    engine = await open_engine(nats_url)
    owner = engine.store(0)
    rows = {key: Row(key, b"%b" % key.encode(), 7) for key in ("a", "b", "gone")}
    await owner.commit(Batch(rows, [b"e"], {"r": 5}, ["a"], ["a"], 3), NOW)
    await owner.commit(Batch({"gone": Row("gone", None)}, [], {}), NOW)
    end = await engine.steps.position()
    later = NOW + timedelta(hours=KEEP_HOURS + 1)
    await owner.commit(Batch({"c": Row("c", b"c")}, [], {}, [], [], 4), later)
    again = await engine.steps.read(end + 1, 10)
    assert [(one.row, one.reached, one.events) for one in again] == [
        (rows["a"], 3, []),
        (rows["b"], 3, []),
    ]
    assert await engine.steps.position() == end + 4  # c, a, b, and the cursor
    assert await engine.store(0).cursor("r") == 5
    await owner.commit(Batch({}, [], {}), later)
    assert await engine.steps.position() == end + 4
    await engine.close()


async def test_want_of_room_counts_like_age(nats_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "LOOK", 0.0)
    settings = replace(engine_settings(nats_url), most_megabytes=16)
    engine = await Engine.open(settings, new_org(), KEEP_HOURS)
    owner = engine.store(0)
    await owner.commit(Batch({"a": Row("a", b"old")}, [], {}), NOW)
    for number in range(20):
        await owner.commit(Batch({"b": Row("b", bytes([number]) * 1_000_000)}, [], {}), NOW)
    found = {row.conversation_id async for chunk in engine.store(0).load() for row in chunk}
    assert found == {"a", "b"}
    await engine.close()


async def test_a_consumer_that_is_gone_or_silent_is_made_anew(
    nats_url: str, link: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pulling, "LOOK", 0.0)
    monkeypatch.setattr(pulling, "HEARTBEAT_SECONDS", 0.1)
    monkeypatch.setattr(pulling, "SILENT", 0.5)
    engine = await open_engine(nats_url)
    stream = engine.subjects.inputs
    follower = engine.inputs.follow(0, 0)
    assert await anext(follower) == []
    names = (await ask(link, f"CONSUMER.NAMES.{stream}", {}))["consumers"]
    await ask(link, f"CONSUMER.DELETE.{stream}.{names[0]}")
    await engine.inputs.put(0, "k", b"1", "1")
    while not (chunk := await anext(follower)):
        pass
    assert [one.body for one in chunk] == [b"1"]
    take, silent = pulling.Pull._take, True

    def deaf(self: pulling.Pull, message: Any) -> None:
        if not silent or not message.data:
            take(self, message)

    monkeypatch.setattr(pulling.Pull, "_take", deaf)
    await follower.aclose()  # type: ignore[attr-defined]
    follower = engine.inputs.follow(0, 1)
    assert await anext(follower) == []
    await engine.inputs.put(0, "k", b"2", "2")
    # A word now and then, but not the message: it is found missing, and asked for again.
    assert await anext(follower) == []
    silent = False
    while not (chunk := await anext(follower)):
        pass
    assert [one.body for one in chunk] == [b"2"]
    await follower.aclose()  # type: ignore[attr-defined]
    await engine.close()


async def test_a_server_that_is_behind_the_others_hides_nothing(
    nats_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = await open_engine(nats_url)
    owner = engine.store(0)
    for key in "abc":
        await owner.commit(Batch({key: Row(key, b"s")}, [], {}), NOW)
    make, made = pulling.Pull._make, 0

    async def behind(self: pulling.Pull) -> pulling._Consumer:
        nonlocal made
        made += 1
        found = await make(self)
        found.num_pending = min(found.num_pending, made)
        return found

    monkeypatch.setattr(pulling.Pull, "_make", behind)
    rows = [row.conversation_id async for chunk in engine.store(0).load() for row in chunk]
    assert rows == ["a", "b", "c"]
    assert made == 3
    made = 0
    assert [one.row.conversation_id for one in await engine.steps.read(0, 10)] == ["a", "b", "c"]
    assert made == 2
    await engine.close()


async def test_a_consumer_that_promises_what_was_removed_is_not_waited_for(
    nats_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pulling, "HEARTBEAT_SECONDS", 0.1)
    monkeypatch.setattr(pulling, "SILENT", 0.5)
    engine = await open_engine(nats_url)
    owner = engine.store(0)
    for key in "ab":
        await owner.commit(Batch({key: Row(key, b"s")}, [], {}), NOW)
    make = pulling.Pull._make

    async def promise(self: pulling.Pull) -> pulling._Consumer:
        found = await make(self)
        found.num_pending += 1
        return found

    monkeypatch.setattr(pulling.Pull, "_make", promise)
    rows = [row.conversation_id async for chunk in engine.store(0).load() for row in chunk]
    assert rows == ["a", "b"]
    await engine.close()


async def test_a_step_that_was_stored_though_nobody_said_so_is_known_by_its_id(
    nats_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cluster compares what is expected before it looks for ids."""
    engine = await open_engine(nats_url)
    owner, other = engine.store(0), engine.store(0)
    await owner.commit(Batch({"a": Row("a", b"1")}, [], {}), NOW)
    stored = Connection.stored

    async def unheard(self: Connection, sent: Any) -> int:
        await stored(self, sent)
        raise UnsureError("lost")

    async def conflicting(*_: object) -> int:
        raise RefusalError(Refusal(400, 10071, "wrong last sequence"))

    with monkeypatch.context() as patched:
        patched.setattr(Connection, "stored", unheard)
        patched.setattr(Connection, "store", conflicting)
        await owner.commit(Batch({"a": Row("a", b"2")}, [b"e"], {}, ["a"], ["a"]), NOW)
        assert owner.marks["a"].sequence == 2
    await owner.commit(Batch({"a": Row("a", b"3")}, [], {}), NOW)
    assert await other.cursor("") is None
    await other.commit(Batch({"a": Row("a", b"4")}, [], {}), NOW)
    with monkeypatch.context() as patched:
        patched.setattr(Connection, "store", conflicting)
        with pytest.raises(Fenced):
            await owner.commit(Batch({"a": Row("a", b"5")}, [], {}), NOW)
    assert [one.row.state for one in await engine.steps.read(0, 10)] == [b"1", b"2", b"3", b"4"]
    await engine.close()


async def test_what_says_that_rows_are_gone_is_forgotten_with_them(
    nats_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "LOOK", 0.0)
    engine = await open_engine(nats_url)
    owner = engine.store(0)
    await owner.commit(Batch({"gone": Row("gone", None), "a": Row("a", b"1")}, [], {}), NOW)
    await owner.commit(Batch({}, [], {}), NOW + timedelta(hours=2 * KEEP_HOURS))
    assert set(owner.marks) == {"gone", "a"}
    await owner.commit(Batch({}, [], {}), NOW + timedelta(hours=2 * KEEP_HOURS + 2))
    assert set(owner.marks) == {"a"}
    await engine.close()


async def test_what_is_no_step_is_named_and_a_later_one_is_read(nats_url: str) -> None:
    engine = await open_engine(nats_url)
    subject = engine.subjects.step(0, "a")
    later = msgspec.msgpack.encode(["a", b"s", None, 3, [], [], {"new": 1}])
    await engine.connection.store(subject, later, {})
    [row] = [row async for chunk in engine.store(0).load() for row in chunk]
    assert row == Row("a", b"s")
    await engine.connection.store(subject, b"{}", {})
    with pytest.raises(EngineForeign, match="message 2 is no step that this Ringback knows"):
        await engine.store(0).cursor("")
    with pytest.raises(EngineForeign, match="message 2"):
        await engine.steps.read(0, 9)
    await engine.close()


async def test_what_answers_otherwise_is_not_taken_for_an_answer(link: Connection) -> None:
    async def answer(message: Any) -> None:
        await message.respond(b"<html>")

    await link.client.subscribe("elsewhere", cb=answer)
    with pytest.raises(UnsureError, match="not JetStream"):
        await link.store("elsewhere", b"", {})
