from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import msgspec
import pytest
from aiohttp import web

from ringback.settings.jetstream import JetStreamSettings
from ringback.stores.jetstream.checks import Seen, findings, look

GOOD = JetStreamSettings(replicas=3, monitor="127.0.0.1:8222")
NEW = "2.12.15"


def seen(config: dict[str, object], version: str = NEW) -> Seen:
    told = {"version": version, "jetstream": {"config": config}}
    return msgspec.json.decode(msgspec.json.encode(told), type=Seen)


ALWAYS = seen({"sync_interval": 120_000_000_000, "sync_always": True})


def test_what_is_as_it_should_be_is_not_mentioned() -> None:
    assert findings(GOOD, NEW, 4_194_304, ALWAYS) == []


def test_when_disks_are_written_to_is_not_known_without_monitoring() -> None:
    [said] = findings(JetStreamSettings(replicas=3), NEW, 4_194_304, None)
    assert "set jetstream.monitor" in said


def test_too_few_replicas() -> None:
    [said] = findings(JetStreamSettings(replicas=1, monitor=GOOD.monitor), NEW, 4_194_304, ALWAYS)
    assert "kept on 1 server only" in said
    assert "jetstream.replicas to 3" in said


@pytest.mark.parametrize("version", ["2.9.10", "2.10.29", "2.11.15", "2.12.0", "2.12.6"])
def test_versions_with_published_holes(version: str) -> None:
    [said] = findings(GOOD, version, 4_194_304, ALWAYS)
    assert f"NATS {version} has published holes: run 2.11.16, 2.12.7" in said


@pytest.mark.parametrize("version", ["2.11.16", "2.11.99", "2.12.7", "2.14.5", "3.0.0"])
def test_versions_without(version: str) -> None:
    assert findings(GOOD, version, 4_194_304, ALWAYS) == []


def test_messages_that_may_be_small_only() -> None:
    [said] = findings(GOOD, NEW, 1_048_576, ALWAYS)
    assert "may have 1048576 bytes" in said


SYNCING: dict[str, tuple[Seen | str, str]] = {
    "now and then": (seen({"sync_interval": 120_000_000_000}), "every 120 s only"),
    "not told": (seen({}, "2.9.10"), "NATS 2.9.10 does not tell its sync_interval"),
    "no answer": ("127.0.0.1:8222 does not answer", "jetstream.monitor: 127.0.0.1:8222 does not"),
}


@pytest.mark.parametrize("syncing", SYNCING)
def test_a_disk_that_is_not_waited_for(syncing: str) -> None:
    found, said = SYNCING[syncing]
    [finding] = findings(GOOD, NEW, 4_194_304, found)
    assert said in finding
    assert "sync_interval: always" in finding


@asynccontextmanager
async def monitor(answer: Callable[[], web.Response]) -> AsyncIterator[str]:
    async def handle(_: web.Request) -> web.Response:
        return answer()

    app = web.Application()
    app.router.add_get("/varz", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield "{}:{}".format(*runner.addresses[0])
    finally:
        await runner.cleanup()


async def test_a_servers_monitoring_is_asked() -> None:
    body = {"version": NEW, "more": 1, "jetstream": {"config": {"sync_always": True}}}
    async with monitor(lambda: web.json_response(body)) as address:
        for written in (address, f"http://{address}", f"http://{address}/"):
            found = await look(written)
            assert isinstance(found, Seen)
            assert found.jetstream.config.sync_always
            assert found.version == NEW


WRONG: dict[str, Callable[[], web.Response]] = {
    "a page": lambda: web.Response(text="<html>"),
    "a redirect": lambda: web.Response(status=302, headers={"Location": "http://127.0.0.1:1/"}),
    "other JSON": lambda: web.json_response({"jetstream": 7}),
}


@pytest.mark.parametrize("wrong", WRONG)
async def test_what_is_no_monitoring_is_said_to_be_none(wrong: str) -> None:
    async with monitor(WRONG[wrong]) as address:
        assert (await look(address)).startswith(f"{address} does not answer as a NATS server")  # type: ignore[union-attr]


async def test_no_secret_of_its_address_is_shown() -> None:
    said = await look("http://user:secret@127.0.0.1:1/")
    assert isinstance(said, str)
    assert "secret" not in said
