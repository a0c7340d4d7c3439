"""An engine that is away, slow, full or shuts the door: nothing is acknowledged that is not stored.

And all of it catches up by itself.
"""

import asyncio
import itertools
import os
import re
import resource
import signal
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import nats
import pytest
from msgspec.structs import replace
from nats.aio.msg import Msg

from ringback.errors import EngineRefused, EngineUnreachable, StepTooLarge
from ringback.ports import Batch, Row
from ringback.settings.describing import Secret
from ringback.settings.jetstream import JetStreamSettings
from ringback.stores.jetstream import connection
from ringback.stores.jetstream.connection import Connection
from ringback.stores.jetstream.engine import Engine
from ringback.stores.jetstream.faults import UnsureError
from ringback.stores.jetstream.leases import leases_of
from ringback.stores.jetstream.streams import ensure
from ringback.stores.jetstream.watching import Watching
from support.engine import JETSTREAM, KEEP_HOURS, engine_settings, open_engine, until
from support.nats import PATIENCE, Node, cluster, free_ports, one_node

NOW = datetime(2026, 11, 25, tzinfo=UTC)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let answers be waited for, and connections looked after, for a moment only."""
    monkeypatch.setattr(connection, "ANSWER", 0.3)
    monkeypatch.setattr(connection, "PING", 0.2)
    monkeypatch.setattr(connection, "AGAIN", 0.05)


@asynccontextmanager
async def working(
    node: Node, settings: JetStreamSettings | None = None
) -> AsyncIterator[tuple[Engine, Callable[[], int]]]:
    """Put inputs and commit steps all the while; at the end each is there once, and in order.

    Gives how many of each were acknowledged so far.
    """
    engine = await Engine.open(settings or engine_settings(node.url), "acme", KEEP_HOURS)
    done = {"inputs": 0, "steps": 0}
    stop = False
    heard: list[int] = []

    async def put() -> None:
        while not stop:
            number = done["inputs"]
            await engine.inputs.put(0, "k", b"%d" % number, f"m{number}")
            done["inputs"] += 1

    async def commit() -> None:
        store = engine.store(0)
        while not stop:
            number = done["steps"]
            rows = {key: Row(key, b"%d" % number) for key in ("a", "b", f"n{number}")}
            await store.commit(Batch(rows, [b"%d" % number], {}, ["a"], ["a"], number), NOW)
            done["steps"] += 1

    async def follow() -> None:
        async for chunk in engine.inputs.follow(0, 0):
            heard.extend(int(one.body) for one in chunk)

    try:
        async with asyncio.TaskGroup() as tasks:
            working = [tasks.create_task(one()) for one in (put, commit)]
            following = tasks.create_task(follow())
            await until(lambda: min(done.values()) > 3)
            yield engine, lambda: min(done.values())
            stop = True
            await asyncio.gather(*working)
            await until(lambda: len(heard) >= done["inputs"])
            following.cancel()
        assert heard == list(range(done["inputs"]))
        assert await engine.inputs.position() == done["inputs"]
        told = await engine.store(0).read(0, 1_000_000)
        assert [int(entry.body) for entry in told] == list(range(done["steps"]))
        assert await engine.steps.position() == 3 * done["steps"]
        assert engine.connection.problem is None
    finally:
        await engine.close()


async def progress(count: Callable[[], int]) -> None:
    """Wait until everything goes on."""
    now = count()
    await until(lambda: count() > now + 3)


async def standstill(count: Callable[[], int]) -> None:
    """See that nothing is acknowledged, but for what was under way."""
    before = count()
    await asyncio.sleep(0.1)
    assert count() <= before + 1


async def test_an_engine_that_is_down_at_the_start_is_named(tmp_path: Path) -> None:
    port = free_ports(1)[0]
    settings = JetStreamSettings(servers=f"nats://u:secret@127.0.0.1:{port}")
    with pytest.raises(EngineUnreachable, match=r"NATS does not answer .*jetstream\.servers") as no:
        await Engine.open(settings, "acme", KEEP_HOURS)
    assert f"127.0.0.1:{port}" in str(no.value)
    assert "secret" not in str(no.value)


async def test_a_server_without_jetstream_is_named(tmp_path: Path) -> None:
    async with one_node(tmp_path, "# plain") as node:
        await node.kill()
        node.config.write_text(node.config.read_text().partition("jetstream {")[0])
        await node.start()
        await node.listens()
        with pytest.raises(EngineUnreachable, match="JetStream"):
            await open_engine(node.url)


async def test_an_engine_that_dies_and_comes_back(tmp_path: Path) -> None:
    async with one_node(tmp_path) as node, working(node) as (engine, count):
        for lost in (1, 2):
            await node.kill()
            await until(lambda: not engine.connection.connected)
            assert "NATS does not answer" in (engine.connection.problem or "")
            assert isinstance(engine.connection.away, float)
            await standstill(count)
            await node.start()
            await progress(count)
            assert engine.connection.lost == lost


async def test_an_engine_that_is_slow_is_asked_again_and_stores_once(tmp_path: Path) -> None:
    async with one_node(tmp_path) as node, working(node) as (engine, count):
        assert node.process is not None
        node.process.send_signal(signal.SIGSTOP)
        await until(lambda: engine.connection.problem is not None)
        await standstill(count)
        node.process.send_signal(signal.SIGCONT)
        await progress(count)


async def test_answers_that_are_lost_on_the_way_cost_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered = connection.Connection._answered
    number = 0

    def lossy(self: connection.Connection, message: Msg) -> None:
        nonlocal number
        number += 1
        if number % 5:
            answered(self, message)

    # Before there is a connection: it keeps to what it began with.
    monkeypatch.setattr(connection.Connection, "_answered", lossy)
    async with one_node(tmp_path) as node, working(node) as (_, count):
        await progress(count)
    assert number > 10


async def test_a_disk_that_is_full(tmp_path: Path) -> None:
    """Debian's server says so or hangs; it has to be started again once there is room."""
    async with one_node(tmp_path) as node, working(node) as (engine, count):
        assert node.process is not None
        limit = resource.RLIMIT_FSIZE
        resource.prlimit(node.process.pid, limit, (1024, resource.RLIM_INFINITY))
        await until(lambda: engine.connection.problem is not None)
        await standstill(count)
        assert re.search("file too large|room on its disk", engine.connection.problem or "")
        await node.kill()
        await node.start()
        await progress(count)


GUARD = """
authorization {{ users: [{{ user: "a", password: "b", permissions: {{
  publish: {{ allow: [{allowed}] }}, subscribe: ["_INBOX.a.>"] }} }}] }}"""


async def test_a_permission_that_is_missing_is_named_and_may_be_given_later(
    tmp_path: Path,
) -> None:
    every = '"$JS.API.>", "ringback.acme.>"'
    async with one_node(tmp_path, GUARD.format(allowed=every)) as node:
        await node.listens()
        known = {"user": "a", "password": Secret("b")}
        settings = replace(engine_settings(node.url), **known)
        config = node.config.read_text()

        def allow(allowed: str) -> None:
            assert node.process is not None
            node.config.write_text(config.replace(every, allowed))
            os.kill(node.process.pid, signal.SIGHUP)

        async with working(node, settings) as (engine, count):
            allow('"$JS.API.>", "ringback.acme.st.>"')
            await until(lambda: "no permission" in (engine.connection.problem or ""))
            assert "ringback.acme.in.0.k" in (engine.connection.problem or "")
            await standstill(count)
            allow(every)
            await progress(count)
        allow('"$JS.API.STREAM.INFO.>"')
        with pytest.raises(EngineRefused, match=r"no permission .*STREAM\.CREATE") as refused:
            await open_until_refused(settings)
        assert "as the user for setup" in str(refused.value)


async def test_who_may_not_hear_its_answers_is_told_which_setting_that_is(tmp_path: Path) -> None:
    known = {"user": "a", "password": Secret("b")}
    async with one_node(tmp_path, GUARD.format(allowed='"$JS.API.>"')) as node:
        settings = replace(engine_settings(node.url), **known)
        with pytest.raises(EngineRefused, match=r"may not hear .*_inbox\.b.*jetstream\.inbox"):
            await Connection.open(replace(settings, inbox="_INBOX.b"), name="test")
        link = await Connection.open(settings, name="test")
        assert link.problem is None
        await link.client.subscribe("wants.a")
        await until(lambda: "no permission to listen to wants.a" in (link.problem or ""))
        await link.close()


async def open_until_refused(settings: JetStreamSettings) -> None:
    """Open until the server has read its configuration."""
    async with asyncio.timeout(PATIENCE):
        for number in itertools.count():
            await (await Engine.open(settings, f"other{number}", KEEP_HOURS)).close()


async def test_what_is_too_large_is_refused_and_in_nobodys_way(tmp_path: Path) -> None:
    async with one_node(tmp_path) as node:
        engine = await open_engine(node.url)
        with pytest.raises(StepTooLarge, match="raise max_payload"):
            await engine.inputs.put(0, "k", bytes(2_000_000), "large")
        await engine.inputs.put(0, "k", b"", "small")
        store = engine.store(0)
        with pytest.raises(StepTooLarge):
            await store.commit(Batch({"a": Row("a", bytes(2_000_000))}, [], {}), NOW)
        await engine.store(0).commit(Batch({"a": Row("a", b"")}, [], {}), NOW)
        await engine.close()


async def test_the_leader_of_a_cluster_dies(tmp_path: Path) -> None:
    async with cluster(tmp_path) as nodes:
        settings = replace(
            engine_settings(",".join(node.url for node in nodes)), replicas=3, most_megabytes=16
        )
        async with working(nodes[0], settings) as (engine, count):
            what = f"STREAM.INFO.{engine.subjects.steps}"
            leader = (await engine.connection.ask(what, None, dict[str, Any]))["cluster"]["leader"]
            node = next(node for node in nodes if node.name == leader)
            await node.kill()
            await progress(count)
            await node.start()
            await node.ready()
            await progress(count)


async def test_one_of_three_is_gone_for_good_and_all_can_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Which of them gets a consumer is chance, and may be the one that is gone."""
    monkeypatch.setattr(connection, "ASKED_AGAIN", 0.2)
    async with cluster(tmp_path) as nodes:
        settings = replace(
            engine_settings(",".join(node.url for node in nodes)), replicas=3, most_megabytes=16
        )
        engine = await Engine.open(settings, "acme", KEEP_HOURS)
        await engine.inputs.put(0, "k", b"1", "1")
        await nodes[2].kill()
        async with asyncio.timeout(PATIENCE):
            for _ in range(20):
                async with aclosing(engine.inputs.follow(0, 0)) as chunks:  # type: ignore[type-var]
                    assert [one.body for one in await anext(chunks)] == [b"1"]
        await engine.close()


async def test_a_question_that_is_lost_is_asked_again(
    nats_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "ASKED_AGAIN", 0.05)
    asked: list[Msg] = []

    async def answer_the_third(question: Msg) -> None:
        asked.append(question)
        if len(asked) == 3:
            await question.respond(b'{"times": 3}')

    server = await nats.connect(nats_url)
    await server.subscribe("$JS.API.LOST", cb=answer_the_third)
    await server.flush()
    link = await Connection.open(engine_settings(nats_url), name="test")
    try:
        assert await link.ask("LOST", None, dict[str, int], PATIENCE) == {"times": 3}
        assert len({question.reply for question in asked}) == 3
        asked.clear()
        with pytest.raises(UnsureError, match=r"no answer within 0.5 s"):
            await link.ask("DEAF", None, dict[str, int], 0.5)
    finally:
        await link.close()
        await server.close()


@pytest.mark.parametrize("server", JETSTREAM.values())
async def test_a_watch_that_is_asked_for_again_is_made_once_and_all_is_told_once(
    server: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "ASKED_AGAIN", 0.05)
    url = request.getfixturevalue(server)
    engine = await open_engine(url)
    bucket = leases_of(engine_settings(url), engine.subjects)
    await ensure(engine.connection, bucket)
    keys = bucket.subjects[0].removesuffix(">")
    for number in range(3):
        await engine.inputs.put(0, "k", b"%d" % number, f"{number}")
        await engine.connection.store(f"{keys}{number}", b"-", {})
    lost = _lose_first_answers(engine.connection, monkeypatch)
    heard: list[bytes] = []
    watching = Watching(engine.connection, heartbeat=5.0)
    async with aclosing(engine.inputs.follow(0, 0)) as chunks:  # type: ignore[type-var]
        while not heard:
            heard = [one.body for one in await anext(chunks)]
        await watching.begin(bucket)
        subjects = []
        while not watching.complete:
            message = await watching.next(None)
            assert message is not None
            subjects.append(message.subject.removeprefix(keys))
        assert len(lost) == 2
        assert heard == [b"0", b"1", b"2"]
        assert subjects == ["0", "1", "2"]
        what = f"STREAM.INFO.{bucket.name}"
        found = await engine.connection.ask(what, None, dict[str, Any])
        assert found["state"]["consumer_count"] == 1
    await watching.end()
    await engine.close()


def _lose_first_answers(link: Connection, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Let the engine make each consumer without anybody hearing of it; give what was asked."""
    send, lost = link.send, set[str]()

    async def forgetful(
        subject: str, payload: bytes, headers: dict[str, str] | None = None
    ) -> asyncio.Future[Msg]:
        answer = await send(subject, payload, headers)
        if ".CONSUMER.CREATE." not in subject or subject in lost:
            return answer
        lost.add(subject)
        await answer
        return asyncio.get_running_loop().create_future()

    monkeypatch.setattr(link, "send", forgetful)
    return lost
