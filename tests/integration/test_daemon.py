"""The life of the daemon as a process: how it stops, what ends it, what it refuses."""

import asyncio
import fcntl
import os
import signal
import socket
from pathlib import Path
from typing import Any

import pytest

from support.daemon import SOON, Child, execute, running
from support.gateway import contact_centre, frame, gateway, to
from support.journal import faults_of, last_states, read_journal


def one_line(text: str) -> str:
    """Give the one line that is not of the log."""
    lines = [line for line in text.splitlines() if not line.startswith("{")]
    assert len(lines) == 1, text
    assert lines[0].startswith("ringback: ")
    return lines[0]


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def database(folder: Path) -> Path:
    return folder / "ringback.db"


# How it stops


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_stops_it_cleanly_and_what_was_received_is_kept(
    tmp_path: Path, number: signal.Signals
) -> None:
    async with gateway() as peer, running(tmp_path, **to(peer.url)) as child:
        await peer.send(*(frame(f"c-{index}") for index in range(200)))
        await child.tells("callback.waiting")
        child.process.send_signal(number)
        assert await child.ends() == 0
        assert (await child.says("stopping"))["asked"] is True
        assert {line["level"] for line in child.log} == {"info"}
    journal = read_journal(database(tmp_path))
    assert faults_of(journal) == []
    assert child.lines == [body for _, body in journal]
    async with running(tmp_path, source__kind="recording", source__path=os.devnull) as child:
        restored = await child.says("restored")
        assert restored["conversations"] == len(last_states(journal))
        assert restored["position"] == journal[-1][0]
    assert child.lines == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_second_signal_at_once_is_the_same_wish(
    tmp_path: Path, number: signal.Signals
) -> None:
    async with running(tmp_path) as child:
        await child.tells("source.connected")
        for _ in range(5):
            child.process.send_signal(number)
        await child.says("stopping")
        child.process.send_signal(number)
        assert await child.ends() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_second_signal_later_kills_by_that_signal(
    tmp_path: Path, number: signal.Signals
) -> None:
    # Nobody reads its output, so that it cannot tell what is to be told, and waits.
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    patient: dict[str, Any] = {
        "shutdown__drain_seconds": 600,
        "simulator__callbacks_per_hour": 100_000,
    }
    try:
        async with running(tmp_path, stdout=writing, **patient) as child:
            await untold(child, 50)
            child.process.send_signal(number)
            await child.says("stopping")
            async with asyncio.timeout(SOON):
                while child.process.returncode is None:
                    child.process.send_signal(number)
                    await asyncio.sleep(0.25)
            assert await child.ends() == -number
    finally:
        os.close(reading)
        os.close(writing)


async def untold(child: Child, entries: int) -> None:
    """Wait until so many events wait to be told."""
    lag = b'ringback_reader_lag_entries{reader="stdout"} '
    async with asyncio.timeout(SOON):
        while True:
            _, found, rest = (await child.get("/metrics")).content.partition(lag)
            if found and float(rest.split(maxsplit=1)[0]) >= entries:
                return
            await asyncio.sleep(0.05)


async def test_a_signal_while_it_starts_stops_it_cleanly(tmp_path: Path) -> None:
    async with running(tmp_path) as child:
        await child.says("starting")
        child.process.terminate()
        assert await child.ends() == 0


# What ends it


async def test_who_reads_its_output_goes_away(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        code, _, said = await execute(tmp_path, stdout=writing)
    finally:
        os.close(writing)
    assert code == 1
    line = one_line(said)
    assert "task sink stdout ended" in line
    assert "its reader has gone" in line
    assert "turn [sinks] stdout off" in line
    assert read_journal(database(tmp_path)), "what was decided is stored all the same"


async def test_a_second_daemon_on_the_same_store_is_refused(tmp_path: Path) -> None:
    async with running(tmp_path) as child:
        await child.tells("source.connected")
        code, told, said = await execute(tmp_path)
        assert (code, told) == (1, b"")
        assert "another process is using it" in one_line(said)
        assert child.process.returncode is None


async def test_a_port_in_use_is_refused(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, told, said = await execute(tmp_path, web__port=port)
    assert (code, told) == (2, b"")
    assert one_line(said) == (
        f"ringback: web.port: {port} is in use on 127.0.0.1: choose another, or 0"
    )


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ("[web]\nprot = 1\n", ["web.prot", "port"]),
        ("[wep]\nport = 1\n", ["wep", "web"]),
        ("[web]\nport = 70000\n", ["web.port", "70000", "0 to 65535"]),
        ('[source]\nkind = "carrier-pigeon"\n', ["source.kind", "carrier-pigeon", "websocket"]),
        ('[source]\nkind = "genesys"\n', ["genesys.client_id", "OAuth", "Client Credentials"]),
        ('[watch]\nrules = "rules.toml"\n', ["watch.rules", "rules.toml"]),
        ('[source]\nkind = "recording"\npath = "no.jsonl"\n', ["source.path", "no.jsonl"]),
        ('[source]\nkind = "recording"\npath = "."\n', ["source.path", "no file"]),
        ("[web\n", ["ringback.toml", "is not TOML"]),
    ],
)
async def test_what_cannot_be_set_is_refused(
    tmp_path: Path, document: str, words: list[str]
) -> None:
    (tmp_path / "ringback.toml").write_text(document)
    code, told, said = await execute(tmp_path, "run", "--config", "ringback.toml")
    assert (code, told) == (2, b"")
    line = one_line(said)
    for word in words:
        assert word in line
    assert names(tmp_path) == ["ringback.toml"], "nothing was made"


async def test_a_damaged_store_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    async with contact_centre() as server, running(tmp_path, **to(server.url)) as child:
        await child.tells("callback.waiting", 20)
        child.process.terminate()
        await child.ends()
    content = bytearray(database(tmp_path).read_bytes())
    for start in range(4096, len(content) - 4096, 4096):
        content[start : start + 64] = b"\xff" * 64
    database(tmp_path).write_bytes(content)
    code, told, said = await execute(tmp_path)
    assert (code, told) == (1, b"")
    assert "the database is damaged" in one_line(said)
    assert database(tmp_path).read_bytes() == content


async def test_what_is_no_store_is_refused(tmp_path: Path) -> None:
    database(tmp_path).write_text("Something dear to somebody.\n" * 500)
    before = database(tmp_path).read_bytes()
    code, _, said = await execute(tmp_path)
    assert code == 1
    assert "not a SQLite database" in one_line(said)
    assert database(tmp_path).read_bytes() == before
    assert names(tmp_path) == ["ringback.db"], "nothing was made"
