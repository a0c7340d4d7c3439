"""`ringback backtest` as a command: simulated recordings, files of rules, what it writes."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ringback.simulator.centre import ContactCentre
from ringback.simulator.options import Options
from ringback.simulator.recording import write_recording
from support.daemon import execute

START = datetime(2026, 11, 16, 8, tzinfo=UTC)
PATIENT = """
built_in = false
[[rule]]
name = "due_not_released"
after = "10m"
"""
STRICT = PATIENT.replace("10m", "30s")


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Record an hour of a contact centre in which things get stuck."""
    centre = ContactCentre(7, START, Options(flat=False, stuck_seconds=900, arrivals_per_minute=6))
    path = tmp_path_factory.mktemp("recorded") / "day.jsonl"
    with path.open("wb") as file:
        for minute in range(1, 61):
            write_recording(centre.advance(START + timedelta(minutes=minute)), file)
    return path


def rules(folder: Path, name: str, text: str) -> str:
    (folder / name).write_text(text)
    return name


async def test_two_files_of_rules_are_compared_in_a_table_and_a_report(
    tmp_path: Path, day: Path
) -> None:
    patient, strict = rules(tmp_path, "a.toml", PATIENT), rules(tmp_path, "b.toml", STRICT)
    code, out, err = await execute(
        tmp_path,
        *("backtest", str(day), "--rules", patient, "--rules", strict, "--html", "report.html"),
    )
    assert (code, err) == (0, "")
    text = out.decode()
    assert "a.toml: " in text
    assert "Only by b.toml: " in text
    assert "9 min earlier" in text or "10 min earlier" in text
    report = (tmp_path / "report.html").read_text()
    assert report.startswith("<!doctype html>")
    assert report.count("<svg") == 2


async def test_as_json_it_is_the_same_each_time(tmp_path: Path, day: Path) -> None:
    strict = rules(tmp_path, "b.toml", STRICT)
    arguments = ("backtest", str(day), "--rules", strict, "--json")
    code, out, _ = await execute(tmp_path, *arguments)
    assert code == 0
    told = json.loads(out)
    (found,) = told["found"]
    assert found["rules"] == "b.toml"
    assert {alert["rule"] for alert in found["alerts"]} == {"due_not_released"}
    assert told["comparison"] is None
    assert (await execute(tmp_path, *arguments))[1] == out


async def test_without_a_file_of_rules_those_in_force_are_tried(tmp_path: Path, day: Path) -> None:
    code, out, _ = await execute(tmp_path, "backtest", str(day))
    assert code == 0
    assert "the rules in force: " in out.decode()


@pytest.fixture
def damaged(tmp_path: Path, day: Path) -> Path:
    path = tmp_path / "damaged.jsonl"
    path.write_bytes(b"nonsense\n" + day.read_bytes())
    return path


async def test_what_cannot_be_read_is_said_and_skipped(tmp_path: Path, damaged: Path) -> None:
    code, out, err = await execute(tmp_path, "backtest", str(damaged))
    assert code == 1
    assert "damaged.jsonl:1: " in err
    assert "callbacks seen" in out.decode()


@pytest.mark.parametrize(
    ("names", "complaint"),
    [
        (("a.toml", "a.toml"), "two different ones"),
        (("a.toml", "b.toml", "c.toml"), "two different ones"),
        (("nowhere.toml",), "does not exist"),
        (("bad.toml",), "after"),
    ],
)
async def test_bad_rules_are_refused_before_anything_is_read(
    tmp_path: Path, day: Path, names: tuple[str, ...], complaint: str
) -> None:
    for name in ("a.toml", "b.toml", "c.toml"):
        rules(tmp_path, name, PATIENT)
    rules(tmp_path, "bad.toml", PATIENT.replace("10m", "soon"))
    given = [part for name in names for part in ("--rules", name)]
    code, out, err = await execute(tmp_path, "backtest", str(day), *given)
    assert (code, out) == (2, b"")
    assert complaint in err


async def test_of_an_empty_recording_there_is_nothing_to_say(tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").touch()
    code, out, _ = await execute(tmp_path, "backtest", "empty.jsonl", "--html", "report.html")
    assert (code, out) == (0, b"The recordings hold nothing to watch.\n")
    assert "nothing to watch" in (tmp_path / "report.html").read_text()
