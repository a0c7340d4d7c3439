"""What ships under deploy/ agrees with the settings, and is as tight as promised."""

import re
import subprocess
from pathlib import Path

import pytest

from ringback.settings import Settings
from support.debian import require_debian

DEPLOY = Path(__file__).parents[2] / "deploy"
UNIT = DEPLOY / "systemd" / "ringback.service"
CONTAINERFILE = DEPLOY / "container" / "Containerfile"
COMPOSE = DEPLOY / "container" / "compose.yaml"

MOST_EXPOSED_TENTHS = 15


def directive(name: str) -> str:
    (value,) = re.findall(rf"^{name}=(.*)$", UNIT.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return str(value)


def test_the_unit_is_hardened() -> None:
    analyze = require_debian("systemd", "systemd-analyze")
    done = subprocess.run(
        [analyze, "security", "--offline=true", f"--threshold={MOST_EXPOSED_TENTHS}", UNIT],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert "Overall exposure level" in done.stdout, done.stderr
    assert done.returncode == 0, done.stdout.splitlines()[-1]


def test_the_unit_is_watched_and_says_when_it_is_ready() -> None:
    assert directive("Type") == "notify"
    assert int(directive("WatchdogSec")) > 0
    assert directive("DynamicUser") == "yes"
    assert directive("WorkingDirectory") == f"%S/{directive('StateDirectory')}"


def stop_timeouts() -> dict[str, float]:
    grace = re.search(r"^\s+stop_grace_period: (\d+)s$", COMPOSE.read_text(), re.MULTILINE)
    assert grace
    return {
        "systemd": float(directive("TimeoutStopSec")),
        "compose": float(grace[1]),
    }


@pytest.mark.parametrize("manager", ["systemd", "compose"])
def test_service_managers_wait_longer_than_a_stop_may_take(manager: str) -> None:
    budgets = Settings().shutdown
    longest = budgets.intake_seconds + budgets.drain_seconds + budgets.close_seconds
    assert stop_timeouts()[manager] > longest


def test_the_container_is_nobody_and_asks_the_default_port_for_its_health() -> None:
    text = CONTAINERFILE.read_text(encoding="utf-8")
    web = Settings().web
    user = re.findall(r"^USER (\d+):(\d+)$", text, flags=re.MULTILINE)[-1]
    assert all(int(each) >= 1000 for each in user)
    assert f"http://{web.host}:{web.port}/livez" in text
    for line in text.splitlines():
        if "pip install" in line:
            assert "--require-hashes" in line or "--no-index" in line, line


def test_the_composed_container_cannot_write_or_gain_rights() -> None:
    text = COMPOSE.read_text(encoding="utf-8")
    for line in ("read_only: true", "cap_drop: [ALL]", "no-new-privileges:true"):
        assert line in text
