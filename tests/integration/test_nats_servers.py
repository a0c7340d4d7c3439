"""The shipped files of the NATS servers: three servers start with them and replicate."""

import asyncio
import io
import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from ringback.app.migrating import migrate
from ringback.errors import EngineRefused, EngineUnreachable
from ringback.ports import Batch, Row
from ringback.settings import Settings
from ringback.settings.describing import Secret
from ringback.settings.jetstream import JetStreamSettings
from ringback.settings.schema import StoreSettings
from ringback.stores.jetstream.engine import Engine
from ringback.stores.jetstream.permissions import User, user_of
from ringback.stores.jetstream.subjects import Subjects
from support.accounts import SHIPPED, lay_out
from support.nats import Server, free_ports

LOCAL = Subjects("ringback", "local")
ROLES: tuple[User, ...] = ("listen", "track", "serve", "alert", "all")


def accepted(main: Path, server: Server = Server.OLDEST) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [server.path, "-t", "-c", main],
        env=os.environ | {"NATS_NAME": "n1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_the_server_accepts_its_files(tmp_path: Path) -> None:
    main, _ = lay_out(tmp_path / "nats")
    done = accepted(main)
    assert done.returncode == 0, done.stderr
    assert "is valid" in done.stderr


def test_only_what_durable_conf_says_is_beyond_debians_server(tmp_path: Path) -> None:
    main, _ = lay_out(tmp_path / "nats")
    durable = (SHIPPED / "durable.conf").read_text(encoding="utf-8")
    (main.parent / "durable.conf").write_text(durable)
    options = re.findall(r"^(\w+): (\w+)$", durable, re.MULTILINE)
    assert options == [("sync_interval", "always")]
    done = accepted(main)
    assert re.findall(r'unknown field "(\w+)"', done.stderr) == ["sync_interval"]


def test_the_current_server_accepts_all_of_them(tmp_path: Path) -> None:
    main, _ = lay_out(tmp_path / "nats", durable=True)
    done = accepted(main, Server.CURRENT)
    assert done.returncode == 0, done.stderr
    assert "is valid" in done.stderr


def test_a_password_that_is_missing_is_missed(tmp_path: Path) -> None:
    main, _ = lay_out(tmp_path / "nats")
    passwords = main.parent / "secrets" / "local.passwords.conf"
    passwords.write_text("\n".join(passwords.read_text().splitlines()[:-1]))
    done = accepted(main)
    assert done.returncode != 0
    assert "PASSWORD_SETUP" in done.stderr


@contextmanager
def running(
    main: Path, folder: Path, name: str, ports: list[int], server: Server
) -> Iterator[Path]:
    """Run one server of a cluster; give its log."""
    folder.mkdir()
    text = main.read_text()
    for before, after in (
        ("port: 4222", f'host: "127.0.0.1"\nport: {ports[0]}'),
        ("http_port: 8222", f'http: "127.0.0.1:{ports[1]}"'),
        ("port: 6222", f'host: "127.0.0.1"\n  port: {ports[2]}'),
        ("/var/lib/nats", str(folder)),
    ):
        assert before in text
        text = text.replace(before, after)
    config = main.with_name(f"{name}.conf")
    config.write_text(text)
    log = folder / "log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [server.path, "-c", config],
            env=os.environ | {"NATS_NAME": name},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
        )
    try:
        yield log
    finally:
        process.kill()
        process.wait()


def daemon(made: Path, servers: str, user: User, monitor: str = "") -> Settings:
    """Give the settings of a process that is that user, else as by default."""
    return Settings(
        store=StoreSettings(kind="jetstream"),
        jetstream=JetStreamSettings(
            servers=servers,
            tls_ca=str(made / "authority.crt"),
            user=user_of(LOCAL, user),
            password=Secret((made / f"nats-{user}").read_text().strip()),
            monitor=monitor,
        ),
    )


async def set_up(settings: Settings) -> None:
    """Make the streams, as soon as all three servers know of one another."""
    async with asyncio.timeout(60):
        while True:
            try:
                await migrate(settings, None, io.StringIO())
            except (EngineUnreachable, EngineRefused):
                await asyncio.sleep(0.1)
            else:
                return


async def opened(settings: Settings) -> Engine:
    return await Engine.open(
        settings.jetstream, settings.source.org, settings.store.keep_journal_hours
    )


@pytest.mark.parametrize("server", Server)
async def test_three_servers_replicate_what_one_organisation_needs(
    tmp_path: Path, server: Server
) -> None:
    current = server is Server.CURRENT
    main, made = lay_out(tmp_path / "nats", durable=current)
    ports = [free_ports(3) for _ in range(3)]
    routes = main.parent / "secrets" / "routes.conf"
    text = routes.read_text()
    for index, each in enumerate(ports):
        assert f"nats-{index}.nats:6222" in text
        text = text.replace(f"nats-{index}.nats:6222", f"127.0.0.1:{each[2]}")
    routes.write_text(text)
    servers = ",".join(f"tls://127.0.0.1:{each[0]}" for each in ports)
    # Debian's does not tell how often it writes to its disk.
    monitor = f"127.0.0.1:{ports[0][1]}" if current else ""
    with (
        running(main, tmp_path / "n1", "n1", ports[0], server) as log,
        running(main, tmp_path / "n2", "n2", ports[1], server),
        running(main, tmp_path / "n3", "n3", ports[2], server),
    ):
        await set_up(daemon(made, servers, "setup"))
        for user in ROLES:
            engine = await opened(daemon(made, servers, user, monitor))
            try:
                # All that is left to say is that Debian's is old, and is not asked when it writes.
                parts = [] if current else [f"NATS {server.version} has", "set jetstream.monitor"]
                told = zip(parts, engine.findings, strict=True)
                assert all(part in finding for part, finding in told)
                if user == "track":
                    batch = Batch({"c": Row("c", b"x")}, [], {})
                    await engine.store(0).commit(batch, datetime.now(UTC))
                for stream in (LOCAL.inputs, LOCAL.steps, f"KV_{LOCAL.leases}"):
                    found = await engine.connection.ask(
                        f"STREAM.INFO.{stream}", None, dict[str, Any]
                    )
                    cluster = found["cluster"]
                    names = {cluster["leader"], *(each["name"] for each in cluster["replicas"])}
                    assert names == {"n1", "n2", "n3"}
            finally:
                await engine.close()
        settings = daemon(made, servers, "track")
        others = msgspec.structs.replace(settings.jetstream, tls_ca="")
        with pytest.raises(EngineRefused, match="TLS"):
            await opened(msgspec.structs.replace(settings, jetstream=others))
    assert "Plaintext passwords" in log.read_text()  # as the test's are; in files of mode 0600
