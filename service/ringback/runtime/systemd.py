"""Telling systemd how the daemon is, by its notify protocol (sd_notify(3)).

Own lines, because the packages for it are dormant and the protocol is one datagram.
"""

import asyncio
import os
import socket
from collections.abc import Callable

__all__ = ["feed_forever", "notify"]


def notify(message: str) -> bool:
    """Send a message such as `READY=1`; False where nobody listens."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return False
    if address.startswith("@"):
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
        channel.setblocking(False)  # noqa: FBT003  # the standard library's way
        try:
            channel.connect(address)
            channel.sendall(message.encode())
        except OSError:  # it is being restarted, or does not keep up: its loss, not ours
            return False
    return True


async def feed_forever(healthy: Callable[[], str | None]) -> None:
    """Feed the watchdog while `healthy` has nothing to complain of, until cancelled.

    That this runs shows that the loop does; the rest is `healthy`'s to judge. It gives None, or
    what does not progress: then systemd is told in words, not fed, and restarts the daemon.
    """
    interval = int(os.environ.get("WATCHDOG_USEC", "30000000")) / 1_000_000 / 3
    while True:
        complaint = healthy()
        notify("WATCHDOG=1\nSTATUS=following" if complaint is None else f"STATUS={complaint}")
        await asyncio.sleep(interval)
