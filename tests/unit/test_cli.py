import os
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from ringback import __version__
from ringback.core.diagram import document
from support.daemon import SOON, environment, ringback_command
from support.gateway import NAME, NUMBER, frame

LIFECYCLE = Path(__file__).parents[2] / "docs" / "lifecycle.md"

Done = subprocess.CompletedProcess[bytes]
Run = Callable[..., Done]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run a command to its end, in a directory of its own."""

    def run(
        *arguments: str, stdout: int = subprocess.PIPE, shell: str = 'exec "$@"', **settings: str
    ) -> Done:
        return subprocess.run(
            ["/bin/sh", "-c", shell, "sh", *ringback_command(), *arguments],
            cwd=tmp_path,
            env=environment(**settings),
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=subprocess.PIPE,
            timeout=SOON,
            check=False,
        )

    return run


def recording(folder: Path, *frames: bytes) -> str:
    lines = [
        b'{"at":"2026-11-22T08:00:%02d.000Z","frame":%s}\n' % (second, each)
        for second, each in enumerate(frames)
    ]
    (folder / "day.jsonl").write_bytes(b"".join(lines))
    return "day.jsonl"


@pytest.mark.parametrize("option", ["--help", "-h"])
@pytest.mark.parametrize(
    "command",
    ["", "run", "check", "simulate", "replay", "show", "top", "cleanup", "status", "diagram"],
)
def test_every_command_explains_itself(run: Run, command: str, option: str) -> None:
    done = run(*filter(None, [command]), option)
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.startswith(b"Usage: ")
    if not command:
        for known in b"run check simulate replay show top cleanup status diagram".split():
            assert known in done.stdout


def test_it_says_its_version(run: Run) -> None:
    done = run("--version")
    assert (done.returncode, done.stdout.decode().split()[-1]) == (0, __version__)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "ringback --help"),
        (["fly"], "fly"),
        (["run", "--fast"], "--fast"),
        (["run", "--config"], "--config"),
        (["run", "--config", "missing.toml"], "missing.toml"),
        (["replay"], "FILE..."),
        (["replay", "missing.jsonl"], "missing.jsonl"),
        (["replay", os.devnull, "--until", "tomorrow"], "tomorrow"),
        (["replay", os.devnull, "--until", "2026-11-22T18:00:00"], "2026-11-22T18:00:00Z"),
        (["simulate", "--port", "70000"], "70000"),
        (["show"], "Missing argument 'ID'"),
        (["show", "c-1", "--token", "t"], "--token"),
        (["show", "c-1", "--url", "here"], "--url: 'here' is no address"),
        (["show", "c-1", "--token-file", "missing"], "missing cannot be read"),
        (["show", "c-1", "--ca-file", "missing"], "missing cannot be read"),
        (["simulate", "--speed", "0"], "--speed: 0.0 is not allowed; allowed: a number from"),
        (["simulate", "--speed", "1000000"], "0.001 to 10000"),
        (["simulate", "--speed", "nan"], "--speed: nan is not allowed"),
        (["simulate", "--seed", "-1"], "--seed: -1 is not allowed; allowed: a whole number"),
        (["simulate", "--seed", "4294967296"], "0 to 4294967295"),
        (["cleanup", "--do", "c-1"], "--do needs a terminal"),
        (["cleanup", "--do", "c-1", "--json"], "--json is for the dry run"),
        (["diagram", "more"], "more"),
    ],
)
def test_wrong_usage_is_2_and_nothing_on_stdout(run: Run, arguments: list[str], words: str) -> None:
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (2, b"")
    assert words in one_line(done)


def one_line(done: Done) -> str:
    said = done.stderr.decode()
    assert said.startswith("ringback: ")
    assert said.endswith("\n")
    assert said.count("\n") == 1, said
    return said


def test_wrong_usage_says_where_to_read_what_is_right(run: Run) -> None:
    assert one_line(run("run", "--fast")).endswith("run --help\n")


def test_a_port_in_use_is_2_and_named(run: Run) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = run("simulate", "--port", str(port))
    assert (done.returncode, done.stdout) == (2, b"")
    assert one_line(done) == (
        f"ringback: --port: {port} cannot be bound on 127.0.0.1 (Address already in use):"
        " choose another, or 0\n"
    )


@pytest.mark.parametrize(
    "arguments", [["--help"], ["--version"], ["run", "-h"], ["check"], ["diagram"], ["simulate"]]
)
def test_output_that_cannot_be_written_is_1_in_one_line(run: Run, arguments: list[str]) -> None:
    with Path("/dev/full").open("wb") as full:
        done = run(*arguments, stdout=full.fileno())
    assert done.returncode == 1
    assert "standard output cannot be written (No space left on device)" in one_line(done)


@pytest.mark.parametrize("count", [1, 60])
def test_a_replay_that_cannot_be_written_is_1_in_one_line(
    run: Run, tmp_path: Path, count: int
) -> None:
    name = recording(tmp_path, *(frame(f"c-{number}") for number in range(count)))
    with Path("/dev/full").open("wb") as full:
        done = run("replay", name, stdout=full.fileno())
    assert done.returncode == 1
    assert "standard output cannot be written (No space left on device)" in one_line(done)


@pytest.mark.parametrize("command", ["run", "check", "simulate", "diagram"])
def test_output_that_is_closed_is_1_in_one_line(run: Run, tmp_path: Path, command: str) -> None:
    done = run(command, shell='exec "$@" >&-')
    assert done.returncode == 1
    assert "standard output is closed" in one_line(done)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", ["run", "check", "simulate", "replay"])
def test_a_setting_that_is_not_allowed_is_2_in_one_line(run: Run, command: str) -> None:
    arguments = [os.devnull] if command == "replay" else []
    done = run(command, *arguments, web__port="http")
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.decode() == (
        "ringback: RINGBACK_WEB__PORT: 'http' is not allowed;"
        " allowed: a whole number from 0 to 65535\n"
    )


def test_a_check_of_what_is_in_order_is_0_and_changes_nothing(run: Run, tmp_path: Path) -> None:
    done = run("check")
    assert (done.returncode, done.stderr) == (0, b"")
    lines = done.stdout.decode().splitlines()
    looked_at = [tuple(line.split()[:2]) for line in lines[:-1]]
    about = ("settings", "rules", "source", "receivers", "access", "store")
    assert {("ok", each) for each in about} <= set(looked_at)
    assert lines[-1] == "All is well."
    assert list(tmp_path.iterdir()) == []


def test_a_check_says_what_is_wrong_with_the_rules(run: Run, tmp_path: Path) -> None:
    (tmp_path / "ringback.toml").write_text('[watch]\nrules = "mine.toml"')
    (tmp_path / "mine.toml").write_text("[[rule]]\nname = 'due_not_released'\nafter = '2 minutes'")
    done = run("check", "--config", "ringback.toml")
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.decode() == (
        "ringback: mine.toml: rule 'due_not_released': after: '2 minutes' is not allowed; allowed:"
        " a time with its unit (ms, s, m, h, d, w), as 90s, 2m or 1h30m, up to a year\n"
    )


def test_a_replay_keeps_to_the_rules(run: Run, tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text("[[rule]]\nname = 'due_not_released'\nafter = '10m'")
    at = "2026-11-22T08:00:00.000Z"
    late = frame(state="scheduled", connectedTime=None, callbackScheduledTime=at)
    told = {}
    for until in ("08:09:59", "08:10:00"):
        done = run(
            "replay",
            recording(tmp_path, late),
            "--until",
            f"2026-11-22T{until}Z",
            watch__rules="mine.toml",
        )
        told[until] = b"ringback.alert.firing.v1" in done.stdout
    assert told == {"08:09:59": False, "08:10:00": True}


def test_a_check_that_finds_something_to_mend_is_1(run: Run, tmp_path: Path) -> None:
    (tmp_path / "ringback.db").write_bytes(b"no database" * 100)
    done = run("check")
    assert (done.returncode, done.stderr) == (1, b"")
    said = " ".join(done.stdout.decode().split())
    assert "the file is not a SQLite database" in said
    assert "→ give another [store] path, or restore a backup" in said
    assert said.endswith("1 to mend, 0 to look at.")


def test_a_check_never_prints_a_secret(run: Run) -> None:
    secrets = {
        "genesys__client_id": "client-1",
        "genesys__client_secret": "canary-secret",
        "genesys__login_url": "http://127.0.0.1:9",
        "genesys__api_url": "http://127.0.0.1:9",
    }
    done = run("check", **secrets)
    assert done.returncode == 1
    assert b"cannot be connected to" in done.stdout
    url = run(
        "check", source__kind="websocket", source__url="ws://127.0.0.1:9/?token=canary-secret"
    )
    assert url.returncode == 1
    assert b"ws://127.0.0.1:9/?..." in url.stdout
    assert b"canary-secret" not in done.stdout + done.stderr + url.stdout + url.stderr


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (
            {"client_id": "c", "client_secret": "canary", "region": "eu_central_7"},
            "genesys.region: there is no region 'eu_central_7'; did you mean eu_central_",
        ),
        (
            {"client_id": "c", "client_secret": "canary", "region": "us_east_1", "queues": "id:"},
            "genesys.queues: 'id:' names nothing",
        ),
        ({"client_id": "c", "region": "us_east_1"}, "genesys.client_secret: "),
    ],
)
def test_a_check_of_settings_that_are_wrong_is_2(
    run: Run, settings: dict[str, str], words: str
) -> None:
    done = run("check", **{f"genesys__{name}": value for name, value in settings.items()})
    assert (done.returncode, done.stdout) == (2, b"")
    assert words in one_line(done)
    assert "canary" not in one_line(done)


def test_the_diagram_is_the_one_in_the_documents(run: Run) -> None:
    done = run("diagram")
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.decode() == document() == LIFECYCLE.read_text()


def test_a_replay_prints_json_lines_only_and_the_same_bytes_twice(run: Run, tmp_path: Path) -> None:
    name = recording(tmp_path, frame("c-1"), frame("c-2"), frame("c-1", state="disconnected"))
    arguments = ("replay", name, "--until", "2026-11-22T09:00:00+01:00")
    first, second = run(*arguments), run(*arguments)
    assert first.returncode == 0
    assert first.stdout == second.stdout
    events = [msgspec.json.decode(line) for line in first.stdout.splitlines()]
    assert [event["id"] for event in events] == ["c-1/1"]
    summary = first.stderr.decode()
    assert summary == ("1 records, 1 snapshots, 1 events, 0 skipped; conversations: 1 waiting\n")
    everything = run("replay", name)
    assert len(everything.stdout.splitlines()) == 3
    assert b"3 records, 3 snapshots, 3 events, 0 skipped" in everything.stderr


def test_a_replay_that_skips_something_is_1_and_says_where(run: Run, tmp_path: Path) -> None:
    name = recording(tmp_path, frame(), b"[1,2]", frame("c-2"))
    with (tmp_path / name).open("ab") as file:
        file.write(b"no record\n")
    done = run("replay", name)
    assert done.returncode == 1
    assert len(done.stdout.splitlines()) == 2
    lines = done.stderr.decode().splitlines()
    assert [line.split(": ")[:2] for line in lines[:-1]] == [
        ["ringback", "skipped day.jsonl:2"],
        ["ringback", "skipped day.jsonl:4"],
    ]
    assert "2 skipped" in lines[-1]


def test_a_replay_of_nothing_is_nothing(run: Run) -> None:
    done = run("replay", os.devnull)
    assert (done.returncode, done.stdout) == (0, b"")
    assert b"conversations: none" in done.stderr


def test_a_replay_whose_reader_has_gone_ends_quietly(run: Run, tmp_path: Path) -> None:
    name = recording(tmp_path, *(frame(f"c-{number}") for number in range(60)))
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = run("replay", name, stdout=writing)
    finally:
        os.close(writing)
    assert done.returncode == 1
    assert b"Traceback" not in done.stderr


def test_a_replay_keeps_people_to_itself(run: Run, tmp_path: Path) -> None:
    name = recording(tmp_path, frame(), frame()[:-9], frame("c-2", skipEnabled="seven"))
    hidden = run("replay", name)
    shown = run("replay", name, privacy__numbers="true", privacy__names="true")
    for secret in (NUMBER.encode(), NAME.encode()):
        assert secret not in hidden.stdout + hidden.stderr
        assert secret in shown.stdout
        assert secret not in shown.stderr
