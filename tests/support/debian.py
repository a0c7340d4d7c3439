"""Tools that tests need from Debian: installed where that is allowed, else skipped by name."""

import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest

__all__ = ["no_service_starts", "require_debian"]

POLICY = Path("/usr/sbin/policy-rc.d")
"""Asked by Debian's packages before they start a service of theirs."""
COMMAND = ("apt-get", "install", "--yes", "--no-install-recommends")
PATIENCE = ("--option", "DPkg::Lock::Timeout=300")
"""Others may install as well."""


def require_debian(package: str, tool: str) -> str:
    """Give the path of `tool`, which is in Debian's `package`.

    Root in continuous integration installs it; elsewhere the test is skipped, with the command
    that would install it.
    """
    if os.geteuid() == 0 and os.environ.get("CI") and shutil.which("apt-get"):
        return _installed(package, tool)
    if found := shutil.which(tool):
        return found
    return pytest.skip(f"needs {tool}: {' '.join(COMMAND)} {package}")


@cache
def _installed(package: str, tool: str) -> str:
    """Install what is missing, one of the processes that test at a time.

    What another process installs is waited for even if it is there: half of it may be.
    """
    with Path(__file__).open("rb") as ours:
        fcntl.flock(ours, fcntl.LOCK_EX)
        if found := shutil.which(tool):
            return found
        problem = _install(package)
        if found := shutil.which(tool):
            return found
    pytest.fail(f"{package} was to be installed for {tool}: {problem}")


@cache
def _install(package: str) -> str:
    """Try once a run; a list of packages that is out of date is fetched and tried again."""
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    problem = ""
    for prepare in ((), ("apt-get", "update")):
        if prepare:
            subprocess.run(prepare, env=environment, check=False, capture_output=True, timeout=300)
        with no_service_starts(POLICY):
            done = subprocess.run(
                [*COMMAND, *PATIENCE, package],
                env=environment,
                check=False,
                capture_output=True,
                timeout=300,
            )
        if done.returncode == 0:
            return "it is installed, and does not hold that tool"
        problem = done.stderr.decode(errors="replace").strip()
    return problem


@contextmanager
def no_service_starts(policy: Path) -> Iterator[None]:
    """Let packages that are installed meanwhile start no service; who has a policy keeps it."""
    if policy.exists():
        yield
        return
    policy.write_text("#!/bin/sh\nexit 101\n", encoding="ascii")
    policy.chmod(0o755)
    try:
        yield
    finally:
        policy.unlink()
