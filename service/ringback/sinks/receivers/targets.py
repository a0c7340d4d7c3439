"""Where messages may go.

A target is somebody's text, resolved by somebody's name server: without care it leads into the
network that the daemon stands in. So every address that a name has must be a public one, unless
`allow_private` is set; the connection goes to what was looked at, and to nothing resolved later.
"""

import asyncio
import ipaddress
import socket
from urllib.parse import urlsplit

from aiohttp.abc import AbstractResolver, ResolveResult

from ringback.errors import DeliveryError, DeliveryFault

__all__ = ["Checked", "address_problem", "connect", "refuse_host", "refuse_url", "resolve"]

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
TRANSLATED = tuple(map(ipaddress.ip_network, ("2002::/16", "64:ff9b::/96", "64:ff9b:1::/48")))
"""6to4 and NAT64: an address of version 4 within looks public, whatever it is."""
NEVER_THERE = "which no message may go to"


def refuse_url(url: str, *, allow_private: bool) -> None:
    """Raise `ValueError` for what is no target, without quoting it: it may hold a secret."""
    allowed = "allowed: an address as https://hooks.example.org/..., without a user"
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ValueError(f"is no address; {allowed}") from None
    if parts.scheme not in {"http", "https"} or not host:
        raise ValueError(f"is no https:// address; {allowed}")
    plain = url.isascii() and url.isprintable() and " " not in url
    if parts.username is not None or parts.fragment or not plain:
        raise ValueError(f"holds more than it should; {allowed}")
    if parts.scheme == "http" and not allow_private:
        raise ValueError(
            "is http://, which anybody on the way can read; allow_private = true allows it"
        )
    refuse_host(host, allow_private=allow_private)


def refuse_host(host: str, *, allow_private: bool) -> None:
    """Raise `ValueError` for an address that is none, or none that messages may go to."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        # 127.1 and 2130706433 are addresses to whoever connects, and would not be looked up.
        if ":" in host or host.replace(".", "").isdecimal():
            raise ValueError("holds a host that is neither a name nor an address") from None
        return
    problem = address_problem(address, allow_private=allow_private)
    if problem is not None:
        raise ValueError(f"is {problem}")


def address_problem(address: IPAddress, *, allow_private: bool) -> str | None:
    """Say why nothing may be sent to an address; None if it may."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped
        if inner is not None:
            return address_problem(inner, allow_private=allow_private)
        if any(address in network for network in TRANSLATED):
            return f"an address that stands for another, {NEVER_THERE}"
    if address.is_multicast or address.is_unspecified or address.is_link_local:
        return f"an address of no single machine, or of this link, {NEVER_THERE}"
    if allow_private or (address.is_global and not getattr(address, "is_site_local", False)):
        return None
    return "an address within a private network; allow_private = true allows it"


async def resolve(host: str, port: int, *, allow_private: bool) -> list[tuple[str, int]]:
    """Give the addresses of a host, each with its family. Raises `DeliveryError`.

    One address that must not be is enough to refuse them all: which one is taken is chance.
    """
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise DeliveryError(
            DeliveryFault.UNREACHABLE, f"the name {host} cannot be resolved"
        ) from None
    addresses = list(dict.fromkeys((str(each[4][0]).partition("%")[0], each[0]) for each in found))
    for text, _ in addresses:
        problem = address_problem(ipaddress.ip_address(text), allow_private=allow_private)
        if problem is not None:
            raise DeliveryError(DeliveryFault.FORBIDDEN_TARGET, f"{host} has {problem}")
    return [(text, int(family)) for text, family in addresses]


async def connect(host: str, port: int, *, allow_private: bool) -> socket.socket:
    """Connect to one of the addresses of a host. Raises `DeliveryError`."""
    loop = asyncio.get_running_loop()
    for address, family in await resolve(host, port, allow_private=allow_private):
        link = socket.socket(socket.AddressFamily(family), socket.SOCK_STREAM)
        link.setblocking(False)  # noqa: FBT003  # the standard library's way
        try:
            await loop.sock_connect(link, (address, port))
        except OSError:
            link.close()
        except BaseException:
            link.close()
            raise
        else:
            return link
    raise DeliveryError(DeliveryFault.UNREACHABLE, f"{host} cannot be connected to")


class Checked(AbstractResolver):
    """Resolves names for a connector, to addresses that may be connected to."""

    def __init__(self, *, allow_private: bool) -> None:
        self._allow_private = allow_private

    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = socket.AF_UNSPEC,  # noqa: ARG002  # all are looked at
    ) -> list[ResolveResult]:
        """Give every address of a host. Raises `DeliveryError`."""
        return [
            ResolveResult(
                hostname=host,
                host=text,
                port=port,
                family=kind,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for text, kind in await resolve(host, port, allow_private=self._allow_private)
        ]

    async def close(self) -> None:
        """Nothing is kept."""
