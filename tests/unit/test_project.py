"""The project around the code: locks, the wheel, the changelog, and what tests may not do."""

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import ringback
from support.debian import no_service_starts, require_debian

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LOCKS = {
    "requirements.lock": PROJECT["project"]["dependencies"],
    "requirements-build.lock": PROJECT["dependency-groups"]["build"],
    "requirements-node.lock": PROJECT["dependency-groups"]["node"],
    "requirements-dev.lock": PROJECT["dependency-groups"]["dev"],
}


def normal(requirement: str) -> str:
    name = re.match(r"[\w.-]+", requirement)
    assert name, requirement
    return re.sub(r"[-_.]+", "-", name[0]).lower()


def pins(lock: str) -> dict[str, str]:
    text = (ROOT / lock).read_text(encoding="utf-8")
    return dict(re.findall(r"^([\w.-]+)==(\S+)", text, flags=re.MULTILINE))


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_covers_its_dependencies_and_names_no_host(lock: str) -> None:
    text = (ROOT / lock).read_text(encoding="utf-8")
    assert {normal(each) for each in LOCKS[lock]} <= pins(lock).keys()
    assert "://" not in text
    assert "--index" not in text
    entries = re.split(r"^(?=[\w.-]+==)", text, flags=re.MULTILINE)
    assert all("--hash=sha256:" in entry for entry in entries if "==" in entry)


def test_locks_agree_where_they_overlap() -> None:
    agreed: dict[str, str] = {}
    for lock in LOCKS:
        for name, version in pins(lock).items():
            assert agreed.setdefault(name, version) == version, f"{name} in {lock}"


def test_every_dependency_has_its_reason() -> None:
    text = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    named = {normal(name) for name in re.findall(r"^\| `([^`]+)` \|", text, flags=re.MULTILINE)}
    package = json.loads((ROOT / "package.json").read_text(encoding="utf-8"))
    from_npm = {*package["dependencies"], *package["devDependencies"]}
    assert named == {normal(each) for needed in LOCKS.values() for each in needed} | from_npm


def test_the_lock_of_npm_has_a_hash_of_each_and_names_no_host() -> None:
    text = (ROOT / "package-lock.json").read_text(encoding="utf-8")
    packages = {name: each for name, each in json.loads(text)["packages"].items() if name}
    assert all(each["integrity"].startswith("sha512-") for each in packages.values())
    assert all(each["license"] for each in packages.values())
    assert '"resolved"' not in text
    assert "://" not in text  # npm writes `funding` as well, and can do without


def shipped(folder: Path) -> set[str]:
    files = {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}
    return {str(each) for each in files if not re.search(r"(^|/)(__pycache__|\.)", str(each))}


def test_the_wheel_ships_every_file_of_the_package() -> None:
    assert shipped(Path(ringback.__file__).parent) == shipped(ROOT / "service" / "ringback")


@pytest.mark.skipif(not sys.flags.isolated, reason="only of the installed wheel: make check")
def test_the_checkout_cannot_be_imported() -> None:
    assert not Path(ringback.__file__).is_relative_to(ROOT / "service")
    assert importlib.util.find_spec("service") is None


def test_the_changelog_knows_this_version() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    versions = re.findall(r"^## \[(\d.*)\]", text, flags=re.MULTILINE)
    assert versions[0] == ringback.__version__


LEFT = """
ringback.db ringback.db-wal ringback.db-shm ringback.db-lock ringback.toml day.jsonl events.jsonl
quarantine.jsonl rules.toml quarantine.20261122T080000000Z.jsonl day.20261122T080000000Z.jsonl
day.jsonl.zst day.20261122T080000000Z-1.jsonl.zst
"""


def test_what_a_trial_leaves_in_a_clone_is_ignored_and_nothing_that_is_ours(tmp_path: Path) -> None:
    git = require_debian("git", "git")
    shutil.copy(ROOT / ".gitignore", tmp_path)
    ours = ["config/ringback.toml", "config/rules.toml", "tests/data/frames/a.jsonl", "README.md"]
    subprocess.run([git, "init", "--quiet"], cwd=tmp_path, check=True)
    done = subprocess.run(
        [git, "check-ignore", *LEFT.split(), *ours],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.stdout.split() == LEFT.split(), done.stderr


def test_a_missing_tool_skips_by_name_with_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match=r"promtool: apt-get install .* prometheus"):
        require_debian("prometheus", "promtool")


APT_GET = """#!/bin/sh
cd "${0%/*}" && mkdir busy || exit 1
for package; do :; done
sleep 0.2
echo "$package" >> installed
cp apt-get "$package"
rmdir busy
"""


def test_processes_that_test_install_one_after_the_other_and_nothing_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tools = ["canary-one", "canary-two"]
    apt_get = tmp_path / "apt-get"
    apt_get.write_text(APT_GET, encoding="ascii")
    apt_get.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("CI", "true")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr("support.debian.POLICY", tmp_path / "policy-rc.d")
    with ThreadPoolExecutor(4) as threads:  # each opens the lock anew, as processes do
        found = list(threads.map(lambda tool: require_debian(tool, tool), tools * 2))
    assert found == [str(tmp_path / tool) for tool in tools * 2]
    assert sorted((tmp_path / "installed").read_text(encoding="ascii").split()) == tools


def test_what_tests_install_starts_no_service(tmp_path: Path) -> None:
    policy = tmp_path / "policy-rc.d"
    with no_service_starts(policy):
        assert subprocess.run([policy], check=False, timeout=60).returncode == 101
    assert not policy.exists()
    policy.write_text("somebody's own", encoding="ascii")
    with no_service_starts(policy):
        pass
    assert policy.read_text(encoding="ascii") == "somebody's own"


GRACE = "THREAD_GRACE_SECONDS = 5.0"
RULES = {
    "a skip": ("import pytest\ndef test(): pytest.skip('because')", "RINGBACK_NO_SKIPS"),
    "a skipped module": (
        "import pytest\npytest.skip('because', allow_module_level=True)",
        "RINGBACK_NO_SKIPS",
    ),
    "a task": (
        """
import asyncio
left = []
async def test(): left.append(asyncio.create_task(asyncio.Event().wait(), name="mine"))
""",
        "tasks left running: ['mine']",
    ),
    "a thread": (
        """
import threading, time
def test(): threading.Thread(target=time.sleep, args=(30,), name="mine", daemon=True).start()
""",
        "threads left running: ['mine']",
    ),
    "a socket": ("import socket\ndef test(): socket.socket()", "ResourceWarning"),
}


@pytest.mark.parametrize("left", RULES)
def test_nothing_may_be_left_behind_or_left_out(tmp_path: Path, left: str) -> None:
    source, complaint = RULES[left]
    conftest = (ROOT / "tests" / "conftest.py").read_text(encoding="utf-8")
    assert GRACE in conftest
    hasty = conftest.replace(GRACE, "THREAD_GRACE_SECONDS = 0.1")
    (tmp_path / "conftest.py").write_text(hasty, encoding="utf-8")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "test_it.py").write_text(source, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-I", "-m", "pytest", "-p", "no:cacheprovider", "test_it.py"],
        cwd=tmp_path,
        env=os.environ | {"RINGBACK_NO_SKIPS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode != 0
    assert complaint in done.stdout
