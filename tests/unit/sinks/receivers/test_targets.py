import asyncio
import socket
from typing import Any

import pytest

from ringback.errors import DeliveryError, DeliveryFault
from ringback.sinks.receivers.targets import refuse_url, resolve


@pytest.mark.parametrize(
    "url",
    [
        "https://127.0.0.1/",
        "https://10.1.2.3/",
        "https://192.168.0.1:8443/",
        "https://172.16.0.1/",
        "https://100.64.0.1/",  # neither private nor global
        "https://[::1]/",
        "https://[fd00::1]/",
        "https://[fec0::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://[::ffff:10.0.0.1]/",
        "https://[2001:db8::1]/",
        "https://192.0.2.1/",
        "https://240.0.0.1/",
        "http://hooks.example.org/",
        "http://203.0.113.5/",
    ],
)
def test_what_is_private_or_in_clear_is_allowed_only_by_name(url: str) -> None:
    with pytest.raises(ValueError, match="allow_private = true"):
        refuse_url(url, allow_private=False)
    refuse_url(url, allow_private=True)


@pytest.mark.parametrize(
    "url",
    [
        "https://0.0.0.0/",
        "https://[::]/",
        "https://224.0.0.1/",
        "https://[ff02::1]/",
        "https://169.254.169.254/latest/",
        "https://[fe80::1]/",
        "https://[::ffff:169.254.169.254]/",
        "https://[2002:7f00:1::]/",  # 6to4 and NAT64 of 127.0.0.1
        "https://[64:ff9b::7f00:1]/",
        "https://[64:ff9b:1::1]/",
        "https://127.1/",
        "https://2130706433/",
        "https://0177.0.0.1/",
        "https://1.2.3.4.5/",
        "ftp://example.org/",
        "file:///etc/passwd",
        "https:///path",
        "https://me:canary@example.org/",
        "https://example.org/#canary",
        "https://example.org/a b",
        "https://example.org/\n",
        "https://exämple.org/",
        "https://[canary/",
        "https://example.org:99999/",
        "example.org",
        "",
    ],
)
@pytest.mark.parametrize("private", [True, False])
def test_what_can_never_be_meant_is_refused_without_being_quoted(url: str, private: bool) -> None:
    with pytest.raises(
        ValueError, match=r"allowed: an address as|no message may go|neither a"
    ) as it:
        refuse_url(url, allow_private=private)
    assert "canary" not in str(it.value)


@pytest.mark.parametrize(
    "url",
    [
        "https://hooks.slack.com/services/T/B/x?y=1",
        "https://8.8.8.8:8443/",
        "https://[2606:4700::1]/",
    ],
)
def test_public_addresses_and_names_are_targets(url: str) -> None:
    refuse_url(url, allow_private=False)


def answering(monkeypatch: pytest.MonkeyPatch, *addresses: str) -> None:
    async def getaddrinfo(*_: Any, **__: Any) -> Any:
        if not addresses:
            raise socket.gaierror
        return [
            (socket.AF_INET6 if ":" in each else socket.AF_INET, 1, 6, "", (each, 443))
            for each in addresses
        ]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)


async def test_a_name_is_as_good_as_the_worst_of_its_addresses(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answering(monkeypatch, "8.8.8.8", "2606:4700::1")
    found = await resolve("hooks.example.org", 443, allow_private=False)
    assert [address for address, _ in found] == ["8.8.8.8", "2606:4700::1"]
    answering(monkeypatch, "8.8.8.8", "10.0.0.1")
    with pytest.raises(DeliveryError, match="has an address within a private network") as caught:
        await resolve("hooks.example.org", 443, allow_private=False)
    assert caught.value.fault is DeliveryFault.FORBIDDEN_TARGET
    assert len(await resolve("hooks.example.org", 443, allow_private=True)) == 2
    answering(monkeypatch, "169.254.169.254")
    with pytest.raises(DeliveryError, match="which no message may go to"):
        await resolve("metadata.example.org", 443, allow_private=True)
    answering(monkeypatch)
    with pytest.raises(DeliveryError, match=r"the name hooks\.example\.org cannot be resolved"):
        await resolve("hooks.example.org", 443, allow_private=False)
