"""One process with all roles, or with some: from its start without an engine to its end."""

import asyncio
import signal
from pathlib import Path
from typing import Any

import pytest

from support.daemon import SOON, Child, execute, running
from support.nats import free_ports, one_node

ORG = "acme"


def several(url: str, **more: Any) -> dict[str, Any]:
    """Give the settings of a process that shares an engine."""
    return {
        "source__org": ORG,
        "store__kind": "jetstream",
        "jetstream__servers": url,
        "jetstream__replicas": 1,
        "jetstream__partitions": 2,
        "jetstream__most_megabytes": 64,
        "log__format": "json",
    } | more


async def turns(child: Child, status: int) -> dict[str, Any]:
    """Wait until `/readyz` answers so; give what it says."""
    async with asyncio.timeout(SOON):
        while (answer := await child.get("/readyz?verbose")).status_code != status:  # noqa: ASYNC110
            await asyncio.sleep(0.1)  # another process
    found: dict[str, Any] = answer.json()
    return found


async def rows(child: Child) -> list[dict[str, Any]]:
    """Wait until callbacks are shown; give them."""
    async with asyncio.timeout(SOON):
        while not (found := (await child.get("/api/v1/callbacks")).json().get("callbacks")):  # noqa: ASYNC110
            await asyncio.sleep(0.1)  # another process
    return list(found)


async def test_it_waits_for_its_engine_says_so_and_then_does_all_there_is(tmp_path: Path) -> None:
    [port] = free_ports(1)
    url = f"nats://127.0.0.1:{port}"
    async with running(tmp_path, **several(url)) as child:
        await child.says("engine_unreachable")
        said = await turns(child, 503)
        assert "jetstream.servers" in said["checks"][0]["reason"]
        refused = await child.get("/api/v1/callbacks")
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "2")
        assert "/readyz" in refused.json()["detail"]
        assert (await child.get("/livez")).status_code == 200
        async with one_node(tmp_path, port=port):
            await turns(child, 200)
            [first, *_] = await rows(child)
            life = (await child.get(f"/api/v1/callbacks/{first['callbackId']}")).json()
            assert life["callback"]["callbackId"] == first["callbackId"]
            child.process.send_signal(signal.SIGTERM)
            assert await child.ends() == 0


GUARD = """
authorization { users: [{ user: "a", password: "b", permissions: {
  publish: { allow: ["$JS.API.>", "$KV.>", "ringback.acme.st.>"] }, subscribe: [">"] } }] }"""


async def test_what_it_may_not_do_at_its_start_is_said_where_it_waits_for_it(
    tmp_path: Path,
) -> None:
    async with one_node(tmp_path, GUARD) as node:
        known = {"jetstream__user": "a", "jetstream__password": "b"}
        async with running(tmp_path, **several(node.url, **known)) as child:
            await child.says("engine_refuses")
            said = await turns(child, 503)
            assert "no permission to publish to ringback.acme.in." in said["checks"][0]["reason"]
            child.process.send_signal(signal.SIGTERM)
            assert await child.ends() == 0


async def test_it_can_be_stopped_while_it_waits(tmp_path: Path) -> None:
    [port] = free_ports(1)
    async with running(tmp_path, **several(f"nats://127.0.0.1:{port}")) as child:
        await child.says("engine_unreachable")
        child.process.send_signal(signal.SIGTERM)
        assert await child.ends() == 0


async def test_roles_apart_do_together_what_one_process_does(tmp_path: Path, nats_url: str) -> None:
    shared = several(nats_url, source__org="apart")
    async with (
        running(tmp_path, "run", "--role", "track", **shared) as tracker,
        running(tmp_path, "run", "--role", "serve,alert", **shared) as serving,
    ):
        await tracker.says("partition_loaded")
        async with running(tmp_path, "run", "--role", "listen", **shared) as listener:
            found = await rows(serving)
            assert {"callbackId", "state"} <= found[0].keys()
            hears = (await serving.get("/api/v1/sources")).json()["sources"][0]["hears"]
            assert hears is True
            told = (await serving.get("/metrics")).text
            assert "ringback_log_silent_seconds" in told
            assert "ringback_partitions_quiet" in told
            listener.process.send_signal(signal.SIGTERM)
            assert await listener.ends() == 0
        async with asyncio.timeout(SOON):
            while (await serving.get("/api/v1/sources")).json()["sources"][0]["hears"]:  # noqa: ASYNC110
                await asyncio.sleep(0.1)  # another process
        nothing = await tracker.get("/api/v1/callbacks")
        assert nothing.status_code == 503


async def test_another_number_of_partitions_is_refused(tmp_path: Path, nats_url: str) -> None:
    async with running(tmp_path, **several(nats_url, source__org="parts")) as child:
        await turns(child, 200)
        other = several(nats_url, source__org="parts", jetstream__partitions=3)
        code, _, said = await execute(tmp_path, "run", **other, web__port=0)
        assert code == 1
        assert "set jetstream.partitions to 2, the same on all machines" in said


@pytest.mark.parametrize("arguments", [("run", "--role", "track")])
async def test_roles_need_an_engine(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    code, _, said = await execute(tmp_path, *arguments)
    assert code == 2
    assert "store.kind = jetstream" in said
