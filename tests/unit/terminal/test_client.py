"""What is asked of a daemon, over real connections: what it answers, and all that goes wrong."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from ringback.errors import DaemonError, DaemonFault
from ringback.terminal.client import Client
from ringback.terminal.showing import fetch
from ringback.terminal.stream import Reset, Told
from support.board import Centre
from support.certificates import self_signed
from support.showing import showing

TOKEN = "tok-1-secret"

Answer = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def answering(answer: Answer, context: ssl.SSLContext | None = None) -> AsyncIterator[str]:
    """Serve one answer to whatever is asked; give the address."""
    runner = web.ServerRunner(web.Server(answer), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context)
    await site.start()
    port = runner.addresses[0][1]
    try:
        yield f"{'https' if context else 'http'}://127.0.0.1:{port}"
    finally:
        await runner.cleanup()


def saying(
    status: int, text: str = "", kind: str = "application/problem+json", **headers: str
) -> Answer:
    async def answer(_: web.BaseRequest) -> web.StreamResponse:
        return web.Response(status=status, text=text, content_type=kind, headers=headers)

    return answer


async def refused(url: str, token: str = "") -> DaemonError:
    async with Client(url, token, timeout=2) as client:
        with pytest.raises(DaemonError) as caught:
            await client.session()
    assert TOKEN not in str(caught.value)
    return caught.value


def problem(detail: str) -> str:
    return f'{{"type":"about:blank","title":"T","detail":"{detail}"}}'


@pytest.mark.parametrize(
    ("answer", "token", "fault", "words"),
    [
        (saying(401, problem("No.")), "", DaemonFault.UNAUTHORIZED, "--token-file or RINGBACK_"),
        (saying(401, problem("No.")), TOKEN, DaemonFault.UNAUTHORIZED, "not one of the daemon's"),
        (saying(403, problem("Only operators.")), TOKEN, DaemonFault.FORBIDDEN, "Only operators"),
        (saying(404, problem("No callback a.")), "", DaemonFault.NOT_FOUND, "No callback a;"),
        (saying(400, problem("Bad query.")), "", DaemonFault.REFUSED, "(400): Bad query."),
        (saying(503, problem("Loading.")), "", DaemonFault.NOT_READY, "not ready: Loading;"),
        (saying(500, problem("Oh.")), "", DaemonFault.FAILED, "its log says why"),
        (saying(404, "<p>", "text/html"), "", DaemonFault.NOT_RINGBACK, "status 404, text/html"),
        (saying(200, "<p>", "text/html"), "", DaemonFault.NOT_RINGBACK, "a login page may be in"),
        (
            saying(302, "", "text/html", Location="https://sso.example.org/login?x=1"),
            TOKEN,
            DaemonFault.NOT_RINGBACK,
            "(a redirect to sso.example.org)",
        ),
        (saying(200, "{}", "application/json"), "", DaemonFault.NOT_RINGBACK, "cannot read"),
        (saying(502, "<", "application/problem+json"), "", DaemonFault.NOT_RINGBACK, "status 502"),
    ],
)
async def test_each_refusal_says_what_to_do(
    answer: Answer, token: str, fault: DaemonFault, words: str
) -> None:
    async with answering(answer) as url:
        error = await refused(url, token)
    assert error.fault is fault
    assert words in str(error)


async def test_nobody_at_the_address() -> None:
    async with answering(saying(200)) as url:
        pass
    error = await refused(url)
    assert error.fault is DaemonFault.UNREACHABLE
    assert "check that the daemon runs" in str(error)


async def test_a_name_that_there_is_not() -> None:
    error = await refused("http://ringback.invalid:1")
    assert error.fault is DaemonFault.UNREACHABLE
    assert "cannot be resolved" in str(error)


async def test_a_daemon_that_says_nothing() -> None:
    enough = asyncio.Event()

    async def wait(_: web.BaseRequest) -> web.StreamResponse:
        await enough.wait()
        return web.Response()

    async with answering(wait) as url, Client(url, timeout=0.05) as client:
        with pytest.raises(DaemonError, match="does not answer in time") as caught:
            await client.session()
        enough.set()
    assert caught.value.fault is DaemonFault.TIMED_OUT


async def test_a_certificate_is_checked_with_the_authority_that_is_given(tmp_path: Path) -> None:
    certificate, context = self_signed(tmp_path)
    answer = saying(200, '{"position":1,"now":"2026-11-25T14:00:00Z"}', "application/json")
    async with answering(answer, context) as url:
        error = await refused(url)
        trust = ssl.create_default_context(cafile=certificate)
        async with Client(url, trust=trust) as client:
            assert (await client.session()).position == 1
    assert error.fault is DaemonFault.TLS
    assert "(self-signed certificate); give the authority" in str(error)


async def test_the_token_goes_in_its_header_and_nowhere_else() -> None:
    asked = list[web.BaseRequest]()

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        asked.append(request)
        return web.json_response({"position": 1, "now": "2026-11-25T14:00:00Z", "name": "anna"})

    async with answering(answer) as url, Client(url + "/behind/", TOKEN) as client:
        assert (await client.session()).name == "anna"
    assert asked[0].headers["Authorization"] == f"Bearer {TOKEN}"
    assert asked[0].rel_url.raw_path_qs == "/behind/api/v1/session"


async def test_every_page_is_read_and_the_position_is_the_first_ones() -> None:
    centre = Centre(2345)
    async with showing(centre) as url, Client(url) as client:
        snapshot = await client.callbacks()
    assert {row.callback_id for row in snapshot.callbacks} == centre.rows.keys()


async def test_the_feed_goes_on_from_a_position() -> None:
    centre = Centre(3)
    one = next(iter(centre.rows))
    async with showing(centre) as url, Client(url) as client:
        for state in ("waiting", "alerting", "connected"):
            await centre.enter(one, state)
        seen = list[Told]()
        async with aclosing(client.follow(1)) as batches:
            async for batch in batches:
                seen += [each for each in batch if isinstance(each, Told)]
                if len(seen) >= 2:
                    break
    assert [(each.position, each.event.data.state) for each in seen] == [
        (2, "alerting"),
        (3, "connected"),
    ]


async def test_what_is_gone_is_said_and_ends_the_feed() -> None:
    centre = Centre(1)
    await centre.enter(next(iter(centre.rows)), "waiting")
    centre.forget()
    async with (
        showing(centre) as url,
        Client(url) as client,
        aclosing(client.follow(0)) as batches,
    ):
        said = [each for batch in [batch async for batch in batches] for each in batch]
    assert said == [Reset("it is gone")]


async def drain(client: Client) -> None:
    async with aclosing(client.follow(0)) as batches:
        async for _ in batches:
            pass


async def test_a_feed_that_falls_silent_is_a_dead_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ringback.terminal.client.SILENCE_SECONDS", 0.1)
    centre = Centre(1)
    centre.beating = False
    async with showing(centre) as url, Client(url) as client:
        with pytest.raises(DaemonError, match="does not answer in time"):
            await drain(client)


async def test_a_part_of_an_id_is_enough_when_only_one_has_it() -> None:
    ids = ["abc1-x", "abc2-y", "zz-abc1"]

    async def answer(request: web.BaseRequest) -> web.StreamResponse:
        head = {"position": 1, "now": "2026-11-25T14:00:00Z"}
        wanted = request.path.rpartition("/")[2]
        if wanted != "callbacks":
            if wanted in ids:
                return web.json_response(head | {"id": wanted})
            return await saying(404, problem("There is none."))(request)
        rows = [
            {"callbackId": each, "conversationId": each, "state": "waiting"}
            | {"since": head["now"], "queueId": "queue-q"}
            for each in ids
            if request.query["q"] in f"{each} queue-q"
        ]
        return web.json_response(head | {"callbacks": rows})

    async with answering(answer) as url, Client(url) as client:
        assert b"abc2-y" in await fetch(client, "abc2-y")
        assert b"abc2-y" in await fetch(client, "abc2")
        assert b"abc1-x" in await fetch(client, "abc1")
        with pytest.raises(DaemonError, match=r"several callbacks have abc .* abc1-x, abc2-y, zz"):
            await fetch(client, "abc")
        with pytest.raises(
            DaemonError, match=r"no callback has queue-q for an id .*; .* needs its whole id"
        ):
            await fetch(client, "queue-q")
