"""What ships for whoever operates it: rules, routes, the board, the runbook, and what they name."""

import json
import re
import subprocess
import tomllib
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any, get_args, get_type_hints

import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models.dashboard import Dashboard

from support.debian import require_debian

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
PROMETHEUS = DEPLOY / "prometheus"
RULES = PROMETHEUS / "ringback.rules.yml"
CASES = PROMETHEUS / "ringback.rules.test.yml"
ALERTMANAGER = DEPLOY / "alertmanager" / "alertmanager.yml"
BOARD = DEPLOY / "grafana" / "ringback.json"
PROVISIONING = DEPLOY / "grafana" / "provisioning"
COMPOSE = DEPLOY / "container" / "compose.yaml"

OF_PROMETHEUS = {"titleFormat", "textFormat"}
"""What Grafana's data source of Prometheus reads of an annotation; no schema names it."""


def succeeds(*command: str | Path) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


# Prometheus


def test_prometheus_accepts_its_configuration_and_the_rules() -> None:
    promtool = require_debian("prometheus", "promtool")
    said = succeeds(promtool, "check", "config", PROMETHEUS / "prometheus.yml")
    assert f"{len(rules())} rules found" in said


def test_every_rule_fires_when_it_is_to_and_not_before() -> None:
    promtool = require_debian("prometheus", "promtool")
    assert "SUCCESS" in succeeds(promtool, "test", "rules", CASES)


def test_every_rule_has_a_case_with_and_one_without_it() -> None:
    fires, silent = set(), set()
    for case in yaml.safe_load(CASES.read_text(encoding="utf-8"))["tests"]:
        samples = [each["exp_samples"] for each in case.get("promql_expr_test", ())]
        named = {re.findall(r'"(\w+)"', one["labels"])[0] for each in samples for one in each}
        fires |= named
        if [] in samples:
            silent |= named
    names = {rule["alert"] for rule in rules()}
    assert fires == names
    assert silent == names


def test_every_rule_says_how_bad_it_is_what_is_wrong_and_where_to_read_on() -> None:
    for rule in rules():
        assert rule["labels"]["severity"] in {"none", "info", "warning", "critical"}
        assert rule["annotations"]["summary"]
        assert rule["annotations"]["runbook"] == f"docs/runbook.md#{rule['alert'].lower()}"
        assert "callback_id" not in str(rule)


# Alertmanager


def configured(tmp_path: Path, *, integrations: bool) -> Path:
    """Give Alertmanager's configuration; with its examples of integrations if asked."""
    text = ALERTMANAGER.read_text(encoding="utf-8")
    if integrations:
        text, count = re.subn(r"^    # ", "    ", text, flags=re.MULTILINE)
        assert count > 10
    path = tmp_path / "alertmanager.yml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("integrations", [False, True])
def test_alertmanager_accepts_its_configuration(tmp_path: Path, integrations: bool) -> None:
    amtool = require_debian("prometheus-alertmanager", "amtool")
    said = succeeds(amtool, "check-config", configured(tmp_path, integrations=integrations))
    assert "4 receivers" in said


ROUTES = {
    "on-call": ["alertname=RingbackDown", "severity=critical"],
    "office": ["alertname=waiting_too_long", "severity=warning", "queue=Sales", "callback_id=c-1"],
    "board": ["alertname=held_too_long", "severity=info"],
    "watchdog": ["alertname=RingbackWatchdog", "severity=none"],
}


@pytest.mark.parametrize("receiver", ROUTES)
def test_alerts_go_where_their_severity_says(receiver: str) -> None:
    amtool = require_debian("prometheus-alertmanager", "amtool")
    asked = ("config", "routes", "test", f"--verify.receivers={receiver}")
    said = succeeds(amtool, *asked, f"--config.file={ALERTMANAGER}", *ROUTES[receiver])
    assert said.split()[-1] == receiver


def test_what_is_inhibited_is_an_alert_that_there_is() -> None:
    text = ALERTMANAGER.read_text(encoding="utf-8")
    named = set(re.findall(r"Ringback\w+", text))
    assert named <= {rule["alert"] for rule in rules()}


# Grafana


def lost(written: Any, understood: Any, path: str = "") -> Iterator[str]:
    """Give what did not come through Grafana's own types as it was written."""
    if isinstance(written, dict):
        for key, value in written.items():
            if not isinstance(understood, dict) or key not in understood:
                yield f"{path}.{key}"
            else:
                yield from lost(value, understood[key], f"{path}.{key}")
    elif isinstance(written, list) and isinstance(understood, list):
        for index, (one, other) in enumerate(zip(written, understood, strict=True)):
            yield from lost(one, other, f"{path}[{index}]")
    elif written != understood:
        yield f"{path}: {written!r}"


def enumerated(value: Any, path: str = "") -> Iterator[tuple[str, Any, set[Any]]]:
    """Give every value that has to be one of a closed set, with what is allowed."""
    if isinstance(value, list):
        for index, one in enumerate(value):
            yield from enumerated(one, f"{path}[{index}]")
    elif isinstance(value, dict):
        for key, one in value.items():
            yield from enumerated(one, f"{path}.{key}")
    elif type(value).__module__.startswith("grafana_foundation_sdk.models"):
        hints = get_type_hints(type(value))
        for name, one in vars(value).items():
            allowed = set(_allowed(hints.get(name)))
            if allowed and isinstance(one, str):
                yield f"{path}.{name}", one, allowed
            else:
                yield from enumerated(one, f"{path}.{name}")


def _allowed(hint: Any) -> Iterator[Any]:
    if isinstance(hint, type) and issubclass(hint, Enum):
        yield from (member.value for member in hint)
    for part in get_args(hint):
        yield from _allowed(part)


def board() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(BOARD.read_text(encoding="utf-8"))
    return found


def test_grafana_knows_every_field_of_the_board() -> None:
    register_default_plugins()
    written = board()
    text = json.dumps(Dashboard.from_json(written), cls=JSONEncoder)
    missing = lost(written, json.loads(text))
    assert [each for each in missing if each.rpartition(".")[2] not in OF_PROMETHEUS] == []


def test_grafana_knows_every_choice_of_the_board() -> None:
    register_default_plugins()
    choices = list(enumerated(Dashboard.from_json(board())))
    assert len(choices) > 200
    assert [each for each in choices if each[1] not in each[2]] == []


def test_panels_say_what_they_show_and_do_not_overlap() -> None:
    panels = board()["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels) > 20
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        assert panel["type"] == "row" or panel["description"]
        assert place["x"] + place["w"] <= 24
        cells = {
            (place["x"] + column, place["y"] + line)
            for column in range(place["w"])
            for line in range(place["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells


def test_every_expression_of_the_board_is_for_the_chosen_daemons() -> None:
    shown = board()
    expressions = [
        target["expr"] for panel in shown["panels"] for target in panel.get("targets", ())
    ] + [each["expr"] for each in shown["annotations"]["list"]]
    for expression in expressions:
        chosen = re.findall(r"\b(?:ringback|process)_\w+(\{[^}]*\}|)", expression)
        assert chosen
        for labels in chosen:
            assert labels.startswith('{job="ringback", org=~"$org", instance=~"$instance"')
    variables = {each["name"] for each in shown["templating"]["list"]}
    used = set(re.findall(r"\$\{?(\w+)", json.dumps(shown)))
    assert used - {"__rate_interval", "__all"} == variables


def test_what_is_provisioned_is_there() -> None:
    (sources,) = (PROVISIONING / "datasources").iterdir()
    found = yaml.safe_load(sources.read_text(encoding="utf-8"))["datasources"]
    compose = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))["services"]
    addresses = {
        name: [
            word.partition("=")[2]
            for word in compose[name]["command"]
            if word.startswith("--web.listen-address=")
        ]
        for name in ("prometheus", "alertmanager")
    }
    for source in found:
        assert [source["url"].removeprefix("http://")] == addresses[source["type"]]
    (boards,) = (PROVISIONING / "dashboards").iterdir()
    (provider,) = yaml.safe_load(boards.read_text(encoding="utf-8"))["providers"]
    folder = provider["options"]["path"]
    mounts = dict(one.split(":")[:2] for one in compose["grafana"]["volumes"])
    assert mounts["../grafana/ringback.json"] == f"{folder}/ringback.json"


# Containers


def test_every_container_is_pinned_hardened_and_on_loopback() -> None:
    services = yaml.safe_load(COMPOSE.read_text(encoding="utf-8"))["services"]
    assert set(services) == {"ringback", "prometheus", "alertmanager", "grafana"}
    for name, service in services.items():
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert service["mem_limit"]
        if name == "ringback":
            continue
        assert service["profiles"] == ["watching"]
        assert re.search(r":v?\d+\.\d+\.\d+$", service["image"]), name
        assert "127.0.0.1" in str(service)
        for mount in service["volumes"]:
            place = mount.split(":")[0]
            assert not place.startswith("..") or (COMPOSE.parent / place).exists(), mount


# The runbook


RUNBOOK = ROOT / "docs" / "runbook.md"
PARTS = ["Means", "Hurts", "Look", "Do", "False"]


def sections() -> dict[str, str]:
    """Give what the runbook says, by alert."""
    text = RUNBOOK.read_text(encoding="utf-8")
    found = re.findall(r"^### (\w+)\n(.*?)(?=^##|\Z)", text, flags=re.MULTILINE | re.DOTALL)
    assert len(dict(found)) == len(found)
    return dict(found)


def test_every_alert_has_its_heading() -> None:
    # Every built-in rule stands in there; another test compares it with the code.
    built_in = tomllib.loads((ROOT / "config" / "rules.toml").read_text(encoding="utf-8"))["rule"]
    named = {rule["name"] for rule in built_in} | {rule["alert"] for rule in rules()}
    assert sorted(named - sections().keys()) == []


def test_the_runbook_knows_no_alert_of_prometheus_that_there_is_not() -> None:
    of_prometheus = {name for name in sections() if name.startswith("Ringback")}
    assert of_prometheus == {rule["alert"] for rule in rules()}


@pytest.mark.parametrize("name", sections())
def test_a_heading_is_followed_by_all_that_somebody_who_is_woken_asks(name: str) -> None:
    said = re.findall(r"^- \*\*(\w+)\*\*: (\w|`|\*|\[)", sections()[name], flags=re.MULTILINE)
    assert [part for part, _ in said] == PARTS


def anchors(path: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in headings}


def test_links_lead_somewhere() -> None:
    text = RUNBOOK.read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)]*)\)", text)
    links += [f"../{rule['annotations']['runbook']}" for rule in rules()]
    assert len(links) > len(rules())
    for link in links:
        name, _, anchor = link.partition("#")
        path = (RUNBOOK.parent / name) if name else RUNBOOK
        assert path.exists(), link
        assert not anchor or anchor in anchors(path), link


def test_panels_that_the_runbook_names_are_on_the_board() -> None:
    titles = [panel["title"] for panel in board()["panels"]]
    named = re.findall(r"(?<!\*)\*([A-Z][^*]+)\*(?!\*)", RUNBOOK.read_text(encoding="utf-8"))
    missing = {each for each in named if not any(title.startswith(each) for title in titles)}
    assert missing == {"Confirmed", "Unconfirmed"}
