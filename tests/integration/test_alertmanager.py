"""Debian's own Alertmanager is told of alerts: it groups, silences and forgets them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ringback.core.events import AlertProof, rfc3339
from ringback.core.watch.messages import Item, Phase
from ringback.runtime.clock import SystemClock
from ringback.sinks.receivers.alertmanager import Alertmanager
from ringback.sinks.receivers.posting import Target
from support.alerts import an_alert
from support.daemon import SOON
from support.endpoint import Endpoint
from support.messages import QUEUES, message_of, wording
from support.prometheus import Server, alertmanager_running

DEPLOYED = Path(__file__).parents[2] / "deploy" / "alertmanager" / "alertmanager.yml"
FIRING, ACKNOWLEDGED, RESOLVED = Phase


@asynccontextmanager
async def receiver(server: Server) -> AsyncIterator[Alertmanager]:
    clock = SystemClock()
    target = Target(f"http://{server.address}", allow_private=True, timeout=SOON, clock=clock)
    made = Alertmanager(target, "", wording(), clock)
    try:
        yield made
    finally:
        await made.close()


CONFIGURATION = """
route:
  receiver: hook
  group_by: [alertname, org, queue]
  group_wait: 1s
  group_interval: 1s
  repeat_interval: 1h
receivers:
  - name: hook
    webhook_configs:
      - url: {url}
        send_resolved: true
"""
PROOF = AlertProof(confirmed=False, why="the source cannot read")


@asynccontextmanager
async def alertmanager(folder: Path) -> AsyncIterator[tuple[Server, Endpoint]]:
    """Start one that passes on to an endpoint."""
    async with Endpoint() as there:
        path = folder / "alertmanager.yml"
        path.write_text(CONFIGURATION.format(url=there.url), encoding="utf-8")
        async with alertmanager_running(folder, path) as server:
            yield server, there


async def passed_on(there: Endpoint, status: str, queue: str, count: int) -> dict[str, Any]:
    """Wait until a group was passed on in which so many alerts have a status; give it."""

    def found() -> list[dict[str, Any]]:
        return [
            posted.json
            for posted in there.posted
            if posted.json["groupLabels"].get("queue") == queue
            and sum(alert["status"] == status for alert in posted.json["alerts"]) == count
        ]

    async with asyncio.timeout(SOON):
        while not found():  # noqa: ASYNC110  # another process is waited for
            await asyncio.sleep(0.05)
    return found()[0]


async def states(server: Server) -> dict[str, str]:
    """Give the state of each alert, by its callback."""
    alerts = await server.get("/api/v2/alerts")
    return {one["labels"]["callback_id"]: one["status"]["state"] for one in alerts}


async def until(server: Server, wanted: dict[str, str]) -> None:
    async with asyncio.timeout(SOON):
        while await states(server) != wanted:  # noqa: ASYNC110  # as above
            await asyncio.sleep(0.05)


async def test_alerts_are_grouped_silenced_and_resolved(tmp_path: Path) -> None:
    began = datetime.now(UTC) - timedelta(minutes=5)
    more: dict[str, Any] = {
        "since": rfc3339(began),
        "labels": {"team": "north", "not a label": "x"},
    }
    sales = [an_alert(number, proof=PROOF, **more) for number in (1, 2, 3)]
    support = an_alert(4, queue="q-2", severity="critical", **more)
    firing = message_of(*((FIRING, alert) for alert in [*sales, support]))
    async with alertmanager(tmp_path) as (server, there), receiver(server) as made:
        await made.deliver(firing)

        group = await passed_on(there, "firing", "Sales", 3)
        assert group["commonLabels"] == {
            "alertname": "due_not_released",
            "severity": "warning",
            "org": "acme",
            "queue": "Sales",
            "team": "north",
        }
        first = min(group["alerts"], key=lambda one: str(one["labels"]["callback_id"]))
        assert first["labels"]["callback_id"] == "c-1"
        assert first["generatorURL"] == "https://ringback.example.org/?open=c-1"
        assert first["annotations"] == {
            "summary": "due, and not released into the queue",
            "alert_id": "c-1/due_not_released/1",
            "conversation_id": "c-1",
            "state": "scheduled",
            "since": "2026-11-22T08:00:00.000Z",
            "proof": "unconfirmed: the source cannot read",
            "dashboard": "https://ringback.example.org/?open=c-1",
            "platform": "https://apps.example.org/#/interactions/c-1",
        }
        urgent = await passed_on(there, "firing", QUEUES["q-2"], 1)
        assert urgent["commonLabels"]["severity"] == "critical"

        now = datetime.now(UTC)
        await server.post(
            "/api/v2/silences",
            {
                "matchers": [
                    {"name": "callback_id", "value": "c-4", "isRegex": False, "isEqual": True}
                ],
                "startsAt": rfc3339(now),
                "endsAt": rfc3339(now + timedelta(hours=1)),
                "createdBy": "ada",
                "comment": "known",
            },
        )
        active = dict.fromkeys(("c-1", "c-2", "c-3"), "active")
        await until(server, active | {"c-4": "suppressed"})

        # Said again they are the same, whatever they were called before.
        await made.deliver(firing)
        await made.refresh(firing.items)
        alerts = await server.get("/api/v2/alerts")
        assert len({one["fingerprint"] for one in alerts}) == len(alerts) == 4
        ends = {datetime.fromisoformat(one["endsAt"]) - datetime.now(UTC) for one in alerts}
        assert all(timedelta(minutes=4) < left <= timedelta(minutes=5) for left in ends)

        over = message_of((RESOLVED, sales[0]), (RESOLVED, sales[1]), before=tuple(sales))
        for item in over.items:
            item.at = rfc3339(datetime.now(UTC))
        await made.deliver(over)
        group = await passed_on(there, "resolved", "Sales", 2)
        assert [one["labels"]["callback_id"] for one in group["alerts"]] == ["c-1", "c-2", "c-3"]
        await until(server, {"c-3": "active", "c-4": "suppressed"})


async def test_what_ends_by_one_clock_before_it_began_by_another_is_resolved(
    tmp_path: Path,
) -> None:
    began = datetime.now(UTC)
    alert = an_alert(1, since=rfc3339(began))
    async with alertmanager(tmp_path) as (server, _), receiver(server) as made:
        await made.deliver(message_of((FIRING, alert)))
        await until(server, {"c-1": "active"})
        over = message_of((RESOLVED, alert), before=(alert,))
        over.items[0].at = rfc3339(began - timedelta(seconds=30))
        await made.deliver(over)
        await until(server, {})


async def test_thousands_that_fire_are_repeated_in_parts(tmp_path: Path) -> None:
    since = rfc3339(datetime.now(UTC))
    items = [
        Item(an_alert(number, since=since), FIRING, first=False, at=since, queue="Sales")
        for number in range(1200)
    ]
    async with alertmanager(tmp_path) as (server, _), receiver(server) as made:
        await made.refresh(items)
        assert len(await server.get("/api/v2/alerts")) == 1200


async def test_it_is_routed_as_the_configuration_that_ships_says(tmp_path: Path) -> None:
    since = rfc3339(datetime.now(UTC))
    alerts = [
        an_alert(number, since=since, severity=severity)
        for number, severity in enumerate(("info", "warning", "critical"))
    ]
    async with alertmanager_running(tmp_path, DEPLOYED) as server, receiver(server) as made:
        await made.deliver(message_of(*((FIRING, alert) for alert in alerts)))
        groups = await server.groups(3)
        told = {
            one["labels"]["severity"]: group["receiver"]["name"]
            for group in groups
            for one in group["alerts"]
        }
        assert told == {"info": "board", "warning": "office", "critical": "on-call"}
