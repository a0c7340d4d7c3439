"""A REST client of the daemon that talks with a stand-in for the platform, in virtual time."""

import random
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

from ringback.sources.genesys.budget import Budget
from ringback.sources.genesys.client import Credentials, RestClient
from support.platform import SECRET, FakePlatform
from support.runtime import LoopClock
from support.virtual import run_virtually

__all__ = ["talk"]

Work = Callable[[FakePlatform, RestClient], Awaitable[None]]


def talk(
    work: Work,
    routes: dict[str, Any] | None = None,
    *,
    per_minute: int = 300,
    clock: LoopClock | None = None,
    **options: Any,
) -> None:
    """Let a client talk with a platform that answers by `routes`."""

    async def both() -> None:
        async with AsyncExitStack() as stack:
            platform = await stack.enter_async_context(FakePlatform(routes))
            client = await stack.enter_async_context(
                RestClient(
                    platform.hosts,
                    Credentials("client-1", SECRET),
                    clock=clock or LoopClock(),
                    budget=Budget(per_minute),
                    chance=random.Random(1),
                    timeout=15,
                    **options,
                )
            )
            await work(platform, client)

    run_virtually(both())
