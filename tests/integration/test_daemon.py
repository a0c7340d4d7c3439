"""The daemon as a whole, as a process of its own: start, stop, refusals, and what it tells."""

import asyncio
import fcntl
import json
import os
import signal
import socket
import stat
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from websockets.asyncio.server import ServerConnection, serve

from ringback.core.snapshots import Snapshot
from ringback.runtime.clock import SystemClock
from ringback.simulator.centre import ContactCentre
from ringback.simulator.options import Options
from ringback.simulator.server import SimulatorServer
from ringback.wire.decode import Decoder
from ringback.wire.privacy import Privacy
from support.daemon import SOON, Child, execute, ringback_command, running
from support.debian import require_debian
from support.journal import faults_of, last_states, read_journal

NUMBER = "+15550142233"
NAME = "Canary Quetzal"
KEY = "a key of more than sixteen characters"
BUSY = Options(arrivals_per_minute=120, agents=100, speed=20, max_live=100)


class Gateway:
    """A websocket server that sends what the test wants, to whoever is connected."""

    def __init__(self, port: int) -> None:
        self.url = f"ws://127.0.0.1:{port}/feed"
        self.connections: set[ServerConnection] = set()
        self.news = asyncio.Condition()

    async def handle(self, connection: ServerConnection) -> None:
        self.connections.add(connection)
        async with self.news:
            self.news.notify_all()
        try:
            await connection.wait_closed()
        finally:
            self.connections.discard(connection)

    async def connected(self) -> None:
        async with asyncio.timeout(SOON), self.news:
            await self.news.wait_for(lambda: self.connections)

    async def send(self, *frames: bytes | str) -> None:
        await self.connected()
        for connection in self.connections:
            for frame in frames:
                await connection.send(frame, text=True)

    async def hang_up(self) -> None:
        for connection in list(self.connections):
            await connection.close()


def free_port() -> int:
    with closing(socket.socket()) as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@asynccontextmanager
async def gateway(port: int = 0) -> AsyncIterator[Gateway]:
    made = Gateway(port)
    async with serve(made.handle, "127.0.0.1", port, compression=None) as server:
        found = next(iter(server.sockets)).getsockname()[1]
        made.url = f"ws://127.0.0.1:{found}/feed"
        yield made


@asynccontextmanager
async def contact_centre(options: Options = BUSY) -> AsyncIterator[SimulatorServer]:
    centre = ContactCentre(22, SystemClock().now(), options)
    async with SimulatorServer(centre, SystemClock()) as server:
        yield server


def to(url: str, **settings: Any) -> dict[str, Any]:
    quick = {"source__reconnect_first_seconds": 0.05, "source__reconnect_most_seconds": 0.05}
    return {"source__kind": "websocket", "source__url": url} | quick | settings


def frame(conversation: str = "c-1", **said: Any) -> bytes:
    """Make a notification of a callback that waits."""
    leg = {
        "id": "k-1",
        "state": "connected",
        "direction": "outbound",
        "connectedTime": "2026-11-22T08:00:00.000Z",
        "callbackNumbers": [NUMBER],
        "callbackUserName": NAME,
        **said,
    }
    customer = {"id": "p-1", "purpose": "customer", "name": NAME, "address": NUMBER}
    acd = {"id": "p-2", "purpose": "acd", "queueId": "queue-1"}
    waiting = {key: leg[key] for key in ("state", "direction", "connectedTime")} | {"id": "k-2"}
    return msgspec.json.encode(
        {
            "topicName": "v2.routing.queues.queue-1.conversations",
            "eventBody": {
                "id": conversation,
                "participants": [
                    customer | {"callbacks": [leg]},
                    acd | {"callbacks": [waiting]},
                ],
            },
        }
    )


def one_line(text: str) -> str:
    """Give the one line that is not of the log."""
    lines = [line for line in text.splitlines() if not line.startswith("{")]
    assert len(lines) == 1, text
    assert lines[0].startswith("ringback: ")
    return lines[0]


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
    patient = {"shutdown__drain_seconds": 600, "simulator__callbacks_per_hour": 100_000}
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
        ('[source]\nkind = "genesys"\n', ["source.kind", "genesys", "websocket"]),
        ('[store]\nkind = "jetstream"\n', ["store.kind", "jetstream", "sqlite"]),
        ('[watch]\nrules = "rules.toml"\n', ["watch.rules", "rules.toml"]),
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
    assert not database(tmp_path).exists()


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


# What it hears


async def test_it_runs_without_its_source_and_tells_every_gap_once(tmp_path: Path) -> None:
    port = free_port()
    url = f"ws://127.0.0.1:{port}/feed"
    async with running(tmp_path, **to(url)) as child:
        opened = await child.tells("source.gap_opened")
        ready = await child.get("/readyz?verbose")
        assert ready.status_code == 200
        assert ready.json()["status"] == "degraded"
        assert {"name": "restored", "status": "ok"} in ready.json()["checks"]
        async with gateway(port) as peer:
            closed = await child.tells("source.gap_closed")
            assert closed[0]["data"]["blindFrom"] == opened[0]["data"]["blindFrom"]
            assert (await child.get("/readyz")).json() == {"status": "ok", "checks": []}
            await peer.send(frame())
            await child.tells("callback.waiting")
            await peer.hang_up()
            await child.tells("source.gap_closed", 2)
            await peer.connected()
            await peer.send(frame("c-2"))
            await child.tells("callback.waiting", 2)
        child.process.terminate()
        assert await child.ends() == 0
    told = [event["type"].split(".")[2] for event in child.events if ".source." in event["type"]]
    assert told[:7] == [
        *("gap_opened", "connected", "gap_closed"),
        *("disconnected", "gap_opened", "connected", "gap_closed"),
    ]
    assert told[7:] in ([], ["disconnected", "gap_opened"])


async def test_bad_frames_are_kept_aside_and_stop_nothing(tmp_path: Path) -> None:
    limit = 65_536
    huge = frame("c-huge")[:-1] + b" " * (2 * limit) + b"}"
    bad = (b"{", b"[]", b'"text"', b'{"eventBody":' * 5000, huge)
    async with (
        gateway() as peer,
        running(tmp_path, **to(peer.url, source__max_frame_bytes=limit)) as child,
    ):
        await peer.send(*bad * 20, frame())
        await child.tells("callback.waiting")
        child.process.terminate()
        assert await child.ends() == 0
    said = [line for line in child.log if line["event"] == "frame_quarantined"]
    assert len({line["fault"] for line in said}) == len(said), "said once a kind and minute"
    assert "too_large" in {line["fault"] for line in said}
    assert not [event for event in child.events if "gap" in event["type"]]
    parts = private_parts(tmp_path, "quarantine.*")
    kept = [json.loads(line)["frame"] for part in parts for line in part.splitlines()]
    assert len(kept) == len(bad) * 20
    assert max(len(one) for one in kept) == 64 * 1024


def private_parts(folder: Path, pattern: str) -> list[bytes]:
    """Read files that must be for their owner alone."""
    paths = sorted(folder.glob(pattern))
    assert paths
    assert {stat.S_IMODE(path.stat().st_mode) for path in paths} == {0o600}
    return [path.read_bytes() for path in paths]


async def test_starting_again_and_again_does_not_fill_the_disk_with_bad_frames(
    tmp_path: Path,
) -> None:
    part = b'{"at":"2026-11-22T08:00:00.000Z","frame":"' + b"x" * (1 << 20) + b'"}\n'
    for number in range(40):
        (tmp_path / f"quarantine.20261122T0800{number:02}000Z.jsonl").write_bytes(part)
    (tmp_path / "quarantine.jsonl").write_bytes(part)
    for path in tmp_path.iterdir():
        path.chmod(0o600)
    async with running(tmp_path, source__kind="recording", source__path=os.devnull) as child:
        await child.says("source_ended")
    assert sum(map(len, private_parts(tmp_path, "quarantine.*"))) <= 16 << 20


# What it keeps to itself


async def texts(folder: Path, child: Child) -> dict[str, bytes]:
    """Give everything that a daemon shows or stores, but for what it was told to record."""
    child.process.terminate()
    await child.ends()
    stored = b"".join(private_parts(folder, "ringback.db*"))
    return {"stdout": bytes(child.out), "stderr": bytes(child.err), "store": stored}


async def seen(folder: Path, **settings: Any) -> dict[str, bytes]:
    """Let a daemon follow a callback and quarantine a frame, and give all that can be seen."""
    broken = frame()[:-20]
    async with gateway() as peer, running(folder, **to(peer.url, **settings)) as child:
        await peer.send(frame(), broken, frame(skipEnabled="seven"), frame("c-2"))
        await child.tells("callback.waiting", 2)
        metrics = await child.get("/metrics")
        ready = await child.get("/readyz?verbose")
        return await texts(folder, child) | {"metrics": metrics.content + ready.content}


async def test_no_number_and_no_name_leaves_it_by_default(tmp_path: Path) -> None:
    for place, text in (await seen(tmp_path, log__level="debug")).items():
        assert text
        for secret in (NUMBER, NUMBER[1:], NAME, NAME.split()[1]):
            assert secret.encode() not in text, place


async def test_numbers_and_names_leave_it_if_they_may(tmp_path: Path) -> None:
    found = await seen(tmp_path, privacy__numbers="true", privacy__names="true")
    for secret in (NUMBER, NAME):
        assert secret.encode() in found["stdout"]
        assert secret.encode() not in found["stderr"] + found["metrics"]


async def test_hashes_leave_it_with_a_key(tmp_path: Path) -> None:
    found = await seen(tmp_path, privacy__hash_key=KEY)
    assert b'"contact":["hmac:' in found["stdout"]
    for place, text in found.items():
        for secret in (NUMBER[1:], NAME, KEY):
            assert secret.encode() not in text, place


# What it records


def by_id(lines: list[bytes]) -> dict[str, bytes]:
    return {json.loads(line)["id"]: line for line in lines}


@pytest.mark.parametrize("name", ["day.jsonl", "day.jsonl.zst"])
async def test_what_it_recorded_replays_to_the_same_events(tmp_path: Path, name: str) -> None:
    watch = {"watch__not_dialled_seconds": 1, "watch__due_grace_seconds": 0}
    async with contact_centre() as server:
        live = to(server.url, record__path=name, **watch)
        async with running(tmp_path, **live) as child:
            await child.tells("callback.after_call_work", 3)
            await child.tells("alert.firing", 3)
            child.process.terminate()
            assert await child.ends() == 0
    last = max(event["data"]["observedTime"] for event in child.events)
    code, told, said = await execute(tmp_path, "replay", "--until", last, name, **watch)
    assert code == 0, said
    journal = by_id([body for _, body in read_journal(database(tmp_path))])
    replayed = by_id(told.splitlines())
    assert replayed.keys() == journal.keys()
    for key, body in journal.items():
        if body != replayed[key]:
            # A timer fires at its instant in a replay, and a little later in life.
            assert timeless(body) == timeless(replayed[key])


def timeless(body: bytes) -> dict[str, Any]:
    event: dict[str, Any] = json.loads(body)
    data = event["data"]
    assert data.get("cause") == "timer" or event["type"].startswith("ringback.alert."), event
    for each in ("observedTime", "lateSeconds", "holdSeconds"):
        data.pop(each, None)
    return event


# Who watches it


class Manager(asyncio.DatagramProtocol):
    """systemd's end of the notify protocol."""

    def __init__(self) -> None:
        self.lines: asyncio.Queue[str] = asyncio.Queue()

    def datagram_received(self, data: bytes, addr: Any) -> None:
        for line in data.decode().splitlines():
            self.lines.put_nowait(line)

    async def heard(self) -> str:
        async with asyncio.timeout(SOON):
            return await self.lines.get()


async def test_systemd_is_told(tmp_path: Path) -> None:
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    bound.bind(str(tmp_path / "notify"))
    loop = asyncio.get_running_loop()
    transport, manager = await loop.create_datagram_endpoint(Manager, sock=bound)
    told = {"NOTIFY_SOCKET": str(tmp_path / "notify"), "WATCHDOG_USEC": "300000"}
    try:
        async with running(tmp_path, extra=told) as child:
            assert await manager.heard() == "READY=1"
            for _ in range(5):
                assert await manager.heard() == "WATCHDOG=1"
                assert await manager.heard() == "STATUS=following"
            child.process.terminate()
            assert await child.ends() == 0
            while (line := await manager.heard()) != "STOPPING=1":
                assert line in {"WATCHDOG=1", "STATUS=following"}
            assert manager.lines.empty()
    finally:
        transport.close()


async def test_prometheus_has_nothing_to_object(tmp_path: Path) -> None:
    promtool = require_debian("prometheus", "promtool")
    async with contact_centre() as server, running(tmp_path, **to(server.url)) as child:
        await child.tells("callback.waiting", 5)
        exposed = (await child.get("/metrics")).content
        checked = await asyncio.to_thread(
            subprocess.run,
            [promtool, "check", "metrics"],
            input=exposed,
            capture_output=True,
            check=False,
            timeout=SOON,
        )
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert checked.stdout + checked.stderr == b""
    assert b'ringback_frames_total{kind="snapshot"}' in exposed


async def test_a_recording_is_followed_to_its_end(tmp_path: Path) -> None:
    lines = [
        b'{"at":"2026-11-22T08:00:00.000Z","frame":%s}' % frame("c-1"),
        b"no record",
        b'{"at":"2026-11-22T08:00:01.000Z","frame":%s}' % frame("c-2"),
    ]
    (tmp_path / "day.jsonl").write_bytes(b"\n".join(lines))
    async with running(
        tmp_path, source__kind="recording", source__path="day.jsonl", source__speed=1000
    ) as child:
        await child.tells("callback.waiting", 2)
        await child.says("source_ended")
        assert (await child.says("recording_line_skipped"))["line"] == 2
        child.process.terminate()
        assert await child.ends() == 0


async def test_a_frame_here_is_a_frame_to_the_decoder() -> None:
    assert isinstance(Decoder(Privacy(), 1 << 20).decode(frame()), Snapshot)
    assert ringback_command()[-1] == "ringback"
