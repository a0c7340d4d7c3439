"""The daemon as a process tells receivers of alerts: all of it, and each on its own."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from ringback.core.events import rfc3339
from support.daemon import SOON, Child, execute, running
from support.endpoint import Endpoint
from support.gateway import Gateway, gateway, to
from support.stuck import AT_ONCE, freed, stuck

KEY = "whsec_a2V5LWtleS1rZXkta2V5LWtleS1rZXkta2V5"


def receiver(name: str, kind: str, url: str, **more: Any) -> dict[str, Any]:
    """Give the settings of a receiver that is told at once."""
    given = {"kind": kind, "url": url, "allow_private": "true", "group_seconds": 0.2} | more
    return {f"receivers__{name}__{key}": value for key, value in given.items()}


async def until(seen: Callable[[], object]) -> None:
    async with asyncio.timeout(SOON):
        while not seen():  # noqa: ASYNC110  # another process is waited for
            await asyncio.sleep(0.02)


def told(there: Endpoint) -> list[tuple[str, str]]:
    """Give what a webhook was told: callback and status, in order."""
    return [
        (alert["callbackId"], alert["status"])
        for posted in there.posted
        for alert in posted.json["data"]["alerts"]
    ]


def recordings(folder: Path, begin: str = "day.") -> list[str]:
    """Give the names of files, in order."""
    return sorted(path.name for path in folder.iterdir() if path.name.startswith(begin))


async def shown(child: Child, path: str) -> Any:
    answer = await child.get(f"/api/v1/{path}")
    assert answer.status_code == 200, answer.text
    return answer.json()


async def receivers(child: Child) -> dict[str, Any]:
    """Give what is said of each receiver, by name."""
    return {one["name"]: one for one in (await shown(child, "receivers"))["receivers"]}


async def ask(child: Child, method: str, path: str, body: Any = None) -> httpx.Response:
    async with httpx.AsyncClient(base_url=await child.url(), trust_env=False, timeout=SOON) as web:
        return await web.request(method, f"/api/v1/{path}", json=body)


async def test_an_alert_is_told_with_its_links_and_so_is_its_end(tmp_path: Path) -> None:
    async with (
        gateway() as peer,
        Endpoint() as there,
        running(
            tmp_path,
            **to(peer.url, **AT_ONCE, source__org="acme", web__address="https://rb.example.org/"),
            **receiver("ops", "webhook", there.url, secret=KEY),
        ) as child,
    ):
        await peer.send(stuck("c-1"))
        await until(lambda: told(there) == [("c-1", "firing")])
        data = there.posted[0].json["data"]
        assert (data["org"], data["alerts"][0]["queue"]) == ("acme", "queue-1")
        assert data["alerts"][0]["dashboard"] == "https://rb.example.org/?open=c-1"
        assert "webhook-signature" in there.posted[0].headers
        await peer.send(freed("c-1"))
        await until(lambda: told(there) == [("c-1", "firing"), ("c-1", "resolved")])
        assert there.posted[1].json["data"]["alerts"][0]["reason"] == "waiting"
        metrics = (await child.get("/metrics")).text
        assert 'ringback_messages_sent_total{receiver="ops"} 2.0' in metrics


async def test_one_that_is_down_slow_or_mad_holds_up_no_other(tmp_path: Path) -> None:
    async with (
        gateway() as peer,
        Endpoint() as good,
        Endpoint(status=500, body=b"canary") as broken,
        Endpoint(status=429, body=b"") as busy,
        Endpoint(status=400, body=b"canary") as fussy,
        Endpoint(body=b"<html>canary</html>") as mad,
        Endpoint(*["hang up"] * 100) as rude,
        Endpoint(silent=True) as slow,
    ):
        quick = {"give_up_seconds": 3, "timeout_seconds": 0.5, "most_per_minute": 600}
        settings = {
            **receiver("good", "webhook", good.url),
            **receiver("broken", "webhook", broken.url, **quick),
            **receiver("busy", "webhook", busy.url, **quick),
            **receiver("fussy", "webhook", fussy.url, **quick),
            **receiver("mad", "slack", mad.url, **quick),
            **receiver("rude", "webhook", rude.url, **quick),
            **receiver("slow", "webhook", slow.url, **quick),
            **receiver("down", "webhook", "http://127.0.0.1:9", **quick),
        }
        async with running(tmp_path, **to(peer.url, **AT_ONCE), **settings) as child:
            for number in range(3):
                await peer.send(stuck(f"c-{number}"))
                await until(lambda: len(told(good)) == number + 1)  # noqa: B023  # waited for at once
            dead: dict[str, str] = {}
            async with asyncio.timeout(SOON):
                while len(dead) < 7:
                    dead = {
                        name: one["deadLetters"][0]["why"]
                        for name, one in (await receivers(child)).items()
                        if one["deadLetters"]
                    }
                    await asyncio.sleep(0.1)
            assert dead == {
                "broken": "HTTP 500: it is in trouble",
                "busy": "HTTP 429: it is told too much",
                "fussy": "HTTP 400: it does not accept this message",
                "mad": "it does not answer as Slack does",
                "rude": "the connection to 127.0.0.1 broke before the answer was there",
                "slow": "no answer in 0.5 s",
                "down": "127.0.0.1 cannot be connected to",
            }
            await good_again(child, peer, good, fussy, broken)
    for text in (child.out, child.err):
        assert b"canary" not in text


async def good_again(
    child: Child, peer: Gateway, good: Endpoint, fussy: Endpoint, broken: Endpoint
) -> None:
    """See that what still fires is told anew once it is taken, and what was refused is not."""
    broken.status = fussy.status = 200
    told_before = len(broken.posted)
    await until(
        lambda: (
            {
                alert["callbackId"]
                for posted in broken.posted[told_before:]
                for alert in posted.json["data"]["alerts"]
            }
            == {"c-0", "c-1", "c-2"}
        )
    )
    await peer.send(freed("c-0"))
    await until(lambda: ("c-0", "resolved") in told(fussy))
    await until(lambda: ("c-0", "resolved") in told(good))
    letters = {name: one["deadLetters"] for name, one in (await receivers(child)).items()}
    assert letters["good"] == []
    first = letters["fussy"][0]
    assert (first["tries"], first["alertCount"]) == (1, 1)
    assert first["alerts"][0]["alertId"] == "c-0/due_not_released/1"
    path = f"receivers/fussy/dead/{first['number']}"
    assert (await ask(child, "DELETE", path)).status_code == 200
    assert (await ask(child, "DELETE", path)).status_code == 404


async def test_a_silence_holds_back_and_lets_go_over_restarts_and_is_replayed(
    tmp_path: Path,
) -> None:
    async with gateway() as peer, Endpoint() as there:
        settings = to(
            peer.url, **AT_ONCE, record__path="day.jsonl", **receiver("ops", "webhook", there.url)
        )
        async with running(tmp_path, **settings) as child:
            until_ = rfc3339(datetime.now(UTC) + timedelta(hours=1))
            body = {
                "matchers": [
                    {"field": "rule", "value": "due_", "prefix": True},
                    {"field": "queue", "value": "queue-2"},
                ],
                "until": until_,
                "comment": "known",
            }
            await child.says("board_loaded")
            made = (await ask(child, "POST", "silences", body)).json()["silence"]
            assert (made["by"], made["until"], made["alerts"]) == ("local", until_, 0)
            await peer.send(stuck("c-1", "queue-2"), stuck("c-2", "queue-2"), stuck("c-3"))
            await until(lambda: told(there) == [("c-3", "firing")])
            marks = {
                alert["callbackId"]: alert.get("silencedUntil")
                for alert in (await shown(child, "alerts"))["alerts"]
            }
            assert marks == {"c-1": until_, "c-2": until_, "c-3": None}
            (silence,) = (await shown(child, "silences"))["silences"]
            assert (silence["id"], silence["alerts"]) == (made["id"], 2)
            # What is recorded is written every second.
            await until(lambda: b'"silence"' in (tmp_path / "day.jsonl").read_bytes())
            child.process.kill()
            await child.ends()
        async with running(tmp_path, **settings) as child:
            await peer.send(stuck("c-1", "queue-2"), stuck("c-2", "queue-2"), stuck("c-3"))
            await peer.send(freed("c-2", "queue-2"))
            await child.tells("alert.resolved")
            async with asyncio.timeout(SOON):
                while (await receivers(child))["ops"]["heldBack"] != 1:  # noqa: ASYNC110  # as above
                    await asyncio.sleep(0.05)
            assert [one["id"] for one in (await shown(child, "silences"))["silences"]] == [
                made["id"]
            ]
            ended = await ask(child, "DELETE", f"silences/{made['id']}")
            assert ended.json()["silence"]["id"] == made["id"]
            await until(lambda: told(there) == [("c-3", "firing"), ("c-1", "firing")])
            assert (await ask(child, "DELETE", f"silences/{made['id']}")).status_code == 404
            deeds = [
                (deed["who"], deed["action"], deed["subject"])
                for deed in (await shown(child, "audit"))["deeds"]
            ]
            assert deeds == [
                ("local", "end_silence", made["id"]),
                ("local", "silence", f"rule=due_* queue=queue-2 until {until_}"),
            ]
            child.process.terminate()
            assert await child.ends() == 0
        parts = recordings(tmp_path)
        code, _, said = await execute(tmp_path, "replay", *parts)
        assert (len(parts), code) == (2, 0), said


async def test_an_acknowledged_incident_is_acknowledged_there(tmp_path: Path) -> None:
    success = b'{"status":"success","message":"Event processed","dedup_key":"x"}'
    async with gateway() as peer, Endpoint(status=202, body=success) as there:
        pager = receiver("night", "pagerduty", there.url, secret="k" * 32)
        async with running(tmp_path, **to(peer.url, **AT_ONCE), **pager) as child:
            await peer.send(stuck("c-1"))
            await until(lambda: there.posted)
            key = there.posted[0].json["dedup_key"]
            assert key == "c-1/due_not_released/1"
            await ask(child, "POST", "alerts/acknowledge", {"alertId": key})
            await until(lambda: len(there.posted) == 2)
            await peer.send(freed("c-1"))
            await until(lambda: len(there.posted) == 3)
        deeds = [(one.json["event_action"], one.json["dedup_key"]) for one in there.posted]
        assert deeds == [("trigger", key), ("acknowledge", key), ("resolve", key)]


async def test_a_receiver_that_can_never_work_is_refused_before_anything_is_made(
    tmp_path: Path,
) -> None:
    for name, kind, url, more, words in (
        ("ops", "webhook", "http://127.0.0.1:1/canary", {"allow_private": "false"}, "is http://"),
        ("ops", "webhook", "https://127.0.0.1/canary", {"allow_private": "false"}, "private"),
        ("ops", "webhook", "https://x.example.org", {"secret": "canary"}, "base64"),
        ("ops", "pagerduty", "", {"secret": "canary"}, "integration key"),
        ("ops", "stdout", "", {}, "turn [sinks] stdout off"),
        (
            "ops",
            "email",
            "smtp://mail.example.org",
            {"sender": "a b@c", "to": "d@e"},
            "no mail address",
        ),
    ):
        settings = receiver(name, kind, url, **more)
        code, _, said = await execute(tmp_path, "run", **settings)
        assert code == 2, said
        assert f"receivers.{name}." in said
        assert words in said
        assert "canary" not in said
    assert recordings(tmp_path, "") == []
