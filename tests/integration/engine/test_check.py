"""`ringback check` looks at the engine and changes nothing."""

from pathlib import Path
from typing import Any

import nats

from support.daemon import execute
from support.nats import ANY


async def streams_at(url: str) -> list[str]:
    client = await nats.connect(url)
    try:
        return [one.config.name or "" for one in await client.jetstream().streams_info()]
    finally:
        await client.close()


def several(url: str, **more: Any) -> dict[str, Any]:
    return {
        "store__kind": "jetstream",
        "jetstream__servers": url,
        "jetstream__prefix": "checked",
        "jetstream__replicas": 1,
    } | more


async def test_what_is_not_there_yet_is_told_and_not_made(tmp_path: Path, nats_url: str) -> None:
    code, out, _ = await execute(tmp_path, "check", **several(nats_url))
    said = " ".join(out.decode().split())
    assert code == 0
    assert f"NATS {ANY.version} at" in said
    assert "checked-local-steps is not there yet: it will be made" in said
    assert "set jetstream.replicas to 3" in said
    assert not [name for name in await streams_at(nats_url) if name.startswith("checked")]


async def test_an_engine_that_is_not_there_is_to_be_mended(tmp_path: Path) -> None:
    code, out, _ = await execute(tmp_path, "check", **several("nats://127.0.0.1:9"))
    assert code == 1
    assert "jetstream.servers" in " ".join(out.decode().split())
