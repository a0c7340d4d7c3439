"""The API is asked all that its description allows, and much that it does not.

Every answer must be one that is described, and no request may bring the daemon to a failure of its
own. The requests are made up by schemathesis; the daemon follows the simulator.
"""

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import load_all_checks
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import positive_data_acceptance

from support.daemon import SOON, environment, ringback_command

load_all_checks()
EXAMPLES = 40
ENDLESS = "/api/v1/events"
"""Its answer has no end to check."""


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run a daemon; give its address once all is shown."""
    folder = tmp_path_factory.mktemp("described")
    with (folder / "log").open("wb") as log:
        daemon = subprocess.Popen(
            [*ringback_command(), "run"],
            cwd=folder,
            env=environment(web__port=0, sinks__stdout="off", privacy__numbers="true"),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=log,
        )
        try:
            yield loaded(folder / "log", daemon)
        finally:
            daemon.kill()
            daemon.wait()


def loaded(log: Path, daemon: "subprocess.Popen[bytes]") -> str:
    deadline = time.monotonic() + SOON
    while time.monotonic() < deadline and daemon.poll() is None:
        said = [json.loads(line) for line in log.read_text().splitlines() if line.endswith("}")]
        if any(line["event"] == "board_loaded" for line in said):
            look_at = next(line["look_at"] for line in said if line["event"] == "starting")
            return str(look_at).partition("/readyz")[0]
        time.sleep(0.05)
    raise AssertionError(log.read_text())


@pytest.mark.parametrize("mode", list(GenerationMode), ids=str)
def test_every_answer_is_as_described(address: str, mode: GenerationMode) -> None:
    described = httpx.get(f"{address}/openapi.json", trust_env=False).json()
    schema = schemathesis.openapi.from_dict(described)
    schema.config.update(base_url=address)
    asked = 0
    for found in schema.get_all_operations():
        assert isinstance(found, Ok), found
        operation = found.ok()
        if operation.path == ENDLESS:
            continue
        if mode is GenerationMode.NEGATIVE and not can_be_wrong(operation):
            continue

        @settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
        @given(operation.as_strategy(generation_mode=mode))
        def ask(case: Any) -> None:
            nonlocal asked
            asked += 1
            # What a cursor holds is nobody's business: most texts are none.
            unknown = [positive_data_acceptance] if "cursor" in (case.query or {}) else []
            case.call_and_validate(excluded_checks=unknown)

        ask()
    assert asked > EXAMPLES


def can_be_wrong(operation: Any) -> bool:
    """Whether anything can be asked that is not described."""
    return bool(len(operation.query) or len(operation.body))
