"""A real Prometheus scrapes real daemons, evaluates our rules and tells a real Alertmanager."""

import json
import re
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

from ringback.runtime.clock import SystemClock
from ringback.simulator.centre import ContactCentre
from ringback.simulator.genesys.server import GenesysCloud
from ringback.simulator.server import SimulatorServer
from support.daemon import Child, running
from support.gateway import BUSY
from support.prometheus import Server, alertmanager_running, prometheus_running

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
RULES = DEPLOY / "prometheus" / "ringback.rules.yml"
BOARD = DEPLOY / "grafana" / "ringback.json"
RUNBOOK = ROOT / "docs" / "runbook.md"
OWN = re.compile(r"\b(?:ringback|process)_\w+")
"""A metric of ours, wherever it is named."""
OF_SEVERAL = {"ringback_log_silent_seconds", "ringback_partitions_quiet"}
"""Told by a process that shows what others track: none is running here."""


class Watched(NamedTuple):
    """Two daemons, and who watches them."""

    prometheus: Server
    alertmanager: Server
    simulated: Child
    genesys: Child
    cloud: GenesysCloud
    """What that one follows."""


@asynccontextmanager
async def watched(folder: Path, *, down_for: str = "1m") -> AsyncIterator[Watched]:
    """Let one daemon follow the centre inside, another an organisation; scrape both.

    The files are those that ship, but for addresses and how often is looked.
    """
    centre = ContactCentre(22, SystemClock().now(), BUSY)
    cloud = GenesysCloud(centre, SystemClock())
    inside, outside = folder / "inside", folder / "outside"
    for each in (inside, outside):
        each.mkdir()
    async with (
        SimulatorServer(centre, SystemClock(), beside=[cloud]),
        running(
            inside, simulator__speed=20, receivers__ops__kind="stdout", sinks__stdout="off"
        ) as simulated,
        running(
            outside,
            source__kind="genesys",
            genesys__login_url=cloud.url,
            genesys__api_url=cloud.url,
            genesys__client_id=cloud.client.id,
            genesys__client_secret=cloud.client.secret,
        ) as genesys,
        alertmanager_running(folder, DEPLOY / "alertmanager" / "alertmanager.yml") as alertmanager,
    ):
        targets = [(await one.url()).removeprefix("http://") for one in (simulated, genesys)]
        configuration = _quick(folder, alertmanager.address, targets, down_for)
        async with prometheus_running(folder, configuration) as prometheus:
            yield Watched(prometheus, alertmanager, simulated, genesys, cloud)


def _quick(folder: Path, alertmanager: str, targets: Sequence[str], down_for: str) -> Path:
    """Give the shipped configuration for other addresses and a quicker clock."""
    text = (DEPLOY / "prometheus" / "prometheus.yml").read_text(encoding="utf-8")
    changes = {
        '"127.0.0.1:9093"': f'"{alertmanager}"',
        '"127.0.0.1:8080"': json.dumps(targets)[1:-1],
        "_interval: 15s": "_interval: 2s",
        "scrape_timeout: 5s": "scrape_timeout: 2s",
    }
    for before, after in changes.items():
        assert before in text
        text = text.replace(before, after)
    configuration = folder / "prometheus.yml"
    configuration.write_text(text, encoding="utf-8")
    rules = RULES.read_text(encoding="utf-8")
    down = 'expr: up{job="ringback"} == 0\n        for: '
    assert f"{down}1m" in rules
    rules = rules.replace(f"{down}1m", f"{down}{down_for}")
    (folder / RULES.name).write_text(rules, encoding="utf-8")
    return configuration


def shown() -> Iterator[tuple[str, str]]:
    """Give every expression of the board with where it is, as Grafana asks it."""
    board = json.loads(BOARD.read_text(encoding="utf-8"))
    for panel in board["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], _filled(target["expr"])
    for annotation in board["annotations"]["list"]:
        yield annotation["name"], _filled(annotation["expr"])


def _filled(expression: str) -> str:
    for variable, value in (("$org", ".*"), ("$instance", ".*"), ("$__rate_interval", "1m")):
        expression = expression.replace(variable, value)
    assert "$" not in expression
    return expression


async def test_it_is_scraped_and_everything_that_we_ship_is_asked_of_the_scrape(
    tmp_path: Path,
) -> None:
    async with watched(tmp_path) as found:
        prometheus = found.prometheus
        await found.genesys.tells("callback.waiting")
        await prometheus.until('sum(count_over_time(up{job="ringback"}[5m]) >= 3)')
        up = await prometheus.query('up{job="ringback", org="local"}')
        assert [series["value"][1] for series in up] == ["1", "1"]
        await prometheus.until("ringback_queue_waiting > 0")
        await prometheus.until("ringback_surveys_total > 0")

        known = set((await prometheus.get("/api/v1/label/__name__/values"))["data"])
        for path in (RULES, BOARD, RUNBOOK):
            named = set(OWN.findall(path.read_text(encoding="utf-8")))
            assert named
            assert sorted(named - known - OF_SEVERAL) == [], path.name

        for title, expression in shown():
            series = await prometheus.query(expression)
            # What is filtered may be empty: then nothing of the kind has happened.
            assert series or "> 0" in expression or "== 0" in expression, (title, expression)

        await prometheus.until("count(ALERTS)")
        groups = (await prometheus.get("/api/v1/rules"))["data"]["groups"]
        rules = [rule for group in groups for rule in group["rules"]]
        assert len(rules) == RULES.read_text(encoding="utf-8").count("- alert:")
        assert {
            rule["name"]: rule.get("lastError") for rule in rules if rule["health"] != "ok"
        } == {}
        # How callbacks fare is chance here; the daemon and its source are well.
        own = [rule for group in groups[:2] for rule in group["rules"]]
        firing = {rule["name"] for rule in own if rule["state"] == "firing"}
        assert firing == {"RingbackWatchdog"}


async def test_a_daemon_that_hears_nothing_and_one_that_dies_are_told_on(tmp_path: Path) -> None:
    async with watched(tmp_path, down_for="1s") as found:
        await found.prometheus.until('sum(up{job="ringback"} == 1) == 2')
        blind = 'ALERTS{alertname="RingbackSourceBlind"}'
        await found.prometheus.until('ringback_channels{state="hears"} > 0')
        assert await found.prometheus.query(blind) == []
        found.cloud.faults.go_down(600)
        found.cloud.faults.cut()
        (series,) = await found.prometheus.until(blind)
        assert series["metric"]["alertstate"] == "pending"  # for two minutes
        found.genesys.process.kill()
        await found.prometheus.until('ALERTS{alertname="RingbackDown", alertstate="firing"}')
        (alert,) = await found.alertmanager.alerts("RingbackDown")
        assert alert["labels"]["severity"] == "critical"
        assert alert["labels"]["org"] == "local"
        assert [one["name"] for one in alert["receivers"]] == ["on-call"]
        (alert,) = await found.alertmanager.alerts("RingbackWatchdog")
        assert [one["name"] for one in alert["receivers"]] == ["watchdog"]


def alert(name: str, severity: str, **labels: str) -> dict[str, Any]:
    """Make an alert as it is sent to an Alertmanager."""
    return {"labels": {"alertname": name, "severity": severity, "org": "acme"} | labels}


async def test_what_a_blind_source_or_a_dead_daemon_explains_wakes_nobody(tmp_path: Path) -> None:
    sent = [
        alert("RingbackSourceBlind", "critical", instance="a"),
        alert("RingbackNobodyOffered", "critical", instance="a"),
        alert("waiting_too_long", "critical", queue="Sales", callback_id="c-1"),
        alert("waiting_too_long", "critical", queue="Sales", callback_id="c-2"),
        alert("waiting_too_long", "critical", queue="Sales", callback_id="c-3", org="other"),
        alert("RingbackSourcePartlyBlind", "warning", instance="b", org="third"),
        alert("waiting_too_long", "warning", queue="Sales", callback_id="c-4", org="third"),
        alert("RingbackDown", "critical", instance="d", org="fourth"),
        alert("RingbackCommitsSlow", "warning", instance="d", org="fourth"),
        alert("RingbackCommitsSlow", "warning", instance="e", org="fourth"),
    ]
    configuration = DEPLOY / "alertmanager" / "alertmanager.yml"
    async with alertmanager_running(tmp_path, configuration) as alertmanager:
        await alertmanager.post("/api/v2/alerts", sent)
        groups = await alertmanager.groups(len(sent))
        quiet = {
            (
                one["labels"]["alertname"],
                one["labels"].get("callback_id", one["labels"].get("instance")),
            )
            for group in groups
            for one in group["alerts"]
            if one["status"]["inhibitedBy"]
        }
        assert quiet == {
            ("RingbackNobodyOffered", "a"),
            ("waiting_too_long", "c-1"),
            ("waiting_too_long", "c-2"),
            ("RingbackCommitsSlow", "d"),
        }
        together = [
            sorted(one["labels"]["callback_id"] for one in group["alerts"])
            for group in groups
            if group["labels"]["alertname"] == "waiting_too_long"
        ]
        assert sorted(together) == [["c-1", "c-2"], ["c-3"], ["c-4"]]
