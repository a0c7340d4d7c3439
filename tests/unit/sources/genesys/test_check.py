"""What a check finds when all is well, and each thing that can be amiss, in its own words."""

from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web

from ringback.sources.findings import Finding, Level
from ringback.sources.genesys.check import Check
from ringback.sources.genesys.client import RestClient
from ringback.sources.genesys.patterns import Patterns
from support.callbacks import START
from support.platform import SECRET, FakePlatform, json_answer
from support.rest_client import talk
from support.runtime import LoopClock

CHANNELS = "/api/v2/notifications/channels"
CHANNEL = "canary-channel"
TOPIC = "v2.routing.queues.{id}.conversations"
VIEW = "conversation:communication:view"
UNKNOWN_CLIENT = json_answer({"error": "invalid_client", "description": "client not found"}, 401)
HTML = "<html><body>Please log in</body></html>"


def html(_: web.BaseRequest) -> web.StreamResponse:
    return web.Response(text=HTML, content_type="text/html")


def verdict(request: web.BaseRequest) -> web.StreamResponse:
    assert request.query["ignoreErrors"] == "true"
    topics = [f"v2.routing.queues.q{number}.conversations" for number in (1, 2)]
    return json_answer({"entities": [{"id": topic, "state": "Permitted"} for topic in topics]})(
        request
    )


def platform(**answers: Any) -> dict[str, Any]:
    """Give the routes of a platform on which all is well, but for what is said otherwise."""
    missing = json_answer({"message": "not found", "code": "not.found"}, 404)
    routes: dict[str, Any] = {
        "who": (
            "GET /api/v2/tokens/me",
            json_answer(
                {"organization": {"id": "o-1", "name": "Acme"}, "OAuthClient": {"id": "c"}},
                Date="Sun, 22 Nov 2026 08:00:00 GMT",
            ),
        ),
        "queues": (
            "GET /api/v2/routing/queues",
            {
                "entities": [{"id": "q1", "name": "Sales"}, {"id": "q2", "name": "Care"}],
                "total": 2,
                "pageCount": 1,
            },
        ),
        "available": (
            "GET /api/v2/notifications/availabletopics",
            {"entities": [{"id": TOPIC, "requiresPermissions": [VIEW]}]},
        ),
        "channels": (f"GET {CHANNELS}", {"entities": [{}, {}]}),
        "channel": (
            f"POST {CHANNELS}",
            {"id": CHANNEL, "connectUri": f"wss://streaming.example/channels/{CHANNEL}"},
        ),
        "subscribed": (f"PUT {CHANNELS}/{CHANNEL}/subscriptions", verdict),
        "unsubscribed": (f"DELETE {CHANNELS}/{CHANNEL}/subscriptions", 204),
        "observations": ("POST /api/v2/analytics/queues/observations/query", {"results": []}),
        "details": ("POST /api/v2/analytics/conversations/details/query", {}),
        "conversation": (
            "GET /api/v2/conversations/00000000-0000-4000-8000-000000000000",
            missing,
        ),
    }
    scripted = {route: answers.get(name, answer) for name, (route, answer) in routes.items()}
    if "token" in answers:
        scripted["POST /oauth/token"] = answers["token"]
    return scripted


def found(
    routes: dict[str, Any] | None = None,
    clock: LoopClock | None = None,
    patterns: Patterns | None = None,
    most_channels: int = 20,
    *,
    cleanup: bool = False,
) -> list[Finding]:
    findings: list[Finding] = []
    clock = clock or LoopClock()

    async def work(platform: FakePlatform, client: RestClient) -> None:
        check = Check(
            client,
            clock=clock,
            client_id="c",
            region="eu_central_1",
            patterns=patterns or Patterns(),
            topics="conversations",
            most_channels=most_channels,
            cleanup=cleanup,
        )
        findings.extend(await check.run())

    talk(work, routes or platform(), clock=clock)
    for finding in findings:
        for secret in (SECRET, "token-1", CHANNEL):
            assert secret not in f"{finding}"
        assert bool(finding.remedy) == (finding.level is not Level.OK)
    return findings


def only(findings: list[Finding], level: Level = Level.FAIL) -> Finding:
    chosen = [finding for finding in findings if finding.level is level]
    assert len(chosen) == 1, findings
    return chosen[0]


def test_all_is_well() -> None:
    findings = found()
    assert {finding.level for finding in findings} == {Level.OK}
    said = [f"{finding.about}: {finding.text}" for finding in findings]
    assert said[0].startswith("region: eu_central_1: login 127.0.0.1:")
    assert said[1:] == [
        "login: client c is logged in, with a token for 24 hours",
        "organisation: Acme (o-1)",
        "clock: within 2 seconds of the platform's",
        "queues: 2 of the 2 that the client sees are meant: Sales, Care",
        f"topics: {TOPIC} needs {VIEW}",
        "channels: 2 topics take 1, and one more at times; of 20, 2 are in use",
        "topics: all 2 are permitted",
        "permission: analytics:queueObservation:view, to list the callbacks that wait in queues",
        "permission: analytics:conversationDetail:view, to find scheduled callbacks",
        f"permission: {VIEW}, to read a conversation after a gap",
        said[-1],
    ]
    assert said[-1] == (
        "requests: 300 a minute are allowed by settings; this check took 10, reading the queues"
        " takes 1 each time"
    )


def test_wrong_credentials() -> None:
    findings = found(platform(token=UNKNOWN_CLIENT))
    finding = only(findings)
    assert finding is findings[-1]
    assert finding.about == "login"
    assert "not known there, or its secret is wrong" in finding.text
    assert finding.remedy.startswith("check [genesys] client_id and client_secret")


def test_a_revoked_client() -> None:
    refused = json_answer({"message": "bad"}, 401)
    token = {"access_token": "token-1", "expires_in": 60}
    finding = only(found(platform(who=refused, token=[token, UNKNOWN_CLIENT])))
    assert "accepted before and is refused now" in finding.text
    assert "was revoked" in finding.text


def test_a_token_that_is_never_accepted() -> None:
    finding = only(found(platform(who=json_answer({"message": "bad"}, 401))))
    assert (finding.about, finding.text) == (
        "API",
        "GET /api/v2/tokens/me: a fresh token is refused, too",
    )


@pytest.mark.parametrize(("answers", "about"), [({"token": html}, "login"), ({"who": html}, "API")])
def test_a_proxy_that_answers_in_html(answers: dict[str, Any], about: str) -> None:
    finding = only(found(platform(**answers)))
    assert finding.about == about
    assert "answered by HTML (HTTP 200), so something between answers" in finding.text
    assert finding.remedy.startswith("check the proxy (HTTPS_PROXY)")


@pytest.mark.parametrize(
    ("seconds", "level", "words"),
    [
        (181, Level.FAIL, "this machine's clock is 180 seconds ahead of the platform's"),
        (-180, Level.FAIL, "this machine's clock is 180 seconds behind the platform's"),
        (6, Level.WARN, "this machine's clock is 5 seconds ahead of the platform's"),
        (2, Level.OK, "within 2 seconds of the platform's"),
        (-1, Level.OK, "within 2 seconds of the platform's"),
    ],
)
def test_a_clock_that_is_wrong(seconds: float, level: Level, words: str) -> None:
    clock = LoopClock()
    clock.offset = timedelta(seconds=seconds)
    findings = [finding for finding in found(clock=clock) if finding.about == "clock"]
    assert [finding.level for finding in findings] == [level]
    assert findings[0].text == words
    assert START.strftime("%H:%M:%S") == "08:00:00"


def test_no_queue_matches() -> None:
    finding = only(found(patterns=Patterns("Sails")))
    assert finding.about == "queues"
    assert finding.text.startswith("no queue is meant: none of the 2 that the client sees matches")
    assert finding.remedy == "correct [genesys] queues; there are 'Sales', 'Care'"


def test_no_queue_may_be_seen() -> None:
    forbidden = json_answer({"message": "You must have: routing:queue:view"}, 403)
    finding = only(found(platform(queues=forbidden)))
    assert "a permission is missing: You must have: routing:queue:view" in finding.text
    finding = only(found(platform(queues={"entities": [], "total": 0, "pageCount": 0})))
    assert "sees no queue at all" in finding.text
    assert "routing:queue:view" in finding.remedy


def test_topics_that_are_rejected_are_named_with_what_is_missing() -> None:
    rejected = {
        "id": "v2.routing.queues.q2.conversations",
        "state": "Rejected",
        "missingPermissions": [VIEW],
    }
    finding = only(found(platform(subscribed={"entities": [rejected]})))
    assert finding.text == f"1 of 2 are rejected (Care): {VIEW} is missing"
    assert "give the OAuth client a role" in finding.remedy


@pytest.mark.parametrize("name", ["observations", "details", "conversation"])
def test_permissions_that_are_missing_are_named(name: str) -> None:
    finding = only(found(platform(**{name: json_answer({"message": "no"}, 403)})))
    assert finding.about == "permission"
    assert ":view is missing; it is needed to " in finding.text


def test_what_clean_up_needs_is_looked_at_when_it_is_enabled() -> None:
    path = "POST /api/v2/conversations/00000000-0000-4000-8000-000000000000/disconnect"
    name = "conversation:communication:disconnect"
    nobody = json_answer({"message": "not found", "code": "not.found"}, 404)
    well = found(platform() | {path: nobody}, cleanup=True)
    said = f"{name}, to disconnect conversations, as [cleanup] enabled lets operators"
    assert said in [finding.text for finding in well]
    finding = only(found(platform() | {path: json_answer({"message": "no"}, 403)}, cleanup=True))
    assert finding.text.startswith(f"{name} is missing; it is needed to disconnect")
    assert not [one for one in found() if name in one.text]


def test_what_cannot_be_told_is_not_claimed() -> None:
    refused = json_answer({"message": "bad query"}, 400)
    finding = only(found(platform(details=refused)), Level.WARN)
    assert finding.text.startswith("analytics:conversationDetail:view cannot be told: ")


def test_too_few_channels_are_refused_with_the_numbers() -> None:
    entities = [{"id": f"q{number}", "name": f"Queue {number}"} for number in range(1500)]
    many = {"entities": entities, "total": 1500, "pageCount": 1}
    finding = only(found(platform(queues=many), most_channels=2))
    assert finding.text == (
        "1500 topics take 2 channels, and 1 more to replace one without a gap: 3;"
        " [genesys] most_channels allows 2"
    )


def test_channels_that_others_use_are_a_warning_and_no_topic_is_tried() -> None:
    findings = found(platform(channels={"entities": [{}] * 20}, channel=500))
    warnings = [finding for finding in findings if finding.level is Level.WARN]
    assert [finding.about for finding in warnings] == ["channels", "topics"]
    assert "20 are in use already, if only by this daemon itself" in warnings[0].text
    assert not [finding for finding in findings if finding.level is Level.FAIL]


def test_a_platform_that_is_down_ends_the_check() -> None:
    findings = found(platform(who=503))
    assert only(findings) is findings[-1]
    assert "the platform answers HTTP 503" in findings[-1].text


def test_who_it_is_may_be_told_by_the_organisation() -> None:
    routes = platform(who=404) | {"GET /api/v2/organizations/me": {"id": "o-2", "name": "Other"}}
    findings = found(routes)
    assert "Other (o-2)" in [finding.text for finding in findings]
    warnings = [each for each in found(platform(who=404)) if each.level is Level.WARN]
    assert [each.about for each in warnings] == ["organisation", "clock"]


def test_a_platform_that_throttles_is_a_hint_at_others() -> None:
    throttled = json_answer({"message": "slow down"}, 429, Retry_After="1")
    finding = only(found(platform(details=[throttled, {}])), Level.WARN)
    assert finding.about == "requests"
    assert "others use this client" in finding.remedy


def test_answers_that_are_far_too_large() -> None:
    def flood(_: web.BaseRequest) -> web.StreamResponse:
        return web.Response(body=b"[" + b"0," * 9_000_000)

    finding = only(found(platform(queues=flood)))
    assert "the answer is larger than 16777216 bytes" in finding.text
