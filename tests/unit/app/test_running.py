import asyncio
import io
import signal
import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ringback.app import simulating, sources
from ringback.settings import Settings
from ringback.simulator.centre import ContactCentre
from support.daemon import SOON, execute, running
from support.gateway import gateway, to


def sleeper(now: datetime) -> type:
    """Make a clock that stands still."""

    class Standing:
        def now(self) -> datetime:
            return now

    return Standing


def callbacks_at(now: datetime, monkeypatch: pytest.MonkeyPatch) -> dict[str, tuple[str, ...]]:
    """Give the path of every callback of the centre that a daemon started then would follow."""
    monkeypatch.setattr(sources, "SystemClock", sleeper(now))
    centre = sources.resumed_centre(Settings())
    assert centre.now == now
    return {name: truth.path for name, truth in centre.truth().items()}


def test_a_daemon_that_starts_again_finds_its_callbacks_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = datetime(2026, 11, 22, 8, 20, tzinfo=UTC)
    before = callbacks_at(now, monkeypatch)
    after = callbacks_at(now + timedelta(minutes=5), monkeypatch)
    assert len(before) > 100
    assert before.keys() < after.keys()
    for name, path in before.items():
        assert after[name][: len(path)] == path


def test_every_hour_has_a_centre_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    now = datetime(2026, 11, 22, 8, 20, tzinfo=UTC)
    before = callbacks_at(now, monkeypatch)
    after = callbacks_at(now + timedelta(hours=1), monkeypatch)
    assert before.keys().isdisjoint(after.keys())


@pytest.fixture
def handlers() -> Iterator[None]:
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


async def test_a_signal_while_the_centre_is_made_is_heard(
    monkeypatch: pytest.MonkeyPatch, handlers: None
) -> None:
    make = simulating.make_centre

    def asked_to_stop(settings: Settings, seed: int, start: datetime) -> ContactCentre:
        assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
        signal.raise_signal(signal.SIGTERM)
        return make(settings, seed, start)

    monkeypatch.setattr(simulating, "make_centre", asked_to_stop)
    out = io.StringIO()
    async with asyncio.timeout(SOON):
        await simulating.simulate(Settings(), 0, out)
    assert "A simulated contact centre at http://" in out.getvalue()


async def test_the_simulator_runs_alone_for_a_daemon_to_listen_to(tmp_path: Path) -> None:
    async with running(tmp_path, "simulate", "--seed", "7", "--speed", "20") as centre:
        await centre.until(lambda: b"url = " in centre.out)
        url = centre.out.decode().partition('url = "')[2].partition('"')[0]
        async with running(tmp_path, source__kind="websocket", source__url=url) as child:
            await child.tells("callback.waiting")
            child.process.terminate()
            assert await child.ends() == 0
        centre.process.terminate()
        assert await centre.ends() == 0
    assert 'kind = "websocket"' in centre.out.decode()


async def test_it_starts_without_any_configuration(tmp_path: Path) -> None:
    async with running(tmp_path) as child:
        await child.tells("callback.waiting")
        child.process.terminate()
        assert await child.ends() == 0
    known = child.log[0]
    assert (known["source"], known["store"]) == ("simulator", "ringback.db")
    assert known["quarantine"] == "quarantine.jsonl"
    assert child.log[1]["note"] == "following a simulated contact centre"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def test_it_runs_on_memory_and_leaves_nothing(tmp_path: Path) -> None:
    work, temporary = tmp_path / "work", tmp_path / "temporary"
    work.mkdir()
    temporary.mkdir()
    async with (
        gateway() as peer,
        running(
            work, extra={"TMPDIR": str(temporary)}, **to(peer.url, store__kind="memory")
        ) as child,
    ):
        await peer.send(b"{")
        await child.says("frame_quarantined")
        quarantine = Path(child.log[0]["quarantine"])
        assert quarantine.is_relative_to(temporary)
        assert {mode(quarantine), mode(quarantine.parent)} == {0o600, 0o700}
        child.process.terminate()
        assert await child.ends() == 0
    assert list(work.iterdir()) == list(temporary.iterdir()) == []


async def test_bad_frames_that_cannot_be_kept_beside_the_store_are_refused_in_its_name(
    tmp_path: Path,
) -> None:
    (tmp_path / "quarantine.jsonl").mkdir()
    (tmp_path / "quarantine.jsonl" / "frames.jsonl.zst").symlink_to("elsewhere")
    code, told, said = await execute(tmp_path)
    assert (code, told) == (2, b"")
    assert said.startswith("ringback: store.path: quarantine.jsonl/frames.jsonl.zst is a link")
    assert said.count("\n") == 1


async def test_a_console_is_readable(tmp_path: Path) -> None:
    async with running(tmp_path, sinks__stdout="console") as child:
        await child.until(lambda: "→".encode() in child.out)
        child.process.terminate()
        assert await child.ends() == 0
    assert b"specversion" not in child.out


async def test_standard_output_can_be_off(tmp_path: Path) -> None:
    async with running(tmp_path, sinks__stdout="off", log__level="debug") as child:
        await child.says("restored")
        child.process.terminate()
        assert await child.ends() == 0
    assert child.out == b""


@pytest.mark.parametrize("name", ["folder/day.jsonl", "link.jsonl"])
async def test_a_recording_that_cannot_be_begun_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "link.jsonl").symlink_to("elsewhere")
    code, told, said = await execute(tmp_path, record__path=name)
    assert (code, told) == (2, b"")
    assert said.startswith(f"ringback: record.path: {name}")
    assert said.count("\n") == 1
