"""How a token is come by, kept and renewed, and what is said when there is none."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from aiohttp import web

from ringback.errors import PlatformError, PlatformFault
from ringback.sources.genesys.exchange import Exchange
from ringback.sources.genesys.login import Credentials, Login
from support.callbacks import START
from support.platform import SECRET, FakePlatform, json_answer
from support.runtime import LoopClock
from support.virtual import run_virtually

ROUTE = "POST /oauth/token"
UNKNOWN = json_answer(
    {"error": "invalid_client", "description": "client not found: invalid_client"}, 400
)

Work = Callable[[FakePlatform, Login], Awaitable[None]]


def talk(work: Work, answers: Any = None, life: int = 86_400) -> None:
    async def both() -> None:
        async with (
            FakePlatform(None if answers is None else {ROUTE: answers}) as platform,
            Exchange(LoopClock(), 15, 1 << 20) as exchange,
        ):
            platform.life = life
            await work(
                platform,
                Login(
                    platform.hosts,
                    Credentials("client-1", SECRET),
                    exchange,
                    clock=LoopClock(),
                    chance=random.Random(1),
                ),
            )

    run_virtually(both())


async def refusal(login: Login) -> PlatformError:
    with pytest.raises(PlatformError) as caught:
        await login.token()
    assert SECRET not in str(caught.value)
    return caught.value


def test_a_token_is_fetched_once_for_all_who_ask() -> None:
    async def work(platform: FakePlatform, login: Login) -> None:
        tokens = await asyncio.gather(*(login.token() for _ in range(50)))
        assert {token.text for token in tokens} == {"token-1"}
        assert platform.times(ROUTE) == login.fetched == 1
        assert platform.asked[0][2] == b"grant_type=client_credentials"
        token = tokens[0]
        assert (token.generation, token.made_at) == (1, START)
        assert token.expires == START + timedelta(days=1)

    talk(work)


def test_id_and_secret_go_by_basic_authentication() -> None:
    seen = list[str]()

    def answer(request: web.BaseRequest) -> web.StreamResponse:
        seen.append(request.headers["Authorization"])
        return json_answer({"access_token": "t", "token_type": "bearer"})(request)

    async def work(platform: FakePlatform, login: Login) -> None:
        token = await login.token()
        assert seen == ["Basic Y2xpZW50LTE6Y2FuYXJ5LXNlY3JldA=="]
        # Without a word about its life it is taken for the usual one.
        assert token.expires == START + timedelta(days=1)

    talk(work, answer)


def test_it_is_renewed_long_before_it_expires_by_whoever_asks_next() -> None:
    async def work(platform: FakePlatform, login: Login) -> None:
        await login.token()
        await asyncio.sleep(899)
        assert (await login.token()).text == "token-1"
        await asyncio.sleep(2)
        assert platform.times(ROUTE) == 1
        token = await login.token()
        assert (token.text, token.generation) == ("token-2", 2)
        assert token.made_at == START + timedelta(seconds=901)

    talk(work, life=1000)


def test_while_it_cannot_be_renewed_the_old_one_serves_to_its_end() -> None:
    async def work(platform: FakePlatform, login: Login) -> None:
        await login.token()
        platform.script(ROUTE, 404)
        await asyncio.sleep(900)
        assert (await login.token()).text == "token-1"
        assert (await login.token()).text == "token-1"
        assert platform.times(ROUTE) == 2  # not asked again at once
        await asyncio.sleep(31)
        assert (await login.token()).text == "token-1"
        assert platform.times(ROUTE) == 3
        await asyncio.sleep(70)
        assert (await refusal(login)).fault is PlatformFault.REFUSED
        assert login.failures == 3

    talk(work, life=1000)


def test_a_refused_token_is_replaced_whoever_reports_it() -> None:
    async def work(platform: FakePlatform, login: Login) -> None:
        first = await login.token()
        login.refused(first)
        second = await login.token()
        login.refused(first)  # late news
        assert (await login.token()) is second
        assert (second.generation, platform.times(ROUTE)) == (2, 2)

    talk(work)


def test_wrong_credentials_are_named_and_not_tried_again() -> None:
    async def work(platform: FakePlatform, login: Login) -> None:
        errors = await asyncio.gather(*(refusal(login) for _ in range(5)))
        assert platform.times(ROUTE) == 1  # those who waited share it
        assert {error.fault for error in errors} == {PlatformFault.CREDENTIALS}
        assert str(errors[4]) == (
            "POST /oauth/token: the OAuth client is not known there, or its secret is wrong"
            " (HTTP 400, invalid_client); check [genesys] client_id and client_secret, that the"
            " client's grant type is Client Credentials, and that it belongs to the organisation's"
            " region"
        )

    talk(work, UNKNOWN)


def test_a_client_that_was_good_is_said_to_be_revoked() -> None:
    async def work(platform: FakePlatform, login: Login) -> None:
        login.refused(await login.token())
        platform.script(ROUTE, UNKNOWN)
        error = await refusal(login)
        assert error.fault is PlatformFault.CREDENTIALS
        assert "was revoked or disabled, or has a new secret" in str(error)

    talk(work)


@pytest.mark.parametrize(
    ("answer", "fault", "words"),
    [
        (500, PlatformFault.SERVER, "the login host answers HTTP 500"),
        (404, PlatformFault.REFUSED, "check [genesys] region, or login_url"),
        (
            lambda _: web.Response(text="<html>", content_type="text/html"),
            PlatformFault.NOT_JSON,
            "answered by HTML (HTTP 200)",
        ),
        (
            lambda _: web.Response(status=401, text="<html>", content_type="text/html"),
            PlatformFault.NOT_JSON,
            "check the proxy",
        ),
        ({"token": "t"}, PlatformFault.WRONG_SHAPE, "holds no token"),
        ({"access_token": 5}, PlatformFault.NOT_JSON, "other than JSON"),
        (429, PlatformFault.THROTTLED, "logs in with this client so often"),
    ],
)
def test_what_else_goes_wrong_is_named(answer: Any, fault: PlatformFault, words: str) -> None:
    async def work(platform: FakePlatform, login: Login) -> None:
        error = await refusal(login)
        assert error.fault is fault
        assert words in str(error)

    talk(work, answer)


def test_what_passes_is_waited_for() -> None:
    async def work(platform: FakePlatform, login: Login) -> None:
        await login.token()
        assert asyncio.get_running_loop().time() >= 7
        assert platform.times(ROUTE) == 4

    throttled = json_answer({}, 429, Retry_After="7")
    talk(work, [500, throttled, 503, {"access_token": "t", "expires_in": 60}])


def test_secrets_do_not_show() -> None:
    async def work(platform: FakePlatform, login: Login) -> None:
        token = await login.token()
        assert "token-1" not in repr(token)
        assert SECRET not in repr(Credentials("client-1", SECRET))

    talk(work)
