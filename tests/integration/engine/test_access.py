"""Who is let in by a real server, and what is said to who is not."""

import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from msgspec.structs import replace

from ringback.errors import EngineRefused, StoreError
from ringback.settings.describing import Secret
from ringback.settings.jetstream import JetStreamSettings
from ringback.stores.jetstream.connection import Connection
from support.certificates import make_certificate
from support.engine import until
from support.jwt import Key, credentials, operator_config
from support.nats import ANY, Node, one_node

USER = Key("user", "ringback")


async def enter(settings: JetStreamSettings) -> str:
    """Connect and do something; give the server's version."""
    connection = await Connection.open(settings, name="test")
    try:
        await connection.client.flush()
        return connection.version
    finally:
        await connection.close()


@pytest_asyncio.fixture
async def guarded(tmp_path: Path) -> AsyncIterator[Node]:
    """A server that knows a password, an nkey, and nobody else."""
    users = f'[{{ user: "a", password: "right" }}, {{ nkey: "{USER.public}" }}]'
    async with one_node(tmp_path, f"authorization {{ users: {users} }}") as node:
        await node.listens()
        yield node


async def test_a_password_and_an_nkey_let_in(guarded: Node) -> None:
    known = JetStreamSettings(servers=guarded.url, user="a", password=Secret("right"))
    assert await enter(known) == ANY.version
    assert await enter(JetStreamSettings(servers=guarded.url, nkey=Secret(USER.seed)))


WRONG: dict[str, dict[str, Any]] = {
    "nobody": {},
    "a wrong password": {"user": "a", "password": Secret("wr0ng")},
    "another's nkey": {"nkey": Secret(Key("user", "x").seed)},
}


@pytest.mark.parametrize("wrong", WRONG)
async def test_who_is_not_known_is_refused_and_told_what_to_check(
    guarded: Node, wrong: str
) -> None:
    settings = replace(JetStreamSettings(servers=guarded.url), **WRONG[wrong])
    with pytest.raises(EngineRefused, match="credentials are not accepted; check jetstream") as no:
        await enter(settings)
    assert "wr0ng" not in str(no.value)


SEEDS = {
    "an account's": (Key("account", "x").seed, "not the seed of a user"),
    "cut off": (USER.seed[:-3], "checksum|base32"),
    "changed": (USER.seed[:-6] + "AAAAAA", "checksum"),
    "no base32": ("S0U1", "base32"),
    "a public key": (USER.public, "checksum"),
}


@pytest.mark.parametrize("seed", SEEDS)
async def test_a_seed_that_is_none_is_refused_before_anything_is_sent(seed: str) -> None:
    text, said = SEEDS[seed]
    with pytest.raises(EngineRefused, match=said) as refused:
        await enter(JetStreamSettings(servers="nats://127.0.0.1:1", nkey=Secret(text)))
    assert text not in str(refused.value)


async def test_a_credentials_file_lets_in_and_is_read_anew(tmp_path: Path) -> None:
    async with one_node(tmp_path, operator_config()) as node:
        await node.listens()
        file = credentials(tmp_path / "ringback.creds", USER)
        settings = JetStreamSettings(servers=node.url, credentials=str(file))
        connection = await Connection.open(settings, name="test")
        credentials(file, Key("user", "renewed"))
        await connection.client.force_reconnect()
        await until(lambda: connection.lost == 1 and connection.connected)
        await connection.close()
        credentials(file, USER, signed_by=Key("account", "another"))
        with pytest.raises(EngineRefused, match="not accepted"):
            await enter(settings)


FILES = {
    "none": (None, 0o600, "No such file"),
    "read by others": ("seed", 0o644, "may be read by others .mode 0644.; .*chmod 600"),
    "empty": ("", 0o600, "has no"),
    "no seed": ("-----BEGIN NATS USER JWT-----\nx\n------END NATS USER JWT------", 0o600, "has no"),
}


@pytest.mark.parametrize("file", FILES)
async def test_a_credentials_file_that_will_not_do(tmp_path: Path, file: str) -> None:
    text, mode, said = FILES[file]
    path = tmp_path / "creds"
    if text is not None:
        path.write_text(text)
        path.chmod(mode)
    with pytest.raises(EngineRefused, match=said):
        await enter(JetStreamSettings(servers="nats://127.0.0.1:1", credentials=str(path)))


async def test_tls_with_the_authority_and_a_certificate_of_its_own(tmp_path: Path) -> None:
    server, key = make_certificate(tmp_path, "server")
    client, client_key = make_certificate(tmp_path, "client")
    files = f'cert_file: "{server}", key_file: "{key}", ca_file: "{client}", verify: true'
    async with one_node(tmp_path, f"tls {{ {files} }}") as node:
        await node.listens()
        url = node.url.replace("nats://", "tls://")
        trusting = JetStreamSettings(
            servers=url, tls_ca=str(server), tls_certificate=str(client), tls_key=str(client_key)
        )
        assert await enter(trusting)
        assert await enter(replace(trusting, servers=node.url))
        with pytest.raises(EngineRefused, match=r"TLS failed .*certificate"):
            await enter(replace(trusting, tls_ca=str(client)))
        # The server says why, or just ends it: whichever comes first.
        with pytest.raises(StoreError, match=r"TLS failed|does not answer"):
            await enter(replace(trusting, tls_certificate="", tls_key=""))
        client_key.chmod(0o604)
        with pytest.raises(EngineRefused, match="tls_key: chmod 600"):
            await enter(trusting)
        with pytest.raises(EngineRefused, match=r"jetstream.tls_ca"):
            await enter(replace(trusting, tls_ca=str(tmp_path / "none")))


async def test_nothing_is_said_in_clear_where_tls_was_asked_for(
    tmp_path: Path, guarded: Node
) -> None:
    known = JetStreamSettings(servers=guarded.url, user="a", password=Secret("right"))
    for wish in (
        {"servers": guarded.url.replace("nats://", "tls://")},
        {"tls_ca": str(make_certificate(tmp_path)[0])},
    ):
        with pytest.raises(EngineRefused, match=r"TLS failed .the server does not encrypt"):
            await enter(replace(known, **wish))


async def test_who_is_shut_out_while_running_comes_back_when_let_in_again(
    tmp_path: Path, guarded: Node
) -> None:
    settings = JetStreamSettings(servers=guarded.url, user="a", password=Secret("right"))
    connection = await Connection.open(settings, name="test")
    config = guarded.config.read_text()
    assert guarded.process is not None
    guarded.config.write_text(config.replace("right", "changed"))
    guarded.process.send_signal(signal.SIGHUP)
    await until(lambda: "credentials are not accepted" in (connection.problem or ""))
    guarded.config.write_text(config)
    guarded.process.send_signal(signal.SIGHUP)
    await connection.up()
    assert connection.problem is None
    assert connection.lost == 1
    await connection.close()
