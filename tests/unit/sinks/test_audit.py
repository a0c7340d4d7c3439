import asyncio
import errno
import json
import os
import stat
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from ringback.errors import AuditError, SettingsError
from ringback.ports import Deed
from ringback.sinks.audit import AuditTrail
from support.callbacks import START


class Standing:
    def now(self) -> Any:
        return START


@asynccontextmanager
async def trail_at(folder: Path, **limits: int) -> AsyncIterator[AuditTrail]:
    trail = AuditTrail(folder / "audit.jsonl", Standing(), **limits)
    try:
        yield trail
    finally:
        trail.close()


def sizes(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_size for path in folder.iterdir()}


def anything(_: Deed) -> bool:
    return True


async def numbers(trail: AuditTrail, before: int | None = None, most: int = 1000) -> list[int]:
    return [deed.number for deed in await trail.deeds(before, most, anything)]


async def test_a_deed_is_a_line_for_its_owner_alone(tmp_path: Path) -> None:
    async with trail_at(tmp_path) as trail:
        await trail.note("olga", "reveal", "c-1", role="operator", address="192.0.2.1")
        text = trail.path.read_text()
    assert text.endswith("\n")
    assert json.loads(text) == {
        "number": 1,
        "time": "2026-11-22T08:00:00.000Z",
        "who": "olga",
        "action": "reveal",
        "subject": "c-1",
        "role": "operator",
        "address": "192.0.2.1",
    }
    assert stat.S_IMODE(trail.path.stat().st_mode) == 0o600


async def test_it_is_on_the_disk_before_it_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    sync = os.fsync
    async with trail_at(tmp_path) as trail:

        def counted(file: int) -> None:
            sync(file)
            synced.append(file)

        monkeypatch.setattr(os, "fsync", counted)
        await trail.note("olga", "reveal", "c-1")
        assert len(synced) == 1


async def test_the_newest_come_first_page_by_page(tmp_path: Path) -> None:
    async with trail_at(tmp_path) as trail:
        await asyncio.gather(*(trail.note("olga", "reveal", f"c-{each}") for each in range(5)))
        assert await numbers(trail) == [5, 4, 3, 2, 1]
        assert await numbers(trail, most=2) == [5, 4]
        assert await numbers(trail, before=4, most=2) == [3, 2]
        await trail.note("otto", "reveal", "c-9")
        ottos = await trail.deeds(None, 10, lambda deed: deed.who == "otto")
        assert [deed.subject for deed in ottos] == ["c-9"]


async def test_it_goes_on_where_it_ended_and_passes_over_what_is_torn(tmp_path: Path) -> None:
    async with trail_at(tmp_path) as trail:
        await trail.note("olga", "reveal", "c-1")
    with trail.path.open("ab") as file:
        file.write(b'{"number":2,"who":"ol')
    async with trail_at(tmp_path) as trail:
        await trail.note("olga", "reveal", "c-2")
        assert await numbers(trail) == [2, 1]


async def test_a_full_file_steps_back_and_the_oldest_goes(tmp_path: Path) -> None:
    async with trail_at(tmp_path, most_bytes=250, older_files=2) as trail:
        for each in range(12):
            await trail.note("olga", "reveal", f"c-{each}")
        kept = await numbers(trail)
        assert kept == list(range(12, 12 - len(kept), -1))
        assert 4 <= len(kept) < 12
        assert {"audit.jsonl", "audit.jsonl.1", "audit.jsonl.2"} == sizes(tmp_path).keys()
        assert max(sizes(tmp_path).values()) <= 250
    async with trail_at(tmp_path, most_bytes=250, older_files=2) as trail:
        await trail.note("olga", "reveal", "c-12")
        assert (await numbers(trail))[:2] == [13, 12]


async def test_a_file_that_was_moved_away_is_begun_anew(tmp_path: Path) -> None:
    async with trail_at(tmp_path) as trail:
        await trail.note("olga", "reveal", "c-1")
        trail.path.rename(tmp_path / "elsewhere")
        await trail.note("olga", "reveal", "c-2")
        assert await numbers(trail) == [2]


def short(write: Callable[[int, Any], int]) -> Callable[[int, Any], int]:
    """Make a disk on which there is room for ten more bytes."""
    left = 10

    def writes(file: int, content: Any) -> int:
        nonlocal left
        if not left:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written = write(file, bytes(content)[:left])
        left -= written
        return written

    return writes


async def test_what_cannot_be_noted_leaves_nothing_and_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with trail_at(tmp_path) as trail:
        await trail.note("olga", "reveal", "c-1")
        with monkeypatch.context() as patched:
            patched.setattr(os, "write", short(os.write))
            with pytest.raises(AuditError, match="No space left on device"):
                await trail.note("olga", "reveal", "c-2")
        assert "No space left" in str(trail.trouble)
        assert (trail.noted, trail.failed) == (1, 1)
        await trail.note("olga", "reveal", "c-3")
        assert str(trail.trouble) == "None"
        assert await numbers(trail) == [2, 1]
        assert [json.loads(line)["subject"] for line in trail.path.read_text().splitlines()] == [
            "c-1",
            "c-3",
        ]


async def test_where_none_can_be_kept_the_daemon_does_not_start(tmp_path: Path) -> None:
    (tmp_path / "audit.jsonl").mkdir()
    with pytest.raises(SettingsError, match=r"audit\.jsonl: Is a directory"):
        AuditTrail(tmp_path / "audit.jsonl", Standing())
    (tmp_path / "elsewhere").touch()
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SettingsError, match="symbolic links"):
        AuditTrail(tmp_path / "link", Standing())
