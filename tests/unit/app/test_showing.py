"""What is shown of a daemon, asked in the process itself."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from ringback.app.showing import Showing
from ringback.core.policy import Policy
from ringback.ports import Deed
from ringback.runtime.pipeline import Pipeline
from ringback.settings import CleanupSettings, Settings
from ringback.settings.sources import GenesysSettings, SourceSettings
from ringback.stores.memory import MemoryStore
from ringback.web.access.access import OpenAccess
from ringback.web.app import create_app
from ringback.web.health import Check
from ringback.web.visitors import Role, Visitor
from support.access import Notebook
from support.callbacks import START, at
from support.gateway import frame
from support.runtime import Ear, make_pipeline, settled

API = "/api/v1"
SOON = 10.0
DUE = {"state": "scheduled", "connectedTime": None, "callbackScheduledTime": "2026-11-22T07:58:00Z"}


class SetClock:
    """A clock that goes when it is told to."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> Any:
        return at(self.seconds)


class Well:
    def checks(self) -> Sequence[Check]:
        return []


class Shown:
    """A pipeline, what is shown of it, and somebody who asks."""

    def __init__(self, store: MemoryStore | None = None, settings: Settings | None = None) -> None:
        self.clock = SetClock()
        self.store = store or MemoryStore(timedelta(days=8))
        self.pipeline: Pipeline = make_pipeline(self.store, self.clock, policy=Policy())
        self.audit = Notebook()
        self.showing = Showing(settings or Settings(), self.pipeline, self.store, Ear(), self.audit)
        self.showing.use(Ear(), self.pipeline)
        self.access = OpenAccess()
        app: Any = create_app(
            Well(),
            lambda _: (b"", "text/plain"),
            access=self.access,
            handlers=self.showing.handlers,
        )
        transport = httpx.ASGITransport(app=app)
        self.web = httpx.AsyncClient(transport=transport, base_url="http://localhost")

    async def send(self, *frames: bytes) -> None:
        """Take frames in, and let them be shown."""
        for one in frames:
            self.pipeline.frame(one)
        await self.commit()

    async def commit(self) -> None:
        await self.pipeline.commit()
        await self.showing.journal.beyond(self.pipeline.position - 1)

    async def get(self, path: str) -> dict[str, Any]:
        answer = await self.web.get(API + path)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    @asynccontextmanager
    async def following(self) -> AsyncIterator["Shown"]:
        """Follow the journal, and load what there is by now."""
        async with self.web:
            tasks = [asyncio.create_task(self.showing.follow())]
            await asyncio.sleep(0)
            tasks.append(asyncio.create_task(self.showing.load()))
            await settled()
            try:
                yield self
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)


async def test_nothing_is_shown_before_all_is_loaded() -> None:
    shown = Shown()
    async with shown.web:
        for path in ("/callbacks", "/callbacks/c-1", "/summary", "/alerts", "/sources", "/session"):
            answer = await shown.web.get(API + path)
            assert answer.status_code == 503
            assert answer.headers["retry-after"] == "1"
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.json()["detail"] == "The board is being loaded."
        assert (await shown.web.get("/openapi.json")).status_code == 200


async def test_what_is_decided_and_not_committed_is_not_shown() -> None:
    shown = Shown()
    async with shown.following():
        shown.pipeline.frame(frame())
        assert (await shown.get("/callbacks"))["total"] == 0
        await shown.commit()
        page = await shown.get("/callbacks")
        assert (page["total"], page["position"]) == (1, 1)


async def test_the_life_of_a_callback_waits_until_it_is_committed() -> None:
    shown = Shown()
    async with shown.following():
        shown.pipeline.frame(frame())
        asked = asyncio.create_task(shown.get("/callbacks/c-1"))
        for _ in range(100):
            await asyncio.sleep(0)
        assert not asked.done()
        await shown.commit()
        life = await asked
        assert [event["position"] for event in life["events"]] == [1]


async def test_what_was_restored_is_shown_before_anything_happens() -> None:
    before = Shown()
    async with before.following():
        await before.send(frame(), frame("c-2", **DUE))
    after = Shown(before.store)
    async for rows in before.store.load():
        after.pipeline.tracker.restore(
            [(row.conversation_id, row.state, row.wake_at) for row in rows if row.state], START
        )
    after.pipeline.position = await before.store.position()
    async with after.following():
        page = await after.get("/callbacks?sort=callbackId")
        assert [row["callbackId"] for row in page["callbacks"]] == ["c-1", "c-2"]
        assert page["position"] == after.pipeline.position


async def test_viewers_may_look_and_do_nothing() -> None:
    shown = Shown()
    async with shown.following():
        await shown.send(frame("c-2", **DUE))
        shown.clock.seconds = 1
        shown.pipeline.fire()
        await shown.commit()
        (alert,) = (await shown.get("/alerts"))["alerts"]
        shown.access.visitor = Visitor("eve", Role.VIEWER)
        session = await shown.get("/session")
        assert (session["name"], session["role"], session["masked"]) == ("eve", "viewer", True)
        asked = {"alertId": alert["alertId"]}
        for path, body in (("/alerts/acknowledge", asked), ("/callbacks/c-2/reveal", {})):
            refused = await shown.web.post(API + path, json=body)
            assert refused.status_code == 403
            assert refused.json()["detail"] == "This takes the role operator."
        assert "acknowledged" not in (await shown.get("/alerts"))["alerts"][0]


@pytest.mark.parametrize("name", ["a/b/reveal", "100%", "a%2Fb", "ü x", "a.2", "..", "?#"])
async def test_a_callback_may_be_called_anything(name: str) -> None:
    shown = Shown()
    async with shown.following():
        await shown.send(frame(name, **DUE))
        shown.clock.seconds = 1
        shown.pipeline.fire()
        await shown.commit()
        path = quote(name, safe="").replace(".", "%2E")
        life = await shown.get(f"/callbacks/{path}")
        assert life["callback"]["callbackId"] == name
        assert (await shown.web.post(f"{API}/callbacks/{path}/reveal")).status_code == 200
        (alert,) = (await shown.get("/alerts"))["alerts"]
        answer = await posted(shown, "/alerts/acknowledge", {"alertId": alert["alertId"]})
        assert (answer.status_code, answer.json()["alertId"]) == (200, f"{name}/{alert['rule']}/1")


async def posted(shown: Shown, path: str, body: Any) -> httpx.Response:
    """Ask for something that is answered once it is committed."""
    asking = asyncio.create_task(shown.web.post(API + path, json=body))
    async with asyncio.timeout(SOON):
        while not asking.done():
            await shown.commit()
            await asyncio.sleep(0)
    return await asking


async def test_the_summary_says_how_scheduled_callbacks_are_served() -> None:
    shown = Shown()
    async with shown.following():
        waiting = {"callbackScheduledTime": DUE["callbackScheduledTime"]}
        await shown.send(frame("c-1", **DUE), frame("c-2", **DUE), frame("c-3", **DUE))
        in_time = {"connectedTime": "2026-11-22T07:59:59.000Z"}
        late = {"connectedTime": "2026-11-22T08:00:01.000Z"}
        shown.clock.seconds = 2
        await shown.send(frame("c-1", **waiting, **in_time), frame("c-2", **waiting, **late))
        scheduled = (await shown.get("/summary"))["scheduled"]
    assert scheduled == {
        "due": 1,
        "late": 1,
        "released": 2,
        "inTime": 1,
        "serviceLevel": 0.3333,
        "hours": 4,
    }


async def test_a_daemon_that_was_away_charts_what_the_journal_has() -> None:
    before = Shown()
    async with before.following():
        await before.send(frame("c-1"), frame("c-2"))
        before.clock.seconds = 3600
        over = {"state": "disconnected", "disconnectedTime": "2026-11-22T09:00:00.000Z"}
        await before.send(frame("c-1", **over))
        known = await before.get("/trends?hours=2")
    after = Shown(before.store)
    after.clock.seconds = 3600 + 600
    async for rows in before.store.load():
        after.pipeline.tracker.restore(
            [(row.conversation_id, row.state, row.wake_at) for row in rows if row.state],
            after.clock.now(),
        )
    after.pipeline.position = await before.store.position()
    async with after.following():
        trends = await after.get("/trends?hours=2")
    assert trends["from"] == known["from"] == "2026-11-22T08:00:00.000Z"
    assert trends["waiting"] == [*[2] * 60, *[1] * 11]
    assert trends["waiting"][:60] == known["waiting"][:60]
    assert (trends["ended"][60], sum(trends["ended"])) == (1, 1)
    assert trends["oldestSeconds"][0] == 60.0


async def test_trends_begin_where_retention_left_the_journal() -> None:
    store = MemoryStore(timedelta(hours=1))
    before = Shown(store)
    async with before.following():
        await before.send(frame("c-1"))
        before.clock.seconds = 7200
        await before.send(frame("c-2"))
        await store.prune(before.clock.now())
    after = Shown(store)
    after.clock.seconds = 7300
    after.pipeline.position = await store.position()
    async with after.following():
        assert (await after.get("/trends"))["from"] == "2026-11-22T10:00:00.000Z"


async def test_many_rows_are_looked_through_beside_the_loop() -> None:
    shown = Shown()
    async with shown.following():
        await shown.send(*(frame(f"c-{number:04}") for number in range(5100)))
        page = await shown.get("/callbacks?sort=-callbackId&limit=2")
        assert [row["callbackId"] for row in page["callbacks"]] == ["c-5099", "c-5098"]
        assert page["total"] == 5100


@pytest.mark.parametrize(
    ("source", "link"),
    [
        ({"kind": "genesys"}, "https://apps.mypurecloud.de/directory/#/engage/admin/interactions/"),
        ({"kind": "websocket"}, None),
    ],
)
async def test_a_callback_links_into_the_platforms_own_view(
    source: dict[str, Any], link: str | None
) -> None:
    settings = Settings(
        source=SourceSettings(**source), genesys=GenesysSettings(region="eu_central_1")
    )
    shown = Shown(settings=settings)
    async with shown.following():
        await shown.send(frame("c-1"))
        session = await shown.get("/session")
        life = await shown.get("/callbacks/c-1")
    assert session.get("platformLink") == (link and f"{link}{{conversationId}}")
    assert life.get("link") == (link and f"{link}c-1")


async def test_a_position_of_another_run_is_no_reason_to_say_nothing_changed() -> None:
    first, second = Shown(), Shown()
    async with first.following(), second.following():
        await first.send(frame("c-1"))
        await second.send(frame("c-2"))
        tag = (await first.web.get(f"{API}/callbacks")).headers["etag"]
        answer = await second.web.get(f"{API}/callbacks", headers={"if-none-match": tag})
        assert answer.status_code == 200


async def test_what_ended_before_the_journal_begins_is_told_as_incomplete() -> None:
    store = MemoryStore(timedelta(seconds=10))
    shown = Shown(store)
    async with shown.following():
        await shown.send(frame("c-1"))
        shown.clock.seconds = 100
        await store.prune(shown.clock.now())
        life = await shown.get("/callbacks/c-1")
        assert (life["complete"], life["events"]) == (False, [])
        assert [one["state"] for one in life["states"]] == ["waiting"]
        assert "cause" not in life["states"][0]


async def test_what_is_shown_is_measured_too_once_it_is_loaded() -> None:
    shown = Shown()
    early = {measure.name for measure in shown.showing.measures()}
    assert not {"ringback_alerts_firing", "ringback_waiting_oldest_seconds"} & early
    async with shown.following():
        await shown.send(frame(), frame("c-2", **DUE))
        shown.clock.seconds = 10
        shown.pipeline.fire()
        await shown.commit()
        measures = [
            (each.name.removeprefix("ringback_"), *each.labels.values(), each.value)
            for each in shown.showing.measures()
        ]
    assert ("queue_waiting", "queue-1", 1) in measures
    assert ("alerts_firing", "due_not_released", 1) in measures
    assert ("alerts_told", "due_not_released", "firing", 1) in measures
    assert ("callbacks_seen", 2) in measures


def role_and_place(deed: Deed) -> tuple[str, ...]:
    return deed.who, deed.action, deed.subject, deed.role, deed.address


async def alerting(shown: Shown) -> str:
    """Let an alert fire; give its id."""
    await shown.send(frame("c-2", **DUE))
    shown.clock.seconds = 1
    shown.pipeline.fire()
    await shown.commit()
    (alert,) = (await shown.get("/alerts"))["alerts"]
    return str(alert["alertId"])


async def test_what_people_do_is_noted_first() -> None:
    shown = Shown()
    async with shown.following():
        asked = {"alertId": await alerting(shown)}
        answer = await posted(shown, "/alerts/acknowledge", asked)
        assert answer.status_code == 200
        assert (await shown.web.post(f"{API}/callbacks/c-2/reveal")).status_code == 200
        assert [role_and_place(deed) for deed in shown.audit.noted] == [
            ("local", "acknowledge", asked["alertId"], "operator", "127.0.0.1"),
            ("local", "reveal", "c-2", "operator", "127.0.0.1"),
        ]
        page = await shown.get("/audit?limit=1")
        assert [deed["action"] for deed in page["deeds"]] == ["reveal"]
        page = await shown.get(f"/audit?limit=1&cursor={page['next']}")
        assert [deed["action"] for deed in page["deeds"]] == ["acknowledge"]
        assert "next" not in page
        assert (await shown.get("/audit?who=olga"))["deeds"] == []
        assert len((await shown.get("/audit?action=reveal&who=local"))["deeds"]) == 1


async def test_what_cannot_be_noted_is_not_done() -> None:
    shown = Shown()
    async with shown.following():
        asked = {"alertId": await alerting(shown)}
        shown.audit.full = True
        for path, body in (("/alerts/acknowledge", asked), ("/callbacks/c-2/reveal", {})):
            refused = await shown.web.post(API + path, json=body)
            assert refused.status_code == 503
            assert refused.headers["content-type"] == "application/problem+json"
            assert "it was not done" in refused.json()["detail"]
            assert "disk" not in refused.text
        await shown.commit()
        assert "acknowledged" not in (await shown.get("/alerts"))["alerts"][0]


@pytest.mark.parametrize("path", ["/alerts/acknowledge", "/callbacks/c-9/reveal"])
async def test_what_cannot_be_done_is_not_noted(path: str) -> None:
    shown = Shown()
    async with shown.following():
        answer = await shown.web.post(API + path, json={"alertId": "c-9/not_released/1"})
        assert answer.status_code == 404
        assert shown.audit.noted == []


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_clean_up_is_not_there_unless_enabled_nor_for_sources_that_cannot(
    method: str,
) -> None:
    body = {"conversations": [{"conversationId": "c-1", "seen": "x"}]}
    shown = Shown()
    async with shown.following():
        answer = await shown.web.request(method, f"{API}/cleanup", json=body)
        assert answer.status_code == 404
        assert "cleanup" not in (await shown.web.get("/openapi.json")).text
    shown = Shown(settings=Settings(cleanup=CleanupSettings(enabled=True)))
    async with shown.following():
        answer = await shown.web.request(method, f"{API}/cleanup", json=body)
        assert answer.status_code == 409
        assert answer.headers["content-type"] == "application/problem+json"
        assert "takes one of kind genesys" in answer.json()["detail"]
        assert "/api/v1/cleanup" in (await shown.web.get("/openapi.json")).text
    assert shown.audit.noted == []


async def test_an_alert_about_a_source_is_shown_and_acknowledged() -> None:
    shown = Shown()
    shown.pipeline.connected()
    shown.pipeline.disconnected("cut")
    shown.clock.seconds = 120
    shown.pipeline.fire()
    name = "source:main/source_blind/1"
    async with shown.following():
        await shown.commit()
        (alert,) = (await shown.get("/alerts"))["alerts"]
        assert (alert["alertId"], alert["source"], alert["severity"]) == (name, "main", "critical")
        assert not {"callbackId", "conversationId", "state", "stateSince", "proof"} & alert.keys()
        assert (await shown.get("/summary"))["alerts"] == {"firing": 1, "acknowledged": 0}
        answer = await posted(shown, "/alerts/acknowledge", {"alertId": name})
        assert answer.status_code == 200
        assert (await shown.get("/alerts"))["alerts"][0]["acknowledged"]["by"] == "local"
        shown.pipeline.connected()
        await shown.commit()
        assert (await shown.get("/alerts"))["alerts"] == []


async def test_an_alert_about_a_source_is_known_to_a_board_that_is_loaded_later() -> None:
    shown = Shown()
    shown.pipeline.connected()
    shown.pipeline.disconnected("cut")
    shown.clock.seconds = 120
    shown.pipeline.fire()
    await shown.pipeline.commit()
    async with shown.following():
        (alert,) = (await shown.get("/alerts"))["alerts"]
        assert alert["source"] == "main"
