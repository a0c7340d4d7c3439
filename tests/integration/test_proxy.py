"""The example of nginx under deploy/, before a real daemon."""

import asyncio
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from websockets.asyncio.client import connect

from support.access import TOKENS, bearer, tokens_file
from support.certificates import make_certificate
from support.daemon import SOON, running
from support.debian import require_debian
from support.gateway import free_port

EXAMPLE = Path(__file__).parents[2] / "deploy" / "proxy" / "nginx.conf"
AROUND = """
daemon off;
master_process off;
pid {folder}/nginx.pid;
error_log stderr;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    {site}
}}
"""


@asynccontextmanager
async def passing_on(folder: Path, daemon: str) -> AsyncIterator[tuple[int, ssl.SSLContext]]:
    """Run nginx as in the example; give its port, and what trusts it."""
    nginx = require_debian("nginx-light", "nginx")
    certificate, key = make_certificate(folder)
    port = free_port()
    site = EXAMPLE.read_text(encoding="utf-8")
    for theirs, ours in (
        ("listen 443 ssl", f"listen 127.0.0.1:{port} ssl"),
        ("/etc/ringback/tls/fullchain.pem", str(certificate)),
        ("/etc/ringback/tls/key.pem", str(key)),
        ("http://127.0.0.1:8080", daemon),
    ):
        assert theirs in site
        site = site.replace(theirs, ours)
    settings = folder / "nginx.conf"
    settings.write_text(AROUND.format(folder=folder, site=site), encoding="utf-8")
    process = await asyncio.create_subprocess_exec(nginx, "-c", settings, "-p", folder)
    try:
        async with asyncio.timeout(SOON):
            while not await listens(port):  # nginx does not say
                assert process.returncode is None
                await asyncio.sleep(0.05)
        yield port, ssl.create_default_context(cafile=certificate)
    finally:
        process.kill()
        await process.wait()


async def listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True


async def test_pages_feeds_and_logins_pass_through_nginx(tmp_path: Path) -> None:
    tokens: dict[str, Any] = {"web__tokens": tokens_file(tmp_path), "web__proxies": "127.0.0.1"}
    async with running(tmp_path, web__names="ringback.example.org", **tokens) as child:
        await child.says("board_loaded")
        async with passing_on(tmp_path, await child.url()) as (port, trusted):
            named = {"host": "ringback.example.org"}
            async with httpx.AsyncClient(
                base_url=f"https://localhost:{port}", verify=trusted, trust_env=False
            ) as web:
                page = await web.get("/", headers=named | {"accept": "text/html"})
                assert page.headers["location"] == "/login?next=%2F"
                answer = await web.post(
                    "/login",
                    data={"token": TOKENS["operator"][1]},
                    headers=named | {"origin": "https://ringback.example.org"},
                )
                assert answer.status_code == 303
                cookie = re.match(
                    r"(__Host-ringback=[^;]+); .*; Secure", answer.headers["set-cookie"]
                )
                assert cookie
                deeds = (await web.get("/api/v1/audit", headers=named | bearer("operator"))).json()
                assert deeds["deeds"][0]["address"] == "127.0.0.1"
                given = named | {"cookie": cookie[1]}
                async with web.stream("GET", "/api/v1/events?after=0", headers=given) as events:
                    async for line in events.aiter_lines():
                        if line.startswith("data:"):
                            break
            async with connect(
                f"wss://localhost:{port}/api/v1/feed?after=0",
                ssl=trusted,
                additional_headers=bearer("viewer"),
                proxy=None,
                max_queue=None,  # or its goodbye waits behind what nobody reads
            ) as feed:
                assert "specversion" in await feed.recv()
