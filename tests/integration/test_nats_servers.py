"""The shipped files of the NATS servers: three servers start with them and replicate."""

import asyncio
import os
import re
import ssl
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path

import nats
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.api import KeyValueConfig, StorageType, StreamConfig

from ringback.settings.jetstream import JetStreamSettings
from ringback.stores.jetstream.permissions import user_of
from ringback.stores.jetstream.subjects import Subjects
from support.accounts import SHIPPED, lay_out
from support.nats import free_ports, server_command

LOCAL = Subjects("ringback", "local")


def accepted(main: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [server_command(), "-t", "-c", main],
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


def test_a_password_that_is_missing_is_missed(tmp_path: Path) -> None:
    main, _ = lay_out(tmp_path / "nats")
    passwords = main.parent / "secrets" / "local.passwords.conf"
    passwords.write_text("\n".join(passwords.read_text().splitlines()[:-1]))
    done = accepted(main)
    assert done.returncode != 0
    assert "PASSWORD_SETUP" in done.stderr


@contextmanager
def running(main: Path, folder: Path, name: str, ports: list[int]) -> Iterator[Path]:
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
            [server_command(), "-c", config],
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


@asynccontextmanager
async def connected(url: str, made: Path) -> AsyncIterator[Client]:
    """Connect as the user that makes streams, once there is a leader."""

    async def unheard(_: Exception) -> None:
        """Say nothing of servers that are not there yet."""

    name = user_of(LOCAL, "setup")
    client = await nats.connect(
        url,
        user=name,
        password=(made / "nats-setup").read_text().strip(),
        inbox_prefix=f"_INBOX.{name}",
        tls=ssl.create_default_context(cafile=made / "authority.crt"),
        max_reconnect_attempts=-1,
        reconnect_time_wait=0.1,
        error_cb=unheard,
    )
    try:
        yield client
    finally:
        await client.close()


async def led(client: Client) -> None:
    """Wait until the cluster has somebody who answers for JetStream."""
    async with asyncio.timeout(30):
        while True:
            with suppress(NatsError, TimeoutError):
                await client.jetstream(timeout=0.5).account_info()
                return


async def test_three_servers_replicate_what_one_organisation_needs(tmp_path: Path) -> None:
    main, made = lay_out(tmp_path / "nats")
    ports = [free_ports(3) for _ in range(3)]
    routes = main.parent / "secrets" / "routes.conf"
    text = routes.read_text()
    for index, each in enumerate(ports):
        assert f"nats-{index}.nats:6222" in text
        text = text.replace(f"nats-{index}.nats:6222", f"127.0.0.1:{each[2]}")
    routes.write_text(text)
    settings = JetStreamSettings()
    size = settings.most_megabytes * 1024 * 1024
    with (
        running(main, tmp_path / "n1", "n1", ports[0]) as log,
        running(main, tmp_path / "n2", "n2", ports[1]),
        running(main, tmp_path / "n3", "n3", ports[2]),
    ):
        async with connected(f"tls://127.0.0.1:{ports[0][0]}", made) as client:
            await led(client)
            jetstream = client.jetstream(timeout=30)
            for name, kind in ((LOCAL.inputs, "in"), (LOCAL.steps, "st")):
                await jetstream.add_stream(
                    StreamConfig(
                        name=name,
                        subjects=[f"{LOCAL.root}.{kind}.>"],
                        max_bytes=size,
                        num_replicas=settings.replicas,
                    )
                )
            for name, storage in (
                (LOCAL.leases, StorageType.MEMORY),
                (LOCAL.budgets, StorageType.FILE),
            ):
                config = KeyValueConfig(name, ttl=60, storage=storage, replicas=3)
                await jetstream.create_key_value(config)
            await jetstream.publish(LOCAL.step(0, "c"), b"x")
            cluster = (await jetstream.stream_info(LOCAL.steps)).cluster
            assert cluster is not None
            assert {cluster.leader, *(each.name for each in cluster.replicas or ())} == {
                "n1",
                "n2",
                "n3",
            }
    assert "Plaintext passwords" in log.read_text()  # as the test's are; in files of mode 0600
