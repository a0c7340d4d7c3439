"""What can go wrong on the way, before anyone has answered; and which way is taken."""

import ssl
from typing import Any

import aiohttp
import pytest
from aiohttp.client_reqrep import ConnectionKey

from ringback.errors import PlatformError, PlatformFault
from ringback.sources.genesys.exchange import Exchange, proxy_for
from support.platform import FakePlatform, json_answer
from support.runtime import LoopClock
from support.virtual import run_virtually

KEY = ConnectionKey("api.example.org", 443, True, True, None, None, None)


def fault(error: Exception) -> PlatformError:
    return Exchange(LoopClock(), 15, 1000)._fault(error, "GET /x", "api.example.org")


def test_tls_to_something_else_is_named() -> None:
    async def work() -> None:
        async with FakePlatform() as platform, Exchange(LoopClock(), 15, 1000) as exchange:
            url = platform.url.replace("http:", "https:")
            with pytest.raises(PlatformError, match=r"TLS with 127\.0\.0\.1 failed") as caught:
                await exchange.send("GET", f"{url}/x", name="GET /x", headers={})
            assert caught.value.fault is PlatformFault.TLS

    run_virtually(work())


def test_a_certificate_that_is_not_trusted_says_why() -> None:
    reason = ssl.SSLCertVerificationError(1, "canary")
    reason.verify_message = "self-signed certificate in certificate chain"
    error = fault(aiohttp.ClientConnectorCertificateError(KEY, reason))
    assert error.fault is PlatformFault.TLS
    assert str(error) == (
        "GET /x: TLS with api.example.org failed (self-signed certificate in certificate chain);"
        " give the authority of a proxy that opens TLS in SSL_CERT_FILE; without one, check the"
        " host and this machine's clock"
    )


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            aiohttp.ClientConnectorDNSError(KEY, OSError("canary")),
            "the name api.example.org cannot be resolved; check the network, its name servers",
        ),
        (aiohttp.ClientConnectorError(KEY, OSError("canary")), "cannot be connected to"),
        (
            aiohttp.ClientProxyConnectionError(KEY, OSError("canary")),
            "check HTTPS_PROXY, HTTP_PROXY",
        ),
        (aiohttp.InvalidURL("canary"), "check HTTPS_PROXY, HTTP_PROXY"),
        (
            aiohttp.ClientHttpProxyError(None, (), status=407, message="canary"),  # type: ignore[arg-type]
            "the proxy will not connect to api.example.org (HTTP 407)",
        ),
        (aiohttp.ServerDisconnectedError("canary"), "broke before the answer was there"),
        (ValueError("canary"), "broke before the answer was there"),
    ],
)
def test_a_way_that_cannot_be_gone_is_named_without_details(error: Any, words: str) -> None:
    raised = fault(error)
    assert raised.fault is PlatformFault.UNREACHABLE
    assert words in str(raised)
    assert "canary" not in str(raised)


def test_proxies_of_the_environment_are_used_but_not_for_this_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("https_proxy", "http_proxy", "no_proxy", "HTTP_PROXY", "NO_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example.org:3128")
    monkeypatch.setenv("no_proxy", "internal.example.org")
    assert proxy_for("https://api.mypurecloud.de/x") == "http://proxy.example.org:3128"
    assert proxy_for("http://api.mypurecloud.de/x") is None
    assert proxy_for("https://api.internal.example.org/x") is None
    for host in ("127.0.0.1:1", "localhost", "[::1]:8"):
        assert proxy_for(f"https://{host}/x") is None


def test_a_proxy_is_asked_for_what_is_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    async def work() -> None:
        async with FakePlatform() as proxy, Exchange(LoopClock(), 15, 1000) as exchange:
            monkeypatch.setenv("http_proxy", proxy.url)
            proxy.script("GET /things", json_answer({}))
            headers = {"Authorization": "Bearer token-1"}
            reply = await exchange.send(
                "GET", "http://api.example.org/things", name="GET /things", headers=headers
            )
            assert reply.answer.status == 200

    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    run_virtually(work())


def test_it_is_used_only_while_it_is_open() -> None:
    async def work() -> None:
        with pytest.raises(RuntimeError, match="entered before it is used"):
            await Exchange(LoopClock(), 15, 1000).send("GET", "http://x", name="x", headers={})

    run_virtually(work())
