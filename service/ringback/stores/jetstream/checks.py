"""What of the servers is not as it should be, although Ringback runs on them."""

from urllib.parse import urlsplit

import aiohttp
import msgspec

from ringback.settings.jetstream import JetStreamSettings

__all__ = ["Seen", "findings", "look"]

ENOUGH = 3
"""Replicas with which any one server may fail."""
SECONDS = 3.0
MOST_BYTES = 1_000_000
ROOM = 4_000_000
"""Bytes that a message may have, so that a conversation of many hours and its events have room."""


class _Config(msgspec.Struct):
    sync_interval: int | None = None
    sync_always: bool = False


class _JetStream(msgspec.Struct):
    config: _Config = msgspec.field(default_factory=_Config)


class Seen(msgspec.Struct):
    """What a server's monitoring tells."""

    version: str = ""
    jetstream: _JetStream = msgspec.field(default_factory=_JetStream)


async def look(monitor: str) -> Seen | str:
    """Ask a server's monitoring; give why that did not work, if it did not."""
    address = monitor if "://" in monitor else f"http://{monitor}"
    shown = urlsplit(address).netloc.rpartition("@")[2]
    limit = aiohttp.ClientTimeout(total=SECONDS)
    try:
        async with (
            aiohttp.ClientSession(timeout=limit) as session,
            session.get(f"{address.rstrip('/')}/varz", allow_redirects=False) as response,
        ):
            return msgspec.json.decode(await response.content.read(MOST_BYTES), type=Seen)
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
        return f"{shown} does not answer as a NATS server ({type(error).__name__})"


def findings(
    settings: JetStreamSettings, version: str, max_payload: int, seen: Seen | str | None
) -> list[str]:
    """Say what may cost messages or is a hole, each with what to do."""
    found = []
    if settings.replicas < ENOUGH:
        found.append(
            f"each message is kept on {settings.replicas} server only: if its disk is lost, so are"
            f" they; set jetstream.replicas to {ENOUGH}"
        )
    if _vulnerable(version):
        found.append(f"NATS {version} has published holes: run 2.11.16, 2.12.7, or something newer")
    if max_payload < ROOM:
        found.append(
            f"messages may have {max_payload} bytes: a long conversation may have more; set"
            " max_payload of the servers to 4MB"
        )
    if problem := _syncing(settings, seen):
        found.append(problem)
    return found


def _vulnerable(version: str) -> bool:
    major, minor, patch = (int(part) for part in version.split("."))
    return (major, minor, patch) < (2, 11, 16) or (2, 12, 0) <= (major, minor, patch) < (2, 12, 7)


def _syncing(settings: JetStreamSettings, seen: Seen | str | None) -> str | None:
    remedy = "see that each server has sync_interval: always, else a power failure costs messages"
    if not settings.monitor:
        return (
            f"it is not known when servers write to their disks: set jetstream.monitor, or {remedy}"
        )
    if isinstance(seen, str):
        return f"jetstream.monitor: {seen}; {remedy}"
    if seen is None:
        return remedy
    config = seen.jetstream.config
    if config.sync_always:
        return None
    if config.sync_interval is None:
        return f"NATS {seen.version} does not tell its sync_interval; {remedy}"
    seconds = config.sync_interval / 1_000_000_000
    return (
        f"a server writes to its disk every {seconds:g} s only: a power failure costs what it"
        " acknowledged since; set sync_interval: always on all servers"
    )
