"""The API is asked all that its description allows, and much that it does not.

Every answer must be one that is described, and no request may bring the daemon to a failure of its
own. The requests are made up by schemathesis; the daemon follows the simulator.
"""

import json
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import load_all_checks
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import ignored_auth, positive_data_acceptance

from support.access import TOKENS, bearer, tokens_file
from support.daemon import SOON, environment, ringback_command

load_all_checks()
EXAMPLES = 40
EXAMPLES_EACH = 10
NUMBER = re.compile(r"\+[0-9]{7,}")
ENDLESS = "/api/v1/events"
"""Its answer has no end to check."""


@contextmanager
def serving(folder: Path, **asked: Any) -> Iterator[str]:
    """Run a daemon; give its address once all is shown."""
    kept = {"privacy__numbers": "true", "privacy__names": "true"}
    with (folder / "log").open("wb") as log:
        daemon = subprocess.Popen(
            [*ringback_command(), "run"],
            cwd=folder,
            env=environment(
                web__port=0, sinks__stdout="off", cleanup__enabled=True, **kept, **asked
            ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=log,
        )
        try:
            yield loaded(folder / "log", daemon)
        finally:
            daemon.kill()
            daemon.wait()


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run a daemon that lets everybody in."""
    with serving(tmp_path_factory.mktemp("described")) as address:
        yield address


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run one that asks who is there."""
    folder = tmp_path_factory.mktemp("guarded")
    with serving(folder, web__tokens=tokens_file(folder)) as address:
        yield address


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
    assert len(list(answers(address, mode, EXAMPLES))) > EXAMPLES


@pytest.mark.parametrize("role", ["nobody", *TOKENS])
def test_every_answer_to_every_role_is_as_described(guarded: str, role: str) -> None:
    found = list(answers(guarded, GenerationMode.POSITIVE, EXAMPLES_EACH, role))
    assert len(found) > EXAMPLES_EACH
    statuses = {answer.status_code for answer in found}
    if role == "nobody":
        # Some show tokens that are made up, too many at last.
        assert 401 in statuses
        assert statuses <= {401, 429}
    elif role == "metrics":
        assert statuses == {403}
    else:
        assert 200 in statuses
        assert (403 in statuses) is (role == "viewer")
    if role != "operator":
        assert not [answer for answer in found if NUMBER.search(answer.text)]


def test_a_number_would_be_found(guarded: str) -> None:
    with httpx.Client(base_url=guarded, trust_env=False, headers=bearer("operator")) as web:
        row = web.get("/api/v1/callbacks?limit=1").json()["callbacks"][0]
        revealed = web.post(f"/api/v1/callbacks/{row['callbackId']}/reveal")
    assert NUMBER.search(revealed.text)


def answers(
    address: str, mode: GenerationMode, examples: int, role: str = "nobody"
) -> list[schemathesis.Response]:
    """Ask for everything that is described; give the answers, which are as described."""
    described = httpx.get(
        f"{address}/openapi.json", trust_env=False, headers=bearer("operator")
    ).json()
    schema = schemathesis.openapi.from_dict(described)
    schema.config.update(base_url=address)
    given_to = bearer(role)
    answered: list[schemathesis.Response] = []
    for found in schema.get_all_operations():
        assert isinstance(found, Ok), found
        operation = found.ok()
        if operation.path == ENDLESS:
            continue
        if mode is GenerationMode.NEGATIVE and not can_be_wrong(operation):
            continue

        @settings(max_examples=examples, suppress_health_check=list(HealthCheck))
        @given(operation.as_strategy(generation_mode=mode))
        def ask(case: Any) -> None:
            # What a cursor holds is nobody's business: most texts are none.
            unknown = [positive_data_acceptance] if "cursor" in (case.query or {}) else []
            # Tokens are given from without, to see each role.
            answered.append(
                case.call_and_validate(excluded_checks=[*unknown, ignored_auth], headers=given_to)
            )

        ask()
    return answered


def can_be_wrong(operation: Any) -> bool:
    """Whether anything can be asked that is not described."""
    return bool(len(operation.query) or len(operation.body))
