"""The whole check: of the simulated Genesys Cloud, other sources and stores; and its table."""

import asyncio
import io
import os
from datetime import timedelta
from pathlib import Path

import pytest
from websockets.asyncio.server import ServerConnection, serve

from ringback.app.checking import check, failed, show
from ringback.errors import SettingsError
from ringback.settings import (
    PrivacySettings,
    Secret,
    Settings,
    SourceSettings,
    StoreSettings,
    WebSettings,
)
from ringback.settings.sources import GenesysSettings
from ringback.simulator.genesys.limits import Limits
from ringback.sources.findings import Finding, Level
from ringback.stores.sqlite import SqliteStore
from support.access import tokens_file
from support.certificates import make_certificate
from support.genesys import Caller, platform
from support.runtime import LoopClock
from support.virtual import run_virtually

MEMORY = StoreSettings(kind="memory")
VIEW = "conversation:communication:view"


def of_the_platform(caller: Caller, secret: str | None = None, queues: str = "") -> Settings:
    return Settings(
        source=SourceSettings(kind="genesys"),
        genesys=GenesysSettings(
            client_id=caller.client.id,
            client_secret=Secret(secret or caller.client.secret),
            login_url=caller.cloud.url,
            api_url=caller.cloud.url,
            queues=queues,
        ),
        store=MEMORY,
    )


def said(findings: list[Finding], level: Level) -> list[str]:
    return [f"{each.about}: {each.text}" for each in findings if each.level is level]


def test_the_simulated_platform_is_in_order_for_a_client_with_all_rights() -> None:
    async def work() -> None:
        async with platform() as caller:
            findings = await check(of_the_platform(caller), LoopClock())
            assert said(findings, Level.FAIL) == said(findings, Level.WARN) == []
            everything = "\n".join(said(findings, Level.OK))
            assert "all 6 are permitted" in everything
            assert f"v2.routing.queues.{{id}}.conversations needs {VIEW}" in everything
            assert caller.client.secret not in everything
            assert all(not channel.topics for channel in caller.cloud.channels.all)

    run_virtually(work())


def test_it_is_told_what_a_client_may_not_do() -> None:
    async def work() -> None:
        async with platform() as caller:
            caller.client.permissions -= {VIEW, "analytics:conversationDetail:view"}
            findings = await check(of_the_platform(caller), LoopClock())
            failures = said(findings, Level.FAIL)
            assert len(failures) == 3
            assert failures[0].startswith("topics: 6 of 6 are rejected (")
            assert failures[0].endswith(f"{VIEW} is missing")
            assert f"permission: {VIEW} is missing" in failures[2]

    run_virtually(work())


def test_it_is_told_when_the_client_is_not_known_the_clock_wrong_or_nothing_meant() -> None:
    async def work() -> None:
        async with platform() as caller:
            findings = await check(of_the_platform(caller, secret="wrong"), LoopClock())
            (failure,) = said(findings, Level.FAIL)
            assert failure.startswith("login: POST /oauth/token: the OAuth client is not known")
            caller.cloud.skew = timedelta(minutes=4)
            findings = await check(of_the_platform(caller, queues="Nothing"), LoopClock())
            failures = said(findings, Level.FAIL)
            assert len(failures) == 2
            assert "clock is 240 seconds behind" in failures[0]
            assert "no queue is meant: none of the 6" in failures[1]

    run_virtually(work())


def test_a_platform_that_throttles_hard_is_waited_for() -> None:
    async def work() -> None:
        async with platform(limits=Limits(requests_per_minute=8)) as caller:
            findings = await check(of_the_platform(caller), LoopClock())
            assert said(findings, Level.FAIL) == []
            assert any(text.startswith("requests: ") for text in said(findings, Level.WARN))

    run_virtually(work())


def source_and_store(source: SourceSettings, store: StoreSettings = MEMORY) -> list[Finding]:
    return asyncio.run(check(Settings(source=source, store=store)))


def test_a_websocket_is_tried() -> None:
    async def work() -> None:
        async def listen(connection: ServerConnection) -> None:
            await connection.wait_closed()

        async with serve(listen, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            url = f"ws://127.0.0.1:{port}/feed"
            settings = Settings(
                source=SourceSettings(kind="websocket", url=Secret(f"{url}?token=canary")),
                store=MEMORY,
            )
            findings = await check(settings)
            assert findings[2] == Finding(Level.OK, "source", f"{url}?... can be connected to")
        findings = await check(settings)
        assert findings[2].level is Level.FAIL
        assert findings[2].text == f"{url}?...: unreachable"

    asyncio.run(work())


def test_a_recording_must_be_there(tmp_path: Path) -> None:
    path = tmp_path / "day.jsonl"
    with pytest.raises(SettingsError, match="is no file that this user can read"):
        source_and_store(SourceSettings(kind="recording", path=str(path)))
    path.write_bytes(b"")
    findings = source_and_store(SourceSettings(kind="recording", path=str(path)))
    assert [finding.level for finding in findings] == [Level.OK] * 6


def test_a_store_is_looked_at(tmp_path: Path) -> None:
    async def work() -> None:
        path = tmp_path / "ringback.db"
        settings = Settings(store=StoreSettings(path=str(path)))
        assert (await check(settings))[-1].text == f"{path} will be made at the first start"
        assert os.listdir(tmp_path) == []  # noqa: PTH208  # nothing waits
        store = await SqliteStore.open(path, timedelta(days=1))
        locked = (await check(settings))[-1]
        assert (locked.level, locked.about) == (Level.WARN, "store")
        assert "is in use, by a Ringback that runs already" in locked.text
        await store.close()
        assert (await check(settings))[-1].text.startswith(f"{path} can be opened, 0.")
        nowhere = Settings(store=StoreSettings(path=str(tmp_path / "no" / "ringback.db")))
        finding = (await check(nowhere))[-1]
        assert finding.level is Level.FAIL
        assert finding.remedy == "make it, or correct [store] path"

    asyncio.run(work())


def test_the_table_is_readable() -> None:
    findings = [
        Finding(Level.OK, "login", "logged in"),
        Finding(Level.WARN, "clock", "5 seconds off", "set it"),
        Finding(Level.FAIL, "topics", "[all] are rejected " + "x" * 100, "give it a role"),
    ]
    assert failed(findings)
    assert not failed(findings[:2])
    out = io.StringIO()
    show(findings, out)
    lines = [line.rstrip() for line in out.getvalue().splitlines()]
    assert lines == [
        "ok    login   logged in",
        "warn  clock   5 seconds off",
        "              → set it",
        "fail  topics  [all] are rejected",
        "              " + "x" * 86,
        "              " + "x" * 14,
        "              → give it a role",
        "",
        "1 to mend, 1 to look at.",
    ]


def looked_at(web: WebSettings) -> Finding:
    findings = asyncio.run(check(Settings(store=MEMORY, web=web)))
    (finding,) = [one for one in findings if one.about == "access"]
    return finding


def test_who_may_come_in_is_looked_at(tmp_path: Path) -> None:
    assert "this machine alone" in looked_at(WebSettings()).text
    tokens = tokens_file(tmp_path)
    assert looked_at(WebSettings(tokens=str(tokens))).text == "3 tokens, without TLS of its own"
    certificate, key = map(str, make_certificate(tmp_path))
    tls = WebSettings(tokens=str(tokens), tls_certificate=certificate, tls_key=key)
    assert looked_at(tls).text == "3 tokens, over TLS"
    tokens.chmod(0o644)
    finding = looked_at(tls)
    assert finding.level is Level.FAIL
    assert f"chmod 600 {tokens}" in finding.text


@pytest.mark.parametrize(
    ("privacy", "idle"),
    [
        (PrivacySettings(), True),
        (PrivacySettings(numbers=True), False),
        (PrivacySettings(hash_key=Secret("0123456789abcdef")), False),
    ],
)
def test_it_says_that_nobody_sees_who_waits_twice(privacy: PrivacySettings, idle: bool) -> None:
    findings = asyncio.run(check(Settings(privacy=privacy, store=MEMORY)))
    (rules,) = (finding for finding in findings if finding.about == "rules")
    assert ("same_number_twice idle" in rules.text) is idle
