"""Ringback whose steps are stored without the fence: shows that tests notice what it is for.

Run as a program it takes the same arguments.
"""

import asyncio
from pathlib import Path

from nats.aio.msg import Msg

from ringback.cli import main
from ringback.stores.jetstream.connection import Connection

__all__ = ["PROGRAM"]

PROGRAM = Path(__file__)
FENCE = "Nats-Expected-Last-Subject-Sequence"
STEPS = ".st."

_send = Connection.send


async def _send_unfenced(
    self: Connection, subject: str, payload: bytes, headers: dict[str, str] | None = None
) -> asyncio.Future[Msg]:
    if STEPS in subject and headers:
        headers = {name: value for name, value in headers.items() if name != FENCE}
    return await _send(self, subject, payload, headers)


if __name__ == "__main__":
    Connection.send = _send_unfenced  # type: ignore[method-assign]  # that is the point
    main()
