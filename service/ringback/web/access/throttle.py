"""Counts failed attempts by address, in bounded memory."""

from collections.abc import Callable
from ipaddress import IPv6Address, ip_address, ip_network

__all__ = ["Throttle"]

MOST_FAILURES = 10
WINDOW_SECONDS = 60.0
MOST_ADDRESSES = 1024
"""The one that began to fail first is forgotten: it is a brake, what keeps out is the token."""
NETWORK_BITS = 64
"""Of IPv6, one customer has that many addresses."""


class Throttle:
    """Who has failed too often lately."""

    def __init__(
        self, time: Callable[[], float], most: int = MOST_FAILURES, seconds: float = WINDOW_SECONDS
    ) -> None:
        """Allow `most` failures in so many seconds; `time` gives seconds that never go back."""
        self._time = time
        self._most = most
        self._seconds = seconds
        self._failures: dict[str, tuple[float, int]] = {}
        """When the window of an address began, and how often it has failed since."""

    def wait(self, address: str) -> int:
        """Give how many seconds an address has to wait; 0 if it may try."""
        began, count = self._failures.get(_network(address), (0.0, 0))
        left = began + self._seconds - self._time()
        return int(left) + 1 if count >= self._most and left > 0 else 0

    def failed(self, address: str) -> None:
        """Count a failure."""
        network, now = _network(address), self._time()
        began, count = self._failures.get(network, (now, 0))
        if now - began >= self._seconds:
            began, count = now, 0
            self._failures.pop(network, None)
        self._failures[network] = (began, count + 1)
        if len(self._failures) > MOST_ADDRESSES:
            del self._failures[next(iter(self._failures))]


def _network(address: str) -> str:
    try:
        known = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(known, IPv6Address) and known.ipv4_mapped is None:
        return str(ip_network((known, NETWORK_BITS), strict=False))
    return str(known)
