"""Reads what a request's head says, before any framework has seen it."""

import re
from ipaddress import ip_address
from typing import Any

__all__ = ["LOOPBACK_NAMES", "address_of", "bare_host", "header", "is_address", "names_tag"]

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
"""What a browser on this machine calls this machine."""


HOST = re.compile(r"(?:\[(?P<bracketed>[^\]]*)\]|(?P<plain>[^:\[\]]*))(?::\d*)?")


def header(scope: Any, name: bytes) -> str | None:  # noqa: ANN401  # a scope of any kind
    """Give the value of a header that is there exactly once."""
    found = [value for key, value in scope["headers"] if key == name]
    return found[0].decode("latin-1") if len(found) == 1 else None


def bare_host(authority: str) -> str | None:
    """Take the port off `host:port`, and give the host in lower case."""
    matched = HOST.fullmatch(authority.lower())
    return matched and (matched["bracketed"] or matched["plain"])


def names_tag(if_none_match: str, tag: str) -> bool:
    """Whether an asker has an answer. A proxy that compresses may have made its tag a weak one."""
    had = {each.strip().removeprefix("W/") for each in if_none_match.split(",")}
    return tag.removeprefix("W/") in had or "*" in had


def is_address(host: str) -> bool:
    """Whether a host is an address, not a name."""
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def address_of(scope: Any) -> str:  # noqa: ANN401  # as above
    """Say from which address somebody asks; empty if that is not known."""
    client = scope.get("client")
    return str(client[0]) if client else ""
