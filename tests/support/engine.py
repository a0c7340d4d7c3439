"""One NATS server for many tests: each has an organisation of its own on it."""

import asyncio
import itertools
import os
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ringback.settings.jetstream import JetStreamSettings
from ringback.stores.jetstream.engine import Engine
from support.nats import ANY, PATIENCE, Server, free_ports

__all__ = [
    "JETSTREAM",
    "KEEP_HOURS",
    "engine_settings",
    "new_org",
    "open_engine",
    "shared_server",
    "until",
]

KEEP_HOURS = 24.0
JETSTREAM = {"jetstream": "nats_url", "jetstream-current": "current_nats_url"}
"""The servers that have to keep what every store promises: the fixture that gives each."""
_numbers = itertools.count(1)

CONFIG = """
server_name: "shared"
host: "127.0.0.1"
port: {port}
http: "127.0.0.1:{monitor}"
jetstream {{ store_dir: "{folder}/store", max_memory_store: 4GB, max_file_store: 256GB }}
max_payload: 8MB
"""


@contextmanager
def shared_server(folder: Path, server: Server = ANY) -> Iterator[str]:
    """Run a server outside of any loop; give its address."""
    port, monitor = free_ports(2)
    config = folder / "nats.conf"
    config.write_text(CONFIG.format(port=port, monitor=monitor, folder=folder))
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([server.path, "-c", str(config)], stdout=log, stderr=log)
    try:
        _wait(f"http://127.0.0.1:{monitor}/healthz")
        yield f"nats://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def _wait(address: str) -> None:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        try:
            with urllib.request.urlopen(address, timeout=1):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.02)
    raise TimeoutError(address)


async def until(true: Callable[[], bool]) -> None:
    """Wait for what a server or its client is about to do."""
    async with asyncio.timeout(PATIENCE):
        while not true():  # noqa: ASYNC110  # another process
            await asyncio.sleep(0.01)


def engine_settings(url: str, partitions: int = 4) -> JetStreamSettings:
    """Settings for one server, on which many tests find room."""
    return JetStreamSettings(servers=url, replicas=1, most_megabytes=64, partitions=partitions)


def new_org() -> str:
    """Give an organisation that no other test has."""
    return f"org{os.getpid()}-{next(_numbers)}"


async def open_engine(url: str, org: str = "") -> Engine:
    """Open the engine of an organisation: of a new one unless it is named."""
    return await Engine.open(engine_settings(url), org or new_org(), KEEP_HOURS)
