"""What a request gives or raises, how often it is tried, and that no secret gets out."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web

from ringback.errors import PlatformError, PlatformFault
from ringback.sources.genesys.budget import Urgency
from ringback.sources.genesys.client import RestClient, read_as
from ringback.sources.genesys.faults import name_of
from ringback.wire.rest import Channel
from support.callbacks import START
from support.platform import SECRET, FakePlatform, json_answer
from support.rest_client import talk

THING = "GET /api/v2/things"


def html(status: int = 200) -> Callable[[web.BaseRequest], web.Response]:
    return lambda _: web.Response(
        status=status, text="<html><body>Please log in</body></html>", content_type="text/html"
    )


async def refusal(client: RestClient, method: str = "GET", path: str = "/api/v2/things") -> Any:
    with pytest.raises(PlatformError) as caught:
        await client.request(method, path)
    error = caught.value
    assert SECRET not in str(error)
    assert "token-" not in str(error)
    return error


def test_an_answer_is_given_with_its_times() -> None:
    async def work(platform: FakePlatform, client: RestClient) -> None:
        await asyncio.sleep(7)
        answer = await client.request("GET", "/api/v2/things", query={"pageSize": "2"})
        assert (answer.status, answer.body) == (200, b'{"a": 1}')
        assert answer.sent_at == START + timedelta(seconds=7)
        assert answer.date == datetime(2026, 11, 22, 8, 1, 2, tzinfo=UTC)
        assert platform.asked[-1] == (THING, {"pageSize": "2"}, b"")
        assert client.requests == {(THING, "2xx"): 1}
        assert (client.tokens, client.token_generation) == (1, 1)
        assert client.token_made_at == START + timedelta(seconds=7)
        assert client.token_expires == START + timedelta(seconds=7, days=1)

    talk(work, {THING: json_answer({"a": 1}, Date="Sun, 22 Nov 2026 08:01:02 GMT")})


def test_nothing_in_the_answer_is_no_error() -> None:
    async def work(platform: FakePlatform, client: RestClient) -> None:
        assert (await client.request("DELETE", "/api/v2/things")).body == b""
        assert (await client.request("HEAD", "/api/v2/things")).status == 200

    talk(work, {"DELETE /api/v2/things": 204, "HEAD /api/v2/things": 200})


@pytest.mark.parametrize(
    ("answer", "fault", "words"),
    [
        (
            json_answer({"message": "You are missing: routing:queue:view", "status": 403}, 403),
            PlatformFault.FORBIDDEN,
            "a permission is missing: You are missing: routing:queue:view; give the OAuth client a",
        ),
        (404, PlatformFault.NOT_FOUND, "there is none; it may be gone"),
        (json_answer({"message": "bad interval"}, 400), PlatformFault.REFUSED, "bad interval"),
        (json_answer({"message": SECRET}, 400), PlatformFault.REFUSED, "(HTTP 400); report"),
        (413, PlatformFault.TOO_LARGE, "larger than the platform takes"),
        (html(200), PlatformFault.NOT_JSON, "answered by HTML (HTTP 200)"),
        (html(403), PlatformFault.NOT_JSON, "check the proxy"),
        (html(401), PlatformFault.NOT_JSON, "check the proxy"),
        (
            lambda _: web.Response(status=302, headers={"Location": "/login"}),
            PlatformFault.NOT_JSON,
            "something between answers",
        ),
        (lambda _: web.Response(body=b"x" * 2000), PlatformFault.TOO_LARGE, "than 1000 bytes"),
    ],
)
def test_what_is_for_good_is_raised_at_once(answer: Any, fault: PlatformFault, words: str) -> None:
    async def work(platform: FakePlatform, client: RestClient) -> None:
        error = await refusal(client)
        assert error.fault is fault
        assert words in str(error)
        assert str(error).startswith("GET /api/v2/things: ")
        assert platform.times(THING) == 1

    talk(work, {THING: answer}, most_bytes=1000)


def test_the_platforms_words_are_quoted_without_the_id_of_the_request() -> None:
    async def work(platform: FakePlatform, client: RestClient) -> None:
        error = await refusal(client, path="/api/v2/channels/streaming-5-xyz/subscriptions")
        assert error.request == "GET /api/v2/channels/{id}/subscriptions"
        assert "Channel … is not yours" in str(error)
        assert "xyz" not in str(error)

    said = {"message": "Channel\n streaming-5-xyz is not yours"}
    talk(work, {"GET /api/v2/channels/streaming-5-xyz/subscriptions": [json_answer(said, 404)]})


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_what_may_pass_is_tried_again(status: int) -> None:
    async def work(platform: FakePlatform, client: RestClient) -> None:
        answer = await client.request("GET", "/api/v2/things")
        assert answer.body == b"[]"
        assert client.retries == 3
        assert client.requests == {(THING, "5xx"): 3, (THING, "2xx"): 1}
        assert 0 < asyncio.get_running_loop().time() < 0.5 + 1 + 2

    talk(work, {THING: [status, status, status, []]})


@pytest.mark.parametrize(("method", "times"), [("GET", 4), ("PUT", 4), ("POST", 1)])
def test_but_not_for_ever_and_not_what_could_be_done_twice(method: str, times: int) -> None:
    async def work(platform: FakePlatform, client: RestClient) -> None:
        error = await refusal(client, method)
        assert (error.fault, error.status) == (PlatformFault.SERVER, 500)
        assert platform.times(f"{method} /api/v2/things") == times

    talk(work, {f"{method} /api/v2/things": 500})


def test_a_post_is_tried_again_when_it_was_not_taken_or_only_asks() -> None:
    async def work(platform: FakePlatform, client: RestClient) -> None:
        assert (await client.request("POST", "/api/v2/things")).body == b"{}"
        assert (await client.request("POST", "/api/v2/things/query", body=b"{}")).body == b"{}"
        assert platform.asked[-1][2] == b"{}"

    talk(work, {"POST /api/v2/things": [503, {}], "POST /api/v2/things/query": [500, {}]})


async def slow(_: web.BaseRequest) -> web.StreamResponse:
    await asyncio.sleep(60)
    raise AssertionError


async def dropped(request: web.BaseRequest) -> web.StreamResponse:
    assert request.transport is not None
    request.transport.close()
    return web.Response()


ENDING = "POST /api/v2/things/t-1/end"


async def asked_once(client: RestClient) -> Any:
    return await client.request_once(
        "POST",
        "/api/v2/things/t-1/end",
        within=5,
        urgency=Urgency.REPAIR,
        name="/api/v2/things/{id}/end",
    )


@pytest.mark.parametrize("status", [401, 429, 500, 503])
def test_what_is_asked_once_is_never_tried_again(status: int) -> None:
    async def work(platform: FakePlatform, client: RestClient) -> None:
        with pytest.raises(PlatformError) as caught:
            await asked_once(client)
        assert caught.value.status == status
        assert caught.value.request == "POST /api/v2/things/{id}/end"
        assert platform.times(ENDING) == 1
        if status == 429:
            await asyncio.sleep(10)
        assert (await asked_once(client)).status == 202
        assert client.tokens == (2 if status == 401 else 1)

    talk(work, {ENDING: [json_answer({"message": "no"}, status), 202]})


def test_what_is_asked_once_is_not_asked_late() -> None:
    async def work(platform: FakePlatform, client: RestClient) -> None:
        for _ in range(10):
            await client.request("GET", "/api/v2/things", urgency=Urgency.CHANNEL)
        with pytest.raises(PlatformError, match="did not come within 5 seconds") as caught:
            await asked_once(client)
        assert caught.value.fault is PlatformFault.THROTTLED
        await asyncio.sleep(60)
        assert platform.times(ENDING) == 0
        assert (await asked_once(client)).status == 202

    talk(work, {THING: {}, ENDING: 202}, per_minute=10)


def test_silence_and_broken_connections_are_tried_again() -> None:
    async def work(platform: FakePlatform, client: RestClient) -> None:
        assert (await client.request("GET", "/api/v2/things")).body == b"[]"
        assert client.requests[THING, "timed_out"] == 1
        assert client.requests[THING, "unreachable"] >= 1
        assert asyncio.get_running_loop().time() > 15

    talk(work, {THING: [slow, dropped, dropped, []]})


def test_always_silent_is_named() -> None:
    async def work(platform: FakePlatform, client: RestClient) -> None:
        error = await refusal(client)
        assert error.fault is PlatformFault.TIMED_OUT
        assert "no answer within 15 seconds" in str(error)

    talk(work, {THING: [slow]})


def test_nobody_there_is_named() -> None:
    async def work(platform: FakePlatform, client: RestClient) -> None:
        await client.log_in()
        await platform.__aexit__()
        error = await refusal(client)
        assert error.fault is PlatformFault.UNREACHABLE
        assert "127.0.0.1 cannot be connected to; check the network" in str(error)
        await platform.__aenter__()

    talk(work)


def test_429_waits_as_asked_and_so_does_everyone_else() -> None:
    async def work(platform: FakePlatform, client: RestClient) -> None:
        loop = asyncio.get_running_loop()
        first = loop.create_task(client.request("GET", "/api/v2/things"))
        await asyncio.sleep(1)
        await client.request("GET", "/api/v2/others", urgency=Urgency.CHANNEL)
        assert 5 <= loop.time() < 6
        await first
        assert client.throttled == 1

    throttled = json_answer({"message": "slow down"}, 429, Retry_After="5")
    talk(work, {THING: [throttled, []], "GET /api/v2/others": []})


def test_429_for_ever_is_throttled() -> None:
    async def work(platform: FakePlatform, client: RestClient) -> None:
        error = await refusal(client)
        assert error.fault is PlatformFault.THROTTLED
        assert platform.times(THING) == 4
        assert client.throttled == 4
        assert "lower [genesys] requests_per_minute" in str(error)
        assert asyncio.get_running_loop().time() >= 3

    talk(work, {THING: 429})


def test_a_token_that_is_refused_is_replaced_once() -> None:
    async def work(platform: FakePlatform, client: RestClient) -> None:
        await client.log_in()
        platform.revoked.add("token-1")
        await client.request("GET", "/api/v2/things")
        assert (client.tokens, client.token_generation) == (2, 2)
        platform.revoked |= {"token-2", "token-3"}
        error = await refusal(client)
        assert (error.fault, error.status) == (PlatformFault.UNAUTHORIZED, 401)
        assert "check that the OAuth client is not revoked" in str(error)
        assert client.tokens == 3

    talk(work, {THING: []})


def test_an_answer_of_another_shape_is_named() -> None:
    async def work(platform: FakePlatform, client: RestClient) -> None:
        answer = await client.request("GET", "/api/v2/things")
        with pytest.raises(PlatformError, match="not what the platform documents") as caught:
            read_as(answer, Channel, THING)
        assert caught.value.fault is PlatformFault.WRONG_SHAPE
        answer = await client.request("GET", "/api/v2/things")
        assert read_as(answer, Channel, THING).id == "c"

    talk(work, {THING: [{"id": 5}, {"id": "c", "expires": None, "more": {}}]})


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/api/v2/notifications/channels", "/api/v2/notifications/channels"),
        ("/api/v2/routing/queues/5e?x=1", "/api/v2/routing/queues/{id}"),
        (
            "/api/v2/conversations/4c9e3b52-0000-4000-8000-000000000000",
            "/api/v2/conversations/{id}",
        ),
    ],
)
def test_names_are_without_ids(path: str, name: str) -> None:
    assert name_of("GET", path) == f"GET {name}"
