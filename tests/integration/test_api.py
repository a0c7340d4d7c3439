"""The API of a daemon as a process: what it answers, as of when, and what it refuses."""

import asyncio
import gzip
import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from cloudevents.core.formats.json import JSONFormat
from jsonschema import Draft202012Validator

from support.daemon import SOON, Child, running
from support.gateway import FEW_RULES, NAME, NUMBER, Gateway, contact_centre, frame, gateway, to

API = "/api/v1"
PAST = {"state": "scheduled", "connectedTime": None}
DUE = "2026-11-22T07:58:05.700Z"
POSTED = {"content-type": "application/json"}

Body = dict[str, Any]


class Asking:
    """Asks a daemon's API."""

    def __init__(self, web: httpx.AsyncClient) -> None:
        self.web = web

    async def get(self, path: str, **query: Any) -> Body:
        """Give the body of an answer that must be one."""
        answer = await self.web.get(API + path, params=query)
        assert answer.status_code == 200, answer.text
        body: Body = answer.json()
        assert answer.headers["ringback-position"] == str(body["position"])
        return body

    async def until(self, path: str, seen: Callable[[Body], object], **query: Any) -> Body:
        """Ask until the answer is as wanted; it may take a moment until all is shown."""
        async with asyncio.timeout(SOON):
            while True:
                answer = await self.web.get(API + path, params=query)
                if answer.status_code == 200 and seen(answer.json()):
                    found: Body = answer.json()
                    return found
                await asyncio.sleep(0.02)

    async def refused(self, path: str, status: int, **query: Any) -> str:
        """Give why something is refused."""
        return problem(await self.web.get(path, params=query), status)

    async def post(self, path: str, body: Any) -> httpx.Response:
        return await self.web.post(API + path, json=body)


def problem(answer: httpx.Response, status: int) -> str:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert (body["status"], body["type"]) == (status, "about:blank")
    return str(body.get("detail", ""))


@asynccontextmanager
async def asking(child: Child) -> AsyncIterator[Asking]:
    async with httpx.AsyncClient(base_url=await child.url(), trust_env=False, timeout=SOON) as web:
        found = Asking(web)
        await found.until("/session", bool)
        yield found


@asynccontextmanager
async def following(folder: Path, **settings: Any) -> AsyncIterator[tuple[Gateway, Child, Asking]]:
    async with (
        gateway() as peer,
        running(folder, **to(peer.url, **FEW_RULES, **settings)) as child,
        asking(child) as api,
    ):
        yield peer, child, api


async def test_callbacks_are_filtered_ordered_and_paged(tmp_path: Path) -> None:
    async with following(tmp_path) as (peer, _, api):
        await peer.send(*(frame(f"c-{number}") for number in range(5)))
        await peer.send(frame("c-9", **PAST, callbackScheduledTime=DUE))
        await api.until("/callbacks", lambda body: body["total"] == 6)
        page = await api.get("/callbacks", sort="-callbackId", limit=4)
        assert [row["callbackId"] for row in page["callbacks"]] == ["c-9", "c-4", "c-3", "c-2"]
        rest = await api.get("/callbacks", sort="-callbackId", limit=4, cursor=page["next"])
        assert [row["callbackId"] for row in rest["callbacks"]] == ["c-1", "c-0"]
        assert "next" not in rest
        scheduled = await api.get("/callbacks", state="scheduled,held")
        assert scheduled["callbacks"] == [
            {
                "callbackId": "c-9",
                "conversationId": "c-9",
                "state": "scheduled",
                "since": scheduled["callbacks"][0]["since"],
                "clock": "observer",
                "queueId": "queue-1",
                "scheduledTime": DUE,
                "offers": 0,
                "holdSeconds": 0.0,
                "waitSeconds": 0.0,
                "sequence": 1,
                "alerts": scheduled["callbacks"][0]["alerts"],
            }
        ]
        assert [one["rule"] for one in scheduled["callbacks"][0]["alerts"]] == ["due_not_released"]
        assert (await api.get("/callbacks", q="C-3"))["total"] == 1
        assert (await api.get("/callbacks", alert="any"))["total"] == 1
        assert (await api.get("/callbacks", queue=["queue-1", "queue-2"]))["total"] == 6
        assert (await api.get("/callbacks", olderThan=3600))["total"] == 5


async def test_an_answer_that_the_asker_has_is_not_sent_again(tmp_path: Path) -> None:
    async with following(tmp_path) as (peer, _, api):
        await peer.send(frame())
        await api.until("/callbacks", lambda body: body["total"] == 1)
        first = await api.web.get(f"{API}/callbacks")
        tag = {"if-none-match": f'"other", {first.headers["etag"]}'}
        again = await api.web.get(f"{API}/callbacks", headers=tag)
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == first.headers["etag"]
        assert again.headers["ringback-position"] == first.headers["ringback-position"]
        other = await api.web.get(f"{API}/callbacks?limit=5", headers=tag)
        assert other.status_code == 200
        await peer.send(frame("c-2"))
        await api.until("/callbacks", lambda body: body["total"] == 2)
        moved = await api.web.get(f"{API}/callbacks", headers=tag)
        assert moved.status_code == 200
        assert int(moved.headers["ringback-position"]) > first.json()["position"]


async def test_large_answers_are_compressed_for_who_takes_that(tmp_path: Path) -> None:
    async with following(tmp_path) as (peer, _, api):
        await peer.send(*(frame(f"c-{number}") for number in range(50)))
        await api.until("/callbacks", lambda body: body["total"] == 50)
        async with api.web.stream("GET", f"{API}/callbacks") as answer:
            raw = b"".join([part async for part in answer.aiter_raw()])
        assert answer.headers["content-encoding"] == "gzip"
        assert "accept-encoding" in answer.headers["vary"].lower()
        plain = await api.web.get(f"{API}/callbacks", headers={"accept-encoding": "gzip;q=0, br"})
        assert "content-encoding" not in plain.headers
        assert len(raw) < len(plain.content) / 4
        one, other = gzip.decompress(raw), plain.content
        assert one.partition(b'"total"')[2] == other.partition(b'"total"')[2]


WRONG = {
    "foo=1": "unknown field `foo`",
    "state=asleep": "state[0]: Invalid enum value 'asleep'",
    "state=waiting,": "state[1]: Invalid enum value ''",
    "limit=0": "limit: Expected `int` >= 1",
    "limit=1001": "limit: Expected `int` <= 1000",
    "limit=ten": "limit: Expected `int`, got `str`",
    "limit=1&limit=2": "limit: it is given more than once",
    "sort=age": "sort: Invalid enum value 'age'",
    "olderThan=-1": "olderThan: Expected `float` >= 0",
    "olderThan=nan": "olderThan: Expected `float`",
    "olderThan=1e400": "olderThan: Number out of range",
    "unverified=maybe": "unverified: Expected `bool",
    "queue=": "queue[0]: Expected `str` of length >= 1",
    "cursor=bm9uZQ": "cursor: it is none that was given out here",
    "cursor=WyJvZmZlcnMiLDEsImMiXQ": "cursor: it is of another sort",
    "cursor=WyJzaW5jZSIsMSwiYyJd": "cursor: it is of another sort",
    "cursor=%ff%00": "cursor: it is none that was given out here",
}


async def test_what_is_wrong_is_refused_and_says_where(tmp_path: Path) -> None:
    async with following(tmp_path) as (_, _, api):
        for query, detail in WRONG.items():
            said = problem(await api.web.get(f"{API}/callbacks?{query}"), 400)
            assert detail in said, (query, said)
        for path in ("/summary", "/alerts", "/sources", "/session", "/schemas", "/callbacks/c-1"):
            said = problem(await api.web.get(f"{API}{path}?verbose"), 400)
            assert "unknown field `verbose`" in said
        assert "hours" in problem(await api.web.get(f"{API}/trends?hours=25"), 400)
        for path in ("/callbacks/c-1", "/schemas/ringback.callback.lost.v1", "/nothing"):
            problem(await api.web.get(API + path), 404)
        problem(await api.web.post(f"{API}/callbacks"), 405)
        acknowledge = f"{API}/alerts/acknowledge"
        problem(await api.web.post(acknowledge, content=b"{}"), 415)
        for torn in (b"{", b"", b'{"alertId":"\xff"}', b'{"alertId":"\\ud800"}', b"[" * 50_000):
            problem(await api.web.post(acknowledge, content=torn, headers=POSTED), 400)
        bodies: list[Any] = [{}, [], {"alertId": 1}, {"alertId": ""}, {"alertId": "a", "by": "b"}]
        for wrong in bodies:
            problem(await api.post("/alerts/acknowledge", wrong), 400)
        assert "there is no alert a" in problem(
            await api.post("/alerts/acknowledge", {"alertId": "a"}), 404
        )
        problem(await api.post("/callbacks/c-1/reveal", {}), 404)
        large = b'{"alertId":"%s"}' % (b"a" * 70_000)
        problem(await api.web.post(acknowledge, content=large, headers=POSTED), 413)


async def test_an_alert_is_acknowledged_told_and_remembered(tmp_path: Path) -> None:
    settings = {"watch__due_grace_seconds": 0}
    async with following(tmp_path, **settings) as (peer, child, api):
        await peer.send(frame("c-9", **PAST, callbackScheduledTime=DUE))
        found = await api.until("/alerts", lambda body: body["alerts"])
        (alert,) = found["alerts"]
        assert alert == {
            "alertId": "c-9/due_not_released/1",
            "rule": "due_not_released",
            "kind": "due_not_released",
            "severity": "warning",
            "proof": {"confirmed": False, "why": "the source cannot read"},
            "summary": "due, and not released into the queue",
            "callbackId": "c-9",
            "conversationId": "c-9",
            "state": "scheduled",
            "stateSince": alert["stateSince"],
            "since": DUE,
            "queueId": "queue-1",
        }
        asked = {"alertId": alert["alertId"]}
        done = await api.post("/alerts/acknowledge", asked)
        assert (done.status_code, done.json()["acknowledged"]["by"]) == (200, "local")
        (told,) = await child.tells("alert.acknowledged")
        assert (told["data"]["by"], told["subject"]) == ("local", "c-9")
        again = await api.post("/alerts/acknowledge", asked)
        assert again.json()["acknowledged"] == done.json()["acknowledged"]
        seen = await api.until("/alerts", lambda body: "acknowledged" in body["alerts"][0])
        assert seen["alerts"][0]["acknowledged"] == done.json()["acknowledged"]
        summary = await api.get("/summary")
        assert summary["alerts"] == {"firing": 1, "acknowledged": 1}
        assert summary["scheduled"]["due"] == summary["scheduled"]["late"] == 1
        assert summary["scheduled"]["serviceLevel"] == 0
        child.process.kill()
        await child.ends()
        async with (
            running(tmp_path, **to(peer.url, **FEW_RULES, **settings)) as born,
            asking(born) as later,
        ):
            seen = await later.get("/alerts")
            assert seen["alerts"][0]["acknowledged"] == done.json()["acknowledged"]
            row = (await later.get("/callbacks"))["callbacks"][0]
            assert row["alerts"][0]["acknowledged"] is True
            await peer.send(frame("c-9", callbackScheduledTime=DUE))
            await later.until("/alerts", lambda body: not body["alerts"])
            over = problem(await later.post("/alerts/acknowledge", asked), 409)
            assert "is over" in over
            life = await later.get("/callbacks/c-9")
            (alarm,) = life["alerts"]
            assert (alarm["reason"], alarm["acknowledged"]["by"]) == ("waiting", "local")
            assert life["complete"]
            assert [one["state"] for one in life["states"]] == ["scheduled", "waiting"]


async def test_the_life_of_a_callback_says_what_each_fact_rests_on(tmp_path: Path) -> None:
    async with following(tmp_path) as (peer, child, api):
        await peer.send(frame())
        await child.tells("callback.waiting")
        await peer.hang_up()
        await child.tells("source.gap_closed")
        blind = await api.get("/callbacks/c-1")
        assert [(gap["source"], "until" in gap) for gap in blind["gaps"]] == [("main", True)]
        over = {"state": "disconnected", "disconnectedTime": "2026-11-22T08:10:00.000Z"}
        await peer.send(frame(**over, disconnectType="client"))
        ended = await api.until("/callbacks/c-1", lambda body: "ended" in body)
        assert ended["ended"] == "2026-11-22T08:10:00.000Z"
        assert (ended["outcome"], ended["disconnectType"]) == ("lost", "client")
        waiting, disconnected = ended["states"]
        assert waiting == {
            "state": "waiting",
            "from": "2026-11-22T08:00:00.000Z",
            "until": "2026-11-22T08:10:00.000Z",
            "seconds": 600.0,
            "clock": "cloud",
            "mixed": True,
            "trigger": "release",
            "cause": "notification",
        }
        assert (disconnected["state"], disconnected["clock"]) == ("disconnected", "provider")
        assert {leg["role"] for leg in ended["legs"]} == {"customer", "acd"}
        assert [one["type"] for one in ended["events"]] == [
            "ringback.callback.waiting.v1",
            "ringback.callback.disconnected.v1",
        ]
        assert (await api.get("/callbacks"))["total"] == 0


async def test_numbers_and_names_are_masked_until_somebody_asks_for_them(tmp_path: Path) -> None:
    kept = {"privacy__numbers": "true", "privacy__names": "true"}
    async with following(tmp_path, **kept) as (peer, _, api):
        await peer.send(frame())
        page = await api.until("/callbacks", lambda body: body["total"])
        assert page["callbacks"][0]["contact"] == ["…33", "C. Q."]
        texts = [
            (await api.web.get(API + path)).text
            for path in ("/callbacks", "/callbacks/c-1", "/summary", "/alerts", "/sources")
        ]
        assert not [text for text in texts if NUMBER[1:] in text or NAME in text]
        revealed = await api.post("/callbacks/c-1/reveal", {})
        assert revealed.json()["contact"] == [NUMBER, NAME]
        assert revealed.headers["cache-control"] == "no-store"
        (deed,) = (await api.get("/audit"))["deeds"]
        assert (deed["who"], deed["action"], deed["subject"]) == ("local", "reveal", "c-1")
        assert json.loads((tmp_path / "audit.jsonl").read_text()) == deed


async def test_sources_say_what_they_do_not_hear(tmp_path: Path) -> None:
    async with following(tmp_path) as (peer, child, api):
        await peer.send(frame())
        await child.tells("callback.waiting")
        (source,) = (await api.get("/sources"))["sources"]
        assert (source["name"], source["kind"], source["hears"]) == ("main", "websocket", True)
        assert "lastFrame" in source
        assert "blindSince" not in source
    async with running(tmp_path, **to(peer.url, **FEW_RULES)) as again, asking(again) as api:
        (source,) = (await api.get("/sources"))["sources"]
        assert source["hears"] is False
        assert source["gaps"][0]["cause"] == "restart"
        assert source["gaps"][0]["from"] == source["blindSince"]
        assert source["gaps"][0]["unverified"] == 1


async def test_a_restart_leaves_no_hole_in_the_trends(tmp_path: Path) -> None:
    async with following(tmp_path) as (peer, child, api):
        await peer.send(*(frame(f"c-{number}") for number in range(3)))
        await api.until("/trends", lambda body: body["waiting"][-1] == 3)
        over = {"state": "disconnected", "disconnectedTime": "2026-11-22T08:10:00.000Z"}
        await peer.send(frame("c-1", **over))
        await api.until("/trends", lambda body: sum(body["ended"]) == 1)
        before = await api.get("/trends")
        child.process.kill()
        await child.ends()
        async with running(tmp_path, **to(peer.url, **FEW_RULES)) as again, asking(again) as later:
            after = await later.until("/trends", lambda body: body["complete"])
            assert after["from"] == before["from"]
            assert (sum(after["ended"]), after["waiting"][-1]) == (1, 2)
            assert after["oldestSeconds"][-1] >= before["oldestSeconds"][-1] > 0
            (row,) = (await later.get("/summary"))["queues"]
            assert (row["queueId"], row["states"]) == ("queue-1", {"waiting": 2})


async def test_every_event_is_as_its_schema_says_and_as_the_official_sdk_reads_it(
    tmp_path: Path,
) -> None:
    async with (
        contact_centre() as centre,
        running(tmp_path, **to(centre.url)) as child,
        asking(child) as api,
    ):
        await child.tells("callback.disconnected", 20)
        schemas = (await api.get("/schemas"))["schemas"]
        one = await api.web.get(f"{API}/schemas/ringback.callback.waiting.v1")
        assert one.json() == schemas["ringback.callback.waiting.v1"]
        summary = await api.get("/summary")
        rows = await every_row(api)
        session = await api.get("/session")
    assert session["queues"] == {}
    assert (session["name"], session["role"], session["masked"]) == ("local", "operator", False)
    validators = {kind: Draft202012Validator(schema) for kind, schema in schemas.items()}
    for line in child.lines:
        assert JSONFormat().read(None, line).get_specversion() == "1.0"
    kinds = Counter(event["type"] for event in child.events)
    for event in child.events:
        validators[event["type"]].validate(event)
    assert len(kinds) > 8
    assert abs(summary["total"] - len(rows)) < 50
    assert summary["total"] == sum(state["count"] for state in summary["states"].values())


async def every_row(api: Asking) -> dict[str, Body]:
    """Page through all; none may come twice."""
    rows: dict[str, Body] = {}
    query: Body = {"sort": "callbackId", "limit": 7}
    while True:
        page = await api.get("/callbacks", **query)
        names = [row["callbackId"] for row in page["callbacks"]]
        assert not rows.keys() & set(names)
        rows |= {row["callbackId"]: row for row in page["callbacks"]}
        if "next" not in page:
            return rows
        query["cursor"] = page["next"]


async def test_what_describes_it_says_every_path_and_loads_nothing_from_elsewhere(
    tmp_path: Path,
) -> None:
    async with following(tmp_path) as (_, _, api):
        answer = await api.web.get("/openapi.json")
        described = answer.json()
        tag = {"if-none-match": answer.headers["etag"]}
        assert (await api.web.get("/openapi.json", headers=tag)).status_code == 304
    assert described["openapi"] == "3.1.0"
    paths = (
        "/callbacks",
        "/callbacks/{callback_id}",
        "/summary",
        "/alerts",
        "/sources",
        "/schemas",
    )
    assert {API + path for path in paths} <= described["paths"].keys()
    feed = described["paths"][f"{API}/events"]["get"]
    asked = {(one["in"], one["name"]) for one in feed["parameters"]}
    assert {("header", "Last-Event-ID"), ("query", "after"), ("query", "type")} <= asked
    assert feed["responses"]["200"]["content"] == {"text/event-stream": {"schema": {}}}
    assert re.findall(r"https?://[^\"]*", answer.text) == []
