"""The daemon as a process at work: what it hears, records, keeps to itself, and who watches it."""

import asyncio
import json
import os
import signal
import socket
import stat
import subprocess
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from ringback.core.snapshots import Snapshot
from ringback.wire.decode import Decoder
from ringback.wire.privacy import Privacy
from support.daemon import SOON, Child, execute, running
from support.debian import require_debian
from support.gateway import NAME, NUMBER, contact_centre, frame, free_port, gateway, to
from support.journal import read_journal

KEY = "a key of more than sixteen characters"


# What it watches


async def test_rules_are_read_anew_while_it_runs_and_over_a_restart(tmp_path: Path) -> None:
    """By a signal; without the rule its alert ends, and with it again it is another episode."""
    rules = tmp_path / "rules.toml"
    mine = "[[rule]]\nname = 'mine'\nkind = 'due_not_released'\nafter = '1s'\n"
    rules.write_text(mine)
    long_ago: dict[str, Any] = {
        "connectedTime": None,
        "callbackScheduledTime": "2026-11-22T08:00:00.000Z",
    }

    def told_of_mine(child: Child, kind: str) -> list[dict[str, Any]]:
        return [
            event
            for event in child.events
            if event["type"].endswith(f"alert.{kind}.v1") and event["data"]["rule"] == "mine"
        ]

    async with gateway() as peer:
        watched = to(peer.url, watch__rules=rules)
        async with running(tmp_path, **watched) as child:
            await peer.send(frame(state="scheduled", **long_ago))
            await child.until(lambda: told_of_mine(child, "firing"))
            rules.write_text("[[rule]]\nname = 'mine'")
            child.process.send_signal(signal.SIGHUP)
            refused = await child.says("rules_refused")
            assert "rule 'mine': kind: it is missing" in refused["problem"]
            ready = (await child.get("/readyz")).json()
            assert [check["name"] for check in ready["checks"]] == ["rules"]
            assert not told_of_mine(child, "resolved")
            rules.write_text("")
            child.process.send_signal(signal.SIGHUP)
            await child.until(lambda: told_of_mine(child, "resolved"))
            (ended,) = told_of_mine(child, "resolved")
            assert ended["data"]["reason"] == "its rule is gone"
            shown = (await child.get("/api/v1/rules")).json()["rules"]
            assert "mine" not in {rule["name"] for rule in shown}
            child.process.terminate()
            assert await child.ends() == 0
        rules.write_text(mine)
        async with running(tmp_path, **watched) as child:
            await child.until(lambda: told_of_mine(child, "firing"))
            (again,) = told_of_mine(child, "firing")
            assert again["data"]["alertId"] == "c-1/mine/2"
            child.process.terminate()
            assert await child.ends() == 0


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
    names = [f"quarantine.20261122T0800{number:02}000Z.jsonl" for number in range(40)]
    for name in [*names, "quarantine.jsonl"]:
        path = tmp_path / name
        path.touch(0o600)
        path.write_bytes(part)
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


Events = dict[str, list[dict[str, Any]]]


def by_subject(lines: Iterable[bytes]) -> Events:
    found: Events = {}
    for line in lines:
        event = json.loads(line)
        found.setdefault(event["subject"], []).append(event)
    return found


def timed(event: dict[str, Any]) -> bool:
    """Whether a timer had a hand in it."""
    return event["data"].get("cause") == "timer" or ".alert." in event["type"]


def timeless(event: dict[str, Any]) -> dict[str, Any]:
    """A timer fires at its instant in a replay, and a little later in life."""
    if not timed(event):
        return event
    late = ("observedTime", "lateSeconds", "holdSeconds")
    data = {key: value for key, value in event["data"].items() if key not in late}
    return event | {"data": data}


def raced(events: list[dict[str, Any]], last: datetime) -> bool:
    """Whether in life a frame, or the end, may have come before a timer that was due."""
    instants = [datetime.fromisoformat(event["data"]["observedTime"]) for event in events]
    return any(
        timed(event) and after - at < timedelta(seconds=5)
        for event, at, after in zip(events, instants, [*instants[1:], last], strict=True)
    )


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
    lived = by_subject(body for _, body in read_journal(tmp_path / "ringback.db"))
    replayed = by_subject(told.splitlines())
    untouched = {key for key, events in replayed.items() if not any(map(timed, events))}
    assert len(untouched) > 10
    for subject in replayed.keys() | lived.keys():
        before = list(map(timeless, lived.get(subject, [])))
        again = list(map(timeless, replayed.get(subject, [])))
        overtaken = raced(replayed.get(subject, []), datetime.fromisoformat(last))
        assert before == again or overtaken, subject
    # Where no timer was concerned, it is the same to the byte.
    journal = {body for _, body in read_journal(tmp_path / "ringback.db")}
    same = [line for line in told.splitlines() if json.loads(line)["subject"] in untouched]
    assert set(same) <= journal


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
