"""A daemon that asks who is there, as a process: over every route, as everybody."""

import asyncio
import ssl
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from support.access import TOKENS, bearer, tokens_file
from support.certificates import make_certificate
from support.daemon import Child, execute, running

ROLES = ("nobody", *TOKENS)


def asking(**settings: Any) -> dict[str, Any]:
    """Give the settings of a daemon that is quick to follow."""
    return {"sinks__stdout": "off", "store__kind": "memory"} | settings


async def asked(child: Child, path: str, role: str = "nobody", **headers: str) -> httpx.Response:
    async with httpx.AsyncClient(base_url=await child.url(), trust_env=False) as web:
        return await web.get(path, headers=bearer(role) | headers)


async def test_a_daemon_on_any_address_asks_for_a_token(tmp_path: Path) -> None:
    settings = asking(
        web__host="0.0.0.0",  # what it is about
        web__tokens=tokens_file(tmp_path),
        web__proxies="192.0.2.1",
    )
    async with running(tmp_path, **settings) as child:
        await child.says("board_loaded")
        port = httpx.URL(await child.url()).port
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as web:
            refused = await web.get("/api/v1/callbacks")
            assert refused.status_code == 401
            assert refused.headers["www-authenticate"] == 'Bearer realm="ringback"'
            assert refused.headers["content-type"] == "application/problem+json"
            assert (await web.get("/api/v1/callbacks", headers=bearer("viewer"))).status_code == 200
            session = (await web.get("/api/v1/session", headers=bearer("operator"))).json()
            assert (session["name"], session["role"]) == ("olga", "operator")
            assert (await web.get("/livez")).status_code == 200
            assert set((await web.get("/readyz")).json()) == {"status"}
            told = (await web.get("/readyz?verbose", headers=bearer("metrics"))).json()
            assert "restored" in [check["name"] for check in told["checks"]]


async def test_without_tokens_no_other_machine_is_served(tmp_path: Path) -> None:
    code, _, err = await execute(tmp_path, "run", web__host="0.0.0.0")  # as above
    assert code == 2
    assert "give web.tokens" in err
    assert not (tmp_path / "ringback.db").exists()


async def test_bad_tokens_are_refused_before_anything_is_served(tmp_path: Path) -> None:
    path = tokens_file(tmp_path, "viewer canary short")
    code, _, err = await execute(tmp_path, "run", **asking(web__tokens=path))
    assert code == 2
    assert "tokens:4: the token is not allowed" in err
    assert "short" not in err.replace("shorter", "")


async def test_who_is_struck_off_the_list_is_cut_off(tmp_path: Path) -> None:
    path = tokens_file(tmp_path)
    async with running(tmp_path, **asking(web__tokens=path)) as child:
        await child.says("board_loaded")
        async with (
            httpx.AsyncClient(base_url=await child.url(), trust_env=False) as web,
            web.stream("GET", "/api/v1/events", headers=bearer("viewer")) as eves,
            web.stream("GET", "/api/v1/events", headers=bearer("operator")) as olgas,
        ):
            assert (eves.status_code, olgas.status_code) == (200, 200)
            lines = path.read_text().splitlines()
            path.write_text("\n".join(line for line in lines if "eve" not in line))
            with pytest.raises(httpx.RemoteProtocolError):
                async for _ in eves.aiter_raw():
                    pass
            async for line in olgas.aiter_lines():
                if line.startswith("data:"):
                    break
            assert (await web.get("/api/v1/session", headers=bearer("viewer"))).status_code == 401
            # A list that is none leaves the one before in force, and is told.
            path.write_text("nonsense")
            await child.says("access_list_not_read")
            ready = await web.get("/readyz", headers=bearer("operator"))
            assert ready.json()["status"] == "degraded"
            assert "nonsense" not in ready.text
            assert [one["name"] for one in ready.json()["checks"]] == ["access"]


async def test_a_page_that_is_gone_to_asks_for_a_login(tmp_path: Path) -> None:
    async with running(tmp_path, **asking(web__tokens=tokens_file(tmp_path))) as child:
        answers = await asyncio.gather(
            asked(child, "/?view=wall&queue=a%2Cb", accept="text/html,*/*"),
            asked(child, "/", accept="*/*"),
            asked(child, "/api/v1/callbacks", accept="text/html"),
        )
        assert [one.status_code for one in answers] == [303, 401, 401]
        assert answers[0].headers["location"] == "/login?next=%2F%3Fview%3Dwall%26queue%3Da%252Cb"


async def test_the_feed_is_followed_over_tls_both_ways(tmp_path: Path) -> None:
    certificate, key = make_certificate(tmp_path)
    files = {"web__tls_certificate": certificate, "web__tls_key": key}
    settings = asking(
        web__host="0.0.0.0",  # what it is about
        web__tokens=tokens_file(tmp_path),
        **files,
    )
    trusted = ssl.create_default_context(cafile=certificate)
    async with running(tmp_path, **settings) as child:
        await child.says("board_loaded")
        said = httpx.URL(await child.url())
        assert said.scheme == "https"
        url = f"https://localhost:{said.port}"
        async with httpx.AsyncClient(base_url=url, verify=trusted, trust_env=False) as web:
            given = bearer("viewer")
            async with web.stream("GET", "/api/v1/events?after=0", headers=given) as events:
                async for line in events.aiter_lines():
                    if line.startswith("data:"):
                        break
            assert events.headers["strict-transport-security"]
        socket = f"wss://localhost:{said.port}/api/v1/feed?after=0"
        async with connect(
            socket,
            ssl=trusted,
            additional_headers=given,
            proxy=None,
            max_queue=None,  # or its goodbye waits behind what nobody reads
        ) as feed:
            assert "specversion" in await feed.recv()
        with pytest.raises(InvalidStatus) as refused:
            await connect(socket, ssl=trusted, proxy=None)
        assert refused.value.response.status_code == 401
        assert refused.value.response.headers["content-type"] == "application/problem+json"
