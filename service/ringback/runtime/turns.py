"""Long work on the loop, done part by part."""

import asyncio
from collections.abc import Iterable

__all__ = ["in_turns"]


async def in_turns(parts: Iterable[object]) -> None:
    """Do one part after the other, and let everything else go on between two of them."""
    for _ in parts:
        await asyncio.sleep(0)
