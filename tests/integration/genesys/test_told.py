"""All that a day tells, read over HTTP: as the served schemas say, as the CloudEvents SDK reads it.

A simulated organisation is followed for a day in virtual time, with outages, somebody who
acknowledges alerts, and what no platform should send. Then the whole journal is read from the feed.
"""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
from cloudevents.core.formats.json import JSONFormat
from jsonschema import Draft202012Validator

from ringback.app.showing import Showing
from ringback.core.events import EVENT_TYPES
from ringback.settings import Settings
from ringback.simulator.options import Options
from ringback.web.app import create_app
from ringback.web.server import WebServer
from support.access import Notebook
from support.gateway import frame
from support.organisation import Following, following, organisation
from support.screen import entries
from support.virtual import run_virtually
from support.web import HEALTHY, METRICS

HOURS = 24
# Quiet: every kind of callback comes up, and checking an event takes a millisecond.
CENTRE = Options(arrivals_per_minute=0.3, agents=12, max_live=100, stuck_seconds=1200)
OUTAGES = range(2, 24, 3)
"""Hours that begin with one."""
OUTAGE_SECONDS = 400
AFTER_ITS_END = "2026-11-22T08:30:00.000Z"


@asynccontextmanager
async def served(found: Following) -> AsyncIterator[httpx.AsyncClient]:
    """Serve what is shown of a daemon."""
    showing = Showing(Settings(), found.pipeline, found.store, found.source, Notebook())
    app = create_app(HEALTHY, METRICS.expose, handlers=showing.handlers)
    web = WebServer(app, host="127.0.0.1", port=0, drain=1)
    url = f"http://127.0.0.1:{web.bind()}"
    shown = (showing.follow(), showing.feed.run(), showing.load(), web.run())
    tasks = [asyncio.create_task(each) for each in shown]
    try:
        async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=None) as client:
            yield client
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def live(found: Following, web: httpx.AsyncClient) -> None:
    """Let a day pass."""
    strange(found)
    for hour in range(HOURS):
        if hour in OUTAGES:
            found.platform.faults.cut()
            found.platform.faults.go_down(OUTAGE_SECONDS)
        await asyncio.sleep(1800)
        await acknowledge(web)
        await asyncio.sleep(1800)


def strange(found: Following) -> None:
    """Let a callback be alive after its end."""
    over = {"state": "disconnected", "disconnectedTime": "2026-11-22T08:10:00.000Z"}
    for said in ({}, over, {"connectedTime": AFTER_ITS_END}):
        found.pipeline.frame(frame("c-1", **said))


async def acknowledge(web: httpx.AsyncClient) -> None:
    """See one of the alerts that nobody has seen."""
    for alert in (await web.get("/api/v1/alerts")).json()["alerts"]:
        if "acknowledged" not in alert:
            asked = {"alertId": alert["alertId"]}
            assert (await web.post("/api/v1/alerts/acknowledge", json=asked)).status_code == 200
            return


async def told_in_a_day() -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Give the schemas that are served, and all events from the feed."""
    async with (
        organisation(CENTRE) as (platform, _),
        following(platform) as found,
    ):
        await found.hearing()
        async with served(found) as web:
            await live(found, web)
            schemas = (await web.get("/api/v1/schemas")).json()["schemas"]
            for kind, schema in schemas.items():
                assert (await web.get(f"/api/v1/schemas/{kind}")).json() == schema
            upto = found.pipeline.position
            events: list[dict[str, Any]] = []
            async for position, event in entries(web, 0):
                assert position == len(events) + 1
                events.append(event)
                if position == upto:
                    return schemas, events
    raise AssertionError(len(events))


def test_every_event_of_a_day_is_as_its_schema_says_and_as_the_official_sdk_reads_it() -> None:
    schemas, events = run_virtually(told_in_a_day())
    assert schemas.keys() == EVENT_TYPES.keys()
    checked = Draft202012Validator.FORMAT_CHECKER
    validators = {}
    for kind, schema in schemas.items():
        Draft202012Validator.check_schema(schema)
        validators[kind] = Draft202012Validator(schema, format_checker=checked)
    kinds = Counter(event["type"] for event in events)
    assert EVENT_TYPES.keys() - kinds.keys() == set()
    for event in events:
        validators[event["type"]].validate(event)
        read = JSONFormat().read(None, json.dumps(event))
        assert (read.get_specversion(), read.get_id()) == ("1.0", event["id"])
        assert (read.get_type(), read.get_subject()) == (event["type"], event["subject"])
        assert read.get_data() == event["data"]
    identities = Counter((event["source"], event["id"]) for event in events)
    assert max(identities.values()) == 1
